"""What further examples cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tunegate.cost import Price
from tunegate.curve import Inquiry, survey_runs
from tunegate.curve.money import NextTraining
from tunegate.records import Usage
from tunegate.stats import NotEnoughData

from .made_studies import RECIPE, USAGE, Made, record_of, rising, write_run

MODELS = rising(sizes=((0, None), (10, 1), (20, 1)))
PRICED = Price(live=None, source="a list", training_usd_per_mtok=8.0)


def next_training(
    runs: Path, models: list[Made], *, price: Price | None = PRICED, usage: Usage = USAGE
) -> NextTraining:
    """Return what a training on 500 further examples costs by a run of these models, whose largest has 20."""
    records = [
        record_of(f"c{n}", {"schema": [True]}, model=model.name, usage=usage) for model in models for n in (1, 2)
    ]
    folder = write_run(runs, "a", models, records)
    (one,) = survey_runs([folder], Inquiry(counter=None), price_of=lambda _: price).answered
    return one.next_training


def trained(**said: Any) -> list[Made]:
    return [replace(model, training={**RECIPE, **said}) if model.examples else model for model in MODELS]


def test_the_endpoints_own_count_of_tokens_is_taken(tmp_path: Path) -> None:
    """30 examples took 27,000 tokens in all epochs, 900 each; the job trains on 520, at $8 a million $3.744."""
    models = [
        MODELS[0],
        *(replace(m, training={**RECIPE, "tokens": 900 * m.examples}) for m in MODELS[1:] if m.examples),
    ]
    found = next_training(tmp_path, models)
    assert (found.tokens_per_example, found.usd, found.price_source) == (900, pytest.approx(3.744), "a list")
    assert found.examples == 520
    assert found.basis == "as the endpoint counted them in training"


def test_else_a_call_of_the_run_stands_for_an_example(tmp_path: Path) -> None:
    """320 tokens a call, three epochs: 960 for each example, $3.9936 for 520; and it is said."""
    found = next_training(tmp_path, trained())
    assert (found.tokens_per_example, found.usd) == (960, pytest.approx(3.9936))
    assert "not known" in found.basis


@pytest.mark.parametrize(
    ("models", "usage", "why"),
    [
        (trained(epochs=None), Usage(300, 20), "neither the tokens of a training nor its epochs"),
        (trained(), Usage(), "no server counted any tokens"),
    ],
)
def test_unknown_tokens_make_an_unknown_amount(tmp_path: Path, models: list[Made], usage: Usage, why: str) -> None:
    """Neither is taken for 0."""
    found = next_training(tmp_path, models, usage=usage)
    assert isinstance(found.usd, NotEnoughData)
    assert why in found.usd.reason


def test_an_unknown_price_is_not_free_and_a_free_one_is(tmp_path: Path) -> None:
    """Without a price there is a reason; a price of 0 is $0 even where tokens are unknown."""
    nobody = next_training(tmp_path / "a", trained(), price=None)
    assert isinstance(nobody.usd, NotEnoughData)
    of_calls = next_training(tmp_path / "b", trained(), price=replace(PRICED, training_usd_per_mtok=None))
    assert isinstance(of_calls.usd, NotEnoughData)
    assert of_calls.price_source is None
    free = next_training(tmp_path / "c", trained(), price=replace(PRICED, training_usd_per_mtok=0.0), usage=Usage())
    assert free.usd == 0.0
