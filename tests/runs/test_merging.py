"""A merged run is the run that was cut into shards, or it is refused."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tunegate.errors import RunError, UsageError
from tunegate.records import Cell, Message, Record
from tunegate.runs import Prompts, RunFolder, merge_runs, read_records, read_run

ROOT = Path(__file__).resolve().parents[2]
HEADER: dict[str, Any] = {
    "command": ["pytest", "evals", "--shard", "1/3", "--run=one", "--model", "m m"],
    "commit": "c0ffee",
    "dirty": False,
    "versions": {"python": "3.11.2", "tunegate": "0.2", "jsonschema": "4.26"},
    "options": {"record": "none", "temperature": 0.0, "shard": "1/3"},
    "matrix": [{"name": "m", "base_url": "http://h/v1"}],
    "digests": {"models.toml": "aa"},
    "questions": {"origin": "fixtures/questions", "digest": "bb"},
}
FACTS: dict[str, Any] = {
    "unused_recordings": 2,
    "problems": [],
    "prompts": "of this shard",
    "cassettes": {"cassettes/format/m.json": "cc"},
    "cost_usd": 0.25,
    "attempts": 4,
    "rejected": 1,
    "exit_status": 0,
}


def record(case: str, state: str = "answered", *, source: str = "cassette", repeat: int = 1) -> Record:
    messages: tuple[Message, ...] = ({"role": "user", "content": f"what is {case}? Käse"},)
    cell = Cell("format", case, "s", "m", repeat=repeat)
    return Record(cell, state, messages=messages, source=source)  # type: ignore[arg-type]


class Shards:
    """Writes runs of the shards of a plan of six cells in three shards, as the plugin does."""

    def __init__(self, runs: Path) -> None:
        self.runs = runs

    def write(
        self,
        number: int,
        *records: Record,
        name: str = "",
        own: int | None = None,
        shard: dict[str, Any] | None = None,
        header: dict[str, Any] | None = None,
        facts: dict[str, Any] | None = None,
        ends: bool = True,
    ) -> Path:
        place = {"number": number, "of": 3, "plan": "d1ce5", "planned": 6, **(shard or {})}
        folder = RunFolder.create(
            self.runs, name or f"shard-{number}", header={**HEADER, "shard": place, **(header or {})}
        )
        for one in records:
            folder.append(one)
        if ends:
            folder.finish(planned=len(records) if own is None else own, facts={**FACTS, **(facts or {})})
        else:
            folder.close()
        return folder.path

    def all(self) -> list[Path]:
        return [
            self.write(3, record("x-05"), record("x-06", "error", source="live")),
            self.write(1, record("x-02"), record("x-01")),
            self.write(2, record("x-03", "truncated"), record("x-04")),
        ]


@pytest.fixture
def shards(tmp_path: Path) -> Shards:
    return Shards(tmp_path / "runs")


def edit(path: Path, **changes: Any) -> Path:
    header = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**header, **changes}))
    return path


def test_merged_run_is_the_whole_run(shards: Shards) -> None:
    """It holds every record as its shard wrote it, in the order of the shards, and counts what they hold."""
    paths = shards.all()
    merged = merge_runs(paths, into=shards.runs / "whole")
    ordered = [paths[1], paths[2], paths[0]]
    lines = b"".join((path / "records.jsonl").read_bytes() for path in ordered)
    assert (merged.path / "records.jsonl").read_bytes() == lines
    header = read_run(merged.path)
    assert (header["run"], header["status"]) == ("whole", "finished")
    assert (header["planned"], header["not_run"]) == (6, 0)
    assert header["states"] == {"answered": 4, "error": 1, "truncated": 1} == merged.states
    assert (header["live_calls"], header["replayed"], header["cost_usd"]) == (1, 5, 0.75)
    assert (header["attempts"], header["rejected"]) == (12, 3)
    assert header["unused_recordings"] is None
    assert header["shard"] is None
    assert (header["matrix"], header["commit"], header["dirty"]) == (HEADER["matrix"], "c0ffee", False)
    assert header["options"] == {"record": "none", "temperature": 0.0}
    assert [origin["shard"] for origin in header["merged_from"]] == ["1/3", "2/3", "3/3"]
    assert [origin["command"] for origin in header["merged_from"]] == [HEADER["command"]] * 3
    assert [origin["records"] for origin in header["merged_from"]] == [
        hashlib.sha256((path / "records.jsonl").read_bytes()).hexdigest() for path in ordered
    ]
    assert merged.warnings == ()
    assert sorted(path.name for path in shards.runs.iterdir()) == ["shard-1", "shard-2", "shard-3", "whole"]


def test_prompts_have_the_digest_of_a_run_in_one_piece(shards: Shards) -> None:
    """`prompts` is counted over all records anew: digests of shards cannot be added up."""
    merged = merge_runs(shards.all(), into=shards.runs / "whole")
    prompts = Prompts()
    for one in (record(f"x-{number:02d}") for number in range(1, 7)):
        prompts.add(one.messages)
    assert read_run(merged.path)["prompts"] == prompts.digest()


def test_merged_run_lasts_from_first_start_to_last_end(shards: Shards) -> None:
    """Its times are those of the shards, not of the merge."""
    paths = shards.all()
    for path, hour in zip(paths, ("09", "08", "10"), strict=True):
        edit(path, started_at=f"2026-11-22T{hour}:00:00+00:00", finished_at=f"2026-11-22T{hour}:30:00+00:00")
    header = read_run(merge_runs(paths, into=shards.runs / "whole").path)
    assert (header["started_at"][11:16], header["finished_at"][11:16]) == ("08:00", "10:30")


def test_missing_shards_are_named_with_their_commands(shards: Shards) -> None:
    """A missing shard is refused with its number and the command that runs it; nothing is written."""
    path = shards.write(2, record("x-03"))
    with pytest.raises(UsageError) as refused:
        merge_runs([path], into=shards.runs / "whole")
    assert str(refused.value).splitlines() == [
        "2 of 3 shards missing: 1, 3",
        "  to run them:",
        "    pytest --shard 1/3 evals --model 'm m'",
        "    pytest --shard 3/3 evals --model 'm m'",
        "  to merge without them, as an interrupted run: --allow-missing",
    ]
    assert [path.name for path in shards.runs.iterdir()] == ["shard-2"]


def test_run_without_some_shards_is_interrupted(shards: Shards) -> None:
    """Where a missing shard is allowed, its cells are planned and not run, and that is no success."""
    path = shards.write(2, record("x-03"))
    merged = merge_runs([path], into=shards.runs / "whole", allow_missing=True)
    assert (merged.missing, merged.not_run) == ((1, 3), 5)
    header = read_run(merged.path)
    assert (header["status"], header["planned"], header["not_run"]) == ("interrupted", 6, 5)
    assert header["problems"] == ["shard 1/3: not run", "shard 3/3: not run"]
    assert header["exit_status"] == 1


def test_shard_without_cases_is_not_missed(shards: Shards) -> None:
    """With few cases a shard may get none, and its run leaves no folder: nothing of the plan is missing then."""
    paths = [
        shards.write(1, *(record(f"x-{number:02d}") for number in range(1, 5))),
        shards.write(3, record("x-05"), record("x-06")),
    ]
    merged = merge_runs(paths, into=shards.runs / "whole")
    assert (merged.missing, merged.not_run) == ((), 0)
    assert read_run(merged.path)["status"] == "finished"


def test_shard_without_items_is_no_failure(shards: Shards) -> None:
    """pytest ends with 5 where no case fell to a shard: the whole run has not failed for that."""
    paths = [
        shards.write(1, *(record(f"x-{number:02d}") for number in range(1, 7))),
        shards.write(2, facts={"exit_status": 5}),
        shards.write(3, facts={"exit_status": 5}),
    ]
    assert read_run(merge_runs(paths, into=shards.runs / "whole").path)["exit_status"] == 0


def test_interrupted_shard_is_counted(shards: Shards) -> None:
    """What an interrupted shard did not run is in `not_run` of the whole, and said."""
    paths = [*shards.all()[:2], shards.write(2, record("x-03"), name="cut", own=2, facts={"exit_status": 2})]
    merged = merge_runs(paths, into=shards.runs / "whole")
    assert merged.warnings == ("shard 2/3 (cut) is interrupted, cells not run: 1",)
    header = read_run(merged.path)
    assert (header["status"], header["not_run"], header["exit_status"]) == ("interrupted", 1, 2)


def test_killed_shard_is_joined_with_what_it_had(shards: Shards) -> None:
    """A shard whose process died has neither end nor facts: its whole lines count, its torn one does not."""
    paths = shards.all()[:2]
    killed = edit(shards.write(2, record("x-03"), name="killed", ends=False), pid=dead_pid())
    with (killed / "records.jsonl").open("a") as file:
        file.write('{"v":1,"eval"')
    header = read_run(merge_runs([*paths, killed], into=shards.runs / "whole").path)
    assert (header["status"], header["not_run"]) == ("interrupted", 1)
    assert header["problems"] == ["shard 2/3: it had not finished when it was merged"]
    assert (header["cost_usd"], header["exit_status"]) == (None, 1)
    assert header["cassettes"] == {"cassettes/format/m.json": None}
    assert len(list(read_records(shards.runs / "whole"))) == 5


def test_running_shard_is_waited_for(shards: Shards) -> None:
    """A shard that is still being written is refused, unless parts may be missing."""
    paths = [*shards.all()[:2], shards.write(2, record("x-03"), name="busy", ends=False)]
    with pytest.raises(UsageError, match=r"busy \(shard 2/3\) is still being written by process \d+\n  wait"):
        merge_runs(paths, into=shards.runs / "whole")
    assert merge_runs(paths, into=shards.runs / "whole", allow_missing=True).not_run == 1


def test_shard_that_was_run_twice_is_refused(shards: Shards) -> None:
    """Two runs of one shard are two measurements: a person says which counts. Both folders are named."""
    again = shards.write(2, record("x-03"), name="again")
    with pytest.raises(UsageError, match=r"(?s)shard 2/3 was run twice:.*(shard-2|again).*(shard-2|again)"):
        merge_runs([*shards.all(), again], into=shards.runs / "whole")


def test_copy_of_a_shard_counts_once(shards: Shards, tmp_path: Path) -> None:
    """The same folder named twice, or downloaded twice, is no second measurement."""
    paths = shards.all()
    copy = tmp_path / "copy"
    shutil.copytree(paths[0], copy)
    merged = merge_runs([*paths, copy, paths[1]], into=shards.runs / "whole")
    assert (merged.records, len(merged.shards), len(merged.warnings)) == (6, 3, 2)
    assert f"{copy} is a copy of {paths[0]}: it counts once" in merged.warnings


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"options": {**HEADER["options"], "temperature": 0.7}}, "options.temperature: 0.0 and 0.7"),
        ({"matrix": [{"name": "m", "base_url": "http://i/v1"}]}, "matrix.m.base_url: 'http://h/v1' and 'http://i/v1'"),
        ({"digests": {"models.toml": "ab"}}, "digests.models.toml: 'aa' and 'ab'"),
        ({"digests": {}}, "digests.models.toml: 'aa' and nothing"),
        ({"questions": None}, "questions: {.*} and nothing"),
        ({"format": 0}, "format: 1 and 0"),
        ({"shard": {"number": 2, "of": 3, "plan": "0dd", "planned": 7}}, r"the plan: 6 cells \(d1ce5\) and 7 cells"),
        ({"shard": {"number": 2, "of": 4, "plan": "d1ce5", "planned": 6}}, "is shard 1/3 and .* is shard 2/4"),
    ],
    ids=["options", "matrix", "changed file", "missing file", "bank", "format", "plan", "of"],
)
def test_shards_of_different_runs_are_refused(shards: Shards, changes: dict[str, Any], said: str) -> None:
    """What was asked differently does not belong together; the first differences are named."""
    paths = shards.all()
    edit(paths[2], **changes)
    with pytest.raises(UsageError, match=said):
        merge_runs(paths, into=shards.runs / "whole")


def test_where_replies_came_from_may_differ(shards: Shards) -> None:
    """A shard may be a replay and another live: every record says which it is."""
    paths = shards.all()
    edit(paths[0], options={**HEADER["options"], "record": "missing", "max_cost_usd": 5.0})
    assert read_run(merge_runs(paths, into=shards.runs / "whole").path)["options"]["record"] is None


@pytest.mark.parametrize(
    "changes", [{"commit": "bad"}, {"versions": {**HEADER["versions"], "tunegate": "0.3"}}], ids=["commit", "version"]
)
def test_different_code_is_refused_unless_allowed(shards: Shards, changes: dict[str, Any]) -> None:
    """Another commit, or another version of what judges, may judge otherwise: only a person can tell."""
    paths = shards.all()
    edit(paths[0], **changes)
    with pytest.raises(UsageError, match=r"(?s)run by different code.*--allow-different-code"):
        merge_runs(paths, into=shards.runs / "whole")
    merged = merge_runs(paths, into=shards.runs / "whole", allow_different_code=True)
    assert len(merged.warnings) == 1
    header = read_run(merged.path)
    assert (header["commit"], header["versions"]["tunegate"]) in {(None, "0.2"), ("c0ffee", "0.2 | 0.3")}


def test_uncommitted_changes_and_other_versions_are_warned_about(shards: Shards) -> None:
    """They are no reason to lose a run, and the merged run says so too."""
    paths = shards.all()
    edit(paths[0], dirty=True, versions={**HEADER["versions"], "python": "3.12.1"})
    merged = merge_runs(paths, into=shards.runs / "whole")
    assert merged.warnings == (
        "shard 3/3 (shard-3) was run with changes that are in no commit",
        "shards were run with different versions.python: '3.11.2' and '3.12.1'",
    )
    header = read_run(merged.path)
    assert (header["dirty"], header["versions"]["python"]) == (True, "3.11.2 | 3.12.1")


def test_cell_that_stands_twice_is_named(shards: Shards) -> None:
    """No cell is counted twice: where it stands the second time is said, and nothing is written."""
    paths = shards.all()[:2]
    twin = shards.write(2, record("x-04", repeat=2), record("x-02"), name="twin")
    with pytest.raises(RunError, match=r"format\[x-02\] of 'm' stands twice, the second time in .*twin \(shard 2/3\)"):
        merge_runs([*paths, twin], into=shards.runs / "whole")
    assert not [path for path in shards.runs.iterdir() if "whole" in path.name]


def test_cells_that_share_a_hash_are_told_apart(shards: Shards) -> None:
    """Cells are remembered by a number only, and two that have the same one are both kept."""
    twins = (record("x-03", repeat=-1), record("x-03", repeat=-2))
    assert hash(twins[0].cell) == hash(twins[1].cell)
    paths = [*shards.all()[:2], shards.write(2, *twins, name="twins")]
    assert merge_runs(paths, into=shards.runs / "whole").records == 6


def test_more_records_than_planned_are_refused(shards: Shards) -> None:
    """A shard that holds cells of no plan was not written by its run."""
    more = shards.write(2, *(record(f"y-{number}") for number in range(5)), name="more")
    with pytest.raises(RunError, match="9 records of a plan of 6 cells"):
        merge_runs([*shards.all()[:2], more], into=shards.runs / "whole")


def test_whole_run_is_no_shard(shards: Shards) -> None:
    """A run without a shard, a merged one included, is refused by its folder."""
    merged = merge_runs(shards.all(), into=shards.runs / "whole").path
    with pytest.raises(UsageError, match=r"whole is a whole run and no shard of one\n.*--shard NUMBER/OF"):
        merge_runs([merged], into=shards.runs / "again")
    with pytest.raises(RunError, match="a shard's number, of, plan and planned are wanted"):
        merge_runs([edit(merged, shard={"number": 1})], into=shards.runs / "again")
    with pytest.raises(UsageError, match="no run to merge"):
        merge_runs([], into=shards.runs / "again")


def test_problems_and_exit_status_of_shards_are_kept(shards: Shards) -> None:
    """A problem keeps the number of its shard, and the worst exit status counts."""
    paths = shards.all()
    edit(paths[2], problems=["a cassette is damaged"], exit_status=1)
    header = read_run(merge_runs(paths, into=shards.runs / "whole").path)
    assert (header["problems"], header["exit_status"]) == (["shard 2/3: a cassette is damaged"], 1)


def test_unknown_cost_of_a_shard_makes_the_sum_unknown(shards: Shards) -> None:
    """Unknown is not nothing."""
    paths = shards.all()
    edit(paths[2], cost_usd=None)
    assert read_run(merge_runs(paths, into=shards.runs / "whole").path)["cost_usd"] is None


def test_cassettes_that_differ_have_the_digest_of_the_joined_one(shards: Shards, tmp_path: Path) -> None:
    """Shards that recorded on machines of their own name different states: that of the joined file, else unknown."""
    paths = shards.all()
    edit(paths[2], cassettes={"cassettes/format/m.json": "dd", "cassettes/format/n.json": "ee"})
    unknown = read_run(merge_runs(paths, into=shards.runs / "unknown").path)
    assert unknown["cassettes"] == {"cassettes/format/m.json": None, "cassettes/format/n.json": "ee"}
    (tmp_path / "cassettes" / "format").mkdir(parents=True)
    (tmp_path / "cassettes" / "format" / "m.json").write_bytes(b"joined")
    joined = read_run(merge_runs(paths, into=shards.runs / "joined", root=tmp_path).path)
    assert joined["cassettes"]["cassettes/format/m.json"] == hashlib.sha256(b"joined").hexdigest()


def test_existing_run_is_never_merged_over(shards: Shards) -> None:
    """A name that is taken, and one that cannot be a name, is refused before anything is read."""
    for name in ("shard-1", ".hidden"):
        with pytest.raises(UsageError, match=r"exists in|cannot be called"):
            merge_runs(shards.all() if name == "shard-1" else [], into=shards.runs / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a named pipe to stop the merge at a known place")
def test_killed_merge_leaves_no_half_run(shards: Shards) -> None:
    """`kill -9` in the middle leaves nothing under the run's name, and the same merge can be done again."""
    paths = shards.all()
    piped = paths[2] / "records.jsonl"
    records = piped.read_bytes()
    piped.unlink()
    os.mkfifo(piped)
    code = "import sys; from pathlib import Path; from tunegate.runs import merge_runs; \
merge_runs([Path(path) for path in sys.argv[2:]], into=Path(sys.argv[1]))"
    into = shards.runs / "whole"
    command = [sys.executable, "-c", code, str(into), *map(str, paths)]
    merging = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT / "tools")})
    writing = None
    while writing is None:
        assert merging.poll() is None, "it ended before it came to the second shard"
        time.sleep(0.005)
        with suppress(OSError):  # until the merge reads the second shard, having written the first
            writing = os.open(piped, os.O_WRONLY | os.O_NONBLOCK)
    merging.kill()
    merging.wait()
    os.close(writing)
    piped.unlink()
    piped.write_bytes(records)
    assert not into.exists()
    assert [path.name for path in shards.runs.iterdir() if path.name.startswith(".")] == [".whole.merging"]
    assert merge_runs(paths, into=into).records == 6
    assert not [path for path in shards.runs.iterdir() if path.name.startswith(".")]


def dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid
