"""Shares of yes among answers, which may come in clusters."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from tunegate.stats.effective import EffectiveSize
from tunegate.stats.interval import Interval, NotEnoughData, quantile_of, upper_tail

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


def clustered_share(clusters: Iterable[tuple[int, int]], *, level: float = 0.95) -> Interval | NotEnoughData:
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
    its interval is accordingly wide.

    Raises:
        ValueError: in some cluster the passed are not from 0 to its members, or `level` is not between 0 and
        1.
    """
    z = quantile_of(level)
    counts = count_clusters(clusters)
    if not counts.members:
        return _NOTHING
    return counts.interval(z, level=level)


def p_at_least(clusters: Iterable[tuple[int, int]], minimum: float) -> float | NotEnoughData:
    """Return the one-sided p-value against a share of at most `minimum`: small says that it is more.

    It inverts `clustered_share`: below (1 - level) / 2 exactly where the interval of that level lies above
    `minimum`. Clusters are (passed, members) as there.

    Raises:
        ValueError: `minimum` is not between 0 and 1, both excluded: no sample shows that all would pass.
    """
    if not 0 < minimum < 1:
        raise ValueError(f"a share of {minimum} cannot be tested: it must lie between 0 and 1")
    counts = count_clusters(clusters)
    return counts.p_above(minimum) if counts.members else _NOTHING


def p_at_most(clusters: Iterable[tuple[int, int]], maximum: float) -> float | NotEnoughData:
    """Return the one-sided p-value against a share of at least `maximum`: small says that it is less.

    The mirror of `p_at_least`: below (1 - level) / 2 exactly where the interval lies below `maximum`.

    Raises:
        ValueError: `maximum` is not between 0 and 1, both excluded.
    """
    return p_at_least(((members - passed, members) for passed, members in clusters), 1 - maximum)


@dataclass(frozen=True)
class ClusterCounts:
    """All that a share and its interval need of the clusters: sums over them, of whole numbers."""

    clusters: int
    members: int
    passed: int
    squared_members: int
    squared_passed: int
    products: int
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
            # n^2 * sum((k_i - p n_i)^2), multiplied out in whole numbers: exact, and quick.
            spread = n * n * self.squared_passed - 2 * n * good * self.products + good * good * self.squared_members
            # (n - 1) * p (1 - p) * n^4 over G / (G - 1) * spread
            binomial = n * n * good * (n - good) * (self.clusters - 1)
            estimated = binomial / (self.clusters * spread) * n / (n - 1) if spread else float(n)
        return EffectiveSize(estimated, least, float(n), self.clusters - 1)

    def interval(self, z: float, *, level: float) -> Interval:
        """Return the share with its limits at `z` standard errors, which belong to `level`."""
        size = self.size
        low, high = _wilson_limits(self.share, size.at(z), z=z)
        if size.least < size.most:
            nearest = z * z / (size.least + z * z)
            low, high = min(low, 1 - nearest), max(high, nearest)
        return Interval(self.share, low, high, level, self.members, clusters=self.clusters)

    def p_above(self, null: float) -> float:
        """Return the one-sided p-value against a share of at most `null`."""
        size = self.size
        p = size.one_sided_p((self.share - null) / math.sqrt(null * (1 - null)))
        # The limit that all passed would give, see `clustered_share`.
        return max(p, upper_tail(math.sqrt(size.least * (1 - null) / null)))


def count_clusters(clusters: Iterable[tuple[int, int]]) -> ClusterCounts:
    """Return the sums over (passed, members); clusters without members are left out.

    Raises:
        ValueError: in some cluster the passed are not from 0 to its members.
    """
    count = members = passed = squared_members = squared_passed = products = 0
    for good, size in clusters:
        if not 0 <= good <= size:
            raise ValueError(f"{good} of {size} is no share")
        if not size:
            continue
        count += 1
        members += size
        passed += good
        squared_members += size * size
        squared_passed += good * good
        products += good * size
    return ClusterCounts(count, members, passed, squared_members, squared_passed, products)


def _wilson_limits(share: float, n: float, *, z: float) -> tuple[float, float]:
    middle = (share * n + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(share * (1 - share) * n + z * z / 4)
    # In theory the share lies within, and at 0 or 1 on the limit itself; rounding would miss that by a hair.
    low = min(max(middle - half, 0.0), share)
    high = max(min(middle + half, 1.0), share)
    return (0.0 if share == 0 else low), (1.0 if share == 1 else high)
