"""Measured calls: means over what both models answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunegate.money.callers import MeasuredCall, measure_calls
from tunegate.records import Usage
from tunegate.stats import NotEnoughData

from .priced_runs import make_call, write_priced


def test_mean_is_over_the_cells_that_all_answered(tmp_path: Path) -> None:
    """A case that one model did not answer or count is in no mean: it may be the long one."""
    records = [
        make_call("a", usage=Usage(100, 10)),
        make_call("b", usage=Usage(300, 30, 150)),
        make_call("long", usage=Usage(9000, 900)),
        make_call("uncounted", usage=Usage(9000, None)),
        make_call("a", model="large", usage=Usage(1100, 20)),
        make_call("b", model="large", usage=Usage(1300, 40)),
        make_call("long", model="large", state="error"),
        make_call("uncounted", model="large"),
    ]
    found = measure_calls(write_priced(tmp_path, records), ["small", "large"])
    assert found["small"] == MeasuredCall(2, 200, 20, cached_share=pytest.approx(150 / 400))
    assert found["large"] == MeasuredCall(2, 1200, 30, cached_share=0.0)


def test_repeats_and_evals_are_calls_of_their_own(tmp_path: Path) -> None:
    """Each repeat counts, and a glob leaves other evals out."""
    records = [
        make_call("a", repeat=1, usage=Usage(100, 10)),
        make_call("a", repeat=2, usage=Usage(100, 30)),
        make_call("a", eval_name="tone", usage=Usage(900, 90)),
    ]
    folder = write_priced(tmp_path, records)
    assert measure_calls(folder, ["small"], eval_glob="for*")["small"] == MeasuredCall(2, 100, 20, 0.0)
    assert measure_calls(folder, ["small"])["small"] != measure_calls(folder, ["small"], eval_glob="for*")["small"]


def test_nothing_in_common_is_not_enough(tmp_path: Path) -> None:
    """Without a case that both answered there is no mean, and it says so."""
    folder = write_priced(tmp_path, [make_call("a"), make_call("b", model="large")])
    assert all(isinstance(call, NotEnoughData) for call in measure_calls(folder, ["small", "large"]).values())
