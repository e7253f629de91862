"""`tunegate plan` tells cases, calls and money, and what it rests on."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import NormalDist

import pytest

from tunegate.records import Usage

from ..gate.made_runs import record_of, write_run
from ..project import ROOT, Result
from .calling import call


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of two models that differ in twelve of a hundred cases, and the price of one of them."""
    records = [
        record_of(f"c{n}", {"schema": n >= 4 if model == "old" else not 4 <= n < 12}, model=model, usage=Usage(500, 50))
        for n in range(100)
        for model in ("old", "new")
    ]
    write_run(tmp_path / "reports", "a", records)
    (tmp_path / "fixtures").mkdir()
    rows = [
        f'[[prices]]\nmodel = "{name}"\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 10\nsource = "a list"\n'
        for name in ("old", "new")
    ]
    (tmp_path / "fixtures" / "prices.toml").write_text("".join(rows))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def row_of(shown: Result, metric: str) -> list[str]:
    """Return the cells of the first row of a metric."""
    assert shown.status == 0, shown.out
    line = next(line for line in shown.out.splitlines() if re.search(rf"^\S+ +{metric} ", line))
    return re.split(r" {2,}", line)


def test_the_worked_example_is_what_the_command_says(capsys: pytest.CaptureFixture[str]) -> None:
    """The arithmetic of docs/compare.md holds, number by number."""
    text = (ROOT / "docs" / "compare.md").read_text()
    level, power = NormalDist().inv_cdf(0.975), NormalDist().inv_cdf(0.8)
    square = (level + power) ** 2
    for told in (
        f"z_level = {level:.4f}, z_power = {power:.4f}",
        f"n = {level + power:.4f}^2 x 0.1 / 0.02^2 = {square:.4f} x 250 = {square * 250:,.1f}, thus 1,963 cases",
        f"sqrt({square:.4f} x 0.1 / 200) = {100 * (square * 0.1 / 200) ** 0.5:.2f} points",
        f"{level:.2f} x\nsqrt(0.03 / 200) = {100 * level * (0.03 / 200) ** 0.5:.1f} points",
    ):
        assert told in text
    there = row_of(call(capsys, "plan", "--flips", "0.1", "--difference", "0.02"), "stated")
    assert there[2:] == ["10 %", "2 points", "1,963", "3,926", "unknown"]
    back = row_of(call(capsys, "plan", "--flips", "0.1", "--cases", "200"), "stated")
    assert back[2:5] == ["10 %", "6.26 points", "200"]
    few = row_of(call(capsys, "plan", "--flips", "0.001", "--difference", "0.05"), "stated")
    assert "73 for\n5 points" in text
    assert few[4] == "73"


def test_without_a_difference_there_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """1, 2, 3, 5 and 10 points, ever fewer cases."""
    shown = call(capsys, "plan", "--flips", "0.1")
    found = re.findall(r"(\d+) points +([\d,]+)", shown.out)
    assert [int(points) for points, _ in found] == [1, 2, 3, 5, 10]
    cases = [int(count.replace(",", "")) for _, count in found]
    assert cases == sorted(cases, reverse=True)
    assert cases[0] == pytest.approx(100 * cases[-1], rel=0.02)


def test_a_bound_is_told_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    """A share alone says at most how many, and why."""
    shown = call(capsys, "plan", "--share", "0.9", "--difference", "0.05")
    assert "at most 566" in shown.out
    assert "agree no more than chance" in shown.out


@pytest.mark.usefixtures("house")
def test_a_run_gives_variance_calls_and_money(capsys: pytest.CaptureFixture[str]) -> None:
    """From the run: flips both ways, tokens x price of both models, and the cases of the formula."""
    shown = call(capsys, "plan", "--run", "a", "--model", "new", "--against", "old", "--difference", "0.05")
    variance = 100 / 99 * (12 / 100 - 0.04**2)
    square = (NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.8)) ** 2
    cases = int(square * variance / 0.05**2) + 1
    # 500 tokens at 1 USD and 50 at 10 USD a million: 0.001 USD a call.
    assert row_of(shown, "schema") == [
        "format", "schema", "4 + 8 of 100", "5 points", str(cases), str(2 * cases), f"${cases * 0.002:.2f}",
    ]  # fmt: skip
    assert "a case of format, new: 1 call, 500 tokens in and 50 out a call, $0.001\n" in shown.out


@pytest.mark.usefixtures("house")
def test_more_tests_need_more_cases(capsys: pytest.CaptureFixture[str]) -> None:
    """Rules that share the chance of an error are each tested at a higher level, which is shown."""
    arguments = ("plan", "--run", "a", "--model", "new", "--against", "old", "--cases", "300")
    one, five = call(capsys, *arguments), call(capsys, *arguments, "--tests", "5")
    assert "5 tests sharing the error (each at 99 %)" in five.out
    points = [float(row_of(shown, "schema")[3].removesuffix(" points")) for shown in (one, five)]
    assert points[0] < points[1]


def test_unknown_prices_are_told(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a price the money is unknown, and where to say it is named."""
    (house / "fixtures" / "prices.toml").unlink()
    shown = call(capsys, "plan", "--run", "a", "--model", "new", "--against", "old")
    assert row_of(shown, "schema")[-1] == "unknown"
    assert "fixtures/prices.toml can say a price" in shown.out


def test_the_baseline_may_stand_in_another_run(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--baseline names it, as for the gate."""
    records = [record_of(f"c{n}", {"schema": n % 10 > 0}, model="other", usage=Usage(1, 1)) for n in range(100)]
    write_run(house / "reports", "b", records)
    shown = call(capsys, "plan", "--run", "a", "--model", "new", "--baseline", "b", "--difference", "0.1")
    assert row_of(shown, "schema")[-1] == "unknown"
    assert "a case of format, other: 1 call" in shown.out


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "--flips 0.1"),
        (("--run", "a"), "it holds 2: old, new"),
        (("--run", "nowhere"), "no run called 'nowhere'"),
        (("--run", "a", "--model", "new", "--against", "old", "--metric", "tone"), "there are: format schema"),
        (("--run", "a", "--flips", "0.1"), "--flips cannot be stated with --run"),
        (("--flips", "0.1", "--metric", "schema"), "name the run"),
        (("--flips", "0"), "a share between 0 and 1"),
        (("--flips", "0.1", "--power", "0.3"), "a chance from 0.5"),
        (("--flips", "0.1", "--cases", "0"), "a number from 1 on"),
        (("--flips", "0.1", "--cases", "9", "--difference", "0.1"), "not allowed with"),
        (("--share", "0.9", "--flips", "0.3"), "cannot differ in 30 %"),
    ],
)
def test_what_cannot_be_planned_is_told(
    arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong command ends with 4 and says what would be right."""
    ended = call(capsys, "plan", *arguments)
    assert ended.status == 4
    assert told in ended.out
