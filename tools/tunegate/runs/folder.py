"""The folder of one run. One process writes it, line by line, so that a killed run keeps what it had."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from tunegate.errors import RunError, UsageError
from tunegate.records import FORMAT, Record

RECORDS = "records.jsonl"
HEADER = "run.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def new_run_name() -> str:
    """Return a name that sorts by time and that no other process takes: `20261122-163843-4711`."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}"


def check_run_name(runs: Path, name: str) -> None:
    """Look whether a run can be called `name`.

    Raises:
        UsageError: the name is no plain file name, or a run of that name exists.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"a run cannot be called {name!r}: letters, digits, '.', '_' and '-' are wanted, a letter or "
            "digit first, 100 at most"
        )
    if (runs / name).exists():
        raise UsageError(
            f"a run called '{name}' exists in {runs / name}\n  choose another --run NAME, or remove that folder first"
        )


class RunFolder:
    """Writes one run. Make it with `create`, `append` each record, and `finish` it once."""

    def __init__(self, path: Path, header: Mapping[str, Any], records: IO[str]) -> None:
        self.path = path
        self.states: Counter[str] = Counter()
        self.sources: Counter[str] = Counter()
        self._header = dict(header)
        self._records = records

    @classmethod
    def create(cls, runs: Path, name: str, *, header: Mapping[str, Any]) -> RunFolder:
        """Make the folder `runs/name` with a `run.json` that says `running`.

        Raises:
            UsageError: the name is no plain file name, or a run of that name exists.
        """
        check_run_name(runs, name)
        path = runs / name
        try:
            path.mkdir(parents=True)
        except OSError as problem:
            raise RunError(f"no run can be written to {path}: {problem.strerror}") from problem
        started = {
            "format": FORMAT,
            "run": name,
            "status": "running",
            "started_at": _now(),
            "pid": os.getpid(),
            **header,
        }
        _write_json(path / HEADER, started)
        # Line by line: what was measured before a crash is on disk, and costs a system call a record.
        return cls(path, started, (path / RECORDS).open("a", encoding="ascii", buffering=1))

    def append(self, record: Record, *, line: str | None = None) -> None:
        """Write `record` as the next line; `line` is its JSON, where the caller has it already."""
        self._records.write((line or record.to_json()) + "\n")
        self.states[record.state] += 1
        if record.source:
            self.sources[record.source] += 1

    def close(self) -> None:
        """Stop writing; a run that was not finished stays on disk as it is."""
        self._records.close()

    def finish(self, *, planned: int, not_needed: int = 0, facts: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Close the records and say in `run.json` how the run ended.

        It is `finished` when everything planned has a record, but for what was `not_needed`; otherwise, whatever
        stopped it, it was `interrupted` and `not_run` counts what is missing.
        """
        self.close()
        not_run = max(0, planned - not_needed - sum(self.states.values()))
        self._header.pop("pid", None)
        self._header |= {
            "status": "interrupted" if not_run else "finished",
            "finished_at": _now(),
            "planned": planned,
            "states": dict(sorted(self.states.items())),
            "not_run": not_run,
            "not_needed": not_needed,
            "live_calls": self.sources["live"],
            "replayed": self.sources["cassette"],
            **facts,
        }
        _write_json(self.path / HEADER, self._header)

    def amend(self, facts: Mapping[str, Any]) -> None:
        """Say in `run.json` what became known after the run was finished."""
        self._header |= facts
        _write_json(self.path / HEADER, self._header)


def read_run(path: Path) -> dict[str, Any]:
    """Return `run.json` of the run folder `path`.

    A run whose process died still says `running`: it is reported as `interrupted`.

    Raises:
        RunError: there is no run in `path`, or it was written by a newer tunegate.
    """
    try:
        header = json.loads((path / HEADER).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(
            f"no run in {path}: it holds no {HEADER}\n  a run is named by its folder, or by its name in reports/runs"
        ) from None
    except ValueError as problem:
        raise RunError(f"{path / HEADER} is not JSON: {problem}") from problem
    if header.get("format", FORMAT + 1) > FORMAT:
        raise RunError(f"{path} has format {header.get('format')}, this tunegate reads {FORMAT}: update it")
    if header["status"] == "running" and not _is_alive(header.get("pid")):
        header["status"] = "interrupted"
    return dict(header)


def read_records(path: Path) -> Iterator[Record]:
    """Yield the records of the run folder (or records file) `path`, one at a time.

    The last line may be torn where a writer was killed; it is passed over.

    Raises:
        RunError: no such file, or a line that is not a record, named by its number.
    """
    return (record for _, record in read_lines(path))


def read_lines(path: Path) -> Iterator[tuple[bytes, Record]]:
    """Yield each record of `path`, as `read_records` does, behind the line that holds it, without its end.

    Raises:
        RunError: no such file, or a line that is not a record, named by its number.
    """
    file = records_file(path)
    for number, line in read_whole_lines(path):
        try:
            yield line.rstrip(b"\r\n"), Record.from_json(line)
        except RunError as problem:
            raise RunError(f"{file}, line {number}: {problem}") from problem


def records_file(path: Path) -> Path:
    """Return the records of the run folder `path`, or the file itself."""
    return path / RECORDS if path.is_dir() else path


def read_whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield each line of the records of `path` with its number, from 1; a last one that was torn is passed over.

    Raises:
        RunError: no such file.
    """
    file = records_file(path)
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    return  # its writer was killed
                yield number, line
    except FileNotFoundError:
        raise RunError(f"no records in {path}: {file.name} is missing") from None


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Replace `path` at once: a reader sees the old text or the new, never half of one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    # An argument that is no UTF-8 reaches us as lone surrogates: their escapes are valid JSON.
    text = json.dumps(value, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace")
    temporary.write_bytes(text + b"\n")
    os.replace(temporary, path)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _is_alive(pid: object) -> bool:
    if not isinstance(pid, int):
        return False
    if os.name == "nt":
        return True  # there, asking after a process would send it Ctrl-C
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
