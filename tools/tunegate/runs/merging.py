"""Joins the runs of all shards of a plan to one run, which reads like one that was never sharded."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunegate.errors import RunError
from tunegate.records import Cell
from tunegate.runs.folder import RunFolder, check_run_name, read_lines
from tunegate.runs.provenance import Prompts
from tunegate.runs.shard_runs import ShardRun, ShardSet, digest_of_records, gather_shards

_HEADER_OF_ALL = ("matrix", "digests", "questions")
"""What `gather_shards` found equal in every shard."""
_SUMMED = ("cost_usd", "attempts", "rejected")
_NO_ITEMS = 5
"""pytest's status where nothing was collected: that no case fell to a shard is no failure."""


@dataclass(frozen=True)
class Merged:
    """The run that came of a merge."""

    path: Path
    shards: tuple[ShardRun, ...]
    missing: tuple[int, ...]
    """Numbers of the shards that it is without."""
    planned: int
    states: Mapping[str, int]
    """Records by state."""
    warnings: tuple[str, ...]

    @property
    def records(self) -> int:
        """How many records it holds."""
        return sum(self.states.values())

    @property
    def not_run(self) -> int:
        """How many planned cells have no record."""
        return self.planned - self.records


def merge_runs(
    paths: Sequence[Path],
    *,
    into: Path,
    allow_missing: bool = False,
    allow_different_code: bool = False,
    root: Path | None = None,
) -> Merged:
    """Write the new run folder `into` from the run folders of a plan's shards; it appears whole or not at all.

    Records stand in the order of the shards, each as its shard wrote it. `root` is the project in which the shards'
    recordings were joined: a cassette that shards name with different digests has the one that its file has there,
    and without `root` none.

    Raises:
        UsageError: the runs do not fit together, or `into` exists.
        RunError: a run cannot be read or written, or a cell stands twice.
    """
    check_run_name(into.parent, into.name)
    shards = gather_shards(paths, allow_missing=allow_missing, allow_different_code=allow_different_code)
    # What a killed merge left under this name is of no use to anybody.
    draft = into.with_name(f".{into.name}.merging")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        folder = RunFolder.create(draft, into.name, header=_header(shards))
        _fill(folder, shards, root=root)
        os.rename(folder.path, into)
    except OSError as problem:
        raise RunError(f"no run can be written to {into}: {problem.strerror}") from problem
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Merged(
        path=into,
        shards=shards.runs,
        missing=shards.missing,
        planned=shards.runs[0].planned,
        states=dict(sorted(folder.states.items())),
        warnings=shards.warnings,
    )


def _header(shards: ShardSet) -> dict[str, Any]:
    headers = [run.header for run in shards.runs]
    options = [header.get("options") or {} for header in headers]
    versions = [header.get("versions") or {} for header in headers]
    dirty = {header.get("dirty") for header in headers}
    return {
        "started_at": min(header["started_at"] for header in headers),
        "command": ["tunegate", "merge", *(run.name for run in shards.runs)],
        "commit": _common(header.get("commit") for header in headers),
        "dirty": True if True in dirty else None if None in dirty else False,
        "versions": {
            package: " | ".join(sorted({str(found[package]) for found in versions if package in found}))
            for package in sorted(set().union(*versions))
        },
        "options": {
            name: _common(found.get(name) for found in options)
            for name in dict.fromkeys(name for found in options for name in found)
            if name != "shard"
        },
        **{key: headers[0].get(key) for key in _HEADER_OF_ALL},
        "shard": None,
    }


def _fill(folder: RunFolder, shards: ShardSet, *, root: Path | None) -> None:
    planned = shards.runs[0].planned
    prompts = Prompts()
    try:
        _copy_records(folder, shards.runs, prompts=prompts)
    finally:
        folder.close()
    records = sum(folder.states.values())
    if records > planned:
        raise RunError(
            f"the shards hold {records} records of a plan of {planned} cells: their run.json cannot be right"
        )
    headers = [run.header for run in shards.runs]
    problems = list(_problems(shards))
    exit_status = max(_exit_status(header) for header in headers)
    ended = [header["finished_at"] for header in headers if "finished_at" in header]
    folder.finish(
        planned=planned,
        facts={
            **({"finished_at": max(ended)} if ended else {}),
            "unused_recordings": None,
            "problems": problems,
            "prompts": prompts.digest(),
            "cassettes": _cassettes(headers, root=root),
            "deselected": max(header.get("deselected", 0) for header in headers),
            **{key: _sum(header.get(key) for header in headers) for key in _SUMMED},
            # As of a run in one piece: not to be what was planned is not to be a success.
            "exit_status": exit_status or int(bool(problems) or records < planned),
            "merged_from": [_origin(run) for run in shards.runs],
        },
    )


def _copy_records(folder: RunFolder, runs: Sequence[ShardRun], *, prompts: Prompts) -> None:
    seen: set[int] = set()
    for run in runs:
        for line, record in read_lines(run.path):
            # A million cells would take a gigabyte; two that share a number are compared themselves.
            number = hash(record.cell)
            if number in seen:
                _refuse_twin(record.cell, folder=folder, run=run)
            seen.add(number)
            folder.append(record, line=line.decode("ascii") if line.isascii() else None)
            prompts.add(record.messages)


def _refuse_twin(cell: Cell, *, folder: RunFolder, run: ShardRun) -> None:
    if any(earlier.cell == cell for _, earlier in read_lines(folder.path)):
        repeat = f", repeat {cell.repeat}" if cell.repeat > 1 else ""
        raise RunError(
            f"{cell.eval}[{cell.case}] of '{cell.model}'{repeat} stands twice, the second time in {run.path} "
            f"(shard {run.shard})\n  a shard's records are written by its run alone: run that shard again"
        )


def _problems(shards: ShardSet) -> Iterator[str]:
    for run in shards.runs:
        if "exit_status" not in run.header:
            yield f"shard {run.shard}: it had not finished when it was merged"
        for problem in run.header.get("problems") or ():
            yield f"shard {run.shard}: {problem}"
    for number in shards.missing:
        yield f"shard {number}/{shards.runs[0].of}: not run"


def _cassettes(headers: Sequence[Mapping[str, Any]], *, root: Path | None) -> dict[str, str | None]:
    """Return the digest of every cassette used; None where shards used different states of it, or one cannot say."""
    is_known = all("cassettes" in header for header in headers)
    found: dict[str, set[str]] = {}
    for header in headers:
        for place, digest in (header.get("cassettes") or {}).items():
            found.setdefault(place, set()).add(digest)
    digests: dict[str, str | None] = {}
    for place, named in sorted(found.items()):
        joined = root / place if root is not None else None
        if is_known and len(named) == 1:
            digests[place] = next(iter(named))
        else:
            digests[place] = _digest_of(joined) if joined is not None and joined.is_file() else None
    return digests


def _origin(run: ShardRun) -> dict[str, Any]:
    return {
        "run": run.name,
        "shard": run.shard,
        "status": run.header["status"],
        "command": run.header.get("command"),
        "commit": run.header.get("commit"),
        "dirty": run.header.get("dirty"),
        "records": digest_of_records(run.path),
    }


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _exit_status(header: Mapping[str, Any]) -> int:
    status = int(header.get("exit_status") or 0)
    return 0 if status == _NO_ITEMS else status


def _sum(values: Iterator[float | None]) -> float | None:
    """Return the sum of what shards counted; None where one does not know."""
    total: float = 0
    for value in values:
        if value is None:
            return None
        total += value
    return total


def _common(values: Iterator[Any]) -> Any:
    """Return the value that all have, and None where they differ."""
    first, *others = values
    return first if all(other == first for other in others) else None
