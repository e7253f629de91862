"""`tunegate compare` finds runs and models, and prints what differs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tunegate.records import Record

from ..gate.made_runs import record_of, write_run
from ..project import Project
from .calling import call


def records_of(model: str, *, misses: tuple[int, ...] = (), cases: int = 8) -> list[Record]:
    return [
        record_of(f"c{n}", {"schema": n not in misses}, model=model, subject="ab"[n % 2], text=f"{model} {n}")
        for n in range(cases)
    ]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs of one model, `one` and `two`, a run of two models, `both`, and an accepted model."""
    reports = tmp_path / "reports"
    write_run(reports, "one", records_of("m"))
    write_run(reports, "two", records_of("m", misses=(3, 4)))
    write_run(reports, "both", [*records_of("old"), *records_of("new", misses=(5,))])
    accepted = write_run(reports, "made", records_of("ft:a/b", misses=(0,)))
    shutil.copytree(accepted, reports / "accepted" / "ft%3Aa%2Fb")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


@pytest.mark.usefixtures("house")
def test_two_runs_are_compared_by_case(capsys: pytest.CaptureFixture[str]) -> None:
    """Two runs of one model each need no names; what flipped is there with both replies."""
    shown = call(capsys, "compare", "two", "one")
    assert shown.status == 0
    assert "A: m, run two\nB: m, run one\n" in shown.out
    assert "all          8       0     2  -25.0 points" in shown.out
    assert "format[c3] of b, repeat 1: lost schema" in shown.out
    assert "B passed what A did not, in 2 cases" in shown.out
    turned = call(capsys, "compare", "one", "reports/runs/two")
    assert "gained: A passed what B did not, in 2 cases" in turned.out


@pytest.mark.usefixtures("house")
def test_one_run_with_two_models_needs_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    """The models are listed where none was named, and neither is guessed."""
    assert "it holds 2: old, new" in call(capsys, "compare", "both").out
    half = call(capsys, "compare", "both", "--model", "new")
    assert (half.status, "name one: --against NAME" in half.out) == (4, True)
    named = call(capsys, "compare", "both", "--model", "new", "--against", "old")
    assert named.status == 0
    assert "[c5]" in named.out
    itself = call(capsys, "compare", "both", "--model", "new", "--against", "new")
    assert (itself.status, "held against itself" in itself.out) == (4, True)
    absent = call(capsys, "compare", "both", "--model", "nwe", "--against", "old")
    assert (absent.status, "has no model 'nwe'\n  there are: new, old" in absent.out) == (4, True)


def test_the_same_model_of_two_runs_is_named_once(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of two runs with several models, --model is meant for both."""
    records = [*records_of("old", misses=(1,)), *records_of("new")]
    write_run(house / "reports", "later", records)
    shown = call(capsys, "compare", "later", "both", "--model", "new")
    assert "A: new, run later\nB: new, run both\n" in shown.out
    assert "gained: A passed what B did not, in 1 case\n" in shown.out


@pytest.mark.usefixtures("house")
def test_accepted_models_are_found_by_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    """`accepted/<model>` is the records that were promoted."""
    shown = call(capsys, "compare", "one", "accepted/ft:a/b")
    assert shown.status == 0
    assert "B: ft:a/b, run made" in shown.out
    missed = call(capsys, "compare", "one", "accepted/ft:a")
    assert (missed.status, "accepted: ft:a/b" in missed.out) == (4, True)


@pytest.mark.usefixtures("house")
def test_selection_narrows_table_and_cases(capsys: pytest.CaptureFixture[str]) -> None:
    """A subject shows itself only; what matches nothing lists what there is and ends with 4."""
    shown = call(capsys, "compare", "two", "one", "--subject", "a")
    assert "[c4]" in shown.out
    assert "[c3]" not in shown.out
    for option, wrong in (("--metric", "shcema"), ("--eval", "tone"), ("--subject", "c")):
        missed = call(capsys, "compare", "two", "one", option, wrong)
        assert missed.status == 4
        assert "the checks schema" in missed.out


@pytest.mark.usefixtures("house")
def test_limit_is_a_number_or_all(capsys: pytest.CaptureFixture[str]) -> None:
    """One case of two, all of them, none, and nothing else."""
    assert "1 of them here" in call(capsys, "compare", "two", "one", "--limit", "1").out
    assert call(capsys, "compare", "two", "one", "--limit", "all").out.count("lost schema") == 2
    assert call(capsys, "compare", "two", "one", "--limit", "0").out.count("lost schema") == 0
    assert call(capsys, "compare", "two", "one", "--limit", "some").status == 4
    assert call(capsys, "compare", "two", "one", "--limit", "-1").status == 4


@pytest.mark.usefixtures("house")
def test_json_has_counts_intervals_and_whole_records(capsys: pytest.CaptureFixture[str]) -> None:
    """For programs: the same numbers, and the records of the shown cases as their runs have them."""
    plain = json.loads(call(capsys, "compare", "two", "one", "--json", "--limit", "1").out)
    assert plain["a"] == {"run": "two", "model": "m"}
    whole = plain["differences"][0]
    assert (whole["metric"], whole["subject"], whole["cases"], whole["gained"], whole["lost"]) == (
        "schema", None, 8, 0, 2,
    )  # fmt: skip
    assert whole["estimate"]["estimate"] == -0.25
    assert (plain["flipped"], len(plain["flips"])) == (2, 1)
    (flip,) = plain["flips"]
    assert flip["a"]["reply"]["text"] == "m 3"
    assert Record.from_json(json.dumps(flip["b"])).cell.case == "c3"
    assert flip["checks"][0]["a"]["got"] == "prose"


def test_other_questions_under_the_same_name_are_not_compared(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A case that was asked differently is left out and counted."""
    records = [record_of(f"c{n}", {"schema": False}, asked="Another?" if n < 6 else None) for n in range(8)]
    write_run(house / "reports", "other", records)
    shown = call(capsys, "compare", "other", "one")
    assert "6 of 8 cases of m were asked with another question" in shown.out
    assert "in 2 cases" in shown.out


def test_a_real_run_is_compared(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The records of a pytest run have what it takes: the model that wraps its list in words lost the shape."""
    assert project.run("--record=missing", "--run", "a").status in {0, 1}
    monkeypatch.chdir(project.root)
    shown = call(capsys, "compare", "a", "--model", "prose", "--against", "plain", "--metric", "schema")
    assert shown.status == 0
    assert "-100.0 points" in shown.out
    assert "Here you are: " in shown.out
