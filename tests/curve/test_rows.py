"""What a run kept of its matrix."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tunegate.curve.rows import UNKNOWN_RECIPE, has_study, read_rows, tell_recipe, why_no_point

from .made_studies import RECIPE, Made


def test_rows_are_read_as_their_run_kept_them() -> None:
    """Base, size, seed, recipe and shots come from run.json; what a row leaves open is the run's."""
    made = Made("ft:a", 10, 3, training={**RECIPE, "tokens": 900, "told_by_a_later_version": 1})
    header = {"options": {"shots": 2, "temperature": 0.5}, "matrix": [made.row, replace(made, name="b", shots=0).row]}
    row, bare = read_rows(header)
    assert (row.name, row.base, row.examples, row.seed, row.shots, row.temperature) == ("ft:a", "base", 10, 3, 2, 0.5)
    assert row.recipe == (3, 1, 1.0)
    assert row.training is not None
    assert row.training.tokens == 900
    assert bare.shots == 0


def test_a_run_older_than_the_fields_has_unknown_recipes() -> None:
    """A matrix without `training`, or a run without options, is read; what it does not say is unknown."""
    (row,) = read_rows({"options": None, "matrix": [{"name": "a", "base": "base", "examples": 10}]})
    assert (row.recipe, row.failure, row.shots, row.temperature) == (UNKNOWN_RECIPE, None, 0, None)
    assert read_rows({}) == ()


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (Made("a", 10, shots=3), "3 shots"),
        (Made("a", 10, base=None), "base"),
        (Made("a", None), "examples"),
    ],
)
def test_rows_that_are_no_points_say_why(made: Made, why: str) -> None:
    """A long prompt is no training, and a row without base or size has no place."""
    (row,) = read_rows({"matrix": [made.row]})
    assert why in (why_no_point(row) or "")
    assert not has_study({"matrix": [made.row, replace(made, name="b").row, Made("base").row]})


def test_two_trainings_by_one_recipe_make_a_study() -> None:
    """A base model with one fine-tune, as every run for the gate has, makes none, nor do two bases or recipes."""
    one, base = Made("a", 10, training=RECIPE), Made("base")
    assert has_study({"matrix": [one.row, replace(one, name="b", examples=20).row]})
    assert not has_study({"matrix": [base.row, one.row]})
    assert not has_study({"matrix": [base.row, one.row, replace(one, name="b", base="other").row]})
    assert not has_study({"matrix": [base.row, one.row, Made("b", 20, training={**RECIPE, "epochs": 1}).row]})
    assert not has_study({"matrix": [base.row, one.row, Made("b", 20, training={**RECIPE, "not_converged": "no"}).row]})


def test_recipes_are_told_as_far_as_they_are_known() -> None:
    """What nobody said is left out."""
    assert tell_recipe((1, None, 0.5)) == "1 epoch, learning rate multiplier 0.5"
    assert tell_recipe(UNKNOWN_RECIPE) == "recipe unknown"
