"""`tunegate break-even`: the documented examples, where numbers come from, and what it refuses."""

from __future__ import annotations

import ast
import json
import math
import operator
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tunegate.records import Usage

from ..money.priced_runs import make_call, write_priced
from ..project import ROOT, Result
from .calling import call as call_tunegate

TEXT = (ROOT / "docs" / "cost.md").read_text(encoding="utf-8").partition("## Three worked examples")[2]
SUM = re.compile(r"^(?P<what>[a-z -]+?)  +(?P<left>[\d(].*) = \$?(?P<right>[\d,.]+)", re.MULTILINE)
OPERATORS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@dataclass(frozen=True)
class Example:
    """A worked example of docs/cost.md: its command, and its sums by what they are of, in their order."""

    title: str
    arguments: tuple[str, ...]
    sums: tuple[tuple[str, str, str], ...]
    """What, the left side, the right side."""

    def last(self, what: str) -> float:
        """Return the right side of the last sum of a name."""
        return [number_of(right) for name, _, right in self.sums if name == what][-1]


def number_of(text: str) -> float:
    return float(text.replace(",", ""))


def value_of(left: str) -> float:
    """Return what the left side of a sum comes to."""

    def walk(node: ast.expr) -> float:
        if isinstance(node, ast.BinOp):
            return OPERATORS[type(node.op)](walk(node.left), walk(node.right))
        assert isinstance(node, ast.Constant), f"no arithmetic: {left}"
        return float(node.value)

    return walk(ast.parse(left.replace(",", "").replace(" x ", " * "), mode="eval").body)


def examples() -> Iterator[Example]:
    for part in TEXT.split("\n### ")[1:]:
        command = re.search(r"^    tunegate (break-even(?:.*\\\n)*.*)$", part, re.MULTILINE)
        assert command, f"no command in {part[:60]!r}"
        words = shlex.split(command[1].replace("\\\n", " "))
        sums = tuple((found["what"].strip(), found["left"], found["right"]) for found in SUM.finditer(part))
        yield Example(part.splitlines()[0], tuple(words[1:]), sums)


EXAMPLES = tuple(examples())


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> Result:
    return call_tunegate(capsys, "break-even", *arguments)


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    shown = call(capsys, *arguments, "--json")
    assert shown.status == 0, shown.out
    told: dict[str, Any] = json.loads(shown.out)
    return told


def test_there_are_three_worked_examples() -> None:
    """Each with a command and sums enough to follow."""
    assert [len(example.sums) >= 3 for example in EXAMPLES] == [True, True, True]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_arithmetic_of_an_example_comes_out(example: Example) -> None:
    """Every sum that the page shows has the value that it shows, to the last digit shown."""
    for what, left, right in example.sums:
        digits = len(right.partition(".")[2])
        assert round(value_of(left), digits) == pytest.approx(number_of(right), rel=1e-12), what


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_command_of_an_example_says_the_same(
    example: Example, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the command computes is what the page computes by hand."""
    monkeypatch.chdir(ROOT)
    told = ask(capsys, *example.arguments)
    sums = dict(reversed([(what, number_of(right)) for what, _, right in example.sums]))
    baseline = next(
        what for what in sums if what in ("a call of the teacher", "a call of the base", "a call of the baseline")
    )
    assert told["candidate"]["usd_per_call"] == pytest.approx(sums["a call of the student"])
    assert told["baseline"]["usd_per_call"] == pytest.approx(sums[baseline])
    if "break-even" not in sums:
        assert (told["break_even_calls"], told["is_ever_reached"]) == (None, False)
        assert -told["saved_usd_per_call"] == pytest.approx(sums["a call costs more by"])
        return
    assert told["training_usd"] == pytest.approx(sums["training"])
    assert told["outlay_usd"] == pytest.approx(sums["paid once"])
    assert told["break_even_calls"] == math.ceil(sums["break-even"])


def test_cache_of_the_third_example_is_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    """Without the cached tokens the same command says the second number of the page."""
    third = EXAMPLES[2]
    told = ask(capsys, *(word.replace("2300,40,2000", "2300,40") for word in third.arguments))
    assert told["baseline"]["usd_per_call"] == pytest.approx(third.last("a call of the baseline"))
    assert told["break_even_calls"] == math.ceil(third.last("break-even"))


def test_old_prices_of_a_scenario_are_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A scenario is priced by the book of its time, and its age is said unless the day is of that time."""
    monkeypatch.chdir(ROOT)
    today = call(capsys, "--scenario", "medium", "--as-of", "2026-11-28")
    assert "break-even of ft:gpt-3.5-turbo against gpt-4: after 82,353 calls" in today.out
    assert "warning: the price of ft:gpt-3.5-turbo is 1,194 days old" in today.out
    assert "warning" not in call(capsys, "--scenario", "medium", "--as-of", "2023-09-01").out
    swing = re.split(r" {2,}", today.line("training set (tokens and examples)"))
    assert swing[1:] == ["50,000,000", "65,883", "98,824", "164,706"]
    never = call(capsys, "--scenario", "medium", "--prices", "2023-10", "--baseline", "gpt-3.5-turbo")
    assert "never, however many calls" in never.out
    assert "no assumption changes that by itself" in never.out


STATED = {
    "prompt_tokens of a case": lambda n: ("--candidate-tokens", f"{n},500", "--baseline-tokens", f"{n},500",
                                          "--instruction-tokens", "100"),
    "completion_tokens of a case": lambda n: ("--candidate-tokens", f"500,{n}", "--baseline-tokens", f"500,{n}",
                                              "--instruction-tokens", "100"),
    "baseline instruction_tokens": lambda n: ("--instruction-tokens", f"{n}"),
    "training set (tokens and examples)": lambda n: ("--training-tokens", f"{n}"),
    "training_usd_per_mtok": lambda n: ("--training-price", f"{n}"),
    "epochs": lambda n: ("--epochs", f"{n}"),
    "candidate input_usd_per_mtok": lambda n: ("--candidate-prices", f"{n},16"),
    "candidate output_usd_per_mtok": lambda n: ("--candidate-prices", f"12,{n}"),
    "baseline input_usd_per_mtok": lambda n: ("--baseline-prices", f"{n},60"),
    "baseline output_usd_per_mtok": lambda n: ("--baseline-prices", f"30,{n}"),
}  # fmt: skip
"""What states an assumption of the scenario `medium` on the command line."""


def test_table_says_what_the_command_says(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each number of a scenario's table is the answer of the same command with that assumption stated."""
    monkeypatch.chdir(ROOT)
    told = ask(capsys, "--scenario", "medium")["sensitivity"]
    assert {each["assumption"] for each in told["assumptions"]} == set(STATED)
    for each in told["assumptions"]:
        for factor, calls in zip(told["factors"], each["break_even_calls"], strict=True):
            stated = STATED[each["assumption"]](each["value"] * factor)
            assert ask(capsys, "--scenario", "medium", *stated)["break_even_calls"] == calls, stated


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of a small model and a large one on two cases; the small one says what its training took."""
    records = [
        make_call("a", usage=Usage(100, 10)),
        make_call("b", usage=Usage(300, 30, 200)),
        make_call("a", model="large", usage=Usage(1100, 20)),
        make_call("b", model="large", usage=Usage(1300, 40)),
        make_call("long", model="large", usage=Usage(9000, 900)),
    ]
    write_priced(tmp_path, records, rows=[{"name": "small", "training": {"tokens": 2_000_000, "epochs": 4}}])
    monkeypatch.chdir(tmp_path)
    return tmp_path


RUN = ("--run", "a", "--candidate", "small", "--baseline", "large")


@pytest.mark.usefixtures("house")
def test_run_says_tokens_and_training(capsys: pytest.CaptureFixture[str]) -> None:
    """Means over the shared cases at the book's prices; what was trained stands in the run, all epochs together."""
    told = ask(capsys, *RUN)
    # Half of the 400 prompt tokens were cached, at half the price of 1 USD a million.
    small = (200 * 0.75 + 20 * 10) / 1e6
    large = (1200 * 20 + 30 * 100) / 1e6
    assert told["candidate"]["usd_per_call"] == pytest.approx(small)
    assert told["baseline"]["usd_per_call"] == pytest.approx(large)
    assert told["training_usd"] == told["outlay_usd"] == pytest.approx(6.0)
    assert told["break_even_calls"] == math.ceil(6 / (large - small))
    assert any("2 calls of small and large in a, on the same cases of format" in line for line in told["origins"])
    assert not any("cut at their limit" in warning for warning in told["warnings"])
    assert any("large" in warning for warning in ask(capsys, *RUN, "--as-of", "2026-11-28")["warnings"])


@pytest.mark.usefixtures("house")
def test_what_is_stated_goes_first(capsys: pytest.CaptureFixture[str]) -> None:
    """Tokens, prices and every part of what is paid once can be stated, and then nothing else is looked at."""
    stated = (
        "--candidate-tokens", "100,10", "--candidate-prices", "2,4", "--baseline-tokens", "1k,50,500",
        "--baseline-prices", "10,20,1", "--instruction-tokens", "100", "--training-tokens", "1M", "--epochs", "2",
        "--training-price", "5", "--examples", "100", "--teacher-tokens", "200,100", "--teacher-prices", "10,20",
        "--hours", "3", "--usd-per-hour", "40", "--other", "7",
    )  # fmt: skip
    told = ask(capsys, *RUN, *stated)
    assert told["candidate"]["usd_per_call"] == pytest.approx((100 * 2 + 10 * 4) / 1e6)
    # The 500 that were stated are cached, whatever stands beside them.
    assert told["baseline"]["usd_per_call"] == pytest.approx((600 * 10 + 500 * 1 + 50 * 20) / 1e6)
    assert told["training_usd"] == pytest.approx(10)
    assert told["labelling_usd"] == pytest.approx(100 * 0.004 + 120)
    assert told["outlay_usd"] == pytest.approx(10 + 120.4 + 7)
    people = ask(capsys, *RUN, "--examples", "100", "--examples-per-hour", "20", "--usd-per-hour", "40")
    assert people["labelling_usd"] == pytest.approx(200)
    assert (people["outlay"]["examples"], people["outlay"]["hours"]) == (100, 5)


def test_replies_that_are_cut_are_told(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An eval that sweeps its limit is measured only where it is named, and cut replies of any eval are warned of."""
    records = [
        *(make_call("a", model=model, usage=Usage(100, 10), state=state)
          for model, state in (("small", "truncated"), ("large", "answered"))),
        *(make_call("p-8", model=model, usage=Usage(20, 8), eval_name="latency", state="truncated", max_tokens=8)
          for model in ("small", "large")),
    ]  # fmt: skip
    write_priced(house, records, name="b")
    run = ("--run", "b", *RUN[2:], "--training-tokens", "0")
    told = ask(capsys, *run)
    assert told["candidate"]["prompt_tokens"] == 100
    assert any("on the same cases of format; without latency, whose limits" in line for line in told["origins"])
    cut = [warning for warning in told["warnings"] if "cut at their limit" in warning]
    assert [warning.split(" were ")[0] for warning in cut] == ["tokens: 1 of the 1 replies of small"]
    named = ask(capsys, *run, "--eval", "lat*")
    assert named["candidate"]["prompt_tokens"] == 20
    assert len([warning for warning in named["warnings"] if "cut at their limit" in warning]) == 2
    write_priced(house, records[2:], name="c")
    ended = call(capsys, "--run", "c", *run[2:])
    assert (ended.status, "--eval latency would measure them" in ended.out) == (4, True)


def test_training_set_says_tokens_epochs_and_what_its_answers_cost(
    house: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The largest file of what `distill` wrote; a set whose answers have no known cost is none to compute with."""
    manifest: dict[str, Any] = {
        "format": 1,
        "epochs": 3,
        "teaching_usd": 1.25,
        "files": [
            {"path": "n10.jsonl", "examples": 10, "tokens": 1000},
            {"path": "n100.jsonl", "examples": 100, "tokens": 10_000},
        ],
    }
    folder = house / "set"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    told = ask(capsys, *RUN, "--training-set", "set")
    assert told["training_usd"] == pytest.approx(10_000 * 3 * 3 / 1e6)
    assert told["outlay_usd"] == pytest.approx(0.09 + 1.25)
    assert (told["labelling_usd"], told["outlay"]["examples"]) == (pytest.approx(1.25), 100)
    people = ("--examples-per-hour", "20", "--usd-per-hour", "40")
    told = ask(capsys, *RUN, "--training-set", "set", *people)
    assert told["labelling_usd"] == pytest.approx(1.25 + 100 / 20 * 40)
    assert ask(capsys, *RUN, "--training-set", "set", "--examples", "100", *people)["outlay"] == told["outlay"]
    shown = call(capsys, *RUN, "--training-set", "set", *people)
    assert re.split(r" {2,}", shown.line("teacher ")) == ["teacher", "$1.25", "the answers to all 100 examples"]
    assert re.split(r" {2,}", shown.line("people ")) == ["people", "$200.00", "5 hours x $40"]
    (folder / "manifest.json").write_text(json.dumps(manifest | {"teaching_usd": None}))
    ended = call(capsys, *RUN, "--training-set", "set")
    assert (ended.status, "does not know what its teacher cost" in ended.out) == (4, True)


PRICED = (
    "--candidate-prices", "1,2", "--baseline-prices", "3,4", "--candidate-tokens", "100,10", "--baseline-tokens",
    "100,10",
)  # fmt: skip
PEOPLE = ("--examples-per-hour", "20", "--usd-per-hour", "40")


def test_what_contradicts_a_training_set_is_told(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another number of examples than it has, and a teacher whose answers it has paid for."""
    manifest = {
        "format": 1,
        "epochs": 3,
        "teaching_usd": 0.0,
        "files": [{"path": "n.jsonl", "examples": 10, "tokens": 1000}],
    }
    (house / "set").mkdir()
    (house / "set/manifest.json").write_text(json.dumps(manifest))
    ended = call(capsys, *RUN, "--training-set", "set", "--examples", "20")
    assert (ended.status, "has 10 examples, and --examples says 20" in ended.out) == (4, True)
    ended = call(capsys, *RUN, "--training-set", "set", "--teacher-tokens", "1,2", "--teacher-prices", "1,2")
    assert (ended.status, "so --teacher-tokens and --teacher-prices would not count" in ended.out) == (4, True)
    assert "the training set says what its answers cost" in ended.out


def test_unknown_training_is_not_free(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither stated nor found it ends with 4; --training-tokens 0 says that there is none."""
    ended = call(capsys, *PRICED)
    assert (ended.status, "what was trained is neither stated nor to be found" in ended.out) == (4, True)
    told = ask(capsys, *PRICED, "--training-tokens", "0")
    assert (told["break_even_calls"], told["outlay_usd"]) == (0, 0.0)


@pytest.mark.usefixtures("house")
def test_examples_that_nobody_states_are_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a teacher nor people are in the sum, and that is said; a 0 that is stated, and hours, are believed."""
    assert any(warning.startswith("examples: nothing is stated") for warning in ask(capsys, *RUN)["warnings"])
    for stated in (("--examples", "0"), ("--hours", "2", "--usd-per-hour", "40"), ("--examples", "5")):
        assert not any("examples" in warning for warning in ask(capsys, *RUN, *stated)["warnings"])


def test_price_without_a_date_is_told(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing says that it still holds; one of a later day is taken where nothing else is known, and that is said."""
    book = (house / "fixtures/prices.toml").read_text()
    (house / "fixtures/prices.toml").write_text(book.replace("since = 2026-01-01\n", ""))
    warnings = ask(capsys, *RUN, "--as-of", "2026-10-31")["warnings"]
    assert any("the age of the price of large is unknown (an old list)" in warning for warning in warnings)
    assert any("the price of small holds since 2026-11-01" in warning for warning in warnings)


def test_prices_are_those_of_the_day(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of two rows for one model, calls and training are priced by the one that holds on the day."""
    later = (
        '[[prices]]\nmodel = "small"\ninput_usd_per_mtok = 2\noutput_usd_per_mtok = 20\n'
        'training_usd_per_mtok = 6\nsince = 2026-11-20\nsource = "a list"\n'
    )
    path = house / "fixtures/prices.toml"
    path.write_text(path.read_text() + later)
    before, after = (ask(capsys, *RUN, "--as-of", f"2026-11-{day}") for day in (19, 20))
    assert [told["candidate"]["output_usd_per_mtok"] for told in (before, after)] == [10, 20]
    assert [told["training_usd"] for told in (before, after)] == [pytest.approx(6), pytest.approx(12)]


def test_epochs_are_of_an_epochs_tokens(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The 2 million tokens of a row are those of its 4 epochs: one epoch is half a million, whatever is asked for."""
    told = ask(capsys, *RUN, "--epochs", "8")
    assert (told["outlay"]["training_tokens"], told["outlay"]["epochs"]) == (500_000, 8)
    assert told["training_usd"] == pytest.approx(12.0)
    assert ask(capsys, *RUN)["outlay"]["epochs"] == 4
    rows = [{"name": "small", "training": {"tokens": 2_000_000}}]
    write_priced(house, [make_call("a"), make_call("a", model="large")], name="b", rows=rows)
    silent = ("--run", "b", *RUN[2:])
    assert ask(capsys, *silent)["training_usd"] == pytest.approx(6.0)
    ended = call(capsys, *silent, "--epochs", "3")
    assert (ended.status, "but not in how many epochs" in ended.out) == (4, True)


@pytest.mark.usefixtures("house")
def test_instructions_are_not_cached(capsys: pytest.CaptureFixture[str]) -> None:
    """What a run measured as cached stays as many tokens when instructions are stated beside it."""
    swapped = ("--run", "a", "--candidate", "large", "--baseline", "small", "--training-tokens", "0")
    told = ask(capsys, *swapped, "--instruction-tokens", "100")
    # 200 tokens a call on average, half of them cached at 0.5 USD, and 100 more at 1 USD.
    assert told["baseline"]["usd_per_call"] == pytest.approx((200 * 1 + 100 * 0.5 + 20 * 10) / 1e6)


@pytest.mark.parametrize(
    ("stated", "examples"),
    [
        ((), 50_000),
        (("--training-tokens", "1M"), 1_000),
        (("--candidate-tokens", "300,100"), 125_000),
        (("--candidate-tokens", "300,100", "--training-tokens", "1M", "--epochs", "3"), 2_500),
        (("--training-tokens", "1M", "--examples", "7"), 7),
    ],
)
def test_examples_of_a_scenario_follow_from_the_tokens_that_hold(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, stated: tuple[str, ...], examples: int
) -> None:
    """Tokens of an epoch over those of a call of the candidate, where either was stated in place of the scenario's."""
    monkeypatch.chdir(ROOT)
    assert ask(capsys, "--scenario", "medium", *stated)["outlay"]["examples"] == examples


def test_measured_tokens_say_the_examples_of_a_scenario(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a run beside the scenario, an example is as long as a call in the run: 220 tokens."""
    (house / "fixtures/break_even.toml").write_text((ROOT / "fixtures/break_even.toml").read_text())
    told = ask(capsys, *RUN, "--scenario", "medium", "--training-tokens", "22k")
    assert told["outlay"]["examples"] == 100


def test_training_is_priced_by_the_base(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A fine-tune without a row of its own for training costs what training its base does, as the run names it."""
    book = (house / "fixtures/prices.toml").read_text()
    base = '[[prices]]\nmodel = "base"\ntraining_usd_per_mtok = 5\nsource = "a list"\n'
    rows = [{"name": "small", "base": "base", "training": {"tokens": 2_000_000, "epochs": 4}}]
    prices = book.replace("training_usd_per_mtok = 3\n", "") + base
    write_priced(house, [make_call("a"), make_call("a", model="large")], name="b", rows=rows, prices=prices)
    assert ask(capsys, "--run", "b", *RUN[2:])["training_usd"] == pytest.approx(10.0)


def test_scenario_without_its_price_book_says_so(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A project without the case files of a scenario is told which is missing and how to go without."""
    ended = call(capsys, "--scenario", "medium")
    assert (ended.status, "break_even.toml, which would hold them, is not there" in ended.out) == (4, True)
    (house / "fixtures/break_even.toml").write_text((ROOT / "fixtures/break_even.toml").read_text())
    ended = call(capsys, "--scenario", "medium")
    assert (ended.status, "the scenario medium is priced by a book that is not here" in ended.out) == (4, True)
    assert "--training-price USD" in ended.out


@pytest.mark.usefixtures("house")
def test_chart_is_written_where_it_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    """-o draws beside what is printed."""
    pytest.importorskip("matplotlib", reason="charts are drawn by matplotlib, an optional dependency")
    shown = call(capsys, *RUN, "-o", "pays.svg")
    assert (shown.status, "drawn in pays.svg" in shown.out) == (0, True)
    assert Path("pays.svg").read_text().startswith("<?xml")


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "which model is the candidate?"),
        (("--scenario", "mediam"), "no scenario called 'mediam'"),
        (("--candidate", "smal", "--baseline", "large"), "no price is known of smal"),
        (("--run", "a", "--candidate", "smal", "--baseline", "large"), "has no model 'smal'"),
        ((*RUN, "--eval", "tone"), "does not say what a call takes"),
        (("--candidate-prices", "1,2", "--baseline-prices", "3,4"), "how many tokens has a call of the candidate?"),
        ((*RUN, "--candidate", "large", "--training-tokens", "5"), "no price of training large is known"),
        ((*RUN, "--hours", "3"), "what does an hour of people cost?"),
        ((*RUN, "--candidate-tokens", "1"), "IN,OUT[,CACHED], such as 600,50"),
        ((*RUN, "--candidate-tokens", "1,2,3"), "CACHED is a part of IN"),
        ((*RUN, "--training-tokens", "-5"), "a number from 0 on is wanted"),
        ((*RUN, "--training-tokens", "many"), "a number from 0 on is wanted"),
        ((*RUN, "--examples-per-hour", "0"), "a number above 0 is wanted"),
        ((*RUN, "-o", "pays.jpg"), "ends in .svg, .png, .pdf"),
        ((*RUN, "--epochs", "0"), "a number above 0 is wanted"),
        ((*RUN, "--usd-per-hour", "40"), "no time of people, so it would not count"),
        ((*RUN, "--examples", "9", "--usd-per-hour", "40"), "no time of people, so it would not count"),
        ((*RUN, *PEOPLE), "how many examples do people write?"),
        ((*RUN, "--hours", "1", *PEOPLE), "how many examples do people write?"),
        ((*RUN, "--examples", "0", *PEOPLE), "how many examples do people write?"),
        ((*RUN, "--teacher-tokens", "1,2"), "no teacher is called, so --teacher-tokens would not count"),
        ((*RUN, "--examples", "0", "--teacher-prices", "1,2"), "there are no examples to write"),
        ((*RUN, "--examples", "9", *PEOPLE, "--teacher-tokens", "1,2"), "people write the examples"),
        ((*PRICED, "--training-tokens", "9", "--eval", "tone"), "no run is there to measure"),
        ((*RUN, *PRICED, "--eval", "format"), "the tokens of both models are stated"),
    ],
)
def test_what_is_missing_is_told(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str) -> None:
    """No number is made up: it ends with 4, and says what can be stated."""
    ended = call(capsys, *arguments)
    assert (ended.status, told in ended.out) == (4, True), ended.out
