"""The progress line of a long run."""

from __future__ import annotations

from tunegate.records import Cell, Check, Record
from tunegate.report import Tally, render_progress


def tally_of(*records: Record) -> Tally:
    tally = Tally()
    for one in records:
        tally.add(one)
    return tally


def record(case: str, passed: bool, *, model: str = "m", state: str = "answered") -> Record:
    return Record(Cell("format", case, "s", model), state, (Check("exact", passed),))  # type: ignore[arg-type]


def test_rate_and_time_left_are_told() -> None:
    """Two of ten in four seconds are half a case a second and sixteen seconds to go."""
    line = render_progress(tally_of(record("a", True), record("b", False)), planned=10, elapsed_s=4.0)
    assert line == "2/10  0.5/s  0:16 left  m: exact 50%"


def test_last_line_promises_nothing() -> None:
    """When all is done there is no time left to tell."""
    assert "left" not in render_progress(tally_of(record("a", True)), planned=1, elapsed_s=1.0)


def test_line_follows_the_model_that_answers() -> None:
    """With several models the shares are those of the one last heard of."""
    line = render_progress(tally_of(record("a", True), record("a", False, model="n")), planned=9, elapsed_s=1.0)
    assert line.endswith("n: exact 0%")


def test_errors_show_at_once() -> None:
    """An endpoint that fails is seen while the run goes on, and is in no share."""
    line = render_progress(tally_of(record("a", True), record("b", True, state="error")), planned=9, elapsed_s=1.0)
    assert "1 without an answer" in line
    assert line.endswith("m: exact 100%")


def test_nothing_yet_is_no_error() -> None:
    """Before the first reply there is no rate, no share and no division by zero."""
    assert render_progress(tally_of(), planned=9, elapsed_s=0.0) == "0/9  0.0/s"
