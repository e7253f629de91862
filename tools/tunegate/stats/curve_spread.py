"""What a curve is fitted to, and the fit together with what trainings differ by; see `curve_fit` for the scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tunegate.stats.curve_fit import angles_of, fit_one, slopes_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tunegate.stats.curve_fit import Prior

    Numbers = NDArray[np.float64]

_ROUNDS = 3


@dataclass(frozen=True, eq=False)
class SpreadFit:
    """Parameters, and what the points' distances from the curve are made of."""

    parameters: Numbers
    weights: Numbers
    misses: Numbers
    """Distances of the points from the curve, in radians."""
    remainder: Numbers
    """Points x points: what is left of a deviation of the points after the curve has followed it."""
    squares: float
    """Weighted sum of squared distances,"""
    of_cases: float
    """what is expected of it from cases,"""
    of_trainings: float
    """and from trainings, for each unit of their variance."""
    freedom: float

    def variance(self, pivots: Numbers) -> Numbers:
        """Return the variance between trainings where the sum of squares were so many times its expectation."""
        found: Numbers = np.maximum(0.0, (self.squares / pivots - self.of_cases) / self.of_trainings)
        return found


def fit_with_spread(angles: Numbers, by_cases: Numbers, *, examples: Numbers, prior: Prior) -> SpreadFit:
    """Fit, and estimate the variance between trainings by moments; both in turns, for each needs the other."""
    trained = (examples > 0).astype(float)

    def fit(variance: float, start: Numbers | None) -> SpreadFit:
        weights = 1 / (np.diag(by_cases) + variance * trained)
        parameters = fit_one(angles, weights, examples=examples, prior=prior, start=start)
        slopes = slopes_of(parameters, examples)
        normal = slopes.T @ (weights[:, None] * slopes) + np.diag(prior.deviation**-2)
        remainder = np.eye(len(angles)) - slopes @ np.linalg.solve(normal, slopes.T * weights)
        misses = angles - angles_of(parameters, examples)
        return SpreadFit(
            parameters,
            weights,
            misses,
            remainder,
            squares=float(weights @ misses**2),
            of_cases=float(weights @ np.einsum("ij,jk,ik->i", remainder, by_cases, remainder)),
            of_trainings=float(weights @ (remainder**2 @ trained)),
            freedom=max(1.0, float(np.trace(remainder))),
        )

    found = fit(0.0, None)
    for _ in range(_ROUNDS):
        found = fit(float(found.variance(np.ones(1))[0]), found.parameters)
    return found


def angles_of_weighted(counts: Numbers, weights: Numbers, added: Numbers) -> Numbers:
    """Return the angles of the points' shares, rows x points, for rows of weights of the cases.

    `added` are the weights, rows x points or one for all x 2, of a case that is passed and one that is missed, as large
    as a case on average.
    """
    passed, judged = weights @ counts[..., 0].T, weights @ counts[..., 1].T
    size = counts[..., 1].sum() / np.count_nonzero(counts[..., 1])
    shares = (passed + added[..., 0] * size) / (judged + added.sum(2) * size)
    angles: Numbers = np.arcsin(np.sqrt(shares))
    return angles
