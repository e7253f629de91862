"""The table says what was counted, and of how many."""

from __future__ import annotations

from tunegate.records import Cell, Check, Record, Reply
from tunegate.report import Tally, render_table
from tunegate.stats import Interval, wilson


def record(
    case: str,
    *passed: bool | None,
    model: str = "m",
    repeat: int = 1,
    state: str = "answered",
    temperature: float | None = 0.0,
) -> Record:
    checks = tuple(Check("answers", one, question=number) for number, one in enumerate(passed, 1))
    cell = Cell("format", case, "s", model, repeat, temperature)
    return Record(cell, state, checks, reply=Reply("x"), latency_s=1.0, source="cassette")  # type: ignore[arg-type]


def tally_of(*records: Record) -> Tally:
    tally = Tally()
    for one in records:
        tally.add(one)
    return tally


def test_shares_count_checks_not_cases() -> None:
    """Two cases of two answers each are four answers in two clusters."""
    share = tally_of(record("a", True, False), record("b", True, True)).evals["format"]["m"].share("answers")
    assert isinstance(share, Interval)
    assert (share.estimate, share.n, share.clusters) == (0.75, 4, 2)


def test_repeats_of_a_case_are_one_cluster() -> None:
    """Asking the same again does not make the sample larger than its cases."""
    share = tally_of(record("a", True), record("a", True, repeat=2), record("b", False)).evals["format"]["m"]
    interval = share.share("answers")
    assert isinstance(interval, Interval)
    assert (interval.n, interval.clusters) == (3, 2)


def test_one_check_a_case_is_plain_wilson() -> None:
    """Without clusters to speak of, the interval is Wilson's."""
    share = tally_of(*(record(f"c{n}", n % 3 == 0) for n in range(30))).evals["format"]["m"].share("answers")
    plain = wilson(10, 30)
    assert isinstance(share, Interval)
    assert isinstance(plain, Interval)
    assert (share.low, share.high) == (plain.low, plain.high)


def test_what_could_not_be_judged_is_in_no_denominator() -> None:
    """A check without its premise is not counted; a metric that was never judged says so."""
    model = tally_of(record("a", None), record("b", True)).evals["format"]["m"]
    share = model.share("answers")
    assert isinstance(share, Interval)
    assert share.n == 1
    (line,) = [line for line in render_table(tally_of(record("a", None))) if line.startswith("answers")]
    assert line.split()[:4] == ["answers", "m", "-", "-"]


def test_errors_are_counted_and_not_scored() -> None:
    """An error of ours shows among the states and in no share."""
    lines = render_table(tally_of(record("a", True), record("b", state="error")))
    (head,) = [number for number, line in enumerate(lines) if line.startswith("replies")]
    assert lines[head].split()[2:4] == ["answered", "error"]
    assert lines[head + 1].split() == ["m", "1", "1", "1.00", "s", "-"]
    assert any(line.split()[:4] == ["answers", "m", "1", "100.0"] for line in lines)


def test_order_of_records_does_not_matter() -> None:
    """Workers report in any order; the table is the same."""
    records = [record(f"c{n}", n % 2 == 0, model=model) for n in range(6) for model in ("x", "y")]
    assert render_table(tally_of(*records)) == render_table(tally_of(*reversed(records)))


def test_models_stand_in_the_order_of_the_matrix() -> None:
    """The order is given; what it does not name comes after it."""
    records = [record("c", True, model=model) for model in ("a", "b", "c")]
    shown = [line.split() for line in render_table(tally_of(*records), order=["c", "a"]) if "100.0" in line]
    assert [words[1] if words[0] == "answers" else words[0] for words in shown] == ["c", "a", "b"]


def test_table_fits_a_terminal() -> None:
    """With names of usual length a line is at most 80 characters wide."""
    lines = render_table(tally_of(*(record(f"c{n}", True, model="smollm2-135m") for n in range(9))))
    assert max(map(len, lines)) <= 80


def test_agreement_of_repeats_has_a_line() -> None:
    """Of three cases, two came out alike both times; a model that was asked once has no agreement."""
    records = [record(case, good, repeat=repeat) for case, good in (("a", True), ("b", False)) for repeat in (1, 2)]
    records += [record("c", True), record("c", False, repeat=2), record("a", True, model="once")]
    (line, after) = (lines := render_table(tally_of(*records)))[5:7]
    assert line.split()[:4] == ["agreement", "m", "3", "66.7"], lines
    assert after.split() == ["once", "-", "-", "no", "case", "was", "answered", "twice"]


def test_agreement_is_silent_without_repeats() -> None:
    """Where nothing was asked twice the table says nothing of agreement."""
    assert not [line for line in render_table(tally_of(record("a", True))) if "agreement" in line]


def test_temperatures_that_all_models_share_are_told() -> None:
    """An eval may ask at several temperatures: they stand in the headline, unless a model was asked at others."""
    both = [record(f"c{t}", True, model=model, temperature=t) for t in (1.0, 0.0) for model in ("x", "y")]
    assert render_table(tally_of(*both))[0] == "format: 2 cases, temperature 0 and 1"
    assert render_table(tally_of(*both, record("d", True, temperature=0.5)))[0] == "format: 2 cases"
    assert render_table(tally_of(*both, record("d", True, model="x", temperature=None)))[0] == "format: 3 cases"


def test_model_that_did_not_converge_is_marked() -> None:
    """A line under the table says why a training did not work, of models in the table alone."""
    lines = render_table(tally_of(record("a", True)), not_converged={"m": "its loss rose", "other": "its loss rose"})
    assert lines[-1] == "m did not converge: its loss rose"
    assert not [line for line in lines if line.startswith("other")]
