"""How many times as much a candidate takes as a baseline, on average: what its calls cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tunegate.stats.effective import normal_of_student, student_of_normal
from tunegate.stats.interval import Interval, NotEnoughData, quantile_of, upper_tail

_ROUNDING = 1e-24
"""A variance of the logarithm this small is what rounding leaves of none."""
_WIDEST = 500.0
"""Distance of a limit on the logarithm beyond which it says nothing, and is soon no number."""


@dataclass(frozen=True)
class MeanRatio:
    """The mean of one side over the mean of the other, on the same cases, and how well it is known."""

    estimate: float
    variance: float
    """Of its natural logarithm; 0 where all cases have the same ratio."""
    n: int
    """Cases."""

    def interval(self, level: float) -> Interval | NotEnoughData:
        """Return the ratio with its interval, see `ratio_of_means`.

        Raises:
            ValueError: `level` is not between 0 and 1.
        """
        t = student_of_normal(quantile_of(level), df=self.n - 1)
        distance = max(t * math.sqrt(self.variance), -math.log((1 - level) / 2) / self.n)
        if distance > _WIDEST:
            return NotEnoughData(f"{self.n} cases are too few for the limits of a ratio at a level of {level:g}")
        factor = math.exp(distance)
        return Interval(self.estimate, self.estimate / factor, self.estimate * factor, level, self.n)

    def p_below(self, threshold: float) -> float:
        """Return the one-sided p-value against a ratio of at least `threshold`: small says that it is less.

        Below (1 - level) / 2 exactly where the interval of that level, if there is one, lies below `threshold`.

        Raises:
            ValueError: `threshold` is not positive and finite.
        """
        return self._p_beyond(self._distance_to(threshold))

    def p_above(self, threshold: float) -> float:
        """Return the one-sided p-value against a ratio of at most `threshold`: small says that it is more.

        Raises:
            ValueError: `threshold` is not positive and finite.
        """
        return self._p_beyond(-self._distance_to(threshold))

    def _distance_to(self, threshold: float) -> float:
        if not 0 < threshold < math.inf:
            raise ValueError(f"a ratio of {threshold} cannot be tested: it must be positive")
        return math.log(threshold) - math.log(self.estimate)

    def _p_beyond(self, distance: float) -> float:
        unseen = math.exp(-self.n * max(distance, 0.0))
        if not self.variance:
            return unseen
        z = normal_of_student(abs(distance) / math.sqrt(self.variance), df=self.n - 1)
        return max(unseen, upper_tail(math.copysign(z, distance)))


def ratio_of_means(a: Sequence[float], b: Sequence[float]) -> MeanRatio | NotEnoughData:
    """Mean of `a` over the mean of `b`, both in the same order of cases: costs, of which the sum is what is paid.

    Values are positive or 0, one a case: repeats are brought together before. The variance of the ratio's logarithm is
    that of the delta method, 1 / (n (n - 1)) * sum((a_i / mean a - b_i / mean b)^2): Cochran (1977), "Sampling
    Techniques", 3rd edition, chapter 6. Limits are Student's t standard errors away on the logarithm, so that
    those of b over a are their inverses.

    They never come closer than log(2 / (1 - level)) / n on the logarithm, about 3.7 / n at 95 percent: n cases of one
    kind leave it open whether up to a share of about so many are of another and cost one side nothing (the "rule of
    three": Hanley and Lippman-Hand 1983, "If Nothing Goes Wrong, Is Everything All Right?", JAMA 249:1743-1745).
    So where every case has the same ratio, as prices have for the same tokens, the interval has a width, and
    the first case with another ratio does not narrow it. With a few dozen cases, and costs that scatter by more than
    their mean, it covers a little less than its level.

    Raises:
        ValueError: the sides differ in length, or a value is negative or not finite.
    """
    if len(a) != len(b):
        raise ValueError(f"{len(a)} and {len(b)} values are no pairs")
    if not all(0 <= value < math.inf for side in (a, b) for value in side):
        raise ValueError("a ratio of means is of finite values from 0 on")
    n = len(a)
    if n < 2:
        return NotEnoughData("a ratio of means needs at least two cases")
    # fsum: the same to the last digit in whatever order the cases come.
    top, bottom = math.fsum(a) / n, math.fsum(b) / n
    if not (top and bottom):
        return NotEnoughData("one side is 0 in all cases, so that there is no ratio")
    squares = math.fsum([(x / top - y / bottom) ** 2 for x, y in zip(a, b, strict=True)])
    variance = squares / (n * (n - 1))
    return MeanRatio(top / bottom, variance if variance > _ROUNDING else 0.0, n)
