"""A share over several trainings that were all asked the same cases."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tunegate.stats.effective import EffectiveSize
from tunegate.stats.interval import Interval, NotEnoughData, quantile_of
from tunegate.stats.shares import Judged, clustered_share, wilson


def crossed_share(trainings: Sequence[Sequence[Judged]], *, level: float = 0.95) -> Interval | NotEnoughData:
    """Share of passed over all trainings, for further trainings by the same recipe and further cases alike.

    Each training is (passed, judged) of each case, in the same order for all. One training is a `clustered_share`:
    nothing tells how much others would differ.

    The variance of the share is that of crossed random effects, by the mean squares of trainings, of cases and of
    both: (MS_T + MS_C - MS_TC) / (R C) for R trainings and C cases (Searle, Casella and McCulloch 1992, "Variance
    Components", chapter 4), here of the linearised ratio, so that cases may have several questions. Its degrees of
    freedom are Satterthwaite's (1946, Biometrics Bulletin 2:110-114), at least R - 1: three trainings that differ have
    two, and the interval is accordingly wide. The limits are Wilson's for the number of independent members that would
    have this variance, as in `clustered_share`, and as there they never come closer to 0 or 1 than where each
    case counts once and all had missed or passed.

    Raises:
        ValueError: a training has other cases than the first, in some case the passed are not from 0 to the judged, or
        `level` is not between 0 and 1.
    """
    if len({len(cases) for cases in trainings}) > 1:
        raise ValueError(f"trainings have {sorted({len(cases) for cases in trainings})} cases: all must have the same")
    z = quantile_of(level)
    if len(trainings) < 2:
        return clustered_share(trainings[0] if trainings else (), level=level)
    if not all(0 <= passed <= judged for cases in trainings for passed, judged in cases):
        raise ValueError("in a case the passed are not from 0 to the judged")
    judged = sum(count for cases in trainings for _, count in cases)
    if not judged:
        return NotEnoughData("nothing was judged")
    passed = math.fsum(good for cases in trainings for good, _ in cases)
    share = passed / judged
    sizes = [sum(count for _, count in of_case) for of_case in zip(*trainings, strict=True)]
    clusters = sum(size > 0 for size in sizes)
    least = judged * judged / sum(size * size for size in sizes)
    variance, df = _variance(trainings, share=share, judged=judged)
    # Trainings may stand or fall as a whole, so that cases are no lower bound. Without a miss, or without a pass, no
    # variance was seen at all: then a case counts once, however often it was asked.
    most = float(judged)
    effective = EffectiveSize(share * (1 - share) / variance, 1.0, most, df).at(z) if variance > 0 else least
    found = wilson(share * effective, effective, level=level)
    if isinstance(found, NotEnoughData):
        return found
    nearest = z * z / (least + z * z)
    low, high = min(found.low, 1 - nearest), max(found.high, nearest)
    return Interval(share, min(low, share), max(high, share), level, judged, clusters=clusters)


def _variance(trainings: Sequence[Sequence[Judged]], *, share: float, judged: int) -> tuple[float, int]:
    """Return the variance of the share, and its degrees of freedom, at least 1."""
    import numpy as np

    table = np.array(trainings, dtype=float)
    table = table[:, table[..., 1].sum(0) > 0]
    trained, cases = table.shape[:2]
    if cases < 2:
        return 0.0, 1
    parts = (table[..., 0] - share * table[..., 1]) / judged
    rows, columns = parts.sum(1), parts.sum(0)
    both = parts - rows[:, None] / cases - columns / trained
    of_trainings = trained / (trained - 1) * float(rows @ rows)
    of_cases = cases / (cases - 1) * float(columns @ columns)
    of_both = trained * cases / ((trained - 1) * (cases - 1)) * float((both * both).sum())
    # Never below what the cases alone make: trainings that agree by chance tell nothing better than cases do.
    variance = of_cases + max(0.0, of_trainings - of_both)
    uncertain = of_trainings**2 / (trained - 1) + of_cases**2 / (cases - 1)
    return variance, max(trained - 1, int(variance**2 / uncertain) if uncertain > 0 else 1)
