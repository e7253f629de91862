"""What each model did in one eval, kept small: counts by case and repeat, and the tokens of its calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tunegate.errors import RunError
from tunegate.records import SCORED
from tunegate.runs.brief_records import BriefRecord, read_brief_records
from tunegate.stats import Judged


@dataclass
class Tally:
    """One model. Only scored cells count: what was ours to get wrong says nothing of a model."""

    metrics: tuple[str, ...]
    cells: dict[str, dict[int, tuple[Judged, ...]]] = field(default_factory=dict)
    """case -> repeat -> (passed, judged) of each metric"""
    asked: dict[str, int] = field(default_factory=dict)
    """case -> a hash of the last message that was sent, valid in this process"""
    seen: set[str] = field(default_factory=set)
    """Cases with a record, scored or not."""
    unscored: Counter[str] = field(default_factory=Counter)
    """state -> records that have no score"""
    tokens: int = 0
    """Of prompts and replies together,"""
    counted: int = 0
    """of so many calls, those whose tokens the server counted."""

    def add(self, record: BriefRecord) -> None:
        """Count one record.

        Raises:
            RunError: the same cell stands in the run twice.
        """
        self.seen.add(record.case)
        if record.state not in SCORED:
            self.unscored[record.state] += 1
            return
        repeats = self.cells.setdefault(record.case, {})
        if record.repeat in repeats:
            raise RunError(f"two records of {record.eval}[{record.case}] of '{record.model}', repeat {record.repeat}")
        repeats[record.repeat] = tuple(_count(record, metric) for metric in self.metrics)
        if record.messages:
            self.asked.setdefault(record.case, hash(record.messages[-1].content))
        usage = record.reply.usage if record.reply else None
        if usage and usage.prompt_tokens is not None and usage.completion_tokens is not None:
            self.tokens += usage.prompt_tokens + usage.completion_tokens
            self.counted += 1

    def judged(self, metric: str, cases: Sequence[str]) -> list[Judged]:
        """Return (passed, judged) of each of these cases, all repeats together; (0, 0) where nothing was judged."""
        place = self.metrics.index(metric)
        found: list[Judged] = []
        for case in cases:
            counts = [counts[place] for counts in self.cells.get(case, {}).values()]
            found.append((sum(passed for passed, _ in counts), sum(judged for _, judged in counts)))
        return found

    def replies(self, metric: str, cases: Sequence[str]) -> Iterator[tuple[str, float]]:
        """Yield (case, share passed) of every reply in which the metric was judged."""
        place = self.metrics.index(metric)
        for case in cases:
            for counts in self.cells.get(case, {}).values():
                passed, judged = counts[place]
                if judged:
                    yield case, passed / judged


@dataclass
class EvalTallies:
    """A run in one eval, and what there would have been else."""

    models: dict[str, Tally] = field(default_factory=dict)
    evals: set[str] = field(default_factory=set)
    """All that the run has records of."""
    checks: set[str] = field(default_factory=set)
    """All that were made in this eval."""


def read_tallies(folder: Path, *, eval_name: str, metrics: tuple[str, ...]) -> EvalTallies:
    """Read the records of one eval in the run folder `folder`.

    Raises:
        RunError: there is no such file, or a line that cannot be read or stands twice.
    """
    found = EvalTallies()
    for record in read_brief_records(folder):
        found.evals.add(record.eval)
        if record.eval != eval_name:
            continue
        tally = found.models.get(record.model)
        if tally is None:
            tally = found.models[record.model] = Tally(metrics)
        tally.add(record)
        found.checks.update(check.name for check in record.checks)
    return found


def _count(record: BriefRecord, metric: str) -> Judged:
    outcomes = [check.passed for check in record.checks if check.name == metric and check.passed is not None]
    return (sum(outcomes), len(outcomes))
