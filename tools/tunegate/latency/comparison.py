"""Models beside each other: how many times as quick one is as another, and what their warnings are."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import geometric_mean, median

from tunegate.cases.names import list_names
from tunegate.errors import UsageError
from tunegate.latency.measurements import Call, Series
from tunegate.stats import Interval, NotEnoughData, Pace, bootstrap_ratio_of_medians, fit_pace, ratio_at

FAR_APART = 0.1
"""Lengths of replies, relative, or shares of them at their limit, are worth a word where they differ by more."""


@dataclass(frozen=True)
class Speedup:
    """How many times as quick the candidate is as the baseline, at one limit of tokens."""

    limit: int | None
    """None is over all: the geometric mean over the limits that both have, each of the same weight."""
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
            sides = zip((self.candidate, self.baseline), (ours, theirs), strict=True)
            lacking = [f"{one.label}: {line.reason}" for one, line in sides if isinstance(line, NotEnoughData)]
            return NotEnoughData("; ".join(lacking) or "no server counted its tokens")
        return ratio_at(theirs, ours, tokens=self.length, level=self.level)

    def warnings(self) -> Iterator[str]:
        """Say what makes the numbers hold for less than they seem to say."""
        yield from warn_of_load([self.candidate, self.baseline])
        yield from warn_of_days([self.candidate, self.baseline])
        yield from self._warn_of_length()
        yield from self._warn_of_extrapolation()
        for one in (self.candidate, self.baseline):
            if one.left_out:
                calls = len(one.calls) + one.left_out
                yield f"{one.label}: {one.left_out} of {calls} replies are no whole answers, and are in no ratio"
        missing = len({call.block for call in self.candidate.calls} ^ {call.block for call in self.baseline.calls})
        if missing:
            yield f"{missing} calls of one side have none of the other, and are in no ratio"

    @cached_property
    def _pairs(self) -> tuple[tuple[Call, Call], ...]:
        """The calls that both answered, the candidate's first."""
        theirs = {call.block: call for call in self.baseline.calls}
        return tuple((call, theirs[call.block]) for call in self.candidate.calls if call.block in theirs)

    def _speedup(self, limit: int | None) -> Speedup:
        pairs = [pair for pair in self._pairs if limit in (None, pair[0].max_tokens)]
        if not pairs:
            return Speedup(limit, 0, None, None, NotEnoughData("no call of both is on record"))
        ours, theirs = ([pair[side].latency_s for pair in pairs] for side in (0, 1))
        medians = median(ours), median(theirs)
        if min(*ours, *theirs) <= 0:
            return Speedup(limit, len(pairs), *medians, NotEnoughData("a latency of 0 is on record"))
        strata = [call.max_tokens for call, _ in pairs]
        found = bootstrap_ratio_of_medians(theirs, ours, seed=self.seed, strata=strata)
        ratio = found if isinstance(found, NotEnoughData) else found.interval(self.level)
        return Speedup(limit, len(pairs), *medians, ratio, ratio_of_strata(theirs, ours, strata))

    def _warn_of_length(self) -> Iterator[str]:
        """Warn where replies to the same prompts are of different length: the shorter ones are done sooner."""
        apart = [limit for limit in self.candidate.limits if _differ_in_length(self._pairs, limit)]
        if not apart:
            return
        pairs = [pair for pair in self._pairs if None in apart or pair[0].max_tokens in apart]
        told = []
        for side, one in enumerate((self.candidate, self.baseline)):
            calls = [pair[side] for pair in pairs]
            tokens = median(call.tokens or 0 for call in calls)
            filled = sum(call.is_cut for call in calls)
            told.append(f"{one.label} {tokens:g} tokens in the middle, {filled} of {len(calls)} at their limit")
        where = f"at {', '.join(map(str, apart))} tokens " if None not in apart else ""
        yield f"{where}the answers differ in length ({'; '.join(told)}): only the lines compare them fairly"

    def _warn_of_extrapolation(self) -> Iterator[str]:
        for one, line in zip((self.candidate, self.baseline), self.lines, strict=True):
            if self.length is None or isinstance(line, NotEnoughData):
                continue
            if not line.fewest_tokens <= self.length <= line.most_tokens:
                yield (
                    f"{one.label} gave answers of {line.fewest_tokens:g} to {line.most_tokens:g} tokens: what its line "
                    f"says of {self.length:g} is a guess"
                )


def ratio_of_strata(a: Sequence[float], b: Sequence[float], strata: Sequence[Hashable]) -> float:
    """Return the geometric mean, over the strata, of the median of `a` over that of `b`; all are positive."""
    parts: dict[Hashable, tuple[list[float], list[float]]] = {}
    for x, y, stratum in zip(a, b, strata, strict=True):
        part = parts.setdefault(stratum, ([], []))
        part[0].append(x)
        part[1].append(y)
    return geometric_mean([median(xs) / median(ys) for xs, ys in parts.values()])


def _differ_in_length(pairs: Sequence[tuple[Call, Call]], limit: int | None) -> bool:
    """Say whether two models' replies at a limit are of lengths that are far apart, by the middle or by the limit."""
    there = [pair for pair in pairs if limit in (None, pair[0].max_tokens)]
    counted = [(a.tokens, b.tokens) for a, b in there if a.tokens and b.tokens]
    if counted:
        one, other = (median(pair[side] for pair in counted) for side in (0, 1))
        if max(one, other) > (1 + FAR_APART) * min(one, other):
            return True
    filled = [sum(pair[side].is_cut for pair in there) for side in (0, 1)]
    return abs(filled[0] - filled[1]) > FAR_APART * len(there)


def fit_line(series: Series, *, seed: int) -> Pace | NotEnoughData:
    """Return first token and pace of a model, from its calls whose tokens were counted."""
    calls = series.counted
    if not calls:
        return NotEnoughData("no server counted its tokens")
    return fit_pace([call.tokens or 1 for call in calls], [call.latency_s for call in calls], seed=seed)


@dataclass(frozen=True)
class Pairing:
    """Who is held against whom, and why somebody is not."""

    comparisons: tuple[Comparison, ...]
    remarks: tuple[str, ...] = ()


def pair_up(
    series: Sequence[Series],
    *,
    candidate: str | None = None,
    baseline: str | None = None,
    seed: int = 0,
    level: float = 0.95,
    tokens: float | None = None,
) -> Pairing:
    """Hold series against each other: without names, every other model against the one that has the role.

    Each is held against a baseline of its own eval and load, and of its own run where that has one. A name is a
    model's, or `model@run` where several runs have it.

    Raises:
        UsageError: there is no such model, or it is not clear which one is meant.
    """
    for name, option in ((candidate, "--candidate"), (baseline, "--baseline")):
        labels = list(dict.fromkeys(one.label for one in series))
        if name is not None and not any(name in one.names for one in series):
            raise UsageError(f"{option}: no model {name!r} has a latency here: {list_names(name, labels)}")
    found: list[Comparison] = []
    remarks: dict[str, None] = {}
    for one in series:
        if not (candidate in one.names if candidate else one.role != "baseline" or baseline is not None):
            continue
        if baseline in one.names and candidate is None:
            continue
        peers = [other for other in series if (other.eval, other.load) == (one.eval, one.load) and other is not one]
        opponent = _opponent(one, peers, name=baseline, is_named=candidate is not None)
        if isinstance(opponent, Series):
            found.append(Comparison(one, opponent, seed=seed, level=level, tokens=tokens))
        else:
            remarks[opponent] = None
    if not (found or remarks):
        remarks["nothing is compared: all of these models are baselines; name one with --candidate"] = None
    return Pairing(tuple(found), tuple(remarks))


def _opponent(one: Series, peers: Sequence[Series], *, name: str | None, is_named: bool) -> Series | str:
    """Return what a series is held against, or why there is nothing.

    Raises:
        UsageError: several have the name, or it is the candidate's own.
    """
    if name is not None:
        there = [other for other in peers if name in other.names]
        if not there and name in one.names:
            raise UsageError(f"{one.label} is held against itself: name another with --baseline or --candidate")
        if not there:
            return f"{one.eval}: nothing of {name} is on record that {one.label} could be held against"
    else:
        there = [other for other in peers if other.role == "baseline"]
        if not there and is_named and len(peers) == 1:
            there = list(peers)
        if not there:
            return f"{one.eval}: no row has the role of a baseline: name one with --baseline"
    own = [other for other in there if other.run == one.run]
    chosen = own or there
    if len(chosen) > 1:
        labels = ", ".join(other.label for other in chosen)
        if name is None:
            return f"{one.eval}: {one.label} may be held against {labels}: name one with --baseline"
        raise UsageError(f"--baseline: {len(chosen)} runs have {name!r}: name one of {labels}")
    return chosen[0]


def warn_of_load(series: Sequence[Series]) -> Iterator[str]:
    """Warn of series that were recorded with something beside them."""
    for one in series:
        most = one.most_in_flight
        if most is None:
            yield f"how many requests were in flight while {one.label} was recorded is not on record"
        elif most > 1 and one.load == 1:
            yield f"{one.label} was recorded with up to {most} requests in flight: its times hold for that load"
        elif most != one.load:
            yield f"{one.label}: at most {most} requests were in flight: the load was not reached"


def warn_of_days(series: Sequence[Series]) -> Iterator[str]:
    """Warn where series are of different days."""
    known = [one for one in series if one.days]
    if len({one.days for one in known}) > 1:
        told = ", ".join(f"{one.label} on {_span(one.days)}" for one in known)
        yield (
            f"recorded on different days, {told}: what changed in between, in the machine or on the way to it, is in a "
            "ratio, too"
        )


def _span(days: Sequence[str]) -> str:
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
