"""How much data a fine-tune needs: a share against the number of training examples."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from tunegate.stats.curve_points import CurvePoint, refuse_impossible
from tunegate.stats.curve_shape import CurveShape
from tunegate.stats.interval import Interval, NotEnoughData, quantile_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tunegate.stats.curve_fit import Prior

    Numbers = NDArray[np.float64]

RESAMPLES = 999
"""Resampled curves by default: the error of a limit by chance is then about 2 % of the interval's width."""
FEWEST_SIZES = 4
"""Different numbers of examples, that of the base model among them: a curve has four parameters."""
FEWEST_TO_SPARE = 2
"""Points beyond the four parameters: what is left over tells how much trainings differ."""
FARTHEST = 4.0
"""Times the largest size that was tried, up to which the curve is asked: farther out the form of the curve
decides, and no point."""
_ROUNDS = 3


@dataclass(frozen=True)
class SaturatingCurve:
    """A fitted curve and those that were fitted to resamples: whatever is asked of it comes with an interval."""

    shape: CurveShape
    resampled: tuple[CurveShape, ...]
    spread: float
    """Standard deviation between trainings of one size, in radians on the angular scale: p (1 - p) (2 spread)^2 is the
    variance of a share."""
    most_examples: int
    """Of all trainings."""
    fewest_examples: int
    """Of all points: 0 where the base model is one. Below it the curve is not asked."""
    judged: int
    trainings: int

    def value_at(self, examples: float, *, level: float = 0.95) -> Interval | NotEnoughData:
        """Return the share that trainings with so many examples have on average.

        Raises:
            ValueError: `examples` is negative, or `level` is not between 0 and 1.
        """
        too_far = self._not_tried(examples)
        return too_far or self._interval(lambda shape: shape.at(examples), level=level)

    def gain_of_next(self, examples: float, at: float, *, level: float = 0.95) -> Interval | NotEnoughData:
        """Return the difference in the share that `examples` more make, where there are `at` already.

        Raises:
            ValueError: a number is negative, or `level` is not between 0 and 1.
        """
        if not examples > 0:
            raise ValueError(f"{examples} further examples are none")
        too_far = self._not_tried(at) or self._not_tried(at + examples)
        return too_far or self._interval(lambda shape: shape.at(at + examples) - shape.at(at), level=level)

    def examples_for(self, share: float, *, level: float = 0.95) -> Interval | NotEnoughData:
        """Return the number of examples from which on a training has at least `share`, on average.

        0 says that the base model has it; as a lower limit, where the base model is no point of the curve, that nobody
        knows with how few one gets by. Where the upper limit lies beyond `FARTHEST` times what was tried, or nowhere,
        the reason says the lower one; where the smallest training already has the share, the upper one.

        Raises:
            ValueError: `share` or `level` is not between 0 and 1, both excluded.
        """
        if not 0 < share < 1:
            raise ValueError(f"a share of {share} cannot be looked for: it must lie between 0 and 1")
        farthest = FARTHEST * self.most_examples

        def ask(shape: CurveShape) -> float:
            # A curve that falls has the share as long as it is asked at all.
            is_there = min(shape.at(self.fewest_examples), shape.at(farthest)) >= share
            return 0.0 if is_there else shape.examples_for(share)

        unasked = f"fewer than {self.fewest_examples} were not tried, and the base model is no point of the curve"
        by_all = f"the base model itself has a share of {share:g}, by every curve that fits the points"
        if self.fewest_examples:
            by_all = (
                f"a share of {share:g} needs at most {self.fewest_examples} examples, by every curve that fits the"
                f" points: {unasked}"
            )
        if_all_agree = {
            0.0: by_all,
            math.inf: f"a share of {share:g} is not reached by any curve that fits the points",
        }
        found = self._interval(ask, level=level, if_all_agree=if_all_agree)
        if isinstance(found, NotEnoughData):
            return found
        if found.high <= farthest:
            if found.estimate or not self.fewest_examples:
                return found
            return NotEnoughData(f"a share of {share:g} needs at most {math.ceil(found.high)} examples: {unasked}")
        least = math.floor(min(found.low, farthest))
        needed = f"a share of {share:g} needs at least {least} examples, and how many more"
        return NotEnoughData(
            f"{needed if least else f'how many examples a share of {share:g} needs'} is open: the curve was measured up"
            f" to {self.most_examples}"
        )

    def _not_tried(self, examples: float) -> NotEnoughData | None:
        if not 0 <= examples < math.inf:
            raise ValueError(f"{examples} is no number of examples")
        if examples < self.fewest_examples:
            return NotEnoughData(
                f"{examples:g} examples are fewer than the {self.fewest_examples} of the smallest training, and the"
                " base model is no point of the curve"
            )
        if examples <= FARTHEST * self.most_examples:
            return None
        return NotEnoughData(
            f"{examples:g} examples are more than {FARTHEST:g} times the {self.most_examples} that were tried"
        )

    def _interval(
        self,
        ask: Callable[[CurveShape], float],
        *,
        level: float,
        if_all_agree: Mapping[float, str] = MappingProxyType({}),
    ) -> Interval | NotEnoughData:
        quantile_of(level)
        rank = int((1 - level) / 2 * (len(self.resampled) + 1))
        if not rank:
            return NotEnoughData(f"{len(self.resampled)} resamples are too few for a level of {level:g}")
        answers = sorted(map(ask, self.resampled))
        estimate = ask(self.shape)
        low, high = min(answers[rank - 1], estimate), max(answers[-rank], estimate)
        if low == high:
            agreed = f"it is {estimate:g} in all resamples, so that nothing tells how well it is known"
            return NotEnoughData(if_all_agree.get(estimate, agreed))
        return Interval(estimate, low, high, level, self.judged, clusters=self.trainings)


def fit_curve(
    points: Sequence[CurvePoint], *, seed: int, resamples: int = RESAMPLES
) -> SaturatingCurve | NotEnoughData:
    """Fit a `CurveShape` to trainings of different sizes, by weighted least squares on the angular scale.

    What is uncertain about it has two sources, and each resampled curve is fitted to a draw of both. Cases: all
    points get the same random weights of the cases (Rubin 1981, "The Bayesian Bootstrap", Annals of Statistics
    9:130-134), so that what a hard case does to every training is no independent evidence. Half a case that all pass
    and half a one that all miss are added, which makes of the share of one point its Jeffreys interval, and keeps a
    width where all passed. Trainings: each with examples gets a normal deviation; the variance is what the points'
    distance from the curve leaves after that of the cases, by moments, and itself drawn as chi-squared says it is known
    (the generalised pivot of Weerahandi 1993, "Generalized Confidence Intervals", JASA 88:899-905). Where the curve
    fits badly the interval is wider for it. The prior is drawn along with the data (Bardsley et al. 2014,
    "Randomize-then-Optimize", SIAM Journal on Scientific Computing 36:A1895-A1910).

    Trainings are taken to be independent of each other: where one replicate's deviation is the same at all sizes, as it
    may be with one seed and nested training files, and there are few replicates, the intervals are too narrow
    (`benchmarks/curves.py` shows by how much). Those that did not converge are left out by the caller, see
    `judge_convergence`.

    Raises:
        ValueError: a point has negative examples, nothing judged or more passed than judged, has other cases than
        the first, or a training stands twice.
    """
    refuse_impossible(points)
    sizes = {point.examples for point in points}
    if len(sizes) < FEWEST_SIZES:
        return NotEnoughData(f"{len(sizes)} sizes are too few for a curve: at least {FEWEST_SIZES} are needed")
    import numpy as np

    from tunegate.stats.curve_fit import PARAMETERS, fit_many, prior_of

    if len(points) < PARAMETERS + FEWEST_TO_SPARE:
        return NotEnoughData(
            f"{len(points)} points are too few for a curve: at least {PARAMETERS + FEWEST_TO_SPARE} are needed, the"
            " base model among them"
        )
    dice = np.random.default_rng(seed)
    examples = np.array([point.examples for point in points], dtype=float)
    counts = np.array([point.cases for point in points], dtype=float)
    angles = _angles_of_weighted(counts, np.ones((1, counts.shape[1])), np.full((1, 2), 0.5))[0]
    drawn = _angles_of_weighted(
        counts, dice.standard_exponential((resamples, counts.shape[1])), dice.standard_gamma(0.5, (resamples, 2))
    )
    prior = prior_of(examples)
    fit = _fit_with_spread(angles, np.cov(drawn, rowvar=False), examples=examples, prior=prior)
    variances = fit.variance(dice.chisquare(fit.freedom, resamples) / fit.freedom)
    noise = dice.standard_normal(drawn.shape) * (examples > 0) * np.sqrt(variances)[:, None]
    centres = prior.centre + prior.deviation * dice.standard_normal((resamples, PARAMETERS))
    many = fit_many(drawn + noise, fit.weights, examples=examples, centres=centres, prior=prior, start=fit.parameters)
    return SaturatingCurve(
        _shape_of(fit.parameters),
        tuple(map(_shape_of, many)),
        math.sqrt(fit.variance(np.ones(1))[0]),
        max(sizes),
        min(sizes),
        judged=sum(point.judged for point in points),
        trainings=len(points),
    )


@dataclass(frozen=True, eq=False)
class _Fit:
    """Parameters, and what the points' distances from the curve are made of."""

    parameters: Numbers
    weights: Numbers
    squares: float
    """Weighted sum of squared distances,"""
    of_cases: float
    """what is expected of it from cases,"""
    of_trainings: float
    """and from trainings, for each unit of their variance."""
    freedom: float

    def variance(self, pivots: Numbers) -> Numbers:
        """Return the variance between trainings where the sum of squares were so many times its expectation."""
        import numpy as np

        found: Numbers = np.maximum(0.0, (self.squares / pivots - self.of_cases) / self.of_trainings)
        return found


def _fit_with_spread(angles: Numbers, by_cases: Numbers, *, examples: Numbers, prior: Prior) -> _Fit:
    """Fit, and estimate the variance between trainings by moments; both in turns, for each needs the other."""
    import numpy as np

    from tunegate.stats.curve_fit import angles_of, fit_one, slopes_of

    trained = (examples > 0).astype(float)

    def fit(variance: float, start: Numbers | None) -> _Fit:
        weights = 1 / (np.diag(by_cases) + variance * trained)
        parameters = fit_one(angles, weights, examples=examples, prior=prior, start=start)
        slopes = slopes_of(parameters, examples)
        normal = slopes.T @ (weights[:, None] * slopes) + np.diag(prior.deviation**-2)
        # What is left of a deviation of the points after the curve has followed it.
        remainder = np.eye(len(angles)) - slopes @ np.linalg.solve(normal, slopes.T * weights)
        return _Fit(
            parameters,
            weights,
            squares=float(weights @ (angles - angles_of(parameters, examples)) ** 2),
            of_cases=float(weights @ np.einsum("ij,jk,ik->i", remainder, by_cases, remainder)),
            of_trainings=float(weights @ (remainder**2 @ trained)),
            freedom=max(1.0, float(np.trace(remainder))),
        )

    found = fit(0.0, None)
    for _ in range(_ROUNDS):
        found = fit(float(found.variance(np.ones(1))[0]), found.parameters)
    return found


def _angles_of_weighted(counts: Numbers, weights: Numbers, added: Numbers) -> Numbers:
    """Return the angles of the points' shares, rows x points, for rows of weights of the cases.

    `added` are the weights, row by row, of a case that all pass and one that all miss, as large as a case on average.
    """
    import numpy as np

    passed, judged = weights @ counts[..., 0].T, weights @ counts[..., 1].T
    size = counts[..., 1].sum() / np.count_nonzero(counts[..., 1])
    shares = (passed + added[:, :1] * size) / (judged + added.sum(1, keepdims=True) * size)
    angles: Numbers = np.arcsin(np.sqrt(shares))
    return angles


def _shape_of(parameters: Numbers) -> CurveShape:
    start, end, centre, slope = parameters.tolist()
    return CurveShape(math.sin(start) ** 2, math.sin(end) ** 2, math.exp(centre), math.exp(slope))
