"""Brief records say what whole ones say, and refuse what is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given

from tunegate.errors import RunError
from tunegate.records import Cell, Record
from tunegate.runs import RunFolder, read_records
from tunegate.runs.brief_records import BriefRecord, read_brief_records

from ..test_records import RECORDS

ROOT = Path(__file__).resolve().parents[2]
RECORD = Record(Cell("format", "history-01", "history", "m"), "answered").to_json()


def write(folder: Path, text: str | bytes) -> Path:
    (folder / "records.jsonl").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


@given(record=RECORDS)
def test_brief_record_is_what_the_record_says(tmp_path_factory: pytest.TempPathFactory, record: Record) -> None:
    """Whatever a record holds, lone surrogates included, its line is read as what a gate needs of the record."""
    folder = write(tmp_path_factory.mktemp("run"), record.to_json() + "\n")
    assert list(read_brief_records(folder)) == [BriefRecord.of(record)]


@pytest.mark.parametrize(
    "run",
    [*sorted((ROOT / "reports" / "accepted").glob("*/records.jsonl")), None],
    ids=lambda path: path.parent.name if path else "written here",
)
def test_every_line_of_a_run_agrees(run: Path | None, tmp_path: Path) -> None:
    """Line by line, the brief records of a run are its whole records in brief."""
    if run is None:
        folder = RunFolder.create(tmp_path, "run", header={})
        for number in range(50):
            folder.append(Record(Cell("format", f"case-{number}", "history", "m", 1 + number % 3), "refused"))
        folder.finish(planned=50)
        run = folder.path / "records.jsonl"
    whole = [BriefRecord.of(record) for record in read_records(run)]
    assert list(read_brief_records(run.parent)) == whole


def test_torn_last_line_is_passed_over(tmp_path: Path) -> None:
    """Where a writer was killed in the middle of a line, the lines before it are read."""
    folder = write(tmp_path, f"{RECORD}\n{RECORD[:70]}")
    assert len(list(read_brief_records(folder))) == 1


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "not a record"),
        ("[]", "not a record"),
        ("", "not a record"),
        (RECORD.replace('"v":1', '"v":2'), "format 2 is newer than 1; update tunegate"),
        ('{"v":2,"replies":[]}', "format 2 is newer than 1; update tunegate"),
        (RECORD.replace("answered", "fine"), "unknown state 'fine'"),
        (RECORD.replace('"repeat":1', '"repeat":"one"'), "not a record: Expected `int`"),
        (RECORD.replace('"latency_s":null', '"latency_s":NaN'), "not a record: NaN is no number of JSON"),
        (b"\xff" + RECORD.encode(), "not a record"),
    ],
)
def test_mistake_is_told_with_its_line(line: str | bytes, why: str, tmp_path: Path) -> None:
    """A line that is no record of a known format is refused, by file, line and reason."""
    text = line if isinstance(line, bytes) else line.encode()
    write(tmp_path, RECORD.encode() + b"\n" + text + b"\n" + RECORD.encode() + b"\n")
    with pytest.raises(RunError) as told:
        list(read_brief_records(tmp_path))
    assert str(told.value).startswith(f"{tmp_path / 'records.jsonl'}, line 2: ")
    assert why in str(told.value)


def test_missing_file_is_told(tmp_path: Path) -> None:
    """A folder without records is refused with the name of what is missing."""
    with pytest.raises(RunError, match=r"no records in .*: records\.jsonl is missing"):
        list(read_brief_records(tmp_path))


def test_unknown_fields_do_not_matter(tmp_path: Path) -> None:
    """A record with a field that this program does not know is read without it."""
    plain = json.loads(RECORD) | {"later": {"a": 1}}
    assert [record.case for record in read_brief_records(write(tmp_path, json.dumps(plain) + "\n"))] == ["history-01"]
