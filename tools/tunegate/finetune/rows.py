"""The rows of the matrix that trainings have earned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tunegate.cases import Matrix, Model, Training
from tunegate.errors import UsageError
from tunegate.finetune.folder import Kept
from tunegate.stats import Convergence


def make_rows(trainings: Iterable[Kept], *, convergences: Mapping[str, Convergence], matrix: Matrix) -> list[Model]:
    """Return a candidate for each training that succeeded, asked where its base is.

    Raises:
        UsageError: the matrix has no row for a base any more.
    """
    bases = {model.name: model for model in matrix.models}
    rows = []
    for kept in trainings:
        if kept.status != "succeeded" or kept.fine_tuned_model is None:
            continue
        base = bases.get(kept.base)
        if base is None:
            raise UsageError(f"{kept.label} was trained from {kept.base!r}, which {matrix.path} does not list any more")
        rows.append(
            Model(
                name=kept.fine_tuned_model,
                endpoint=base.endpoint,
                role="candidate",
                # What was trained on is where a curve begins; another training before it is another base.
                base=base.name if base.examples else base.base or base.name,
                examples=kept.examples,
                training_seed=kept.seed,
                training=_training_of(kept, convergences[kept.key]),
                body=base.body,
                omit=base.omit,
            )
        )
    return rows


def _training_of(kept: Kept, convergence: Convergence) -> Training:
    took = kept.hyperparameters
    return Training(
        job=kept.job,
        set=kept.set,
        sha256=kept.sha256,
        epochs=_whole(took.get("n_epochs")),
        batch_size=_whole(took.get("batch_size")),
        learning_rate_multiplier=_number(took.get("learning_rate_multiplier")),
        repetitions=kept.repetitions if kept.repetitions > 1 else None,
        tokens=kept.trained_tokens,
        first_loss=_rounded(convergence.first_loss),
        final_loss=_rounded(convergence.final_loss),
        not_converged=convergence.reason or None,
    )


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _number(value: Any) -> float | None:
    """Return a number; `auto`, which an endpoint may say until it has chosen, is none."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None


def _rounded(loss: float | None) -> float | None:
    return None if loss is None else float(f"{loss:.4g}")
