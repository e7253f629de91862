"""A share over several trainings that were all asked the same cases."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tunegate.stats.effective import student_of_normal
from tunegate.stats.interval import Interval, NotEnoughData, quantile_of
from tunegate.stats.shares import Judged, clustered_share, wilson

_QUANTILES = 400
"""Of chi-squared, that stand for all of it: the width is then exact to about 1 %."""
_HALVINGS = 60


def crossed_share(trainings: Sequence[Sequence[Judged]], *, level: float = 0.95) -> Interval | NotEnoughData:
    """Share of passed over all trainings, for further trainings by the same recipe and further cases alike.

    Each training is (passed, judged) of each case, in the same order for all. One training is a `clustered_share`:
    nothing tells how much others would differ.

    The variance of the share is that of crossed random effects, by the mean squares of trainings, of cases and of
    both: (MS_T + MS_C - MS_TC) / (R C) for R trainings and C cases (Searle, Casella and McCulloch 1992, "Variance
    Components", chapter 4), here of the linearised ratio, so that cases may have several questions. MS_T has R - 1
    degrees of freedom: two trainings that agree may do so by chance. So it is taken as uncertain as that, by the
    generalised pivot of Weerahandi (1993, JASA 88:899-905): in place of a quantile of Student's t there is that of a
    normal whose variance is one of those that MS_T may stand for. The limits are Wilson's for the number of independent
    members that would have this variance, as in `clustered_share`, and as there they never come closer to 0 or 1 than
    where each case counts once and all had missed or passed.

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
    parts = _parts(trainings, share=share, judged=judged)
    # Trainings may stand or fall as a whole, so that cases are no lower bound. Without a miss, or without a pass, no
    # variance was seen at all: then a case counts once, however often it was asked.
    half = _half_width(parts, z=z) if parts is not None and parts.of_cases + parts.of_trainings > 0 else 0.0
    effective = min(max(share * (1 - share) * z * z / half**2, 1.0), float(judged)) if half else least
    found = wilson(share * effective, effective, level=level)
    if isinstance(found, NotEnoughData):
        return found
    nearest = z * z / (least + z * z)
    low, high = min(found.low, 1 - nearest), max(found.high, nearest)
    return Interval(share, min(low, share), max(high, share), level, judged, clusters=clusters)


@dataclass(frozen=True)
class _Parts:
    """Mean squares of the share's linearisation, in the units of its variance."""

    of_trainings: float
    of_cases: float
    of_both: float
    freedom: int
    """Trainings less one."""
    cases: int


def _parts(trainings: Sequence[Sequence[Judged]], *, share: float, judged: int) -> _Parts | None:
    """Return the mean squares; None of a single case."""
    import numpy as np

    table = np.array(trainings, dtype=float)
    table = table[:, table[..., 1].sum(0) > 0]
    trained, cases = table.shape[:2]
    if cases < 2:
        return None
    parts = (table[..., 0] - share * table[..., 1]) / judged
    rows, columns = parts.sum(1), parts.sum(0)
    both = parts - rows[:, None] / cases - columns / trained
    return _Parts(
        of_trainings=trained / (trained - 1) * float(rows @ rows),
        of_cases=cases / (cases - 1) * float(columns @ columns),
        of_both=trained * cases / ((trained - 1) * (cases - 1)) * float((both * both).sum()),
        freedom=trained - 1,
        cases=cases,
    )


def _half_width(parts: _Parts, *, z: float) -> float:
    """Return the distance that a normal exceeds as rarely as a standard normal exceeds `z`, over all its variances."""
    import numpy as np
    from scipy.special import gammaincinv, ndtr

    pivots = 2 * gammaincinv(parts.freedom / 2, (np.arange(_QUANTILES) + 0.5) / _QUANTILES) / parts.freedom
    # Never below what the cases alone make: trainings that agree by chance tell nothing better than cases do.
    of_trainings = np.maximum(0.0, parts.of_trainings / pivots - parts.of_both)
    errors = np.sqrt(parts.of_cases + of_trainings)
    tail = float(ndtr(-z))
    low, high = 0.0, float(errors.max()) * (z + 1)
    for _ in range(_HALVINGS):
        half = (low + high) / 2
        # Where nothing varies but trainings, some errors may be 0: they exceed nothing.
        beyond = float(ndtr(-half / np.maximum(errors, 1e-300)).mean())
        low, high = (half, high) if beyond > tail else (low, half)
    return high * student_of_normal(z, df=parts.cases - 1) / z
