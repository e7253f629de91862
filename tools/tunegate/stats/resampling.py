"""Intervals from resampled cases. The seed is an argument: the same seed gives the same interval."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from tunegate.stats.interval import Interval, NotEnoughData, quantile_of
from tunegate.stats.shares import Judged

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 1_999
"""Resamples by default: the error of a limit by chance is then about 1.5 % of the interval's width."""
FEWEST = 8
"""Clusters, or values on a side, below which a bootstrap interval is known to cover too little."""
_NUMBERS_AT_ONCE = 2**21


def bootstrap_difference(
    candidate: Sequence[Judged],
    baseline: Sequence[Judged],
    *,
    seed: int,
    level: float = 0.95,
    clusters: Sequence[Hashable] | None = None,
    resamples: int = RESAMPLES,
) -> Interval | NotEnoughData:
    """Mean difference of the cases' shares with a bootstrap interval, to be held against `paired_difference`.

    Cases, or the clusters they belong to, are drawn whole and with replacement; the limits are bias-corrected
    and accelerated (Efron 1987, "Better Bootstrap Confidence Intervals", JASA 82:171-185; SciPy's).

    Raises:
        ValueError: the sides differ in length, or `level` is not between 0 and 1.
    """
    quantile_of(level)
    totals: dict[Hashable, list[float]] = {}
    names: Sequence[Hashable] = range(len(candidate)) if clusters is None else clusters
    for (good, judged), (base_good, base_judged), name in zip(candidate, baseline, names, strict=True):
        if judged and base_judged:
            totals.setdefault(name, []).append(good / judged - base_good / base_judged)
    if len(totals) < FEWEST:
        return NotEnoughData(f"{len(totals)} clusters are too few to resample: at least {FEWEST} are needed")
    import numpy as np
    from scipy.stats import bootstrap

    sums = np.array([sum(differences) for differences in totals.values()])
    sizes = np.array([len(differences) for differences in totals.values()])
    if np.ptp(sums / sizes) < 1e-12:
        return NotEnoughData("all cases differ by the same, so that resampling cannot tell how well it is known")

    def mean(drawn_sums: NDArray[np.float64], drawn_sizes: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        total: NDArray[np.float64] = drawn_sums.sum(axis) / drawn_sizes.sum(axis)
        return total

    found = bootstrap(
        (sums, sizes),
        mean,
        paired=True,
        vectorized=True,
        n_resamples=resamples,
        batch=max(1, _NUMBERS_AT_ONCE // len(sums)),
        confidence_level=level,
        method="BCa",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    estimate = float(sums.sum() / sizes.sum())
    return Interval(estimate, float(found.low), float(found.high), level, n=int(sizes.sum()), clusters=len(totals))
