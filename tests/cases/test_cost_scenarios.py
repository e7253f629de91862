"""Scenarios of a break-even, as the case files hold them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunegate.cases.cost_scenarios import load_scenario
from tunegate.errors import CaseFileError, UsageError

from ..project import ROOT

ROW = """[[scenarios]]
name = "mine"
says = "a note"
prompt_tokens = 40
completion_tokens = 10
instruction_tokens = 0
training_tokens = 1000
epochs = 2
candidate = "tuned"
baseline = "large"
"""


@pytest.mark.parametrize("name", ["short", "medium", "long"])
def test_shipped_scenarios_assume_what_the_study_did(name: str) -> None:
    """As many tokens out as in, 100 of instructions for the teacher alone, 50 million tokens trained once."""
    one = load_scenario(name, fixtures=ROOT / "fixtures")
    assert one.prompt_tokens == one.completion_tokens
    assert (one.instruction_tokens, one.training_tokens, one.epochs) == (100, 50_000_000, 1)
    assert (one.candidate, one.baseline, one.prices) == ("ft:gpt-3.5-turbo", "gpt-4", "2023-10")


def test_scenario_is_read_whole(tmp_path: Path) -> None:
    """A project writes its own; without a book of its own it is priced by that of today."""
    (tmp_path / "break_even.toml").write_text(ROW)
    one = load_scenario("mine", fixtures=tmp_path)
    assert (one.prompt_tokens, one.completion_tokens, one.epochs, one.prices) == (40, 10, 2, None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (ROW.replace("epochs = 2\n", ""), r"scenarios\.1\.epochs: wanted an integer, found no such key"),
        (ROW.replace("epochs = 2", "epochs = 0"), r"scenarios\.1\.epochs: wanted 1 or more, found 0"),
        (ROW + ROW, r"scenarios\.2\.name: wanted one scenario of a name, found a second 'mine'"),
        ("x = [", "wanted TOML"),
    ],
)
def test_mistake_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    """What was wanted, what was there."""
    (tmp_path / "break_even.toml").write_text(text)
    with pytest.raises(CaseFileError, match=told):
        load_scenario("mine", fixtures=tmp_path)


def test_missing_scenario_is_told(tmp_path: Path) -> None:
    """Without the file it says which one and how to go without; with it, which scenarios there are."""
    with pytest.raises(UsageError, match=r"no scenario called 'mine': .*break_even\.toml(.|\n)*--training-tokens N"):
        load_scenario("mine", fixtures=tmp_path)
    (tmp_path / "break_even.toml").write_text(ROW)
    with pytest.raises(UsageError, match=r"no scenario called 'mime'(.|\n)*there are: mine"):
        load_scenario("mime", fixtures=tmp_path)
