"""What the `tunegate` command prints, and the status it ends with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ..project import ROOT, Project
from .calling import call


@pytest.fixture
def recorded(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with one recorded run, `a`, in which the command then works."""
    assert project.run("--record=missing", "--model", "plain", "--repeat", "2", "--run", "a").status == 0
    monkeypatch.chdir(project.root)
    return project


def test_table_of_a_run_is_the_one_it_ended_with(recorded: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """`tunegate table` needs the records only, by the run's name or its folder."""
    replay = recorded.run("--model", "plain", "--repeat", "2", "--run", "b")
    shown = [line for line in replay.out.splitlines() if " % " in line]
    for run in ("b", "reports/runs/b"):
        table = call(capsys, "table", run)
        assert table.status == 0
        assert [line for line in table.out.splitlines() if " % " in line] == shown
    assert call(capsys, "table", "nowhere").status == 4


@pytest.mark.usefixtures("recorded")
def test_recordings_are_listed_checked_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Sound recordings have no findings; one case is shown as a person reads it."""
    listed = call(capsys, "cassettes", "list")
    assert "format  plain  12 recordings, repeats 1-2" in listed.out
    checked = call(capsys, "cassettes", "check", "--run", "a")
    assert (checked.status, checked.out) == (0, "0 findings\n")
    shown = call(capsys, "cassettes", "show", "format", "plain", "sums-01", "--repeat", "2")
    assert "sums-01, repeat 2" in shown.out
    assert 'reply:\n[{"1": "2"}' in shown.out


def test_findings_have_a_status_of_their_own(recorded: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """A key in a cassette, or a recording that no run uses, is found, named, and ends with 1."""
    path = recorded.cassette("plain")
    path.write_text(path.read_text().replace("test sums 1?", "sk-proj-A1b2C3d4E5f6G7h8I9j0K1l2M3n4"))
    found = call(capsys, "cassettes", "check")
    assert found.status == 1
    assert "secret: cassettes/format/plain.json" in found.out
    assert "A1b2C3d4" not in found.out


def test_pruning_keeps_what_a_run_asked_for(recorded: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """What no given run used goes; a dry run only says so; without a run nothing is touched."""
    recorded.run("--model", "plain", "--run", "once")
    assert call(capsys, "cassettes", "prune").status == 4
    dry = call(capsys, "cassettes", "prune", "--run", "once", "--dry-run")
    assert "would remove 6, kept 6" in dry.out
    done = call(capsys, "cassettes", "prune", "--run", "once")
    assert "removed 6, kept 6" in done.out
    assert "6 replayed, 0 unused recordings" in recorded.run("--model", "plain").out


@pytest.mark.usefixtures("recorded")
def test_banks_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """`questions count` says how many batches each subject has to be asked."""
    counted = call(capsys, "questions", "count")
    assert counted.status == 0
    assert counted.out.splitlines()[0].split() == ["colours", "3"]
    assert call(capsys, "questions", "count", "nowhere").status == 4


@pytest.mark.parametrize("arguments", [(), ("tabel",), ("cassettes",), ("cassettes", "list", "--cassettes", "no")])
def test_wrong_commands_end_with_four(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that cannot be meant says how it is used, with pytest's status for that."""
    monkeypatch.chdir(tmp_path)
    ended = call(capsys, *arguments)
    assert ended.status == 4
    assert "tunegate" in ended.out


@pytest.mark.usefixtures("recorded")
def test_model_without_weights_is_not_served(capsys: pytest.CaptureFixture[str]) -> None:
    """`lab serve` names the rows that say where their weights are."""
    ended = call(capsys, "lab", "serve", "--model", "plain")
    assert ended.status == 4
    assert "rows with weights" in ended.out


def test_starting_is_quick_because_imports_stand_late() -> None:
    """The command's help loads neither pytest nor the SDK nor jsonschema."""
    code = "import sys, tunegate.cli; tunegate.cli.make_parser(); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tools")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"pytest", "openai", "httpx2", "jsonschema", "vcr", "yaml"} & set(done.stdout.split())
