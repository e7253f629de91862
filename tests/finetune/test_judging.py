"""Which trainings are held against each other, and by which losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tunegate.cases import Matrix
from tunegate.finetune import Hyperparameters, Kept, judge_trainings, make_rows
from tunegate.stats import NotEnoughData
from tunegate.wire.fine_tuning import CheckpointState
from tunegate.wire.training_steps import TrainingStep

from .trainings import want

AROUND = (1.05, 0.95, 1.02, 0.98, 1.0, 1.03, 0.97, 1.01, 0.99, 1.0)


def trained(folder: Path, *, seed: int = 1, end: float = 1.0, valid: float | None = None, rate: float = 1.0) -> Kept:
    """Return a training of ten steps whose losses are around `end`."""
    recipe = Hyperparameters(epochs=1, learning_rate_multiplier=rate)
    (one,) = want(folder, "http://h/v1", seeds=(seed,), hyperparameters=recipe)
    around = AROUND[seed:] + AROUND[:seed]
    steps = [TrainingStep(step, end * loss) for step, loss in enumerate(around, 1)]
    steps[-1] = replace(steps[-1], valid_loss=valid)
    return replace(
        Kept.of(one), job=f"ftjob-{seed}-{rate}", status="succeeded", fine_tuned_model=f"ft:{seed}", steps=tuple(steps)
    )


def converged(trainings: Sequence[Kept]) -> list[bool]:
    judged = judge_trainings(trainings)
    return [judged[kept.key].converged for kept in trainings]


def test_ten_steps_are_held_against_other_seeds(tmp_path: Path) -> None:
    """Three replicates that end at 1.0 and one that ends at 8.0: the last is not converged."""
    sisters = [trained(tmp_path, seed=seed) for seed in (1, 2, 3)]
    assert converged([*sisters, trained(tmp_path, seed=4, end=8.0)]) == [True, True, True, False]


@pytest.mark.parametrize("change", [{"sha256": "0" * 64}, {"base_url": "http://other/v1"}, {"base": "other"}])
def test_only_the_seed_may_differ(tmp_path: Path, change: dict[str, str]) -> None:
    """Trainings on another file, at another endpoint or of another model are no measure."""
    sisters = [trained(tmp_path, seed=seed) for seed in (1, 2, 3)]
    (*_, alone) = all_of = [*sisters, replace(trained(tmp_path, seed=4, end=8.0), **change)]  # type: ignore[arg-type]
    assert converged(all_of) == [True] * 4
    assert isinstance(judge_trainings(all_of)[alone.key].beside_sisters, NotEnoughData)


def test_another_recipe_is_no_measure(tmp_path: Path) -> None:
    """A hyperparameter makes another group, and a training without a model belongs to none."""
    sisters = [trained(tmp_path, seed=seed) for seed in (1, 2, 3)]
    assert converged([*sisters, trained(tmp_path, seed=4, end=8.0, rate=2.0)]) == [True] * 4
    assert judge_trainings([replace(sisters[0], status="failed")]) == {}


def test_validation_losses_are_judged(tmp_path: Path) -> None:
    """Training losses alike, 1.36 beside 0.78 in validation: not converged. A checkpoint's, over the whole file, goes
    before that of a step.
    """
    sisters = [trained(tmp_path, seed=seed, valid=0.78) for seed in (1, 2)]
    bad = trained(tmp_path, seed=3, valid=1.36)
    assert converged([*sisters, bad]) == [True, True, False]
    whole = CheckpointState(10, "ft:3", {"full_valid_loss": 0.78})
    assert converged([*sisters, replace(bad, checkpoints=(whole,))]) == [True, True, True]


def test_repetitions_are_part_of_the_recipe(tmp_path: Path) -> None:
    """A file in which each example stands three times is seen three times an epoch; once is not mentioned."""
    (tmp_path / "models.toml").write_text(
        '[endpoints.lab]\nbase_url = "http://h/v1"\n'
        '[models.tiny]\nendpoint = "lab"\nrole = "candidate"\nbase = "tiny"\nexamples = 0\n'
    )
    kept = [trained(tmp_path), replace(trained(tmp_path, seed=2), repetitions=3)]
    rows = make_rows(kept, convergences=judge_trainings(kept), matrix=Matrix.load(tmp_path / "models.toml"))
    assert [row.training and row.training.repetitions for row in rows] == [None, 3]
    assert [row.training and row.training.recipe for row in rows] == [(1, None, 1.0), (3, None, 1.0)]
