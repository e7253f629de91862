"""How many cases a question needs, and what a number of cases can answer."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from statistics import NormalDist

from tunegate.stats.interval import NotEnoughData, quantile_of
from tunegate.stats.pairs import count_gains
from tunegate.stats.shares import Judged, count_clusters


def minimal_detectable_difference(
    cases: int, *, variance: float, null_variance: float | None = None, level: float = 0.95, power: float = 0.8
) -> float:
    """Return the difference from the null that `cases` cases show with a chance of `power`.

    (z_level sqrt(null_variance) + z_power sqrt(variance)) / sqrt(cases): Miller (2024), "Adding Error Bars to
    Evals", arXiv:2411.00640, section 5, where both variances are the same. Variances are those that one case
    contributes, see `difference_variance` and `share_variance`; the one under the null is that where the difference
    is not there. Shown means that the interval of `level` leaves the null out on the right side.

    Raises:
        ValueError: `cases` or a variance is not positive, `level` is not between 0 and 1, or `power` not between
        0.5 and 1.
    """
    if cases < 1:
        raise ValueError(f"{cases} cases can show nothing")
    return _distance(variance, null_variance, level=level, power=power) / math.sqrt(cases)


def cases_needed(
    difference: float, *, variance: float, null_variance: float | None = None, level: float = 0.95, power: float = 0.8
) -> int:
    """Return the number of cases that show a `difference` from the null with a chance of `power`.

    The inverse of `minimal_detectable_difference`, rounded up. For a rule "not worse by 0.01" and a candidate that is
    as good as the baseline, the difference from the null is 0.01.

    Raises:
        ValueError: `difference` is 0, or as `minimal_detectable_difference`.
    """
    if not abs(difference) > 0:
        raise ValueError("no number of cases shows a difference of 0")
    needed = (_distance(variance, null_variance, level=level, power=power) / difference) ** 2
    # A whole number that rounding has lifted by a hair stays what it is.
    return max(1, math.ceil(needed * (1 - 1e-12)))


def difference_variance(
    candidate: Sequence[Judged], baseline: Sequence[Judged], *, clusters: Sequence[Hashable] | None = None
) -> float | NotEnoughData:
    """Return the variance that one case contributes to `paired_difference`: divided by n, that of the mean.

    It includes what clusters and few repeats add to it.

    Raises:
        ValueError: as `paired_difference`.
    """
    return count_gains(candidate, baseline, clusters=clusters).case_variance


def share_variance(clusters: Iterable[Judged], *, at: float | None = None) -> float | NotEnoughData:
    """Return the variance that one cluster contributes to `clustered_share`; with `at`, if that were the share.

    Raises:
        ValueError: in some cluster the passed are not from 0 to its members, or `at` is not between 0 and 1.
    """
    return count_clusters(clusters).cluster_variance(at)


def _distance(variance: float, null_variance: float | None, *, level: float, power: float) -> float:
    null_variance = variance if null_variance is None else null_variance
    if not (0 < variance < math.inf and 0 < null_variance < math.inf):
        raise ValueError(f"variances must be positive: {variance}, and {null_variance} under the null")
    if not 0.5 <= power < 1:
        raise ValueError(f"power {power} does not lie between 0.5 and 1")
    return quantile_of(level) * math.sqrt(null_variance) + NormalDist().inv_cdf(power) * math.sqrt(variance)
