"""`tunegate latency` and `tunegate plot latency`: what they print, and what they refuse."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tunegate.cli import main

from ..latency.made_runs import BASE, QUICK, write_run
from .calling import call


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the run `sweep` of two models."""
    write_run(tmp_path / "reports" / "runs", "sweep", BASE, QUICK)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("house")
def test_command_says_how_many_times_as_quick(capsys: pytest.CaptureFixture[str]) -> None:
    """A run named by its name gives tables, and sentences with intervals that hold the truth."""
    done = call(capsys, "latency", "sweep", "--candidate", "ft:quick", "--baseline", "base", "--tokens", "100")
    assert done.status == 0, done.out
    told = [line for line in done.out.splitlines() if line.startswith("ft:quick is 3.")]
    assert [line.partition(" (")[0].split(" x ")[1] for line in told] == ["faster than base"] * 2
    assert ", for answers of 100 tokens: 1.49 s against 5." in told[1]
    assert done.line("8  base").split()[2:5] == ["10", "8", "100"]
    assert "warning" not in done.out


@pytest.mark.usefixtures("house")
def test_json_has_every_number_with_its_unit(capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed for people is there for programs, and what is not known says why."""
    plain = json.loads(call(capsys, "latency", "sweep", "--json").out)
    assert (plain["format"], [one["model"] for one in plain["series"]]) == (1, ["base", "ft:quick"])
    (compared,) = plain["comparisons"]
    assert [one["max_tokens"] for one in compared["speedups"]] == [8, 32, 64, 128, 256, None]
    assert plain["series"][1]["line"]["pace_s"] == pytest.approx(0.010, rel=0.03)
    assert plain["series"][1]["line"]["first_token_s"] == pytest.approx(0.5, rel=0.03)


def test_picture_is_drawn_by_both_commands(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`latency -o` and `plot latency -o` write the same file; JSON on the output stays JSON."""
    pytest.importorskip("matplotlib")
    assert call(capsys, "plot", "latency", "sweep", "-o", "one.svg").status == 0
    assert main(["latency", "sweep", "--json", "-o", "two.svg"]) == 0
    json.loads(capsys.readouterr().out)
    assert (house / "one.svg").read_bytes() == (house / "two.svg").read_bytes()


def test_nothing_is_drawn_where_a_name_is_wrong(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A typing error is told before a picture is written."""
    done = call(capsys, "latency", "sweep", "--candidate", "typo", "-o", "made.svg")
    assert (done.status, (house / "made.svg").exists()) == (4, False), done.out


def test_load_is_told_where_nothing_is_compared(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run of one model has tables, the reason why there is no ratio, and its warnings."""
    write_run(house / "reports" / "runs", "alone", replace(QUICK, in_flight=16))
    done = call(capsys, "latency", "alone")
    assert done.status == 0, done.out
    assert "warning: ft:quick was recorded with up to 16 requests in flight" in done.out
    assert "note: latency: no row has the role of a baseline" in done.out


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["latency", "nowhere"], "no run called 'nowhere'"),
        (["latency", "sweep", "--tokens", "0"], "argument --tokens: a number of tokens from 1 up is wanted, not '0'"),
        (
            ["latency", "sweep", "--level", "95"],
            "argument --level: a level from 0.5 up to 1, such as 0.95, is wanted, not '95'",
        ),
        (["latency", "sweep", "--baseline", "bse"], "no model 'bse' has a latency here: base, ft:quick"),
        (["plot", "latency", "sweep"], "the following arguments are required: -o/--output"),
    ],
)
def test_mistake_is_told_with_what_there_is(
    capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    """A wrong name or number ends with status 4 and says what was wanted."""
    done = call(capsys, *arguments)
    assert (done.status, told in done.out) == (4, True), done.out
