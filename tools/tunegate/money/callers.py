"""What a call of a model takes, measured in a run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from tunegate.records import SCORED, Record, Usage
from tunegate.runs import read_records
from tunegate.stats import NotEnoughData


@dataclass(frozen=True)
class MeasuredCall:
    """The tokens of a call, averaged over calls of a run."""

    calls: int
    prompt_tokens: float
    completion_tokens: float
    cached_share: float
    """Of all prompt tokens; what no reply said to be cached was not."""
    truncated: int = 0
    """Of the calls, those whose reply was cut at its limit: whole, it has more tokens than are counted here."""


@dataclass(frozen=True)
class Measurement:
    """What a call of each model takes, over the same cells."""

    calls: Mapping[str, MeasuredCall]
    """By model."""
    evals: tuple[str, ...]
    """Whose cells they are."""
    left_out: tuple[str, ...]
    """Evals that set the limit of each reply themselves, and were not asked for."""


class _Call(NamedTuple):
    usage: Usage
    is_truncated: bool


_Key = tuple[str, str, int]
"""Eval, case, repeat."""


def measure_calls(folder: Path, models: Sequence[str], *, eval_glob: str | None = None) -> Measurement | NotEnoughData:
    """Return what a call of each of these models takes, over the cells that all of them answered and counted.

    A model that failed on the long cases would otherwise seem to have shorter ones. Without a glob, evals that sweep
    the limit of their replies are left out: where those end says what was allowed, and not what is said.

    Raises:
        RunError: a line of the run cannot be read.
    """
    counted: dict[str, dict[_Key, _Call]] = {model: {} for model in models}
    swept: set[str] = set()
    for record in read_records(folder):
        cell = record.cell
        if cell.model not in counted or not fnmatchcase(cell.eval, eval_glob or "*"):
            continue
        if eval_glob is None and record.max_tokens is not None:
            swept.add(cell.eval)
        if _is_counted(record):
            usage = record.reply.usage if record.reply else Usage()
            counted[cell.model][cell.eval, cell.case, cell.repeat] = _Call(usage, record.state == "truncated")
    shared = sorted(key for key in _in_all(counted) if key[0] not in swept)
    if not shared:
        return NotEnoughData(_why_none(swept))
    return Measurement(
        calls={model: _mean([calls[key] for key in shared]) for model, calls in counted.items()},
        evals=tuple(dict.fromkeys(eval_name for eval_name, _, _ in shared)),
        left_out=tuple(sorted(swept)),
    )


def _is_counted(record: Record) -> bool:
    usage = record.reply.usage if record.reply else Usage()
    return record.state in SCORED and usage.prompt_tokens is not None and usage.completion_tokens is not None


def _in_all(counted: Mapping[str, Mapping[_Key, _Call]]) -> set[_Key]:
    return set.intersection(*(set(calls) for calls in counted.values())) if counted else set()


def _why_none(swept: set[str]) -> str:
    reason = "no case was answered by all of them with its tokens counted"
    if not swept:
        return reason
    names = ", ".join(sorted(swept))
    return f"{reason}, but for those of {names}, whose limits cut replies: --eval {min(swept)} would measure them"


def _mean(calls: Sequence[_Call]) -> MeasuredCall:
    prompt = math.fsum(call.usage.prompt_tokens or 0 for call in calls)
    cached = math.fsum(call.usage.cached_tokens or 0 for call in calls)
    return MeasuredCall(
        calls=len(calls),
        prompt_tokens=prompt / len(calls),
        completion_tokens=math.fsum(call.usage.completion_tokens or 0 for call in calls) / len(calls),
        cached_share=min(1.0, cached / prompt) if prompt else 0.0,
        truncated=sum(call.is_truncated for call in calls),
    )
