"""What points say before a curve is believed: how much trainings differ, whether the share moved, and which way.

Everything is on the angular scale, in radians: see `curve_fit`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tunegate.stats.interval import Interval, NotEnoughData

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tunegate.stats.curve_points import CurvePoint

    Numbers = NDArray[np.float64]

UNSEEN_SPREAD = 0.05
"""Standard deviation between trainings, in radians, that is allowed for where no size has two of them: 5 points at a
share of 50 %, 2 at 95 %. Without it one training that came out worse than a smaller one would speak against a curve."""
DRAWS = 999
"""Of chance, for p-values."""
MISFIT_BELOW = 0.01
"""p-value from which on points are said to follow no curve."""
NAMED_BELOW = 0.05
"""p-value from which on, where points follow no curve, two sizes are named that differ in the wrong direction."""
MOVED_BELOW = 0.01
"""p-value, of the largest difference or of the trend, up or down, from which on a share is said to have moved."""


@dataclass(frozen=True)
class PureError:
    """How much trainings of one size differ, by those sizes that have several, whatever curve goes through them."""

    squares: float
    """Mean square of the differences from their size's mean."""
    of_cases: float
    """What is expected of it from cases."""
    freedom: int
    """Trainings less sizes; 0 where nothing tells."""
    unknown: str = ""
    """Why."""

    @property
    def variance(self) -> float:
        """Between trainings; what is allowed for where it is not known."""
        return max(0.0, self.squares - self.of_cases) if self.freedom else UNSEEN_SPREAD**2

    def draw(self, dice: np.random.Generator, draws: int) -> Numbers:
        """Return the variance as often, as well as it is known: the generalised pivot of Weerahandi (1993)."""
        if not self.freedom:
            return np.full(draws, UNSEEN_SPREAD**2)
        pivots = dice.chisquare(self.freedom, draws) / self.freedom
        found: Numbers = np.maximum(0.0, self.squares / pivots - self.of_cases)
        return found

    def spread(self, *, level: float, judged: int, sizes: int) -> Interval | NotEnoughData:
        """Return the standard deviation between trainings of one size, in radians, over all sizes that have several.

        The limits are those of a normal variance, less what cases contribute to it.
        """
        from scipy.special import gammaincinv

        if not self.freedom:
            return NotEnoughData(self.unknown)
        tail = (1 - level) / 2
        low, high = (
            math.sqrt(max(0.0, self.squares * self.freedom / quantile - self.of_cases))
            # Quantiles of chi-squared, without SciPy's distributions, which take half a second to import.
            for quantile in (2 * float(gammaincinv(self.freedom / 2, q)) for q in (1 - tail, tail))
        )
        estimate = math.sqrt(max(0.0, self.squares - self.of_cases))
        # Trainings that agree more closely than their cases let them differ by no more than cases make them.
        high = max(high, math.sqrt(self.of_cases))
        return Interval(estimate, min(low, estimate), max(high, estimate), level, judged, clusters=self.freedom + sizes)


def find_pure_error(points: Sequence[CurvePoint], angles: Numbers, by_cases: Numbers) -> tuple[PureError, int]:
    """Return what trainings of one size differ by, and how many sizes tell; `by_cases` is the covariance from cases.

    A size where nothing passed, or everything did, tells nothing: a share cannot leave its end.
    """
    groups = [
        [place for place, point in enumerate(points) if point.examples == size]
        for size in sorted({point.examples for point in points if point.examples})
    ]
    several = [group for group in groups if len(group) > 1]
    if not several:
        return PureError(0.0, 0.0, 0, "no size has two trainings"), 0
    telling = [group for group in several if any(0 < points[place].share < 1 for place in group)]
    if not telling:
        return PureError(0.0, 0.0, 0, "where a size has two trainings, all cases passed or all missed"), 0
    squares = of_cases = 0.0
    for group in telling:
        left = np.eye(len(group)) - 1 / len(group)
        squares += float(((left @ angles[group]) ** 2).sum())
        of_cases += float(np.trace(left @ by_cases[np.ix_(group, group)]))
    freedom = sum(len(group) - 1 for group in telling)
    return PureError(squares / freedom, of_cases / freedom, freedom), len(telling)


@dataclass(frozen=True, eq=False)
class Trend:
    """Whether sizes differ by more than chance, upwards and downwards."""

    p_rise: float
    p_fall: float
    p_trend: float
    """Of the sizes' ranks with their shares, the way that it points."""
    steepest_rise: tuple[int, int]
    """The two sizes, by place, between which it is least likely chance."""
    steepest_fall: tuple[int, int]
    is_rising: bool
    """Whether it mostly went up."""

    @property
    def is_seen(self) -> bool:
        """Whether the share moved at all."""
        return min(self.p_rise, self.p_fall, self.p_trend) <= MOVED_BELOW

    @property
    def is_both_ways(self) -> bool:
        """Whether the share rose and fell, as no curve of one direction does."""
        return max(self.p_rise, self.p_fall) <= MISFIT_BELOW

    @property
    def p_contrary(self) -> float:
        """The p-value of moving against the way that the share mostly went."""
        return self.p_fall if self.is_rising else self.p_rise

    @property
    def contrary(self) -> tuple[int, int]:
        """The two sizes that speak most against the way that the share mostly went."""
        return self.steepest_fall if self.is_rising else self.steepest_rise


@dataclass(frozen=True, eq=False)
class Noise:
    """What points do by chance, drawn often: draws x points, and the means of sizes of them."""

    of_points: Numbers
    mean_of_size: Numbers
    """Sizes x points: the weights that make means."""
    variances: Numbers
    """Of the means of sizes, and their covariances."""


def draw_noise(drawn: Numbers, examples: Numbers, *, pure: PureError, dice: np.random.Generator) -> Noise:
    """Return what cases and trainings do to points, where `drawn` are the angles by resampled cases."""
    sizes = np.unique(examples)
    member = (examples == sizes[:, None]).astype(float)
    mean_of_size = member / member.sum(1, keepdims=True)
    trained = (examples > 0).astype(float)
    of_trainings = np.sqrt(pure.draw(dice, len(drawn)))[:, None] * dice.standard_normal(drawn.shape) * trained
    covariance = np.cov(drawn, rowvar=False) + np.diag(pure.variance * trained)
    return Noise(drawn - drawn.mean(0) + of_trainings, mean_of_size, mean_of_size @ covariance @ mean_of_size.T)


def judge_trend(angles: Numbers, noise: Noise) -> Trend:
    """Compare every size with every later one, and the largest differences with those of chance alone.

    Each difference is in units of its standard error; the p-value is that of the largest among all pairs (Westfall and
    Young 1993, "Resampling-Based Multiple Testing"), where no size differs from another. A slow way is seen by the
    trend over all sizes.
    """
    first, second = np.triu_indices(len(noise.mean_of_size), 1)
    diagonal = np.diag(noise.variances)
    errors = np.sqrt(diagonal[first] + diagonal[second] - 2 * noise.variances[first, second])

    def gains(rows: Numbers) -> Numbers:
        means = rows @ noise.mean_of_size.T
        found: Numbers = (means[..., second] - means[..., first]) / errors
        return found

    seen, chance = gains(angles), gains(noise.of_points)
    p_values, places = [], []
    for sign in (1, -1):
        place = int((sign * seen).argmax())
        beyond = ((sign * chance).max(1) >= sign * seen[place]).sum()
        p_values.append((1 + float(beyond)) / (1 + len(chance)))
        places.append((int(first[place]), int(second[place])))
    ranks = (np.arange(len(noise.mean_of_size)) - (len(noise.mean_of_size) - 1) / 2) @ noise.mean_of_size
    trend, by_chance = float(angles @ ranks), noise.of_points @ ranks
    p_trend = (1 + float((by_chance * math.copysign(1.0, trend) >= abs(trend)).sum())) / (1 + len(by_chance))
    return Trend(
        p_rise=p_values[0],
        p_fall=p_values[1],
        p_trend=p_trend,
        steepest_rise=places[0],
        steepest_fall=places[1],
        is_rising=bool(seen.max() >= -seen.min()),
    )


def p_of_misfit(misses: Numbers, remainder: Numbers, noise: Noise) -> float:
    """Return the p-value of the sizes' distances from the curve, as far as chance leaves some.

    `misses` are the points' distances from the curve, `remainder` makes of any deviation of points what the curve does
    not follow. The distances of sizes' means count, each by its variance: the test of lack of fit against pure error
    (Draper and Smith 1998, "Applied Regression Analysis", section 2.1), by drawing.
    """
    weights = 1 / np.diag(noise.variances)
    seen = float(weights @ (noise.mean_of_size @ misses) ** 2)
    chance = (noise.of_points @ remainder.T @ noise.mean_of_size.T) ** 2 @ weights
    return (1 + float((chance >= seen).sum())) / (1 + len(chance))
