"""Latencies as numbers of JSON, with units in their names; in the place of what is not known stands the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tunegate.latency.comparison import Comparison, Pairing, fit_line
from tunegate.latency.measurements import Series
from tunegate.stats import Interval, NotEnoughData, Pace

FORMAT = 1
"""Version of what `to_plain` returns: it grows when a reader would misread the new one."""


def to_plain(series: Sequence[Series], pairing: Pairing, *, seed: int, level: float) -> dict[str, Any]:
    """Return everything that was measured and compared."""
    return {
        "format": FORMAT,
        "level": level,
        "seed": seed,
        "series": [_series(one, seed=seed + number, level=level) for number, one in enumerate(series)],
        "comparisons": [_comparison(one) for one in pairing.comparisons],
        "remarks": list(pairing.remarks),
    }


def _series(series: Series, *, seed: int, level: float) -> dict[str, Any]:
    line = fit_line(series, seed=seed)
    return {
        "eval": series.eval,
        "model": series.model,
        "run": series.run,
        "load": series.load,
        "in_flight": series.most_in_flight,
        "recorded_on": list(series.days),
        "left_out": series.left_out,
        "line": _line(line, level=level),
        "calls": [asdict(call) | {"tokens_per_s": call.tokens_per_s} for call in series.calls],
    }


def _line(line: Pace | NotEnoughData, *, level: float) -> dict[str, Any]:
    if isinstance(line, NotEnoughData):
        return {"not_enough_data": line.reason}
    return {
        "first_token_s": line.first_token_s,
        "first_token_s_interval": _interval(line.first_token(level)),
        "pace_s": line.pace_s,
        "pace_s_interval": _interval(line.pace(level)),
        "calls": line.n,
        "fewest_tokens": line.fewest_tokens,
        "most_tokens": line.most_tokens,
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "eval": comparison.candidate.eval,
        "candidate": comparison.candidate.label,
        "baseline": comparison.baseline.label,
        "speedups": [
            {
                "max_tokens": one.limit,
                "pairs": one.pairs,
                "candidate_median_s": one.candidate_s,
                "baseline_median_s": one.baseline_s,
                "speedup": one.estimate,
                "interval": _interval(one.ratio),
            }
            for one in comparison.speedups
        ],
        "tokens": comparison.length,
        "speedup_at_tokens": _interval(comparison.at_length),
        "warnings": list(comparison.warnings()),
    }


def _interval(interval: Interval | NotEnoughData) -> dict[str, Any]:
    if isinstance(interval, NotEnoughData):
        return {"not_enough_data": interval.reason}
    return {"estimate": interval.estimate, "low": interval.low, "high": interval.high}
