"""What the statistics' tests share."""

from __future__ import annotations

from tunegate.stats import Interval, NotEnoughData


def known(found: Interval | NotEnoughData) -> Interval:
    """The interval, where there must be one."""
    assert isinstance(found, Interval), found
    return found


def number(found: float | NotEnoughData) -> float:
    """The number, where there must be one."""
    assert not isinstance(found, NotEnoughData), found
    return found
