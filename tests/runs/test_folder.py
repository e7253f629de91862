"""A run's folder tells the truth about the run, however it ended."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tunegate.errors import RunError, UsageError
from tunegate.records import Cell, Record
from tunegate.runs import RunFolder, code_state, read_records, read_run


@contextmanager
def started(runs: Path, **header: Any) -> Iterator[RunFolder]:
    folder = RunFolder.create(runs, "a", header=header)
    try:
        yield folder
    finally:
        folder.close()


def record(case: str, state: str = "answered") -> Record:
    return Record(Cell("format", case, "s", "m"), state, source="cassette")  # type: ignore[arg-type]


def test_run_counts_what_it_holds(tmp_path: Path) -> None:
    """States, sources and what was not run add up to what was planned."""
    folder = RunFolder.create(tmp_path, "a", header={"commit": "c0ffee"})
    folder.append(record("x-01"))
    folder.append(record("x-02", "truncated"))
    folder.finish(planned=3)
    header = read_run(tmp_path / "a")
    assert header["status"] == "interrupted"
    assert header["states"] == {"answered": 1, "truncated": 1}
    assert (header["planned"], header["not_run"], header["replayed"], header["live_calls"]) == (3, 1, 2, 0)
    assert header["commit"] == "c0ffee"
    assert [entry.cell.case for entry in read_records(tmp_path / "a")] == ["x-01", "x-02"]


def test_run_is_finished_when_everything_has_a_record(tmp_path: Path) -> None:
    """Only a run that did all it planned calls itself finished."""
    with started(tmp_path) as folder:
        folder.append(record("x-01"))
        folder.finish(planned=1)
    assert read_run(tmp_path / "a")["status"] == "finished"


@pytest.mark.parametrize(("planned", "status", "not_run"), [(3, "finished", 0), (5, "interrupted", 2)])
def test_what_was_not_needed_is_not_missing(tmp_path: Path, planned: int, status: str, not_run: int) -> None:
    """A run is finished with a record of everything but what was not needed; only the rest counts as not run."""
    with started(tmp_path) as folder:
        folder.append(record("x-01"))
        folder.finish(planned=planned, not_needed=2)
    header = read_run(tmp_path / "a")
    assert [header[name] for name in ("status", "not_needed", "not_run")] == [status, 2, not_run]


def test_records_are_readable_while_the_run_goes_on(tmp_path: Path) -> None:
    """Each record is in the file as soon as it was appended."""
    with started(tmp_path) as folder:
        folder.append(record("x-01"))
        assert [entry.cell.case for entry in read_records(tmp_path / "a")] == ["x-01"]
        assert read_run(tmp_path / "a")["status"] == "running"


def test_run_whose_process_died_is_interrupted(tmp_path: Path) -> None:
    """A `run.json` that still says `running` of a process that is gone is read as interrupted."""
    with started(tmp_path):
        pass
    header = json.loads((tmp_path / "a" / "run.json").read_text())
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    (tmp_path / "a" / "run.json").write_text(json.dumps({**header, "pid": child.pid}))
    assert read_run(tmp_path / "a")["status"] == "interrupted"


def test_torn_last_line_is_passed_over(tmp_path: Path) -> None:
    """A writer killed in the middle of a line loses that line only."""
    with started(tmp_path) as folder:
        folder.append(record("x-01"))
    with (tmp_path / "a" / "records.jsonl").open("a") as file:
        file.write('{"v":1,"eval"')
    assert len(list(read_records(tmp_path / "a"))) == 1


def test_broken_line_is_named(tmp_path: Path) -> None:
    """A complete line that is no record is an error that says where it stands."""
    (tmp_path / "records.jsonl").write_text("nonsense\n")
    with pytest.raises(RunError, match=r"records\.jsonl, line 1: not a record"):
        list(read_records(tmp_path))


def test_existing_run_is_never_written_over(tmp_path: Path) -> None:
    """A run's name can be taken once; the error says where that run is."""
    with (
        started(tmp_path),
        pytest.raises(UsageError, match=r"(?s)a run called 'a' exists in .*choose another --run"),
    ):
        RunFolder.create(tmp_path, "a", header={})


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "x" * 101, "a b"])
def test_names_are_plain(tmp_path: Path, name: str) -> None:
    """A run's name is a file name of harmless characters."""
    with pytest.raises(UsageError, match="cannot be called"):
        RunFolder.create(tmp_path, name, header={})


def test_argument_that_is_no_utf8_is_kept(tmp_path: Path) -> None:
    """A command line may hold bytes that are no text: run.json is valid JSON all the same."""
    with started(tmp_path, command=["\udcff"]):
        pass
    assert read_run(tmp_path / "a")["command"] == ["\udcff"]


def test_missing_run_is_said(tmp_path: Path) -> None:
    """A folder without run.json is no run, and a later format is not guessed at."""
    with pytest.raises(RunError, match=r"it holds no run\.json"):
        read_run(tmp_path)
    (tmp_path / "run.json").write_text('{"format": 99}')
    with pytest.raises(RunError, match="format 99"):
        read_run(tmp_path)


def test_code_state_without_checkout_is_unknown(tmp_path: Path) -> None:
    """Outside a checkout there is no commit, and that is said as None."""
    assert code_state(tmp_path).commit is None
