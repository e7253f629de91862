"""Percentiles of a sample with limits that are values of the sample: no shape of the distribution is assumed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tunegate.stats.interval import Interval, NotEnoughData, quantile_of


def percentile(values: Sequence[float], share: float, *, level: float = 0.95) -> Interval | NotEnoughData:
    """Value below which a share `share` of the population lies (0.5: median, 0.95: p95), with its interval.

    The limits are order statistics; the number of values below the true percentile is binomial, so each limit misses
    with a chance of at most (1 - level) / 2. Conover (1999), "Practical Nonparametric Statistics", section 3.2;
    the same as SciPy's `quantile_test`. The estimate interpolates between order statistics (definition 7 of
    Hyndman and Fan 1996).

    Where the sample is too small for one of the limits, the reason says how many values there should be.

    Raises:
        ValueError: `share` or `level` is not between 0 and 1, or a value is not finite.
    """
    quantile_of(level)
    if not 0 < share < 1:
        raise ValueError(f"a share of {share} has no percentile: it must lie between 0 and 1")
    ordered = sorted(values)
    if not all(map(math.isfinite, ordered)):
        raise ValueError("a percentile is of finite values only")
    n, tail = len(ordered), (1 - level) / 2
    # All values lie on the wrong side with a chance of share^n, or (1 - share)^n.
    fewest = math.ceil(math.log(tail) / math.log(max(share, 1 - share)))
    if n < fewest:
        return NotEnoughData(f"{n} values are too few for the interval of a percentile: at least {fewest} are needed")
    low = ordered[_largest_rank(n, share, tail=tail) - 1]
    high = ordered[n - _largest_rank(n, 1 - share, tail=tail)]
    if low == high:
        return NotEnoughData(f"all values around the percentile are {low:g}: they are measured too coarsely")
    return Interval(_interpolate(ordered, share), low, high, level, n)


def p_percentile_below(values: Sequence[float], share: float, threshold: float) -> float | NotEnoughData:
    """Return the one-sided p-value against a percentile of at least `threshold`: small says that it lies below.

    The chance of so few values from `threshold` on, if a share 1 - `share` of the population were: binomial and
    exact, whatever the distribution and however coarsely it is measured; SciPy's `quantile_test`. It inverts
    `percentile`: at most (1 - level) / 2 exactly where the upper limit of that level, if there is one, lies below
    `threshold`. Too few values cannot make it small.

    Raises:
        ValueError: `share` is not between 0 and 1, `threshold` is not a number, or a value is not finite.
    """
    return _p_few(sum(value >= threshold for value in values), values, share=1 - share, threshold=threshold)


def p_percentile_above(values: Sequence[float], share: float, threshold: float) -> float | NotEnoughData:
    """Return the one-sided p-value against a percentile of at most `threshold`: small says that it lies above.

    The mirror of `p_percentile_below`: at most (1 - level) / 2 exactly where the lower limit lies above `threshold`.

    Raises:
        ValueError: as `p_percentile_below`.
    """
    return _p_few(sum(value <= threshold for value in values), values, share=share, threshold=threshold)


def _p_few(count: int, values: Sequence[float], *, share: float, threshold: float) -> float | NotEnoughData:
    if not 0 < share < 1:
        raise ValueError(f"a share of {share} has no percentile: it must lie between 0 and 1")
    if math.isnan(threshold) or not all(map(math.isfinite, values)):
        raise ValueError("a percentile is of finite values only, and held against a number")
    if not values:
        return NotEnoughData("there are no values")
    from scipy.special import bdtr

    return float(bdtr(count, len(values), share))


def _largest_rank(n: int, share: float, *, tail: float) -> int:
    """Return the largest k, from 1, such that fewer than k of n lie below with a chance of at most `tail`."""
    from scipy.special import bdtr

    lowest, highest = 1, n
    while lowest < highest:
        middle = (lowest + highest + 1) // 2
        if bdtr(middle - 1, n, share) <= tail:
            lowest = middle
        else:
            highest = middle - 1
    return lowest


def _interpolate(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
