"""`tunegate merge` makes one run of the runs that several machines did."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunegate.testing import ScriptedEndpoint

from ..project import Project, make_project
from .calling import call


def run_shard(project: Project, shard: str, *, run: str, record: str = "none") -> Path:
    """Run a part of the six cases, whose names say that four fall to the first half and two to the second."""
    done = project.run("--model", "plain", "--shard", shard, "--run", run, f"--record={record}")
    assert done.status == 0, done.out
    return project.root / "reports" / "runs" / run


def test_merged_run_shows_what_a_run_in_one_piece_shows(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Table, counts and the digests of prompts and cassettes are those of the run that was never cut."""
    assert project.run("--model", "plain", "--record=missing").status == 0
    assert project.run("--model", "plain", "--run", "whole").status == 0
    run_shard(project, "2/2", run="b")
    run_shard(project, "1/2", run="a")
    monkeypatch.chdir(project.root)
    merged = call(capsys, "merge", "b", "reports/runs/a", "--run", "joined")
    assert merged.status == 0, merged.out
    assert merged.out.splitlines() == [
        "shard 1/2: a, finished",
        "shard 2/2: b, finished",
        "6 of 6 planned cells: 6 answered, 0 not run",
        "run: reports/runs/joined",
    ]
    tables = [call(capsys, "table", run) for run in ("whole", "joined")]
    assert tables[0].status == tables[1].status == 0
    assert tables[0].out.splitlines()[:-1] == tables[1].out.splitlines()[:-1]
    whole, joined = project.header("whole"), project.header("joined")
    for key in ("status", "planned", "states", "replayed", "prompts", "cassettes", "matrix", "digests", "exit_status"):
        assert joined[key] == whole[key], key
    assert project.records("joined") == project.records("whole")


def test_shard_without_cases_changes_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last of three shards gets none of the six cases: the merged run is whole, with its folder or without."""
    names = [f"s{number}" for number in range(1, 4)]
    for number, name in enumerate(names, 1):
        project.run("--model", "plain", "--shard", f"{number}/3", "--run", name, "--record=missing")
    monkeypatch.chdir(project.root)
    there = [name for name in names if Path("reports/runs", name).exists()]
    # The recordings of this very project may be among those that are joined.
    merged = call(capsys, "merge", *there, "--run", "joined", "--cassettes", "cassettes")
    assert merged.status == 0, merged.out
    assert "recordings of cassettes: 1 cassettes, 0 new, 6 same, 0 conflicting" in merged.out
    header = project.header("joined")
    assert (header["status"], header["exit_status"], header["planned"]) == ("finished", 0, 6)


def test_recordings_of_all_machines_replay_after_a_merge(
    project: Project,
    endpoint: ScriptedEndpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With `--cassettes` what two machines recorded is replayed here, and the run names the joined cassettes."""
    machines = [make_project(tmp_path / name, base_url=endpoint.base_url) for name in ("one", "two")]
    runs = [run_shard(machine, f"{n}/2", run=f"s{n}", record="missing") for n, machine in enumerate(machines, 1)]
    folders = [machine.root / "cassettes" for machine in machines]
    monkeypatch.chdir(project.root)
    merged = call(capsys, "merge", *map(str, runs), "--run", "joined", "--cassettes", *map(str, folders))
    assert merged.status == 0, merged.out
    for folder, count in zip(folders, (4, 2), strict=True):
        assert f"recordings of {folder}: 1 cassettes, {count} new, 0 same, 0 conflicting" in merged.out
    replay = project.run("--model", "plain", "--run", "replay")
    assert replay.status == 0
    assert "6 replayed, 0 unused recordings" in replay.out
    assert project.header("joined")["cassettes"] == project.header("replay")["cassettes"]
    assert project.header("joined")["prompts"] == project.header("replay")["prompts"]


def test_refused_merge_writes_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Shards that do not fit together, or folders that do not exist, end with 4 before anything is touched."""
    run_shard(project, "1/2", run="a", record="missing")
    before = project.cassette("plain").read_bytes()
    monkeypatch.chdir(project.root)
    missing = call(capsys, "merge", "a", "--cassettes", "cassettes", "--run", "joined")
    assert missing.status == 4
    assert "1 of 2 shards missing: 2" in missing.out
    assert "pytest --shard 2/2 -p no:cacheprovider --model plain --record=missing\n" in missing.out
    nowhere = call(capsys, "merge", "a", "--allow-missing", "--cassettes", "nowhere", "--run", "joined")
    assert nowhere.status == 4
    assert "no folder of cassettes at nowhere" in nowhere.out
    for arguments in (("merge",), ("merge", "absent"), ("merge", "a", "--allow-missing", "--run", "x/y")):
        assert call(capsys, *arguments).status == 4
    assert [path.name for path in (project.root / "reports" / "runs").iterdir()] == ["a"]
    assert project.cassette("plain").read_bytes() == before


def test_merge_without_a_shard_says_so(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--allow-missing` writes an interrupted run, and `table` ends with the status of one."""
    run_shard(project, "1/2", run="a", record="missing")
    monkeypatch.chdir(project.root)
    merged = call(capsys, "merge", "a", "--allow-missing", "--run", "joined")
    assert merged.status == 0
    assert "warning: shard 2/2 is missing" in merged.out
    assert "4 of 6 planned cells: 4 answered, 2 not run" in merged.out
    assert call(capsys, "table", "joined").status == 1


def test_merge_stands_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """`tunegate --help` names it."""
    assert "join the runs of all shards to one run" in " ".join(call(capsys, "--help").out.split())
