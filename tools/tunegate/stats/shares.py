"""Shares of yes among answers, which may come in clusters."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from operator import mul

from tunegate.stats.effective import EffectiveSize
from tunegate.stats.interval import Interval, NotEnoughData, quantile_of, upper_tail

Judged = tuple[float, int]
"""What was achieved in a case and out of how much, over its questions and repeats: (passed, judged).

Where an answer is more than a yes or no it achieves a part of 1, as a rating brought to 0..1 does.
"""
_NOTHING = NotEnoughData("nothing was judged")


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
    z = quantile_of(level)
    if n == 0:
        return _NOTHING
    low, high = _wilson_limits(passed / n, n, z=z)
    return Interval(passed / n, low, high, level, int(n))


def exact(passed: int, n: int, *, level: float = 0.95) -> Interval | NotEnoughData:
    """Share of `passed` among `n` independent members, with an interval that never covers less than `level`.

    C. J. Clopper and E. S. Pearson (1934), "The Use of Confidence or Fiducial Limits Illustrated in the Case of
    the Binomial", Biometrika 26:404-413: quantiles of the beta distributions (passed, n - passed + 1) and
    (passed + 1, n - passed). Wider than need be on average; `wilson` is right on average.

    Raises:
        ValueError: `passed` is not from 0 to `n`, or `level` not between 0 and 1.
    """
    if not 0 <= passed <= n < math.inf:
        raise ValueError(f"{passed} of {n} is no share")
    quantile_of(level)
    if n == 0:
        return _NOTHING
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = float(betaincinv(passed, n - passed + 1, tail)) if passed else 0.0
    high = 1 - float(betaincinv(n - passed, passed + 1, tail)) if passed < n else 1.0
    return Interval(passed / n, low, high, level, n)


def clustered_share(clusters: Iterable[Judged], *, level: float = 0.95) -> Interval | NotEnoughData:
    """Share of passed over all members, where members of a cluster may stand or fall together.

    Each cluster is (passed, members): the four answers of one request, or of all repeats of one case.
    Clusters without members do not count.

    The interval is Wilson's with the effective number of members in place of n (`EffectiveSize`): advised by
    Franco, Little, Louis and Slud (2019), "Comparative Study of Confidence Intervals for Proportions in Complex
    Sample Surveys", Journal of Survey Statistics and Methodology 7:334-364. The design effect is the linearised
    variance of a ratio, G / (G - 1) * sum((k_i - p n_i)^2) / N^2, over the binomial p (1 - p) / (N - 1).

    A limit never comes closer to 1 than where every answer had passed, each cluster counted as one member; nor to 0
    than where none had. Where all passed, nothing was seen of clusters; the first miss says that they do not
    matter, since it came alone, and must not raise the lower limit. `benchmarks/coverage.py` shows how often
    the interval covers the truth.

    Where every cluster has one member, this is `wilson` exactly. Where each cluster passes or fails as a
    whole, or all passed, the effective number is that of the clusters; a single cluster counts as one member, and
    its interval is accordingly wide. Members that are more than a yes or no vary less around the same share than
    those would, and never count for more: the interval is then too wide rather than too narrow.

    Raises:
        ValueError: in some cluster the passed are not from 0 to its members, or `level` is not between 0 and
        1.
    """
    return count_clusters(clusters).estimate(level)


def p_at_least(clusters: Iterable[Judged], minimum: float) -> float | NotEnoughData:
    """Return the one-sided p-value against a share of at most `minimum`: small says that it is more.

    It inverts `clustered_share`: below (1 - level) / 2 exactly where the interval of that level lies above
    `minimum`. Clusters are (passed, members) as there.

    Raises:
        ValueError: `minimum` is not between 0 and 1, both excluded: no sample shows that all would pass.
    """
    return count_clusters(clusters).p_above(minimum)


def p_at_most(clusters: Iterable[Judged], maximum: float) -> float | NotEnoughData:
    """Return the one-sided p-value against a share of at least `maximum`: small says that it is less.

    The mirror of `p_at_least`: below (1 - level) / 2 exactly where the interval lies below `maximum`.

    Raises:
        ValueError: `maximum` is not between 0 and 1, both excluded.
    """
    return count_clusters(clusters).p_below(maximum)


@dataclass(frozen=True)
class ClusterCounts:
    """All that a share and its interval need of the clusters: sums over them."""

    clusters: int
    members: int
    passed: float
    squared_members: int
    squared_passed: float
    products: float
    """Passed times members."""

    @property
    def share(self) -> float:
        """Passed over members."""
        return self.passed / self.members

    @property
    def size(self) -> EffectiveSize:
        """How many independent members these are worth."""
        n, good = self.members, self.passed
        least = n * n / self.squared_members
        estimated = least
        if self.clusters > 1 and 0 < good < n:
            # n^2 * sum((k_i - p n_i)^2), multiplied out: quick, and exact in whole numbers. In others rounding is
            # seen only where it is far below the binomial variance, and there `most` is what counts.
            spread = n * n * self.squared_passed - 2 * n * good * self.products + good * good * self.squared_members
            # (n - 1) * p (1 - p) * n^4 over G / (G - 1) * spread
            binomial = n * n * good * (n - good) * (self.clusters - 1)
            estimated = binomial / (self.clusters * spread) * n / (n - 1) if spread > 0 else float(n)
        return EffectiveSize(estimated, least, float(n), self.clusters - 1)

    def interval(self, z: float, *, level: float) -> Interval:
        """Return the share with its limits at `z` standard errors, which belong to `level`."""
        size = self.size
        low, high = _wilson_limits(self.share, size.at(z), z=z)
        if size.least < size.most:
            nearest = z * z / (size.least + z * z)
            low, high = min(low, 1 - nearest), max(high, nearest)
        return Interval(self.share, low, high, level, self.members, clusters=self.clusters)

    def estimate(self, level: float) -> Interval | NotEnoughData:
        """Return the share with its interval, see `clustered_share`.

        Raises:
            ValueError: `level` is not between 0 and 1.
        """
        z = quantile_of(level)
        return self.interval(z, level=level) if self.members else _NOTHING

    def p_above(self, null: float) -> float | NotEnoughData:
        """Return the one-sided p-value against a share of at most `null`, see `p_at_least`.

        Raises:
            ValueError: `null` is not between 0 and 1, both excluded.
        """
        return self._p_beyond(null, share=self.share) if self._can_test(null) else _NOTHING

    def p_below(self, null: float) -> float | NotEnoughData:
        """Return the one-sided p-value against a share of at least `null`, see `p_at_most`.

        Raises:
            ValueError: `null` is not between 0 and 1, both excluded.
        """
        return self._p_beyond(1 - null, share=1 - self.share) if self._can_test(null) else _NOTHING

    def cluster_variance(self, at: float | None = None) -> float | NotEnoughData:
        """Return the variance that one cluster contributes to the share, see `share_variance`.

        Raises:
            ValueError: `at` is not between 0 and 1, both excluded.
        """
        if at is not None and not 0 < at < 1:
            raise ValueError(f"a share of {at} has no variance: it must lie between 0 and 1")
        if self.clusters < 2:
            return NotEnoughData("a variance needs at least two clusters")
        share = self.share if at is None else at
        if not 0 < share < 1:
            return NotEnoughData("all answers are the same, so that their variance is not known")
        size = self.size
        effective = max(size.least, min(size.estimated, size.most))
        return self.clusters * share * (1 - share) / effective

    def _can_test(self, null: float) -> bool:
        if not 0 < null < 1:
            raise ValueError(f"a share of {null} cannot be tested: it must lie between 0 and 1")
        return self.members > 0

    def _p_beyond(self, null: float, *, share: float) -> float:
        size = self.size
        p = size.one_sided_p((share - null) / math.sqrt(null * (1 - null)))
        # The limit that all passed would give, see `clustered_share`.
        return max(p, upper_tail(math.sqrt(size.least * (1 - null) / null)))


def count_clusters(clusters: Iterable[Judged]) -> ClusterCounts:
    """Return the sums over (passed, members); clusters without members are left out.

    Raises:
        ValueError: in some cluster the passed are not from 0 to its members.
    """
    passed: list[float] = []
    sizes: list[int] = []
    for good, size in clusters:
        if not 0 <= good <= size:
            raise ValueError(f"{good} of {size} is no share")
        if size:
            passed.append(good)
            sizes.append(size)
    return ClusterCounts(
        clusters=len(sizes),
        members=sum(sizes),
        passed=_exact_sum(passed),
        squared_members=sum(map(mul, sizes, sizes)),
        squared_passed=_exact_sum(map(mul, passed, passed)),
        products=_exact_sum(map(mul, passed, sizes)),
    )


def _exact_sum(values: Iterable[float]) -> float:
    """Return the sum, the same to the last digit in whatever order the values come, and whole where it is."""
    total = math.fsum(values)
    return int(total) if total.is_integer() else total


def _wilson_limits(share: float, n: float, *, z: float) -> tuple[float, float]:
    middle = (share * n + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(share * (1 - share) * n + z * z / 4)
    # In theory the share lies within, and at 0 or 1 on the limit itself; rounding would miss that by a hair.
    low = min(max(middle - half, 0.0), share)
    high = max(min(middle + half, 1.0), share)
    return (0.0 if share == 0 else low), (1.0 if share == 1 else high)
