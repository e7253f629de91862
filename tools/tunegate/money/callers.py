"""What a call of a model takes, measured in a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from tunegate.records import SCORED, Usage
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


def measure_calls(
    folder: Path, models: Sequence[str], *, eval_glob: str = "*"
) -> dict[str, MeasuredCall | NotEnoughData]:
    """Return what a call of each of these models takes, over the cells that all of them answered and counted.

    A model that failed on the long cases would otherwise seem to have shorter ones.

    Raises:
        RunError: a line of the run cannot be read.
    """
    counted: dict[str, dict[tuple[str, str, int], Usage]] = {model: {} for model in models}
    for record in read_records(folder):
        cell = record.cell
        usage = record.reply.usage if record.reply else Usage()
        is_whole = usage.prompt_tokens is not None and usage.completion_tokens is not None
        if cell.model in counted and record.state in SCORED and is_whole and fnmatchcase(cell.eval, eval_glob):
            counted[cell.model][cell.eval, cell.case, cell.repeat] = usage
    shared = set.intersection(*(set(usages) for usages in counted.values())) if counted else set()
    return {model: _mean([usages[key] for key in sorted(shared)]) for model, usages in counted.items()}


def _mean(usages: Sequence[Usage]) -> MeasuredCall | NotEnoughData:
    if not usages:
        return NotEnoughData("no case was answered by all of them with its tokens counted")
    prompt = math.fsum(usage.prompt_tokens or 0 for usage in usages)
    cached = math.fsum(usage.cached_tokens or 0 for usage in usages)
    return MeasuredCall(
        calls=len(usages),
        prompt_tokens=prompt / len(usages),
        completion_tokens=math.fsum(usage.completion_tokens or 0 for usage in usages) / len(usages),
        cached_share=min(1.0, cached / prompt) if prompt else 0.0,
    )
