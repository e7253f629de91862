"""Intervals that hold whenever asking stops: what the tests by betting, at any time so far, did not rule out.

They are made of the very tests that decide, so that no interval contradicts what was concluded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tunegate.stats import Interval, NotEnoughData, log_e_values, percentile

_HALVINGS = 24
"""A limit is then known to 1e-7."""


def mean_interval(values: Sequence[float], *, level: float, null: float = 0.5) -> Interval | NotEnoughData:
    """Return the mean of values from 0 to 1, in the order in which they came, with its interval.

    The limits lie on the side of `null` that the tests of it say.
    """
    if not values:
        return NotEnoughData("no case has come")
    mean = math.fsum(values) / len(values)
    low = _lower_limit(values, level=level, null=null)
    high = 1 - _lower_limit([1 - value for value in values], level=level, null=1 - null)
    return Interval(mean, min(low, mean), max(high, mean), level, len(values))


def percentile_interval(
    values: Sequence[float], share: float, *, level: float, threshold: float
) -> Interval | NotEnoughData:
    """Return a percentile of values in the order in which they came, with limits that are values of them.

    What is tested of each is the share of values up to it; the limits lie on the side of `threshold` that its own
    test says.
    """
    found = percentile(values, share, level=level)
    if isinstance(found, NotEnoughData):
        return found
    ordered = sorted(set(values))
    needed = _needed(level)

    def peak(place: int, *, is_above: bool) -> float:
        bets = [float(place >= 0 and value <= ordered[place]) for value in values]
        return float(log_e_values(bets, null=share, side="above" if is_above else "below").max())

    middle = sum(value <= threshold for value in ordered) - 1
    last = len(ordered) - 1
    # Up to `under`, fewer values than the share are shown to lie; up to `over`, more.
    under = _last_place(lambda place: peak(place, is_above=False) > needed, first=-2, last=last, pivot=middle)
    over = _last_place(lambda place: peak(place, is_above=True) <= needed, first=-2, last=last, pivot=middle) + 1
    if under < -1 or over > last:
        return NotEnoughData(f"{len(values)} cases are too few for limits of a percentile that hold at any time")
    low, high = ordered[under + 1], ordered[over]
    if low == high:
        return NotEnoughData(f"all values around the percentile are {low:g}: they are measured too coarsely")
    return Interval(found.estimate, min(low, found.estimate), max(high, found.estimate), level, len(values))


def _lower_limit(values: Sequence[float], *, level: float, null: float) -> float:
    """Return the largest mean that is ruled out, with all below it."""
    needed = _needed(level)

    def is_out(mean: float) -> bool:
        return bool(log_e_values(values, null=mean).max() > needed)

    out, left = (null, 1.0) if is_out(null) else (0.0, null)
    for _ in range(_HALVINGS):
        middle = (out + left) / 2
        if is_out(middle):
            out = middle
        else:
            left = middle
    return out


def _last_place(holds: Callable[[int], bool], *, first: int, last: int, pivot: int) -> int:
    """Return the last place where something holds that holds up to some place only; `first` is where it always does."""
    low, high = first, last + 1
    if pivot > low:
        low, high = (pivot, high) if holds(pivot) else (low, pivot)
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low


def _needed(level: float) -> float:
    return math.log(2 / (1 - level))
