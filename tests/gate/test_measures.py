"""Measures: counts by case, times by call, and what of a plan has a score."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.cost import Price, Rates
from tunegate.errors import RunError
from tunegate.gate.measures import Measures, measure_run
from tunegate.gate.order import Place
from tunegate.gate.policy import COST, FIRST_TOKEN, LATENCY
from tunegate.records import STATES, Record, Reply, Usage
from tunegate.runs import read_records
from tunegate.runs.brief_records import BriefRecord

from .runs import BASE, OURS, make_record, write_run

PRICE = Price(Rates(1.0, 10.0), "test")


def measure(*records: Record) -> Measures:
    measures = Measures("run", {"not_run": 0})
    for record in records:
        measures.add(BriefRecord.of(record))
    return measures


@given(st.data())
def test_counts_are_those_of_the_records(data: st.DataObject) -> None:
    """Passed and judged of each case and check are those of its scored records, counted one by one."""
    answers = st.lists(st.none() | st.booleans(), max_size=3)
    cells = data.draw(
        st.lists(
            st.tuples(st.sampled_from("abcd"), st.integers(1, 3)),
            unique=True,
            max_size=12,
        )
    )
    records = [
        make_record(
            case,
            {name: data.draw(answers) for name in data.draw(st.lists(st.sampled_from("xyz"), unique=True))},
            repeat=repeat,
            state=data.draw(st.sampled_from(STATES)),
        )
        for case, repeat in cells
    ]
    measures = measure(*records)
    scored = [record for record in records if record.state not in ("error", "lost")]
    sheet = measures.sheets.get(OURS, {}).get("format")
    assert (sheet is None) == (not scored)
    for case in "abcd":
        for name in "xyz":
            checks = [check for one in scored if one.cell.case == case for check in one.checks if check.name == name]
            judged = [check.passed for check in checks if check.passed is not None]
            if sheet is not None:
                assert sheet.judged(name, case) == (sum(judged), len(judged))
                assert sheet.is_made(name, case) == bool(checks)
    coverage = measures.contender(OURS).coverage
    assert (coverage.planned, coverage.scored) == (len(records), len(scored))
    assert coverage.errors + coverage.lost == len(records) - len(scored)
    assert len(measures.unscored.get(OURS, ())) == len({r.cell.case for r in records if r not in scored})


def test_even_repeats_are_counted_apart() -> None:
    """What even repeats passed is kept beside the whole, so that a model can be held against itself."""
    passed = [True, False, True, True]
    sheet = measure(*(make_record("a", {"x": one}, repeat=n) for n, one in enumerate(passed, 1))).sheets[OURS]["format"]
    assert sheet.repeats == 4
    assert sheet.columns["x"].at(0) == (3, 4)
    assert sheet.even["x"].at(0) == (1, 2)


@given(st.randoms(use_true_random=False))
def test_order_of_records_changes_nothing(dice: random.Random) -> None:
    """However the records of a run are shuffled, every count, time, cost and flag of a case is the same."""
    records = [
        make_record(
            f"case-{case}",
            {"x": repeat % 2 == 0, "y": [True, case % 2 == 0]},
            repeat=repeat,
            latency_s=case + repeat / 7,
            tokens=(1000 // repeat, 7 * case),
            advisory=("y",) if case else (),
        )
        for case in range(5)
        for repeat in range(1, 4)
    ]
    shuffled = dice.sample(records, len(records))
    one, other = (measure(*side).sheets[OURS]["format"] for side in (records, shuffled))
    assert one.cases == other.cases
    for case in one.cases:
        assert [one.judged(name, case) for name in "xy"] == [other.judged(name, case) for name in "xy"]
        assert one.first_value(LATENCY, case) == other.first_value(LATENCY, case)
    for metric in (LATENCY, FIRST_TOKEN, COST):
        assert one.values(metric, price=PRICE) == other.values(metric, price=PRICE)
    assert [column.is_advisory for _, column in sorted(other.columns.items())] == [False, False]


def test_first_value_is_that_of_the_first_repeat() -> None:
    """A time held against a limit is that of the lowest repeat, in whatever order the records stand."""
    sheet = measure(
        make_record("a", repeat=3, latency_s=3.0),
        make_record("a", repeat=1, latency_s=1.0),
        make_record("a", repeat=2, latency_s=2.0),
        make_record("b", repeat=1, latency_s=None),
    ).sheets[OURS]["format"]
    assert sheet.first_value(LATENCY, "a") == 1.0
    assert sheet.first_value(LATENCY, "b") is None


def test_case_has_one_value() -> None:
    """A case's time is the median over its repeats and its cost the mean; what is not known is left out."""
    sheet = measure(
        *(make_record("a", repeat=n, latency_s=s, tokens=(t, 0)) for n, s, t in [(1, 1, 10), (2, 9, 20), (3, 2, 60)]),
        make_record("b", latency_s=float("inf"), tokens=(None, 1)),
    ).sheets[OURS]["format"]
    assert sheet.values(LATENCY) == {"a": 2}
    assert sheet.values(COST, price=PRICE) == {"a": pytest.approx(30e-6)}
    assert sheet.values(COST, price=None) == {}


def test_cached_tokens_cost_their_own_price() -> None:
    """A gate charges what the provider read from its cache as the run's own cost does."""
    record = replace(make_record("a"), reply=Reply("[]", usage=Usage(1000, 10, 600)))
    cached = Price(Rates(1.0, 10.0, cached_input_usd_per_mtok=0.5), "test")
    sheet = measure(record).sheets[OURS]["format"]
    assert sheet.values(COST, price=cached) == {"a": pytest.approx((400 + 300 + 100) / 1e6)}
    assert sheet.values(COST, price=PRICE) == {"a": pytest.approx((1000 + 100) / 1e6)}


def test_free_calls_cost_nothing_whatever_they_count() -> None:
    """A model that costs nothing costs 0 also where the server does not count tokens."""
    sheet = measure(make_record("a", tokens=(None, None))).sheets[OURS]["format"]
    assert sheet.values(COST, price=Price(Rates(0, 0), "free")) == {"a": 0}


def test_case_without_a_score_is_remembered() -> None:
    """A case whose cell failed has been asked: it is kept, and is in no sheet."""
    measures = measure(make_record("a", state="error"), make_record("b", state="lost"), make_record("c"))
    assert measures.unscored == {OURS: {Place("format", "a", "history"), Place("format", "b", "history")}}
    assert measures.sheets[OURS]["format"].cases == ("c",)


def test_killed_run_has_no_known_plan(tmp_path: Path) -> None:
    """Of a run that ended before it could say so, how much was not run is not known, and all of it may be missing."""
    folder = write_run(tmp_path, [make_record("a")], is_killed=True)
    header = (folder / "run.json").read_text()
    (folder / "run.json").write_text(header.replace('"pid": ', '"pid": 9999'))
    coverage = measure_run(folder).contender(OURS).coverage
    assert coverage.not_run is None
    assert coverage.missing_share == 1


@pytest.mark.parametrize(("planned", "each"), [(6, (3, 1, 2)), (5, (4, 1, 3))])
def test_cells_not_run_are_missed(tmp_path: Path, planned: int, each: tuple[int, int, int]) -> None:
    """Every model is asked the same, so that each misses its part; where that cannot be, every one misses them all."""
    records = [make_record("a"), make_record("a", model=BASE)]
    measures = measure_run(write_run(tmp_path, records, planned=planned))
    for model in (OURS, BASE):
        coverage = measures.contender(model).coverage
        assert (coverage.planned, coverage.scored, coverage.not_run) == each


def test_lines_that_were_lost_are_missed(tmp_path: Path) -> None:
    """It is the plan that counts: a record that was taken out of a finished run is a cell that was not run."""
    folder = write_run(tmp_path, [make_record(f"case-{n}", {"x": n > 1}) for n in range(6)])
    lines = (folder / "records.jsonl").read_text().splitlines(keepends=True)
    (folder / "records.jsonl").write_text("".join(lines[2:]))
    coverage = measure_run(folder).contender(OURS).coverage
    assert (coverage.planned, coverage.scored, coverage.not_run) == (6, 4, 2)


def test_lines_that_stand_twice_are_refused(tmp_path: Path) -> None:
    """A record that was copied in place of another would count twice: it is named, and so is one line too many."""
    folder = write_run(tmp_path, [make_record(f"case-{n}", {"x": n > 1}) for n in range(6)])
    lines = (folder / "records.jsonl").read_text().splitlines(keepends=True)
    (folder / "records.jsonl").write_text("".join([lines[-1], *lines[1:]]))
    with pytest.raises(RunError, match=r"two records of .*case-5.* repeat 1"):
        measure_run(folder)
    (folder / "records.jsonl").write_text("".join([*lines, *lines]))
    with pytest.raises(RunError):
        measure_run(folder)


def test_deselected_cells_are_missed(tmp_path: Path) -> None:
    """What -k and its like left out did not run."""
    folder = write_run(tmp_path, [make_record("a")], header={"deselected": 3})
    assert measure_run(folder).contender(OURS).coverage.not_run == 3


def test_models_stand_in_the_order_of_the_matrix(tmp_path: Path) -> None:
    """Models are listed as the matrix has them, those with records only, and others after them."""
    records = [make_record("a", model=model) for model in ("late", "b", "a")]
    matrix = [{"name": name, "role": "candidate"} for name in ("a", "absent", "b")]
    folder = write_run(tmp_path, records, header={"matrix": matrix})
    assert measure_run(folder).models == ("a", "b", "late")


def test_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Measures of a folder are those of its records, one by one."""
    records = [make_record(f"case-{n}", {"x": n % 3 == 0}) for n in range(9)]
    folder = write_run(tmp_path, records)
    assert measure_run(folder).sheets == measure(*read_records(folder)).sheets
