"""Shares and how well they are known.

Unknown is a value here (`NotEnoughData`): never 0.0, never NaN, never an interval of width zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist


@dataclass(frozen=True)
class Interval:
    """An estimate and the interval that covers the truth in a share `level` of such measurements."""

    estimate: float
    low: float
    high: float
    level: float
    n: int
    """Members the estimate is over; rounded down where it was made from effective counts."""
    clusters: int | None = None
    """Groups the members come in; None where each stands alone."""


@dataclass(frozen=True)
class NotEnoughData:
    """Nothing can be said, and why."""

    reason: str


def wilson(passed: float, n: float, *, level: float = 0.95) -> Interval | NotEnoughData:
    """Share of `passed` among `n` independent members, with Wilson's score interval.

    E. B. Wilson (1927), "Probable Inference, the Law of Succession, and Statistical Inference", JASA
    22:209-212, without continuity correction; recommended by Newcombe (1998), Statistics in Medicine
    17:857-872, for it stays within 0 and 1 and has a width even where all passed. The counts may be effective
    ones, thus not whole.

    Raises:
        ValueError: `passed` is not from 0 to `n`, or `level` not between 0 and 1.
    """
    if not 0 <= passed <= n < math.inf:
        raise ValueError(f"{passed} of {n} is no share")
    z = _quantile_of(level)
    if n == 0:
        return NotEnoughData("nothing was judged")
    low, high = _wilson_limits(passed / n, n, z=z)
    return Interval(passed / n, low, high, level, int(n))


def clustered_share(clusters: Iterable[tuple[int, int]], *, level: float = 0.95) -> Interval | NotEnoughData:
    """Share of passed over all members, where members of a cluster may stand or fall together.

    Each cluster is (passed, members): the four answers of one request, or of all repeats of one case.
    Clusters without members do not count.

    The interval is Wilson's with the effective number of members n / deff in place of n. The effective number
    is of Korn and Graubard (1998), "Confidence Intervals for Proportions with Small Expected Number of
    Positive Counts Estimated from Survey Data", Survey Methodology 24:193-201. Wilson's with it is advised
    by Franco, Little, Louis and Slud (2019), "Comparative Study of Confidence Intervals for Proportions in
    Complex Sample Surveys", Journal of Survey Statistics and Methodology 7:334-364, who also find that it
    covers too little with a deff estimated from the clusters seen alone; see `_design_effect`.

    Where every cluster has one member, this is `wilson` exactly. Where each cluster passes or fails as a
    whole, or all passed, the effective number is about that of the clusters; a single cluster counts as about
    one member, and its interval is accordingly wide.

    Raises:
        ValueError: in some cluster the passed are not from 0 to its members, or `level` is not between 0 and
        1.
    """
    counted = [cluster for cluster in clusters if _has_members(cluster)]
    z = _quantile_of(level)
    n = sum(members for _, members in counted)
    if not n:
        return NotEnoughData("nothing was judged")
    passed = sum(good for good, _ in counted)
    low, high = _wilson_limits(passed / n, n / _design_effect(counted), z=z)
    return Interval(passed / n, low, high, level, n, clusters=len(counted))


def _has_members(cluster: tuple[int, int]) -> bool:
    passed, members = cluster
    if not 0 <= passed <= members:
        raise ValueError(f"{passed} of {members} is no share")
    return members > 0


def _quantile_of(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"level {level} does not lie between 0 and 1")
    # From the lower tail, which keeps its digits where the level is close to 1.
    z = -NormalDist().inv_cdf((1 - level) / 2)
    if not z > 0:
        raise ValueError(f"level {level} is too close to 0 to give an interval")
    return z


def _wilson_limits(share: float, n: float, *, z: float) -> tuple[float, float]:
    middle = (share * n + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(share * (1 - share) * n + z * z / 4)
    # In theory the share lies within, and at 0 or 1 on the limit itself; rounding would miss that by a hair.
    low = min(max(middle - half, 0.0), share)
    high = max(min(middle + half, 1.0), share)
    return (0.0 if share == 0 else low), (1.0 if share == 1 else high)


def _design_effect(clusters: list[tuple[int, int]]) -> float:
    """Return how many times larger the variance of the share is than with independent members, at least 1.

    The variance is the linearised one of a ratio with clusters drawn at random, G / (G - 1) * sum((k_i - p
    n_i)^2) / N^2, over the binomial p (1 - p) / (N - 1), both with the factor for a small sample; so it is 1
    to the last digit where clusters have one member.

    Two clusters are added to those seen, one all passed and one all failed, each as large as the one that a
    member taken at random is in. In the spirit of Agresti and Coull (1998), who add successes and failures,
    this says what is believed before anything is seen: that a cluster stands or falls as a whole. Without
    them the estimate is 0 / 0 where all passed, and about 1 where one answer in a hundred failed, which alone
    tells nothing of clusters: a model with one miss would then be given a higher lower limit than a model
    with none. In simulation they also mend the coverage with few clusters, or unequal ones, without a
    quantile of Student's t.

    It is not taken below 1: answers of one request that repel each other are not to be expected, while a
    small deff by accident of few clusters is.
    """
    members = sum(size for _, size in clusters)
    typical = Fraction(sum(size * size for _, size in clusters), members)
    g = len(clusters) + 2
    n = members + 2 * typical
    share = (sum(passed for passed, _ in clusters) + typical) / n
    # The sum of (k - p n)^2, multiplied out: sums of whole numbers are exact and quick.
    squares = (
        sum(passed * passed for passed, _ in clusters)
        - 2 * share * sum(passed * size for passed, size in clusters)
        + share * share * sum(size * size for _, size in clusters)
        + typical * typical * ((1 - share) ** 2 + share**2)
    )
    ratio = Fraction(g, g - 1) * squares * (n - 1) / (n * n * share * (1 - share))
    return max(1.0, float(ratio))
