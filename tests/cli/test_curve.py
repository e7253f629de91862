"""`tunegate curve` finds runs, prints tables and answers, and writes pictures and JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ..curve.made_studies import Made, failed, record_of, records_of, rising, write_run
from ..project import ROOT
from .calling import call

PRICES = """\
[[prices]]
model = "base"
endpoint = "there"
training_usd_per_mtok = 8
source = "a list"
"""
ENDPOINTS = """\
[endpoints.there]
base_url = "http://127.0.0.1:1/v1"
"""


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run `study` of seven sizes with a training that failed, and an older one, `few`, of three sizes."""
    runs = tmp_path / "reports" / "runs"
    models = rising()
    models += [failed(models[7]), Made("prompted", 0, shots=3)]
    write_run(runs, "study", models, records_of(models, cases=60))
    few = rising(sizes=((0, None), (10, 1), (20, 1)))
    write_run(runs, "few", few, records_of(few, cases=60), header={"started_at": "2026-11-01T00:00:00+00:00"})
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("house")
def test_a_study_is_a_table_and_its_answers(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each size, the training that failed with its reason, and what was asked, in 100 columns."""
    shown = call(capsys, "curve", "study")
    assert shown.status == 0, shown.out
    lines = shown.out.splitlines()
    assert lines[0] == "format: schema against training examples, base"
    assert lines[1] == "3 epochs, batch size 1, learning rate multiplier 1; 60 cases"
    assert [line.split()[:2] for line in lines[4:11]] == [
        ["0", "base"], ["10", "3"], ["20", "3"], ["50", "3"], ["100", "3"], ["200", "1"], ["500", "1"],
    ]  # fmt: skip
    assert "ft:n50-s1-failed: schema" in shown.out
    assert "its loss did not fall" in shown.out
    assert "  95 % needs " in shown.out or "  95 %: a share of 0.95 needs more than " in shown.out
    assert "  the next 500 examples, to 1,000: " in shown.out
    assert "- repeat: nothing was asked twice" in shown.out
    assert "\nnote: seeds recur at several sizes" in shown.out
    assert "  prompted: asked with 3 shots: a long prompt is no training" in shown.out
    assert lines[-1] == "run study (2026-11-28)"
    assert [line for line in lines if len(line) > 100] == []


@pytest.mark.usefixtures("house")
def test_without_a_name_the_newest_fitting_run_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    """A run is found by its name, by its folder, and by itself where none is named."""
    by_itself = call(capsys, "curve")
    assert by_itself.out == call(capsys, "curve", "reports/runs/study").out
    assert by_itself.out.endswith("run study (2026-11-28)\n")
    assert call(capsys, "curve", "nowhere").status == 4


@pytest.mark.usefixtures("house")
def test_too_few_points_end_with_1_and_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is wrong with the run, but there is no curve: a script can tell."""
    shown = call(capsys, "curve", "few")
    assert shown.status == 1
    assert "no curve: 3 sizes are too few for a curve: at least 4 are needed" in shown.out
    assert shown.line("20").split()[:2] == ["20", "1"]
    assert "by the curve" not in shown.out


def test_money_is_told_by_the_price_book(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """960 tokens for each of all 1,000 examples at $8 a million are $7.68, by a row for the base at this endpoint."""
    unknown = call(capsys, "curve", "study")
    told = " ".join(unknown.out.split())
    assert (
        "what training on all 1,000, as a job that begins with the base model again costs is not known: no price"
        in told
    )
    (house / "fixtures").mkdir()
    (house / "fixtures" / "prices.toml").write_text(PRICES)
    assert "costs is not known" in " ".join(call(capsys, "curve", "study").out.split())
    (house / "fixtures" / "models.toml").write_text(ENDPOINTS)
    told = " ".join(call(capsys, "curve", "study").out.split())
    assert "training on all 1,000, as a job that begins with the base model again, costs $7.68 (960 tokens" in told
    assert "; a list)" in told


def test_json_goes_to_the_screen_or_to_a_file(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Alone it takes the place of the text, with a file it stands beside it; both say the same."""
    plain = json.loads(call(capsys, "curve", "few", "--json").out)
    beside = call(capsys, "curve", "few", "--json", "few.json")
    assert beside.out == call(capsys, "curve", "few").out
    assert json.loads((house / "few.json").read_text()) == plain
    assert plain["runs"] == [{"name": "few", "started_at": "2026-11-01T00:00:00+00:00", "status": "finished"}]


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--json", "study"), "for a run write: tunegate curve study --json"),
        (("few", "-o", "few.jpeg"), "a name that ends with .svg, .png, .pdf is wanted"),
        (("few", "-o", "nowhere/few.svg"), "nowhere/few.svg cannot be written"),
        (("few", "--metric", "shcema"), "no check 'shcema' for --metric\n  there are: schema, answers"),
        (("few", "--counter", "anwers"), "no check 'anwers' for --counter"),
        (("few", "--eval", "tone"), "no records of the eval 'tone'"),
        (("few", "--base", "other"), "has the base 'other'\n  there are: base"),
        (("few", "--target", "95"), "a share between 0 and 1 is wanted"),
        (("few", "--next", "0"), "a number from 1 on is wanted"),
    ],
)
def test_what_cannot_be_meant_ends_with_4(
    arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message says what is there, or what to write instead."""
    if "-o" in arguments:
        pytest.importorskip("matplotlib")
    shown = call(capsys, "curve", *arguments)
    assert shown.status == 4
    assert told in shown.out


def test_options_are_asked_of_the_curve(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another target, other further examples, another level and no counter metric are in what is printed."""
    shown = call(capsys, "curve", "study", "--target", "0.5", "--next", "100", "--level", "0.8", "--counter", "none")
    assert "50 % needs " in shown.out
    assert "the next 100 examples, to 600: " in shown.out
    assert "intervals are of 80 %" in shown.out
    assert "answers" not in shown.out
    far = call(capsys, "curve", "study", "--next", "5000")
    assert "not known: 5500 examples are more than 4 times the 500 that were tried" in " ".join(far.out.split())
    models = rising(sizes=((0, None), (10, 1), (20, 1)))
    records = [record_of(f"c{n}", {"polite": [True]}, model=m.name, eval_name="tone") for m in models for n in range(3)]
    write_run(house / "reports" / "runs", "tone", models, records)
    other = call(capsys, "curve", "tone", "--eval", "tone", "--metric", "polite")
    assert (other.status, "tone: polite against training examples" in other.out) == (1, True)


def test_a_picture_is_written(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside the text, in the form that the file's name asks for."""
    pytest.importorskip("matplotlib")
    drawn = call(capsys, "curve", "few", "-o", "few.svg")
    assert drawn.out == call(capsys, "curve", "few").out
    assert (house / "few.svg").read_bytes().startswith(b"<?xml")


def test_a_picture_of_nothing_ends_with_1_and_the_reasons(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where no two trainings go together, the table says why, and no file is written."""
    pytest.importorskip("matplotlib")
    models = rising(sizes=((0, None), (10, 1)))
    write_run(house / "reports" / "runs", "gated", models, records_of(models, cases=5))
    shown = call(capsys, "curve", "gated", "-o", "gated.svg")
    assert shown.status == 1
    assert "ft:n10-s1: the only training of base" in shown.out
    assert "gated.svg is not written" in shown.out
    assert not (house / "gated.svg").exists()


def test_few_cases_tell_no_part_of_the_trainings(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With 7 cases the parts of cases are unknown, and training's part is not all there is."""
    models = rising(spread=0.3)
    write_run(house / "reports" / "runs", "tiny", models, records_of(models, cases=7))
    shown = call(capsys, "curve", "tiny", "--counter", "none")
    table = shown.out.split("where schema varies")[1].splitlines()
    assert table[1].endswith("training's part")
    assert [line.split()[-1] for line in table[2:6]] == ["-"] * 4
    assert "case: 7 cases are too few to resample" in shown.out


def test_without_matplotlib_a_picture_says_how_to_get_it(house: Path) -> None:
    """The extra is named before anything is computed; without -o nobody needs it."""
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from tunegate.cli import main\n"
        "sys.exit(main(['curve', 'few', *sys.argv[1:]]))"
    )
    command = [sys.executable, "-c", code]
    environment = {"PYTHONPATH": str(ROOT / "tools"), "PATH": ""}
    missing = subprocess.run(
        [*command, "-o", "few.svg"], cwd=house, env=environment, capture_output=True, text=True, check=False
    )
    assert missing.returncode == 4
    assert "to install it: pip install 'tunegate[plots]'" in missing.stderr
    without = subprocess.run(command, cwd=house, env=environment, capture_output=True, text=True, check=False)
    assert without.returncode == 1, without.stderr


def test_errors_and_repeats_are_in_the_table(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A case that one training lacks is left out aloud, and what was asked twice tells how much repeats differ."""
    models = rising()
    records = records_of(models, cases=30, repeats=2)
    lost = [one.cell for one in records[:2]]
    records[:2] = [record_of(one.case, {}, model=one.model, repeat=one.repeat, state="lost") for one in lost]
    write_run(house / "reports" / "runs", "twice", models, records)
    shown = call(capsys, "curve", "twice")
    assert "; 29 cases\n" in shown.out
    assert "warning: 1 of 30 cases are left out" in shown.out
    assert "nothing was asked twice" not in shown.out
