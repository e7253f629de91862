"""The files that a training can be given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tunegate.cases import Sources
from tunegate.cases.eval_files import read_evals
from tunegate.cli.training_files import read_set
from tunegate.errors import CaseFileError, UsageError

from ..project import Project
from .calling import call


def write(path: Path, *prompts: str) -> Path:
    """Write a chat JSONL of somebody's own."""
    chats = [[{"role": "user", "content": text}, {"role": "assistant", "content": "Yes."}] for text in prompts]
    path.write_text("".join(json.dumps({"messages": chat}) + "\n" for chat in chats))
    return path


@pytest.fixture
def house(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project in whose folder commands work."""
    monkeypatch.chdir(project.root)
    return project


def asked_by(project: Project) -> list[str]:
    """Return what the project's eval sends."""
    (found,) = read_evals(project.root / "evals")
    sources = Sources(project.root / "fixtures", limit="all")
    return [found.eval.prompt(case, sources)[-1]["content"] for case in found.eval.cases(sources)]


def test_own_file_that_an_eval_asks_is_not_trained_on(house: Project) -> None:
    """A file without a manifest is compared as distilling does; the first lines are named, and what to do."""
    path = write(house.root / "data.jsonl", "The soup is cold.", *asked_by(house))
    with pytest.raises(UsageError, match="6 of its lines stand in an eval") as problem:
        read_set(path)
    told = str(problem.value)
    assert "  line 2: its message 1 (user) stands in format[" in told
    assert "  and 1 more" in told
    assert "tunegate distill data.jsonl --known-answers" in told


def test_command_that_the_message_names_makes_a_set(house: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Distilling the file leaves the lines out, and what it writes is a set."""
    write(house.root / "data.jsonl", "The soup is cold.", *asked_by(house)[:1])
    shown = call(capsys, "distill", "data.jsonl", "--known-answers", "--repetitions", "3", "-o", "out")
    assert shown.status == 0, shown.out
    found = read_set(Path("out"))
    assert (list(found.files), found.repetitions) == ([1], {1: 3})


def test_own_file_of_other_prompts_is_a_set(house: Project) -> None:
    """What no eval asks is trained on; how often its lines are repeated, nobody said."""
    found = read_set(write(house.root / "data.jsonl", "The soup is cold.", "My parcel is late."))
    assert (list(found.files), found.repetitions) == ([2], {})


def test_without_evals_nothing_is_asked(house: Project) -> None:
    """Where there is no folder of evals, there is nothing to compare with."""
    path = write(house.root / "data.jsonl", *asked_by(house))
    (house.root / "evals").rename(house.root / "elsewhere")
    assert list(read_set(path).files) == [6]


def test_what_cannot_be_compared_is_not_trained_on(house: Project) -> None:
    """Where the bank cannot be read nobody knows whether the file holds what it asks."""
    path = write(house.root / "data.jsonl", "The soup is cold.")
    (house.root / "fixtures/questions").rename(house.root / "elsewhere")
    with pytest.raises(CaseFileError):
        read_set(path)


def test_message_that_is_none_is_told(house: Project) -> None:
    """A chat whose messages are no objects is a fault of the file, and is said with its name."""
    path = house.root / "data.jsonl"
    path.write_text('{"messages": ["hello"]}\n')
    with pytest.raises(UsageError, match=r"data\.jsonl: a message cannot be read"):
        read_set(path)
