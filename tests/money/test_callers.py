"""Measured calls: means over what both models answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunegate.money.callers import MeasuredCall, Measurement, measure_calls
from tunegate.records import Usage
from tunegate.stats import NotEnoughData

from .priced_runs import make_call, write_priced


def measure(folder: Path, *models: str, eval_glob: str | None = None) -> Measurement:
    found = measure_calls(folder, models, eval_glob=eval_glob)
    assert isinstance(found, Measurement)
    return found


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
    found = measure(write_priced(tmp_path, records), "small", "large").calls
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
    found = measure(folder, "small", eval_glob="for*")
    assert (found.calls["small"], found.evals) == (MeasuredCall(2, 100, 20, 0.0), ("format",))
    both = measure(folder, "small")
    assert (both.calls["small"].calls, both.evals) == (3, ("format", "tone"))


def test_replies_of_a_swept_limit_are_no_calls(tmp_path: Path) -> None:
    """What ends where it is cut says what was allowed: such an eval is left out and named, unless it is asked for."""
    records = [
        make_call("a", usage=Usage(100, 10)),
        make_call("b", usage=Usage(100, 30)),
        make_call("p-8", eval_name="latency", usage=Usage(20, 8), state="truncated", max_tokens=8),
        make_call("p-64", eval_name="latency", usage=Usage(20, 40), max_tokens=64),
    ]
    folder = write_priced(tmp_path, records)
    found = measure(folder, "small")
    assert found == Measurement({"small": MeasuredCall(2, 100, 20, 0.0)}, ("format",), left_out=("latency",))
    asked = measure(folder, "small", eval_glob="latency")
    assert asked == Measurement({"small": MeasuredCall(2, 20, 24, 0.0, truncated=1)}, ("latency",), left_out=())
    assert measure(folder, "small", eval_glob="*").evals == ("format", "latency")
    alone = measure_calls(write_priced(tmp_path, records[2:], name="b"), ["small"])
    assert isinstance(alone, NotEnoughData)
    assert "--eval latency would measure them" in alone.reason


def test_cut_replies_are_counted(tmp_path: Path) -> None:
    """They are calls of the model all the same, and how many they are is told of each model."""
    records = [
        make_call("a", state="truncated"),
        make_call("b"),
        make_call("a", model="large"),
        make_call("b", model="large"),
    ]
    found = measure(write_priced(tmp_path, records), "small", "large").calls
    assert [(call.calls, call.truncated) for call in found.values()] == [(2, 1), (2, 0)]


def test_nothing_in_common_is_not_enough(tmp_path: Path) -> None:
    """Without a case that both answered there is no mean, and it says so."""
    folder = write_priced(tmp_path, [make_call("a"), make_call("b", model="large")])
    found = measure_calls(folder, ["small", "large"])
    assert found == NotEnoughData("no case was answered by all of them with its tokens counted")
