"""Runs made of records, as a run's writer writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tunegate.gate.measures import Contender, measure_run
from tunegate.records import Cell, Check, Record, Reply, Usage
from tunegate.runs import RunFolder


def record_of(
    case: str,
    checks: Mapping[str, bool | Sequence[bool] | None],
    *,
    model: str = "m",
    subject: str = "s",
    repeat: int = 1,
    text: str = "reply",
    asked: str | None = None,
    latency_s: float | None = None,
    usage: Usage | None = None,
    advisory: Sequence[str] = (),
) -> Record:
    """Return the record of a scored cell; a sequence is a check of several questions."""
    made: list[Check] = []
    for name, passed in checks.items():
        is_advisory = name in advisory
        if isinstance(passed, Sequence):
            made += [
                Check(name, one, expected=f"right {n}", got=f"got {n}", question=n, advisory=is_advisory)
                for n, one in enumerate(passed, 1)
            ]
        else:
            made.append(Check(name, passed, expected="the shape", got="" if passed else "prose", advisory=is_advisory))
    return Record(
        Cell("format", case, subject, model, repeat),
        "answered",
        made,
        messages=[{"role": "user", "content": asked or f"What is {case}?"}],
        reply=Reply(text, usage=usage or Usage()),
        latency_s=latency_s,
        source="live",
    )


def write_run(reports: Path, name: str, records: Iterable[Record]) -> Path:
    """Write a finished run and return its folder."""
    records = list(records)
    models = dict.fromkeys(record.cell.model for record in records)
    rows = [
        {"name": model, "role": "candidate", "base_url": "http://127.0.0.1:1/v1", "model": model} for model in models
    ]
    folder = RunFolder.create(reports / "runs", name, header={"matrix": rows})
    for record in records:
        folder.append(record)
    folder.finish(planned=len(records))
    return folder.path


def contender_of(folder: Path, records: Iterable[Record], *, run: str = "a", model: str = "m") -> Contender:
    """Write a run and measure one of its models."""
    return measure_run(write_run(folder, run, records)).contender(model)
