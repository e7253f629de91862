"""`--shard K/N` divides a run between machines, and the parts make the whole again."""

from __future__ import annotations

import json

import pytest

from tunegate.cli import main
from tunegate.session import Shard
from tunegate.testing import ScriptedEndpoint

from ..project import Project
from .crowd import asked_of

CASES = [f"{subject}-0{number}" for subject in ("colours", "sums") for number in (1, 2, 3)]


def cases_of(shard: Shard) -> list[str]:
    return [case for case in CASES if shard.holds("format", case)]


def test_shards_make_the_whole(project: Project, endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three parts, with and without workers, ask each cell once; merged they are the run that was never cut."""
    for number, workers in ((1, "0"), (2, "2"), (3, "0")):
        result = project.run("--record=missing", "--shard", f"{number}/3", "-n", workers, "--run", f"s{number}")
        assert result.status == 0, result.out
        assert {record.cell.case for record in project.records(f"s{number}")} == set(cases_of(Shard(number, 3)))
    again = project.run("--shard", "2/3", "-n", "0", "--run", "again")
    assert again.status == 0, again.out
    assert project.header("again")["shard"] == project.header("s2")["shard"]
    assert len(endpoint.seen) == len(set(asked_of(endpoint.seen))) == 12
    shards = [project.header(f"s{number}")["shard"] for number in (1, 2, 3)]
    plan = shards[0]["plan"]
    assert shards == [{"number": number, "of": 3, "plan": plan, "planned": 12} for number in (1, 2, 3)]
    assert project.run("--run", "whole").status == 0
    monkeypatch.chdir(project.root)
    assert main(["merge", "s1", "s2", "s3", "--run", "joined"]) == 0
    joined, whole = project.header("joined"), project.header("whole")
    for key in ("status", "planned", "states", "not_run", "prompts"):
        assert joined[key] == whole[key], key
    same = [json.loads(record.to_json()) | {"source": 0} for record in project.records("whole")]
    assert [json.loads(record.to_json()) | {"source": 0} for record in project.records("joined")] == same


@pytest.mark.parametrize("workers", ["0", "2"])
def test_part_without_a_case_is_a_part(project: Project, endpoint: ScriptedEndpoint, workers: str) -> None:
    """A shard in which no case falls ends with 0, asks nothing and leaves a run that `merge` can count."""
    empty = next(shard for number in range(1, 51) if not cases_of(shard := Shard(number, 50)))
    result = project.run("--record=missing", "--shard", str(empty), "-n", workers, "--run", "a")
    assert result.status == 0, result.out
    assert not endpoint.seen
    header = project.header("a")
    facts = ("status", "states", "planned", "not_run", "exit_status")
    assert [header[name] for name in facts] == ["finished", {}, 0, 0, 0]
    assert header["shard"] == {"number": empty.number, "of": 50, "plan": header["shard"]["plan"], "planned": 12}
    for other in (("--dry-run",), ("--collect-only",), ("-k", "nothing")):
        result = project.run("--record=missing", "--shard", str(empty), *other, "--run", "b")
        assert result.status == (5 if "-k" in other else 0), result.out
    assert not (project.root / "reports" / "runs" / "b").exists()
