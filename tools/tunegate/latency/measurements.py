"""What the records of runs say of time, a series for each model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from tunegate.cases.names import list_names
from tunegate.errors import UsageError
from tunegate.records import Record, tells_time
from tunegate.runs import read_records, read_run


@dataclass(frozen=True)
class Call:
    """One reply and its times, in seconds after the request was sent; None is not on record."""

    case: str
    repeat: int
    latency_s: float
    first_token_s: float | None = None
    tokens: int | None = None
    """As the server counted them."""
    max_tokens: int | None = None
    is_cut: bool = False
    """Its limit ended it."""
    gap_s: float | None = None
    """The median time between two pieces of its text."""
    in_flight: int | None = None
    """The most requests that were under way with it, itself among them."""
    load: int | None = None
    """How many were to be under way; None where the run does not say."""
    recorded_at: str | None = None

    @property
    def tokens_per_s(self) -> float | None:
        """Tokens of the reply over all of its time; None where the server did not count."""
        return None if self.tokens is None or not self.latency_s else self.tokens / self.latency_s

    @property
    def block(self) -> tuple[str, int]:
        """What is asked of every model in turn, one right after the other."""
        return self.case, self.repeat


@dataclass(frozen=True)
class Series:
    """All calls of one model in one eval of one run, under one load."""

    eval: str
    model: str
    run: str
    role: str
    calls: tuple[Call, ...]
    """By case and repeat."""
    load: int = 1
    """How many requests were to be under way at once."""
    left_out: int = 0
    """Replies whose time does not count: they were refused, or missed a check of an eval that measures time."""
    label: str = ""
    """The model's name, with the run's where several have it, and with the load where it is more than one request."""

    @property
    def names(self) -> tuple[str, ...]:
        """What the series may be called."""
        return self.label, self.model, f"{self.model}@{self.run}"

    @cached_property
    def limits(self) -> tuple[int | None, ...]:
        """The limits of tokens that calls were cut at, rising; None alone where it is not by the case."""
        known = {call.max_tokens for call in self.calls if call.max_tokens is not None}
        return tuple(sorted(known)) if known else (None,)

    def at(self, limit: int | None) -> tuple[Call, ...]:
        """Return the calls with this limit; None means all."""
        return self.calls if limit is None else tuple(call for call in self.calls if call.max_tokens == limit)

    @cached_property
    def counted(self) -> tuple[Call, ...]:
        """The calls whose tokens the server counted, at least one each."""
        return tuple(call for call in self.calls if call.tokens)

    @cached_property
    def days(self) -> tuple[str, ...]:
        """The days (UTC) on which its replies were given."""
        return tuple(sorted({call.recorded_at[:10] for call in self.calls if call.recorded_at}))

    @cached_property
    def most_in_flight(self) -> int | None:
        """The most requests that were in flight at once; None where a call does not say."""
        loads = [call.in_flight for call in self.calls]
        known = [load for load in loads if load is not None]
        return max(known) if known and len(known) == len(loads) else None


def read_series(folders: Sequence[Path], *, evals: str | None = None) -> list[Series]:
    """Return the series of runs, joined: by eval, then in the order of the runs and their matrices.

    `evals` is a glob; without it, the evals that sweep their limit of tokens, or all where none does.

    Raises:
        RunError: a folder is no run, or a line of it cannot be read.
        UsageError: no eval matches, or none has a latency on record.
    """
    found = [series for folder in {folder.resolve(): folder for folder in folders}.values() for series in _read(folder)]
    names = sorted({series.eval for series in found})
    if evals is not None:
        wanted = [name for name in names if fnmatchcase(name, evals)]
        if not wanted:
            raise UsageError(f"no eval matches {evals!r} among those with a latency: {list_names(evals, names)}")
    else:
        wanted = sorted({series.eval for series in found if series.limits != (None,)}) or names
    if not wanted:
        raise UsageError(f"no latency is on record in {' or '.join(map(str, folders))}: nothing was answered there")
    chosen = [series for name in wanted for series in found if series.eval == name]
    return list(_labelled(chosen))


def call_of(record: Record) -> Call | None:
    """Return what a record says of time; None where it says nothing, or nothing that counts."""
    if record.latency_s is None or not tells_time(record.state, record.checks, load=record.cell.load):
        return None
    gaps = [after - before for before, after in pairwise(record.pieces_s)]
    return Call(
        case=record.cell.case,
        repeat=record.cell.repeat,
        latency_s=record.latency_s,
        first_token_s=record.first_token_s,
        tokens=record.reply.usage.completion_tokens if record.reply else None,
        max_tokens=record.max_tokens,
        is_cut=record.state == "truncated",
        gap_s=median(gaps) if gaps else None,
        in_flight=record.in_flight,
        load=record.cell.load,
        recorded_at=record.recorded_at,
    )


def _read(folder: Path) -> Iterator[Series]:
    header: Mapping[str, Any] = read_run(folder)
    calls: dict[tuple[str, str, int], list[Call]] = {}
    left_out: Counter[tuple[str, str, int]] = Counter()
    for record in read_records(folder):
        key = (record.cell.eval, record.cell.model, record.cell.load or 1)
        call = call_of(record)
        if call is not None:
            calls.setdefault(key, []).append(call)
        else:
            left_out[key] += record.latency_s is not None
    rows = {str(row["name"]): str(row.get("role") or "candidate") for row in header.get("matrix") or ()}
    places = {name: place for place, name in enumerate(rows)}
    for key in sorted(calls, key=lambda key: (key[0], places.get(key[1], len(places)), key[1], key[2])):
        eval_name, model, load = key
        ordered = tuple(sorted(calls[key], key=lambda call: call.block))
        role = rows.get(model, "candidate")
        yield Series(eval_name, model, str(header["run"]), role, ordered, load=load, left_out=left_out[key])


def _labelled(found: Iterable[Series]) -> Iterator[Series]:
    """Name a model that several runs have with its run."""
    series = list(found)
    runs = Counter((one.eval, one.model, one.load) for one in series)
    for one in series:
        name = f"{one.model}@{one.run}" if runs[one.eval, one.model, one.load] > 1 else one.model
        yield replace(one, label=f"{name}, {one.load} in flight" if one.load > 1 else name)
