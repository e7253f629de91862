"""Training files and what is wanted of them, for a lab whose trainer and engine are scripts."""

from __future__ import annotations

import json
from pathlib import Path

from tunegate.cases import Endpoint, Model
from tunegate.finetune import Hyperparameters, TrainingFile, Wanted, plan_trainings


def base_at(base_url: str) -> Model:
    return Model("tiny", Endpoint("lab", base_url), base="tiny", examples=0)


def write_lines(path: Path, count: int) -> Path:
    line = {"messages": [{"role": "user", "content": "sky?"}, {"role": "assistant", "content": "blue"}]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for _ in range(count)))
    return path


def want(
    folder: Path,
    base_url: str,
    *,
    sizes: tuple[int, ...] = (10,),
    seeds: tuple[int, ...] = (1,),
    hyperparameters: Hyperparameters | None = None,
) -> list[Wanted]:
    """Return trainings of the model `tiny` at a lab."""
    files = [TrainingFile(write_lines(folder / f"n{size}.jsonl", size), "sky", size) for size in sizes]
    return plan_trainings(
        base_at(base_url),
        files,
        validation=None,
        hyperparameters=hyperparameters or Hyperparameters(epochs=2, batch_size=1),
        seeds=seeds,
    )
