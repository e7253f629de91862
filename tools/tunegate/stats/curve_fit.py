"""Fitting curves by weighted least squares on the angular scale, one by SciPy and thousands at a time.

The angle of a share is asin(sqrt(share)): there a binomial share varies by 1 / (4 n) wherever it lies (Anscombe
1948, Biometrika 35:246-254). A curve's parameters stand in a row: the angles of its start and its end, the
logarithms of `half_at` and `steepness`, `rest`, and the logarithm of `decay`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

PARAMETERS = 6
_RIGHT_ANGLE = np.pi / 2
_LOWEST = np.array([0.0, 0.0, -np.inf, -np.inf, 0.0, -np.inf])
_HIGHEST = np.array([_RIGHT_ANGLE, _RIGHT_ANGLE, np.inf, np.inf, 1.0, np.inf])
_STEPS = 60
_LEAST_GAIN = 1e-5
"""Of the sum of squares, which is of the order of the number of points."""
_MOST_DAMPING = 1e3
_NEARLY_LEVEL, _VERY_STEEP = -6.0, 6.0
"""Logarithms of steepness beyond which nothing changes any more, and numbers would overflow."""


@dataclass(frozen=True)
class Prior:
    """What is supposed of the parameters before any point is seen: independent normals, wide on purpose."""

    centre: Numbers
    deviation: Numbers


def prior_of(examples: Numbers) -> Prior:
    """Return the prior for points at these numbers of examples.

    Start and end may be anything from 0 to 1; half of the way is made somewhere around the sizes that were tried; the
    steepness of the switch lies between 0.3 and 5 with a chance of 95 %. Whether there is a tail is open, and its
    exponent lies between 0.1 and 1.1 with that chance, as those of learning curves at scale do (Hestness et al. 2017,
    arXiv:1712.00409). It decides where the points leave something open, such as where the curve ends that has not yet
    bent, the steepness of one that is level, or what further examples bring where the last ones brought little.
    """
    sizes = np.log(examples[examples > 0])
    middle, half = (sizes.max() + sizes.min()) / 2, (sizes.max() - sizes.min()) / 2
    return Prior(
        np.array([np.pi / 4, np.pi / 4, middle, np.log(1.25), 0.0, np.log(0.35)]),
        np.array([np.pi / 4, np.pi / 4, half + 1.0, 0.7, 0.5, 0.6]),
    )


def angles_of(parameters: Numbers, examples: Numbers) -> Numbers:
    """Return the curves' angles: parameters (..., 6) and examples (n,) give (..., n)."""
    start, end, centre, slope, rest, decay = (parameters[..., index, None] for index in range(PARAMETERS))
    with np.errstate(divide="ignore"):
        logs = np.log(examples)
    distance = logs - centre
    exponent = np.exp(np.clip(slope, _NEARLY_LEVEL, _VERY_STEEP)) * distance
    tail = np.exp(-np.exp(np.clip(decay, _NEARLY_LEVEL, _VERY_STEEP)) * np.logaddexp(0.0, distance))
    way = (1 - rest * tail) / (1 + np.exp(-np.clip(exponent, -700, 700)))
    way = np.where(examples > 0, way, 0.0)
    low, high = np.sin(start) ** 2, np.sin(end) ** 2
    angles: Numbers = np.arcsin(np.sqrt(np.clip(low + (high - low) * way, 0.0, 1.0)))
    return angles


def slopes_of(parameters: Numbers, examples: Numbers) -> Numbers:
    """Return the derivatives of `angles_of`: (..., n, 6), by differences that never leave the bounds."""
    here = angles_of(parameters, examples)
    slopes = np.empty((*here.shape, PARAMETERS))
    for index, half in enumerate((np.pi / 4, np.pi / 4, 0.0, 0.0, 0.5, 0.0)):
        step = np.where(parameters[..., index] > half, -1e-6, 1e-6)
        moved = parameters.copy()
        moved[..., index] += step
        slopes[..., index] = (angles_of(moved, examples) - here) / step[..., None]
    return slopes


def fit_one(
    angles: Numbers, weights: Numbers, *, examples: Numbers, prior: Prior, start: Numbers | None = None
) -> Numbers:
    """Return the parameters of the curve nearest to the angles, from `start` or the best of several starts."""
    from scipy.optimize import least_squares

    roots = np.sqrt(weights)

    def misses(parameters: Numbers) -> Numbers:
        near: Numbers = roots * (angles_of(parameters, examples) - angles)
        return np.concatenate([near, (parameters - prior.centre) / prior.deviation])

    def slopes(parameters: Numbers) -> Numbers:
        return np.concatenate([roots[:, None] * slopes_of(parameters, examples), np.diag(1 / prior.deviation)])

    first, last = angles[examples.argmin()], angles[examples.argmax()]
    starts = [
        np.array([first, last, prior.centre[2] + place * prior.deviation[2], slope, 0.1, prior.centre[5]])
        for place in (-0.6, 0.0, 0.6)
        for slope in (0.0, 1.0)
    ]
    found = [
        least_squares(
            misses,
            np.clip(each, _LOWEST, _HIGHEST),
            jac=slopes,
            bounds=(_LOWEST - 1e-9, _HIGHEST + 1e-9),
            x_scale=prior.deviation,
        )
        for each in (starts if start is None else [start])
    ]
    best = min(found, key=lambda result: float(result.cost))
    parameters: Numbers = np.clip(best.x, _LOWEST, _HIGHEST)
    return parameters


def fit_many(
    targets: Numbers, weights: Numbers, *, examples: Numbers, centres: Numbers, prior: Prior, start: Numbers
) -> Numbers:
    """Return the parameters of the curve nearest to each row of angles, each with a prior centre of its own.

    Levenberg's and Marquardt's steps for all rows at once; an angle at its bound stays there while it is pushed out.
    """
    roots = np.sqrt(weights)
    parameters = np.broadcast_to(start, centres.shape).copy()
    damping = np.full(len(targets), 1e-2)
    rows = np.arange(len(targets))
    """Those that still move."""

    def misses(tried: Numbers) -> Numbers:
        near: Numbers = roots * (targets[rows] - angles_of(tried, examples))
        return np.concatenate([near, (centres[rows] - tried) / prior.deviation], axis=1)

    for _ in range(_STEPS):
        here = parameters[rows]
        left = misses(here)
        jacobian = np.concatenate(
            [
                roots[:, None] * slopes_of(here, examples),
                np.broadcast_to(np.diag(1 / prior.deviation), (len(rows), PARAMETERS, PARAMETERS)),
            ],
            axis=1,
        )
        push = np.einsum("bij,bi->bj", jacobian, left)
        free = ~(((here >= _HIGHEST) & (push > 0)) | ((here <= _LOWEST) & (push < 0)))
        jacobian *= free[:, None, :]
        normal = jacobian.transpose(0, 2, 1) @ jacobian
        diagonal = np.einsum("bjj->bj", normal)
        damped = normal + np.eye(PARAMETERS) * (damping[rows, None] * diagonal + ~free)[:, None, :]
        step = np.linalg.solve(damped, (push * free)[..., None])[..., 0]
        tried = np.clip(here + np.clip(step, -2.0, 2.0), _LOWEST, _HIGHEST)
        gained = (left**2).sum(1) - (misses(tried) ** 2).sum(1)
        better = gained > 0
        parameters[rows[better]] = tried[better]
        damping[rows] *= np.where(better, 0.2, 4.0)
        moves = np.where(better, gained > _LEAST_GAIN, damping[rows] < _MOST_DAMPING)
        rows = rows[moves]
        if not len(rows):
            break
    return parameters
