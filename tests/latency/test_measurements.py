"""What the records of runs say of time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tunegate.errors import UsageError
from tunegate.latency.measurements import call_of, read_series

from .made_runs import BASE, PROMPTS, QUICK, SIZES, records_of, write_run


def test_series_hold_every_call_in_the_matrix_order(tmp_path: Path) -> None:
    """Models stand as in the matrix, their calls by case and repeat, their limits rise."""
    base, quick = read_series([write_run(tmp_path, "a", BASE, QUICK)])
    assert (base.label, quick.label, base.role) == ("base", "ft:quick", "baseline")
    assert base.limits == SIZES
    assert len(base.calls) == len(PROMPTS) * len(SIZES) * 2
    assert len(base.at(64)) == 10
    assert [call.block for call in base.calls] == sorted(call.block for call in base.calls)
    assert (base.load, base.most_in_flight, base.days) == (1, 1, ("2026-11-27",))


def test_model_of_several_runs_is_named_with_its_run(tmp_path: Path) -> None:
    """Several runs are joined, and what has one name in both is told apart."""
    folders = [write_run(tmp_path, "one", BASE, QUICK), write_run(tmp_path, "two", BASE)]
    assert [one.label for one in read_series(folders)] == ["base@one", "ft:quick", "base@two"]


def test_run_that_is_given_twice_is_read_once(tmp_path: Path) -> None:
    """The same folder by two names is one run."""
    folder = write_run(tmp_path, "one", BASE)
    assert [one.label for one in read_series([folder, tmp_path / "." / "one"])] == ["base"]


def test_evals_that_sweep_are_looked_at_first(tmp_path: Path) -> None:
    """Without a name, those with limits by the case are meant, and all where there is none of them."""
    run = write_run(tmp_path, "a", BASE, sizes=[*SIZES, None])
    assert {one.eval for one in read_series([run])} == {"latency"}
    assert {one.eval for one in read_series([run], evals="*")} == {"format", "latency"}
    plain = write_run(tmp_path, "b", BASE, sizes=[None])
    (series,) = read_series([plain])
    assert (series.eval, series.limits) == ("format", (None,))
    with pytest.raises(UsageError, match=r"^no eval matches 'tone' among those with a latency: format$"):
        read_series([plain], evals="tone")


def test_what_has_no_latency_is_no_call(tmp_path: Path) -> None:
    """Errors, losses and replies that nobody timed say nothing of time; a run of those has nothing to show."""
    (record, *_) = records_of(BASE)
    assert call_of(replace(record, state="error")) is None
    assert call_of(replace(record, latency_s=None)) is None
    with pytest.raises(UsageError, match="no latency is on record"):
        read_series([write_run(tmp_path, "empty")])


def test_gap_is_the_median_between_two_pieces() -> None:
    """One piece that was late does not move it, and one piece alone has none."""
    (record, *_) = records_of(BASE)
    call = call_of(replace(record, pieces_s=(0.1, 0.2, 0.3, 2.3)))
    assert call is not None
    assert call.gap_s == pytest.approx(0.1)
    alone = call_of(replace(record, pieces_s=(0.1,)))
    assert alone is not None
    assert alone.gap_s is None
