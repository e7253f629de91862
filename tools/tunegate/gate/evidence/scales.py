"""Metrics as shares of their scale, which is how they are judged, and in their own unit, which is how they are told."""

from __future__ import annotations

from dataclasses import replace

from tunegate.gate.policy import HIGHEST_RATING, LOWEST_RATING, RATING
from tunegate.gate.probes import Probe
from tunegate.gate.verdict import Estimate
from tunegate.stats import NotEnoughData


def scale_of(probe: Probe) -> float:
    """Return how many units of the metric go from 0 to 1: 4 for ratings from 1 to 5, else 1."""
    return float(HIGHEST_RATING - LOWEST_RATING) if probe.metric == RATING else 1.0


def share_of(probe: Probe, value: float, *, is_difference: bool) -> float:
    """Return a value of the metric, or a difference between two, as a share of its scale."""
    return (value - (0 if is_difference else _start(probe))) / scale_of(probe)


def value_of(probe: Probe, share: float, *, is_difference: bool) -> float:
    """Return a share of the metric's scale in the metric's own unit: the inverse of `share_of`."""
    return share * scale_of(probe) + (0 if is_difference else _start(probe))


def unscaled(probe: Probe, estimate: Estimate, *, is_difference: bool) -> Estimate:
    """Return an estimate that is a share of the scale in the metric's own unit."""
    if probe.metric != RATING or isinstance(estimate, NotEnoughData):
        return estimate
    low, middle, high = (
        value_of(probe, share, is_difference=is_difference)
        for share in (estimate.low, estimate.estimate, estimate.high)
    )
    return replace(estimate, low=low, estimate=middle, high=high)


def _start(probe: Probe) -> int:
    return LOWEST_RATING if probe.metric == RATING else 0
