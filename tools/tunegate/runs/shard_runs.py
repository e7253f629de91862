"""Runs of the shards of one plan: whether they belong together, and which are missing."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunegate.errors import RunError, UsageError
from tunegate.runs.folder import RECORDS, read_run

_ASKED = ("format", "options", "matrix", "questions", "digests")
"""What decides which questions are asked of whom, and how; and how the answers are written down."""
_OPTIONS_THAT_MAY_DIFFER = frozenset({"record", "via", "run", "shard", "max_connections", "max_cost_usd"})
"""Where replies come from stands on every record, and each machine has a pace and a purse of its own."""
_PACKAGES_THAT_JUDGE = ("tunegate", "jsonschema")
_SHOWN = 5
"""Differences, or missing shards, that a message lists before it says how many more there are."""


@dataclass(frozen=True)
class ShardRun:
    """The run of one shard, as its `run.json` describes it."""

    path: Path
    header: Mapping[str, Any]
    number: int
    of: int
    plan: str
    """Digest of the whole plan."""
    planned: int
    """Cells of the whole plan."""

    @property
    def name(self) -> str:
        """The run's name."""
        return str(self.header["run"])

    @property
    def shard(self) -> str:
        """Which shard it is: `3/8`."""
        return f"{self.number}/{self.of}"

    def command_for(self, number: int) -> str:
        """Return the command that runs shard `number` as this one was run, in a run folder of its own."""
        command = self.header.get("command") or ["pytest"]
        rest = shlex.join(_without_options(command[1:], ("--shard", "--run")))
        return f"{shlex.join(command[:1])} --shard {number}/{self.of} {rest}".rstrip()


@dataclass(frozen=True)
class ShardSet:
    """Shards of one plan, each once, in order."""

    runs: tuple[ShardRun, ...]
    missing: tuple[int, ...]
    """Numbers of the shards that hold cells and have no run here."""
    warnings: tuple[str, ...]


def gather_shards(
    paths: Sequence[Path], *, allow_missing: bool = False, allow_different_code: bool = False
) -> ShardSet:
    """Read the headers of the run folders `paths` and check that they are shards of one plan.

    Raises:
        RunError: a folder holds no run.
        UsageError: a run is no shard, they do not belong together, or a shard is missing, still running or there
            twice.
    """
    if not paths:
        raise UsageError("no run to merge: name the folders of a run's shards")
    found, copies = _drop_copies(sorted(map(_read_shard, paths), key=lambda shard: shard.number))
    first = found[0]
    for other in found[1:]:
        _refuse_another_plan(first, other)
        if not allow_different_code:
            _refuse_other_code(first, other)
    missing = _missing(found)
    if not allow_missing:
        _refuse_running(found)
        _refuse_missing(missing, first)
    return ShardSet(tuple(found), missing, (*copies, *_warnings(found)))


def digest_of_records(path: Path) -> str:
    """Return the SHA-256 (hex) of the records of the run folder `path`.

    Raises:
        RunError: they cannot be read.
    """
    try:
        with (path / RECORDS).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as problem:
        raise RunError(f"no records in {path}: {RECORDS}: {problem.strerror}") from problem


def _read_shard(path: Path) -> ShardRun:
    header = read_run(path)
    match header.get("shard"):
        case {"number": int(number), "of": int(of), "plan": str(plan), "planned": int(planned)} if 1 <= number <= of:
            return ShardRun(path, header, number, of, plan, planned)
        case None:
            raise UsageError(
                f"{path} is a whole run and no shard of one\n  merge takes runs that were made with --shard NUMBER/OF"
            )
        case other:
            raise RunError(f"{path}: a shard's number, of, plan and planned are wanted in run.json, not {other!r}")


def _drop_copies(found: Sequence[ShardRun]) -> tuple[list[ShardRun], list[str]]:
    """Return each shard once, and what is worth saying of the copies.

    Raises:
        UsageError: two runs of one shard hold different records.
    """
    kept: dict[tuple[int, int], ShardRun] = {}
    warnings: list[str] = []
    for run in found:
        twin = kept.setdefault((run.number, run.of), run)
        if twin is run:
            continue
        if digest_of_records(twin.path) != digest_of_records(run.path):
            raise UsageError(
                f"shard {run.shard} was run twice:\n"
                f"  {twin.path} ({twin.header['status']}) and\n  {run.path} ({run.header['status']})\n"
                "  name the one that counts, and leave the other out"
            )
        warnings.append(f"{run.path} is a copy of {twin.path}: it counts once")
    return list(kept.values()), warnings


def _refuse_another_plan(first: ShardRun, other: ShardRun) -> None:
    if other.of != first.of:
        raise UsageError(
            f"{first.path} is shard {first.shard} and {other.path} is shard {other.shard}\n  name the shards of one run"
        )
    differences = [
        difference
        for key in _ASKED
        for difference in _differences(_comparable(first, key), _comparable(other, key), place=key)
    ]
    if not differences and (first.plan, first.planned) != (other.plan, other.planned):
        differences = [
            f"the plan: {first.planned} cells ({first.plan[:12]}) and {other.planned} cells ({other.plan[:12]})"
        ]
    if differences:
        more = [f"  and {len(differences) - _SHOWN} more"] if len(differences) > _SHOWN else []
        lines = [
            f"{first.path} (shard {first.shard}) and {other.path} (shard {other.shard}) are of different runs:",
            *(f"  {difference}" for difference in differences[:_SHOWN]),
            *more,
            f"  to run {other.shard} as {first.shard} was run: {first.command_for(other.number)}",
        ]
        raise UsageError("\n".join(lines))


def _refuse_other_code(first: ShardRun, other: ShardRun) -> None:
    differences = _differences(_code(first), _code(other), place="")
    if differences:
        raise UsageError(
            f"{first.path} and {other.path} were run by different code:\n"
            + "".join(f"  {difference}\n" for difference in differences)
            + "  run one of them again, or merge them all the same: --allow-different-code"
        )


def _refuse_running(found: Sequence[ShardRun]) -> None:
    for run in found:
        if run.header["status"] == "running":
            raise UsageError(
                f"{run.path} (shard {run.shard}) is still being written by process {run.header.get('pid')}\n"
                "  wait for its end, or merge what it holds by now: --allow-missing"
            )


def _refuse_missing(missing: Sequence[int], first: ShardRun) -> None:
    if missing:
        more = [f"    and {len(missing) - _SHOWN} more"] if len(missing) > _SHOWN else []
        lines = [
            f"{len(missing)} of {first.of} shards missing: {', '.join(map(str, missing))}",
            "  to run them:",
            *(f"    {first.command_for(number)}" for number in missing[:_SHOWN]),
            *more,
            "  to merge without them, as an interrupted run: --allow-missing",
        ]
        raise UsageError("\n".join(lines))


def _missing(found: Sequence[ShardRun]) -> tuple[int, ...]:
    """Return the numbers of shards without a run; a shard that no case fell to leaves no run and is not missed."""
    # A run that was killed does not say how many cells it had.
    if (
        all("planned" in run.header for run in found)
        and sum(run.header["planned"] for run in found) >= found[0].planned
    ):
        return ()
    return tuple(sorted(set(range(1, found[0].of + 1)) - {run.number for run in found}))


def _warnings(found: Sequence[ShardRun]) -> Iterator[str]:
    for run in found:
        where = f"shard {run.shard} ({run.name})"
        if run.header["status"] != "finished":
            yield f"{where} is {run.header['status']}, cells not run: {run.header.get('not_run', 'unknown')}"
        if run.header.get("dirty"):
            yield f"{where} was run with changes that are in no commit"
    first = found[0]
    told: set[str] = set()
    for other in found[1:]:
        told.update(_differences(_code(first), _code(other), place=""))
        told.update(_differences(first.header.get("versions"), other.header.get("versions"), place="versions"))
    for difference in sorted(told):
        yield f"shards were run with different {difference}"


def _code(run: ShardRun) -> dict[str, object]:
    versions = run.header.get("versions") or {}
    return {
        "commit": run.header.get("commit"),
        "versions": {package: versions.get(package) for package in _PACKAGES_THAT_JUDGE},
    }


def _comparable(run: ShardRun, key: str) -> object:
    """Return what a header says under `key`, without what may differ, models by their names."""
    value = run.header.get(key)
    if key == "options" and isinstance(value, Mapping):
        return {name: option for name, option in value.items() if name not in _OPTIONS_THAT_MAY_DIFFER}
    if key == "matrix" and isinstance(value, list):
        return {model["name"]: {**model, "place": place} for place, model in enumerate(value)}
    return value


def _differences(one: object, other: object, *, place: str) -> list[str]:
    """Say where two values of JSON differ: `options.temperature: 0.0 and 0.7`."""
    if one == other:
        return []
    if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
        return [f"{place}: {_cut(one)} and {_cut(other)}"]
    return [
        difference
        for key in sorted({*one, *other})
        for difference in _differences(one.get(key), other.get(key), place=f"{place}.{key}".lstrip("."))
    ]


def _cut(value: object) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _without_options(words: Sequence[str], options: tuple[str, ...]) -> Iterator[str]:
    """Yield the words of a command line without these options and their values."""
    rest = iter(words)
    for word in rest:
        if word in options:
            next(rest, None)
        elif word.partition("=")[0] not in options:
            yield word
