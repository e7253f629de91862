"""Latencies as tables and sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from tunegate.latency.comparison import Comparison, Speedup, fit_line
from tunegate.latency.measurements import Call, Series
from tunegate.stats import Interval, NotEnoughData, Pace

_MS = 1000


def render_series(series: Sequence[Series]) -> Iterator[str]:
    """Yield the table of all models of one eval: what each took at each limit."""
    yield f"{series[0].eval}: {_count(len({call.case for one in series for call in one.calls}), 'case')}"
    yield ""
    width = max(len("model"), *(len(one.label) for one in series))
    yield (
        f"{'limit':>6}  {'model':{width}}  {'calls':>5}  {'tokens':>6}  {'filled':>6}  {'first token':>11}  "
        f"{'median':>8}  {'between':>8}  {'tokens/s':>8}"
    )
    limits = sorted({limit for one in series for limit in one.limits}, key=lambda limit: limit or 0)
    for limit in limits:
        label = "all" if limit is None else str(limit)
        for one in series:
            calls = one.at(limit)
            if calls and (limit is not None or one.limits == (None,)):
                yield f"{label:>6}  {one.label:{width}}  {_row(calls)}"
                label = ""


def render_lines(series: Sequence[Series], *, seed: int, level: float) -> Iterator[str]:
    """Yield what each model takes to begin and for each further token."""
    yield "latency = first token + (tokens - 1) x pace"
    width = max(len("model"), *(len(one.label) for one in series))
    heads = f"first token ({100 * level:g} %)", f"pace ({100 * level:g} %)"
    yield f"{'':6}  {'model':{width}}  {heads[0]:<28}  {heads[1]:<30}  of replies of"
    for number, one in enumerate(series):
        line = fit_line(one, seed=seed + number)
        if isinstance(line, NotEnoughData):
            yield f"{'':6}  {one.label:{width}}  {line.reason}"
        else:
            yield f"{'':6}  {one.label:{width}}  {_line(line, level=level)}"


def render_comparison(comparison: Comparison) -> Iterator[str]:
    """Yield how a candidate does against its baseline, at each limit and over all, and what to be wary of."""
    candidate, baseline = comparison.candidate, comparison.baseline
    yield f"{candidate.label} against {baseline.label}"
    speedup = f"speedup ({100 * comparison.level:g} %)"
    yield f"{'limit':>6}  {'pairs':>5}  {'candidate':>9}  {'baseline':>9}  {speedup}"
    yield from (_speedup(one) for one in comparison.speedups)
    reasons = [one.ratio.reason for one in comparison.speedups if isinstance(one.ratio, NotEnoughData)]
    yield from (f"no interval: {reason}" for reason in dict.fromkeys(reasons))
    yield ""
    overall = comparison.speedups[-1]
    if overall.estimate is not None:
        by = "by the medians" if len(comparison.speedups) < 3 else "by the medians, on average over the limits"
        yield f"{say_ratio(candidate.label, baseline.label, overall.ratio, overall.estimate)}, {by}"
    length, at = comparison.length, comparison.at_length
    if length is not None and isinstance(at, Interval):
        ours, theirs = (line.at(length) for line in comparison.lines if isinstance(line, Pace))
        told = say_ratio(candidate.label, baseline.label, at, at.estimate)
        yield f"{told}, for answers of {length:g} tokens: {_seconds(ours)} against {_seconds(theirs)} by the lines"
    elif isinstance(at, NotEnoughData):
        yield f"for answers of one length they are not compared: {at.reason}"
    yield from (f"warning: {warning}" for warning in comparison.warnings())


def say_ratio(candidate: str, baseline: str, ratio: Interval | NotEnoughData, estimate: float) -> str:
    """Return `ft is 3.7 x faster than base (3.4 to 4.0)`; what is slower is said so."""
    is_faster = estimate >= 1
    word = "faster" if is_faster else "slower"
    value = estimate if is_faster else 1 / estimate
    if isinstance(ratio, NotEnoughData):
        return f"{candidate} is {value:.2f} x {word} than {baseline} (no interval: {ratio.reason})"
    low, high = (ratio.low, ratio.high) if is_faster else (1 / ratio.high, 1 / ratio.low)
    return f"{candidate} is {value:.2f} x {word} than {baseline} ({low:.2f} to {high:.2f})"


def _row(calls: Sequence[Call]) -> str:
    tokens = [call.tokens for call in calls if call.tokens is not None]
    firsts = [call.first_token_s for call in calls if call.first_token_s is not None]
    gaps = [call.gap_s for call in calls if call.gap_s is not None]
    counted = [call for call in calls if call.tokens is not None]
    spent_s = sum(call.latency_s for call in counted)
    rate = f"{sum(tokens) / spent_s:.1f}" if spent_s else "-"
    return (
        f"{len(calls):>5}  {f'{median(tokens):g}' if tokens else '-':>6}  "
        f"{f'{100 * sum(call.is_cut for call in calls) / len(calls):.0f} %':>6}  "
        f"{_seconds(median(firsts)) if firsts else '-':>11}  {_seconds(median(call.latency_s for call in calls)):>8}  "
        f"{f'{_MS * median(gaps):.1f} ms' if gaps else '-':>8}  {rate:>8}"
    )


def _line(line: Pace, *, level: float) -> str:
    first = _between(line.first_token_s, line.first_token(level), scale=1, unit="s", digits=3)
    pace = _between(line.pace_s, line.pace(level), scale=_MS, unit="ms", digits=2)
    return f"{first:<28}  {pace:<30}  {line.fewest_tokens:g} to {line.most_tokens:g} tokens"


def _between(estimate: float, interval: Interval | NotEnoughData, *, scale: float, unit: str, digits: int) -> str:
    told = f"{scale * estimate:.{digits}f} {unit}"
    if isinstance(interval, NotEnoughData):
        return told
    return f"{told} ({scale * interval.low:.{digits}f} to {scale * interval.high:.{digits}f})"


def _speedup(one: Speedup) -> str:
    label = "all" if one.limit is None else str(one.limit)
    told = ("-" if value is None else _seconds(value) for value in (one.candidate_s, one.baseline_s))
    medians = "  ".join(f"{text:>9}" for text in told)
    ratio = "-" if one.estimate is None else f"{one.estimate:.2f}x"
    if isinstance(one.ratio, NotEnoughData):
        return f"{label:>6}  {one.pairs:>5}  {medians}  {ratio} (no interval)"
    return f"{label:>6}  {one.pairs:>5}  {medians}  {ratio} ({one.ratio.low:.2f} to {one.ratio.high:.2f})"


def _seconds(value_s: float) -> str:
    return f"{value_s:.3f} s" if value_s < 1 else f"{value_s:.2f} s"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
