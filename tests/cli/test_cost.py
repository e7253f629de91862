"""`tunegate cost` tells what runs cost, and which prices it does not know."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tunegate.records import Usage

from ..money.priced_runs import make_call, write_priced
from ..project import Result
from .calling import call as call_tunegate


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> Result:
    return call_tunegate(capsys, "cost", *arguments)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of two live calls and a replayed one of a small model, and a live one of a large model."""
    records = [
        make_call("c1", checks={"answers": [True, True, False]}, usage=Usage(1000, 100, 600)),
        make_call("c2", checks={"answers": [True, False, False]}, usage=Usage(1000, 100, 0)),
        make_call("c3", source="cassette", checks={"answers": [False, False, False]}),
        make_call("c1", model="large", checks={"answers": [True, True, True]}),
    ]
    write_priced(tmp_path, records, cost_usd=0.04)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def row_of(shown: Result, start: str) -> list[str]:
    return re.split(r" {2,}", shown.line(start))


@pytest.mark.usefixtures("house")
def test_table_is_the_sum_made_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    """Tokens, what was paid, what all of it is worth, a thousand calls, and a right answer."""
    shown = call(capsys, "a", "--as-of", "2026-11-28")
    assert shown.status == 0
    # 1,000 in and 100 out are 0.002 USD; 600 of them cached at half the price save 0.0003.
    assert row_of(shown, "small ") == ["small", "3", "2", "3,000", "600", "300", "$0.0037", "$0.0057", "$1.90"]
    assert row_of(shown, "large ") == ["large", "1", "1", "1,000", "-", "100", "$0.03", "$0.03", "$30.00"]
    assert row_of(shown, "answers ") == ["answers", "small", "3", "9", "$0.0019"]
    assert "3 live calls for $0.0337, 1 replayed for nothing; all as if asked: $0.0357" in shown.out
    assert "counted while it was made: $0.04" in shown.out


@pytest.mark.usefixtures("house")
def test_old_price_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """181 days after its date a price is old, a day before it is not, and no price is never 0."""
    assert "days old" not in call(capsys, "a", "--as-of", "2026-06-30").out
    old = call(capsys, "a", "--as-of", "2026-07-01")
    assert "warning: the price of large is 181 days old (last seen 2026-01-01, an old list)" in old.out
    Path("fixtures/prices.toml").write_text("")
    unknown = call(capsys, "a")
    assert (unknown.status, "$0.00" in unknown.out) == (0, False)
    assert "warning: no price is known of small, and unknown is not free" in unknown.out
    assert row_of(unknown, "small ")[-3:] == ["unknown", "unknown", "unknown"]


def test_age_is_told_against_the_day_of_the_run(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run of last year at the list of its own day has no old price; a price without a date is never known to hold."""
    row = {"name": "o3", "model": "o3", "base_url": "https://api.openai.com/v1"}
    write_priced(house, [make_call("c1", model="o3")], name="b", rows=[row], prices="")
    header = house / "reports/runs/b/run.json"
    told = json.loads(header.read_text())
    header.write_text(json.dumps(told | {"started_at": "2025-12-01T10:00:00+00:00"}))
    shown = call(capsys, "b")
    assert "price of o3: $2 in, $8 out" in shown.out
    assert "warning" not in shown.out
    later = 'input_usd_per_mtok = 7\noutput_usd_per_mtok = 7\nsource = "s"\n'
    (house / "fixtures/prices.toml").write_text(f'[[prices]]\nmodel = "o3"\nsince = 2026-11-01\n{later}')
    assert "price of o3: $2 in, $8 out" in call(capsys, "b").out
    (house / "fixtures/prices.toml").write_text(f'[[prices]]\nmodel = "o3"\n{later}')
    assert "warning: the age of the price of o3 is unknown (s; batch: " in call(capsys, "b").out


def test_price_and_run_that_are_not_whole_are_told(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A day before a price began to hold, and a run that was cut short, are warned of, in text and JSON."""
    early = call(capsys, "a", "--as-of", "2026-10-31")
    assert "warning: the price of small holds since 2026-11-01 (a list), and is taken for 2026-10-31" in early.out
    write_priced(house, [make_call("c1")], name="b", planned=2)
    assert "warning: run b is interrupted: only what it holds is priced" in call(capsys, "b").out
    told = json.loads(call(capsys, "b", "--json").out)
    assert told["runs"][0]["status"] == "interrupted"
    assert any("run b is interrupted" in warning for warning in told["warnings"])


def test_several_runs_are_told_one_after_the_other(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each run has its tables, and the same doubt stands once."""
    write_priced(house, [make_call("c1", model="large")], name="b")
    shown = call(capsys, "a", "reports/runs/b", "--as-of", "2026-11-28")
    assert [line.split(":")[0] for line in shown.out.splitlines() if line.startswith("run ")] == ["run a", "run b"]
    assert shown.out.count("warning: the price of large") == 1


@pytest.mark.usefixtures("house")
def test_json_is_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """The same numbers, with units in their names, and the warnings beside them."""
    told = json.loads(call(capsys, "a", "--json", "--as-of", "2026-11-28").out)
    (run,) = told["runs"]
    small, _ = run["models"]
    assert small["as_if_asked_usd"] == pytest.approx(0.0057)
    assert small["metrics"][0]["usd_per_pass"] == pytest.approx(0.0019)
    assert (small["live_calls"], small["replayed_calls"], run["priced_on"]) == (2, 1, "2026-11-28")
    assert ["large" in warning for warning in told["warnings"]] == [True]


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nowhere",), "no run called 'nowhere'"),
        ((), "the following arguments are required: RUN"),
        (("a", "--prices", "odd"), "no price book called 'odd'"),
        (("a", "--as-of", "yesterday"), "a day such as 2026-11-01 is wanted, not yesterday"),
    ],
)
def test_what_cannot_be_meant_is_told(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    """A wrong command ends with 4 and says what was wanted."""
    ended = call(capsys, *arguments)
    assert (ended.status, told in ended.out) == (4, True), ended.out
