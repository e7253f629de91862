"""Models beside each other: how many times as quick one is as another, and what their warnings are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from tunegate.cases.names import list_names
from tunegate.errors import UsageError
from tunegate.latency.measurements import Series
from tunegate.stats import Interval, NotEnoughData, Pace, bootstrap_ratio_of_medians, fit_pace, ratio_at

FAR_APART = 0.1
"""Shares of replies that fill their limit are worth a word where they differ by more."""


@dataclass(frozen=True)
class Speedup:
    """How many times as quick the candidate is as the baseline, at one limit of tokens."""

    limit: int | None
    """None is over all."""
    pairs: int
    """Blocks (a case and its repeat) that both answered."""
    candidate_s: float | None
    """The median; None where there is no pair."""
    baseline_s: float | None
    ratio: Interval | NotEnoughData
    """Baseline over candidate: above 1, the candidate is quicker."""
    estimate: float | None = None
    """The ratio itself, which needs no interval; None where there is no pair."""


@dataclass(frozen=True)
class Comparison:
    """A candidate against a baseline in one eval."""

    candidate: Series
    baseline: Series
    seed: int = 0
    level: float = 0.95
    tokens: float | None = None
    """Length of the answer at which the lines are held against each other; None is the baseline's median."""

    @cached_property
    def speedups(self) -> tuple[Speedup, ...]:
        """At each limit that both have, and over all."""
        limits = [limit for limit in self.candidate.limits if limit in self.baseline.limits and limit is not None]
        return tuple(self._speedup(limit) for limit in [*limits, None])

    @cached_property
    def lines(self) -> tuple[Pace | NotEnoughData, Pace | NotEnoughData]:
        """First token and pace of the candidate and of the baseline."""
        return fit_line(self.candidate, seed=self.seed), fit_line(self.baseline, seed=self.seed + 1)

    @cached_property
    def length(self) -> float | None:
        """Length of the answer, in tokens, at which the lines are compared; None where nobody counted."""
        if self.tokens is not None:
            return self.tokens
        counts = [call.tokens for call in self.baseline.counted if call.tokens]
        return float(median(counts)) if counts else None

    @cached_property
    def at_length(self) -> Interval | NotEnoughData:
        """Baseline over candidate for answers of one length, by their lines."""
        ours, theirs = self.lines
        if isinstance(ours, NotEnoughData) or isinstance(theirs, NotEnoughData) or self.length is None:
            lacking = next((line for line in (ours, theirs) if isinstance(line, NotEnoughData)), None)
            return lacking or NotEnoughData("no server counted its tokens")
        return ratio_at(theirs, ours, tokens=self.length, level=self.level)

    def warnings(self) -> Iterator[str]:
        """Say what makes the numbers hold for less than they seem to say."""
        yield from _warn_of_load([self.candidate, self.baseline])
        yield from _warn_of_days(self.candidate, self.baseline)
        yield from self._warn_of_length()
        missing = len({call.block for call in self.candidate.calls} ^ {call.block for call in self.baseline.calls})
        if missing:
            yield f"{missing} calls of one side have none of the other, and are in no ratio"

    def _speedup(self, limit: int | None) -> Speedup:
        ours = {call.block: call.latency_s for call in self.candidate.at(limit)}
        theirs = {call.block: call.latency_s for call in self.baseline.at(limit)}
        blocks = [block for block in ours if block in theirs]
        a, b = [theirs[block] for block in blocks], [ours[block] for block in blocks]
        if not blocks:
            return Speedup(limit, 0, None, None, NotEnoughData("no call of both is on record"))
        if min(*a, *b) <= 0:
            return Speedup(limit, len(a), median(b), median(a), NotEnoughData("a latency of 0 is on record"))
        found = bootstrap_ratio_of_medians(a, b, seed=self.seed, paired=True)
        ratio = found if isinstance(found, NotEnoughData) else found.interval(self.level)
        return Speedup(limit, len(blocks), median(b), median(a), ratio, median(a) / median(b))

    def _warn_of_length(self) -> Iterator[str]:
        series = (self.candidate, self.baseline)
        apart = [limit for limit in self.candidate.limits if limit is not None and _differ_in_length(series, limit)]
        if not apart:
            return
        told = []
        for one in series:
            calls = [call for limit in apart for call in one.at(limit)]
            told.append(f"{one.label} in {sum(call.is_cut for call in calls)} of {len(calls)} replies")
        limits = ", ".join(map(str, apart))
        yield (
            f"{'limits' if len(apart) > 1 else 'the limit'} of {limits} tokens: filled by {' and '.join(told)}; "
            "their answers differ in length, and only the lines compare them fairly"
        )


def _differ_in_length(series: Sequence[Series], limit: int) -> bool:
    shares = [sum(call.is_cut for call in calls) / len(calls) for one in series if (calls := one.at(limit))]
    return len(shares) == len(series) and max(shares) - min(shares) > FAR_APART


def fit_line(series: Series, *, seed: int) -> Pace | NotEnoughData:
    """Return first token and pace of a model, from its calls whose tokens were counted."""
    calls = series.counted
    if not calls:
        return NotEnoughData("no server counted its tokens")
    return fit_pace([call.tokens or 1 for call in calls], [call.latency_s for call in calls], seed=seed)


def pair_up(
    series: Sequence[Series],
    *,
    candidate: str | None = None,
    baseline: str | None = None,
    seed: int = 0,
    level: float = 0.95,
    tokens: float | None = None,
) -> list[Comparison]:
    """Return who is held against whom: without names, every other model against the one that has the role.

    A name is a model's, or `model@run` where several runs have it.

    Raises:
        UsageError: there is no such model, or it is not clear which one is meant.
    """
    found = []
    for eval_name in dict.fromkeys(one.eval for one in series):
        there = [one for one in series if one.eval == eval_name]
        base = _pick(there, baseline, option="--baseline") if baseline else _only_baseline(there, candidate)
        if base is None:
            continue
        others = [_pick(there, candidate, option="--candidate")] if candidate else [o for o in there if o is not base]
        if candidate and others[0] is base:
            raise UsageError(f"{base.label} is held against itself: name another with --baseline or --candidate")
        found += [Comparison(other, base, seed=seed, level=level, tokens=tokens) for other in others]
    return found


def _pick(series: Sequence[Series], name: str, *, option: str) -> Series:
    matching = [one for one in series if name in (one.label, one.model)]
    labels = [one.label for one in series]
    if not matching:
        raise UsageError(f"{option}: no model {name!r} has a latency in {series[0].eval}: {list_names(name, labels)}")
    if len(matching) > 1:
        raise UsageError(
            f"{option}: {len(matching)} runs have {name!r}: name one of {', '.join(one.label for one in matching)}"
        )
    return matching[0]


def _only_baseline(series: Sequence[Series], candidate: str | None) -> Series | None:
    others = [one for one in series if candidate not in (one.label, one.model)]
    roles = [one for one in others if one.role == "baseline"]
    if len(roles) == 1:
        return roles[0]
    return others[0] if candidate and len(others) == 1 else None


def _warn_of_load(series: Sequence[Series]) -> Iterator[str]:
    for one in series:
        if one.load is not None and one.load > 1:
            yield f"{one.label} was recorded with up to {one.load} requests in flight: its times hold for that load"
        elif one.load is None:
            yield f"how many requests were in flight while {one.label} was recorded is not on record"


def _warn_of_days(one: Series, other: Series) -> Iterator[str]:
    if one.days and other.days and one.days != other.days:
        yield (
            f"{one.label} was recorded on {_span(one.days)}, {other.label} on {_span(other.days)}: what changed in "
            "between, in the machine or on the way to it, is in the ratio"
        )


def _span(days: Sequence[str]) -> str:
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
