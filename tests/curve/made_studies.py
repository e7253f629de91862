"""Runs of fine-tunes whose truth is known, as a run's writer writes them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tunegate.records import Cell, Check, Record, Reply, State, Usage
from tunegate.runs import RunFolder
from tunegate.stats import CurveShape

RISE = CurveShape(start=0.09, end=0.98, half_at=12, steepness=2.5)
LEVEL = CurveShape(start=0.25, end=0.26, half_at=30, steepness=1)
RECIPE: Mapping[str, Any] = {"epochs": 3, "batch_size": 1, "learning_rate_multiplier": 1.0}
USAGE = Usage(300, 20)
SIZES = ((0, None), *((size, seed) for size in (10, 20, 50, 100) for seed in (1, 2, 3)), (200, 1), (500, 1))


@dataclass(frozen=True)
class Made:
    """A row of a matrix, and what it is simulated to pass."""

    name: str
    examples: int | None = 0
    seed: int | None = None
    base: str | None = "base"
    training: Mapping[str, Any] | None = None
    shots: int | None = None
    schema: float = 0.0
    answers: float = 0.25

    @property
    def row(self) -> dict[str, Any]:
        """As `run.json` has it."""
        return {
            "name": self.name,
            "model": self.name,
            "base_url": "http://127.0.0.1:1/v1",
            "role": "candidate",
            "base": self.base,
            "examples": self.examples,
            "training_seed": self.seed,
            "training": self.training,
            "shots": self.shots,
            "body": {},
            "omit": [],
        }


def rising(
    *,
    schema: CurveShape = RISE,
    answers: CurveShape = LEVEL,
    sizes: Iterable[tuple[int, int | None]] = SIZES,
    spread: float = 0.0,
    seed: int = 1,
    training: Mapping[str, Any] = RECIPE,
) -> list[Made]:
    """Return a base model and its fine-tunes; trainings of one size differ by `spread`, in radians."""
    dice = np.random.default_rng(seed)
    made = []
    for examples, name in sizes:
        angle = math.asin(math.sqrt(schema.at(examples))) + (spread * dice.standard_normal() if examples else 0.0)
        made.append(
            Made(
                f"ft:n{examples}-s{name}" if examples else "base",
                examples,
                name,
                training=training if examples else None,
                schema=math.sin(min(max(angle, 0.0), math.pi / 2)) ** 2,
                answers=answers.at(examples),
            )
        )
    return made


def records_of(models: Sequence[Made], *, cases: int = 200, repeats: int = 1, seed: int = 1) -> list[Record]:
    """Return one record for each case, model and repeat, of independent cases with four answers each."""
    dice = np.random.default_rng(seed)
    return [
        record_of(
            f"c{case:03}",
            {"schema": [dice.random() < model.schema], "answers": (dice.random(4) < model.answers).tolist()},
            model=model.name,
            repeat=repeat,
        )
        for model in models
        for case in range(cases)
        for repeat in range(1, repeats + 1)
    ]


def record_of(
    case: str,
    checks: Mapping[str, Sequence[bool | None]],
    *,
    model: str,
    repeat: int = 1,
    state: State = "answered",
    asked: str | None = None,
    usage: Usage = USAGE,
    eval_name: str = "format",
) -> Record:
    """Return the record of one cell; an unscored one has no checks."""
    is_scored = state not in {"error", "lost"}
    made = [Check(name, None if one is None else bool(one)) for name, passed in checks.items() for one in passed]
    return Record(
        Cell(eval_name, case, "s", model, repeat),
        state,
        made if is_scored else (),
        messages=[{"role": "user", "content": asked or f"What is {case}?"}],
        reply=Reply("[]", usage=usage) if is_scored else None,
        source="live",
    )


def write_run(
    runs: Path,
    name: str,
    models: Sequence[Made],
    records: Iterable[Record] | None = None,
    *,
    header: Mapping[str, Any] | None = None,
    is_finished: bool = True,
) -> Path:
    """Write a run of these models, simulated where no records are given, and return its folder."""
    written = list(records_of(models) if records is None else records)
    folder = RunFolder.create(
        runs,
        name,
        header={
            "options": {"shots": 0, "temperature": 0.0},
            "matrix": [model.row for model in models],
            # Told by the test, so that whatever is made of a run is the same every day.
            "started_at": "2026-11-28T21:22:48+00:00",
            **(header or {}),
        },
    )
    for record in written:
        folder.append(record)
    folder.finish(planned=len(written) + (not is_finished))
    return folder.path


def failed(model: Made, *, reason: str = "its loss did not fall: 2.1 at first, 2.3 in the end (p = 0.9)") -> Made:
    """Return a training that did not converge, and passes nothing."""
    training = {**(model.training or {}), "not_converged": reason}
    return replace(model, name=f"{model.name}-failed", seed=9, training=training, schema=0.02)
