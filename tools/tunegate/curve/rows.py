"""What a run kept of its matrix: which models it asked, and how each was trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tunegate.cases import Training
from tunegate.cases.kept_models import kept_training

Recipe = tuple[float | None, ...]
"""Epochs, batch size and learning rate multiplier, None where nobody said: see `Training.recipe`."""
UNKNOWN_RECIPE: Recipe = Training().recipe


@dataclass(frozen=True)
class Row:
    """A model as its run asked it."""

    name: str
    model: str
    """The name that the endpoint knows."""
    base_url: str
    base: str | None
    """The model that training began with; None where nobody said."""
    examples: int | None
    """It was trained on; 0 is untrained, None where nobody said."""
    seed: int | None
    """Of the training."""
    training: Training | None
    shots: int
    """Solved examples before each question."""
    temperature: float | None
    """That the run asked for."""

    @property
    def recipe(self) -> Recipe:
        """What must be equal between trainings of one curve."""
        return self.training.recipe if self.training else UNKNOWN_RECIPE

    @property
    def failure(self) -> str | None:
        """Why the training did not converge; None where nothing speaks against it."""
        return self.training.not_converged if self.training else None

    @property
    def twin_key(self) -> tuple[int | None, int | None, str | None]:
        """What two trainings by one recipe share only where they are the same training: size, seed and file."""
        return (self.examples, self.seed, self.training.sha256 if self.training else None)


def read_rows(header: Mapping[str, Any]) -> tuple[Row, ...]:
    """Return the rows of the matrix in `run.json`, in their order; of a run older than a field it is unknown."""
    options = header.get("options") or {}
    return tuple(
        Row(
            name=str(row["name"]),
            model=str(row.get("model") or row["name"]),
            base_url=str(row.get("base_url") or ""),
            base=row.get("base"),
            examples=row.get("examples"),
            seed=row.get("training_seed"),
            training=kept_training(row.get("training")),
            # A row that fixes none was asked with the run's.
            shots=int((options.get("shots") if row.get("shots") is None else row["shots"]) or 0),
            temperature=options.get("temperature"),
        )
        for row in header.get("matrix") or ()
    )


def why_no_point(row: Row) -> str | None:
    """Say why a row has no place on any curve; None where it has one."""
    if row.shots:
        return f"asked with {row.shots} {'shot' if row.shots == 1 else 'shots'}: a long prompt is no training"
    if row.base is None:
        return "the run does not say which model its training began with (base)"
    if row.examples is None:
        return "the run does not say on how many examples it was trained (examples)"
    return None


def has_study(header: Mapping[str, Any]) -> bool:
    """Say whether a run has two trainings of one base by one recipe: a base model and one fine-tune make no curve.

    A training that did not converge is none of them.
    """
    trained = Counter(
        (row.base, row.recipe)
        for row in read_rows(header)
        if row.examples and row.failure is None and why_no_point(row) is None
    )
    return any(trainings > 1 for trainings in trained.values())


def tell_recipe(recipe: Recipe) -> str:
    """Return `3 epochs, batch size 1, learning rate multiplier 1`, of what is known."""
    epochs, batch_size, rate = recipe
    told = []
    if epochs is not None:
        told.append(f"{epochs:g} {'epoch' if epochs == 1 else 'epochs'}")
    if batch_size is not None:
        told.append(f"batch size {batch_size:g}")
    if rate is not None:
        told.append(f"learning rate multiplier {rate:g}")
    return ", ".join(told) or "recipe unknown"
