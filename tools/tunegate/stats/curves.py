"""How much data a fine-tune needs: a share against the number of training examples."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from tunegate.stats.curve_points import CurvePoint, refuse_impossible
from tunegate.stats.curve_shape import CurveShape, LineBeyond
from tunegate.stats.interval import Interval, NotEnoughData, quantile_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tunegate.stats.curve_evidence import Trend

    Numbers = NDArray[np.float64]
    Law = CurveShape | LineBeyond

RESAMPLES = 999
"""Resampled curves by default: the error of a limit by chance is then about 2 % of the interval's width."""
FEWEST_SIZES = 4
"""Different numbers of examples, that of the base model among them: fewer leave the form of the curve to the prior."""
FEWEST_POINTS = 6
"""Trainings, and the base model: with fewer nothing tells how far from a curve they lie."""
FARTHEST = 4.0
"""Times the largest size that was tried, up to which the curve is asked: farther out the form of the curve
decides, and no point."""


@dataclass(frozen=True)
class SaturatingCurve:
    """A fitted curve and those that were fitted to resamples: whatever is asked of it comes with an interval."""

    shape: CurveShape
    resampled: tuple[CurveShape, ...]
    spread: Interval | NotEnoughData
    """Standard deviation between trainings of one size, in radians on the angular scale: p (1 - p) (2 spread)^2 is the
    variance of a share. By the trainings of one size alone: the distance from the curve is none of it."""
    why_not_beyond: str
    """Why nothing is said beyond the largest training: sizes do not differ by more than chance, or half of the way is
    not made yet, so that nothing tells where or how far the share would move. Empty where something can be said."""
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
        return too_far or self._interval(lambda law: law.at(examples), level=level)

    def gain_of_next(self, examples: float, at: float, *, level: float = 0.95) -> Interval | NotEnoughData:
        """Return the difference in the share that `examples` more make, where there are `at` already.

        Raises:
            ValueError: a number is negative, or `level` is not between 0 and 1.
        """
        if not examples > 0:
            raise ValueError(f"{examples} further examples are none")
        too_far = self._not_tried(at) or self._not_tried(at + examples)
        return too_far or self._interval(lambda law: law.at(at + examples) - law.at(at), level=level)

    def examples_for(self, share: float, *, level: float = 0.95) -> Interval | NotEnoughData:
        """Return the number of examples from which on a training has at least `share`, on average.

        0 says that the base model has it; as a lower limit, where the base model is no point of the curve, that nobody
        knows with how few one gets by. Where the upper limit lies beyond `FARTHEST` times what was tried, or nowhere,
        the reason says the lower one, and none above the largest training: what was not tried is no evidence. Where the
        smallest training already has the share, it says the upper one.

        Raises:
            ValueError: `share` or `level` is not between 0 and 1, both excluded.
        """
        if not 0 < share < 1:
            raise ValueError(f"a share of {share} cannot be looked for: it must lie between 0 and 1")
        farthest = FARTHEST * self.most_examples

        def ask(law: Law) -> float:
            # A curve that falls has the share as long as it is asked at all.
            is_there = min(law.at(self.fewest_examples), law.at(farthest)) >= share
            return 0.0 if is_there else law.examples_for(share)

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
        reached_at = ask(self.shape) if isinstance(found, NotEnoughData) else found.high
        if self.why_not_beyond and reached_at > self.most_examples:
            return self._open(share, least=self._least_of_tried(share, level=level))
        if isinstance(found, NotEnoughData):
            return found
        if found.high <= farthest:
            if found.estimate or not self.fewest_examples:
                return found
            return NotEnoughData(f"a share of {share:g} needs at most {math.ceil(found.high)} examples: {unasked}")
        return self._open(share, least=math.floor(min(found.low, self.most_examples)))

    def _open(self, share: float, *, least: int) -> NotEnoughData:
        needed = f"a share of {share:g} needs more than {least} examples, and how many more"
        why = self.why_not_beyond or f"the curve was measured up to {self.most_examples}"
        return NotEnoughData(f"{needed if least else f'how many examples a share of {share:g} needs'} is open: {why}")

    def _least_of_tried(self, share: float, *, level: float) -> int:
        """Return how many examples are too few, of those that were tried."""
        reached = self._interval(lambda law: law.at(self.most_examples), level=level)
        return self.most_examples if isinstance(reached, Interval) and reached.high < share else 0

    def _not_tried(self, examples: float) -> NotEnoughData | None:
        if not 0 <= examples < math.inf:
            raise ValueError(f"{examples} is no number of examples")
        if examples < self.fewest_examples:
            return NotEnoughData(
                f"{examples:g} examples are fewer than the {self.fewest_examples} of the smallest training, and the"
                " base model is no point of the curve"
            )
        if examples > FARTHEST * self.most_examples:
            return NotEnoughData(
                f"{examples:g} examples are more than {FARTHEST:g} times the {self.most_examples} that were tried"
            )
        if examples > self.most_examples and self.why_not_beyond:
            return NotEnoughData(self.why_not_beyond)
        return None

    def _interval(
        self,
        ask: Callable[[Law], float],
        *,
        level: float,
        if_all_agree: Mapping[float, str] = MappingProxyType({}),
    ) -> Interval | NotEnoughData:
        quantile_of(level)
        rank = int((1 - level) / 2 * (len(self.resampled) + 1))
        if not rank:
            return NotEnoughData(f"{len(self.resampled)} resamples are too few for a level of {level:g}")
        estimate = low = high = ask(self.shape)
        # Beyond the largest training two laws are asked, and the limits hold what either says.
        for law in (lambda shape: shape, lambda shape: LineBeyond(shape, self.most_examples)):
            answers = sorted(ask(law(shape)) for shape in self.resampled)
            low, high = min(answers[rank - 1], low), max(answers[-rank], high)
        if low == high:
            agreed = f"it is {estimate:g} in all resamples, so that nothing tells how well it is known"
            return NotEnoughData(if_all_agree.get(estimate, agreed))
        return Interval(estimate, low, high, level, self.judged, clusters=self.trainings)


def fit_curve(
    points: Sequence[CurvePoint], *, seed: int, level: float = 0.95, resamples: int = RESAMPLES
) -> SaturatingCurve | NotEnoughData:
    """Fit a `CurveShape` to trainings of different sizes, by weighted least squares on the angular scale.

    What is uncertain about it has two sources, and each resampled curve is fitted to a draw of both. Cases: all
    points get the same random weights of the cases (Rubin 1981, "The Bayesian Bootstrap", Annals of Statistics
    9:130-134), so that what a hard case does to every training is no independent evidence. Half a case that all pass
    and half a one that all miss are added, which makes of the share of one point its Jeffreys interval, and keeps a
    width where all passed. Trainings: each with examples gets a normal deviation; the variance is what the points'
    distance from the curve leaves after that of the cases, by moments, and itself drawn as chi-squared says it is known
    (the generalised pivot of Weerahandi 1993, "Generalized Confidence Intervals", JASA 88:899-905). The prior is drawn
    along with the data (Bardsley et al. 2014, "Randomize-then-Optimize", SIAM Journal on Scientific Computing
    36:A1895-A1910), so that what nothing was seen of, such as the tail of a share that came up to its end at once,
    is as open as it was before.

    It is not enough data where points follow no curve of one direction: where some size lies above a smaller one and
    some below by more than chance, or where sizes lie farther from the curve than their cases, and the trainings of one
    size, differ. Where no size has two trainings, `UNSEEN_SPREAD` is allowed for.

    Trainings are taken to be independent of each other: where one replicate's deviation is the same at all sizes, as it
    may be with one seed and nested training files, and there are few replicates, the intervals are too narrow
    (`benchmarks/curves.py` shows by how much). Those that did not converge are left out by the caller, see
    `judge_convergence`.

    `level` is that of the spread.

    Raises:
        ValueError: a point has negative examples, nothing judged or more passed than judged, has other cases than
        the first, or a training stands twice, or `level` is not between 0 and 1.
    """
    quantile_of(level)
    refuse_impossible(points)
    sizes = {point.examples for point in points}
    if len(sizes) < FEWEST_SIZES:
        return NotEnoughData(f"{len(sizes)} sizes are too few for a curve: at least {FEWEST_SIZES} are needed")
    import numpy as np

    from tunegate.stats.curve_evidence import (
        DRAWS,
        MISFIT_BELOW,
        NAMED_BELOW,
        draw_noise,
        find_pure_error,
        judge_trend,
        p_of_misfit,
    )
    from tunegate.stats.curve_fit import PARAMETERS, fit_many, prior_of
    from tunegate.stats.curve_spread import angles_of_weighted, fit_with_spread

    if len(points) < FEWEST_POINTS:
        return NotEnoughData(
            f"{len(points)} points are too few for a curve: at least {FEWEST_POINTS} are needed, the"
            " base model among them"
        )
    dice = np.random.default_rng(seed)
    judged = sum(point.judged for point in points)
    examples = np.array([point.examples for point in points], dtype=float)
    counts = np.array([point.cases for point in points], dtype=float)
    angles = angles_of_weighted(counts, np.ones((1, counts.shape[1])), np.full((1, 1, 2), 0.5))[0]
    drawn = angles_of_weighted(
        counts, dice.standard_exponential((resamples, counts.shape[1])), dice.standard_gamma(0.5, (resamples, 1, 2))
    )
    by_cases = np.cov(drawn, rowvar=False)
    # Here each point has half a case of its own: two that miss nothing could differ in another case. Other dice, so
    # that the limits do not change with what is asked beside them.
    dice_of_chance = np.random.default_rng((seed, 1))
    apart = angles_of_weighted(
        counts,
        dice_of_chance.standard_exponential((DRAWS, counts.shape[1])),
        dice_of_chance.standard_gamma(0.5, (DRAWS, len(points), 2)),
    )
    pure, telling = find_pure_error(points, angles, np.cov(apart, rowvar=False))
    chance = draw_noise(apart, examples, pure=pure, dice=dice_of_chance)
    trend = judge_trend(angles, chance)
    if trend.is_both_ways:
        return _no_curve(points, trend)
    prior = prior_of(examples)
    fit = fit_with_spread(angles, by_cases, examples=examples, prior=prior)
    p_value = p_of_misfit(fit.misses, fit.remainder, chance)
    if p_value <= MISFIT_BELOW:
        if trend.p_contrary <= NAMED_BELOW:
            return _no_curve(points, trend)
        return NotEnoughData(
            "the points do not follow a rising or falling curve: they lie farther from it than cases and trainings of"
            f" one size differ (p = {p_value:.3f})"
        )
    variances = fit.variance(dice.chisquare(fit.freedom, resamples) / fit.freedom)
    noise = dice.standard_normal(drawn.shape) * (examples > 0) * np.sqrt(variances)[:, None]
    centres = prior.centre + prior.deviation * dice.standard_normal((resamples, PARAMETERS))
    many = fit_many(drawn + noise, fit.weights, examples=examples, centres=centres, prior=prior, start=fit.parameters)
    shape = _shape_of(fit.parameters)
    return SaturatingCurve(
        shape,
        tuple(map(_shape_of, many)),
        pure.spread(level=level, judged=judged, sizes=telling),
        _why_not_beyond(shape, max(sizes), trend),
        max(sizes),
        min(sizes),
        judged=judged,
        trainings=len(points),
    )


def _why_not_beyond(shape: CurveShape, most: int, trend: Trend) -> str:
    if not trend.is_seen:
        return f"the share was not seen to move up to {most} examples, so that nothing tells where it would"
    if shape.half_at > most:
        return f"the share has only begun to move at {most} examples, so that nothing tells how far it goes"
    return ""


def _no_curve(points: Sequence[CurvePoint], trend: Trend) -> NotEnoughData:
    """Say which sizes speak against a curve of one direction."""
    sizes = sorted({point.examples for point in points})

    def told(size: int) -> str:
        shares = [point.share for point in points if point.examples == size]
        return f"{100 * sum(shares) / len(shares):.1f} % at {f'{size:,} examples' if size else 'the base model'}"

    earlier, later = (told(sizes[place]) for place in trend.contrary)
    way = "rising" if trend.is_rising else "falling"
    return NotEnoughData(f"the points do not follow a {way} curve: {earlier}, but {later} (p = {trend.p_contrary:.3f})")


def _shape_of(parameters: Numbers) -> CurveShape:
    start, end, centre, slope, rest, decay = parameters.tolist()
    return CurveShape(
        math.sin(start) ** 2, math.sin(end) ** 2, math.exp(centre), math.exp(slope), rest=rest, decay=math.exp(decay)
    )
