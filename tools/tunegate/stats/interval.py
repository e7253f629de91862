"""What an estimate is, and what takes its place where nothing can be said."""

from __future__ import annotations

import math
from dataclasses import dataclass
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


def quantile_of(level: float) -> float:
    """Return how many standard errors on either side hold a share `level` of a normal distribution.

    Raises:
        ValueError: `level` is not between 0 and 1, or so close to 0 that an interval would have no width.
    """
    if not 0 < level < 1:
        raise ValueError(f"level {level} does not lie between 0 and 1")
    # From the lower tail, which keeps its digits where the level is close to 1.
    z = -NormalDist().inv_cdf((1 - level) / 2)
    if not z > 0:
        raise ValueError(f"level {level} is too close to 0 to give an interval")
    return z


def upper_tail(z: float) -> float:
    """Return the probability that a standard normal exceeds `z`, with all its digits where it is small."""
    return math.erfc(z / math.sqrt(2)) / 2
