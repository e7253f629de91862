"""A run again, from its recordings: how pytest is called for it, and whether the same records come out."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from tunegate.errors import RunError
from tunegate.gate.keeping.certificate import replayed_case_files, used_cassettes
from tunegate.gate.keeping.differences import Difference, first_difference
from tunegate.records import SCORED, Record
from tunegate.runs import read_records, read_run
from tunegate.runs.folder import RECORDS

RUN = "replay"
_QUESTIONS = "questions"
_LOOKED_AT_FIRST = ("messages", "request", "state", "reply")
"""Fields that say why others differ: a changed prompt changes the request, and what is not recorded has no reply."""
_CALLED_WRONGLY = frozenset({3, 4})
"""pytest's statuses for a mistake of its own and for a wrong command line."""


@dataclass(frozen=True)
class Ended:
    """How a call of pytest ended."""

    status: int
    output: str


Replay = Callable[[Sequence[str]], Ended]
"""Calls pytest with these arguments in the root of the project, and waits."""


@dataclass(frozen=True)
class Rerun:
    """A run that is to be done again."""

    folder: Path
    header: Mapping[str, Any]
    models: tuple[str, ...]
    """The rows that are asked again."""
    root: Path
    fixtures: Path
    scratch: Path
    """An empty folder for what the replay needs and writes."""
    questions: str | None = None
    """Where the bank lies now, if it is not where it was."""


@dataclass(frozen=True)
class Compared:
    """What came of a replay."""

    records: int
    """That are the same."""
    unscored: int
    """That were not looked at: an error or a loss cannot be replayed."""
    difference: Difference | None = None


def replay_run(rerun: Rerun, *, replay: Replay) -> Compared:
    """Do a run again and compare every record of its models, in all fields but the source.

    Raises:
        RunError: it cannot be done again here.
    """
    _lay_out(rerun)
    ended = replay(arguments_of(rerun))
    made = rerun.scratch / "runs" / RUN
    if not (made / RECORDS).exists():
        told = "\n".join(f"  {line}" for line in ended.output.strip().splitlines()[-12:])
        if ended.status in _CALLED_WRONGLY or ended.status < 0:
            raise RunError(f"{rerun.folder} could not be replayed, pytest ended with {ended.status}:\n{told}")
        return Compared(0, 0, Difference("replay", "records", f"none: pytest ended with {ended.status}", note=told))
    wanted, found = (header.get("questions") or {} for header in (rerun.header, read_run(made)))
    if wanted.get("digest") != found.get("digest"):
        place = f"questions from {rerun.questions or wanted.get('origin')}"
        return Compared(0, 0, Difference(place, f"digest {wanted.get('digest')}", f"digest {found.get('digest')}"))
    return compare_records(rerun.folder, made, models=rerun.models)


def arguments_of(rerun: Rerun) -> list[str]:
    """Return the arguments with which pytest asks a run's models the same again, offline.

    Raises:
        RunError: run.json does not say how the run asked, or its questions are not here.
    """
    options: Mapping[str, Any] = rerun.header.get("options") or {}
    words = [
        *_evals(rerun),
        *("-q", "-p", "no:cacheprovider", "--record=none", f"--run={RUN}"),
        # An eval that this run did not ask may have no recordings of its models.
        "--continue-on-collection-errors",
        *("-o", f"tunegate_fixtures={(rerun.scratch / 'fixtures').absolute()}"),
        *("-o", f"tunegate_runs={(rerun.scratch / 'runs').absolute()}"),
    ]
    for name in ("repeat", "temperature", "shots", "seed"):
        if options.get(name) is None:
            raise RunError(
                f"{rerun.folder} cannot be replayed: its run.json does not say with which --{name} it was made"
            )
        words.append(f"--{name}={options[name]}")
    words += [f"--{name.replace('_', '-')}={options[name]}" for name in ("limit", "max_tokens") if options.get(name)]
    if options.get("stream") is False:
        words.append("--no-stream")
    words += [f"--subject={glob}" for glob in options.get("subjects") or ()]
    words += _bank(rerun)
    # By the recordings' own paths: the run may have had them elsewhere than the project has by default.
    folders = {str(PurePosixPath(place).parent.parent) for place in used_cassettes(rerun.header, rerun.models)}
    words += [word for folder in folders - {"."} for word in ("-o", f"tunegate_cassettes={folder}")]
    return [*words, *(f"--model={name}" for name in rerun.models)]


def compare_records(kept: Path, made: Path, *, models: Sequence[str]) -> Compared:
    """Hold every scored record of the run folder `kept` against the one of the same cell in `made`."""
    there = {_cell(record): _digest(record) for record in read_records(made)}
    same = unscored = 0
    for record in read_records(kept):
        if record.cell.model not in models:
            continue
        if record.state not in SCORED:
            unscored += 1
            continue
        if there.get(_cell(record)) != _digest(record):
            return Compared(same, unscored, _explain(record, made))
        same += 1
    return Compared(same, unscored)


def _lay_out(rerun: Rerun) -> None:
    """Put the certified case files and the run's own matrix where the replay looks for them."""
    fixtures = rerun.scratch / "fixtures"
    for place in replayed_case_files(rerun.header):
        (fixtures / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(rerun.fixtures / place, fixtures / place)
    fixtures.mkdir(exist_ok=True)
    (fixtures / "models.toml").write_text(_matrix(rerun), encoding="utf-8")


def _matrix(rerun: Rerun) -> str:
    """Return models.toml as run.json has it: rows that went or changed since do not matter."""
    import tomlkit

    rows = {row["name"]: row for row in rerun.header.get("matrix") or ()}
    missing = [name for name in rerun.models if name not in rows]
    if missing:
        raise RunError(f"{rerun.folder} cannot be replayed: the matrix in its run.json has no {', '.join(missing)}")
    endpoints: dict[str, Any] = {}
    models: dict[str, Any] = {}
    for number, name in enumerate(rerun.models):
        row = rows[name]
        # Two rows may differ in nothing but their key, which run.json does not tell: no key is needed here.
        endpoints[f"e{number}"] = {"base_url": row["base_url"], "key_env": f"TUNEGATE_REPLAY_{number}"}
        fields = {key: row.get(key) for key in ("model", "shots", "body", "omit")}
        set_fields = {key: value for key, value in fields.items() if value not in (None, {}, [])}
        models[name] = {"endpoint": f"e{number}", "role": "candidate", **set_fields}
    return tomlkit.dumps({"endpoints": endpoints, "models": models})


def _evals(rerun: Rerun) -> list[str]:
    """Return the eval files and folders that the run's command named, those that are here; none means the project's."""
    commands = [run.get("command") or () for run in rerun.header.get("merged_from") or ()]
    root = rerun.root.resolve()
    found: dict[str, None] = {}
    for word in (word for command in (*commands, rerun.header.get("command") or ()) for word in command[1:]):
        path = (root / str(word).partition("::")[0]).resolve()
        if word.startswith("-") or root not in path.parents:
            continue
        if path.is_dir() or (path.suffix == ".py" and path.is_file()):
            found[path.relative_to(root).as_posix()] = None
    return list(found)


def _bank(rerun: Rerun) -> list[str]:
    """Return the option for a bank that is not the project's own.

    Raises:
        RunError: it lies elsewhere, and not here.
    """
    if rerun.questions is not None:
        return [f"--questions={rerun.questions}"]
    origin = (rerun.header.get("questions") or {}).get("origin")
    if origin in (None, f"{rerun.fixtures.name}/{_QUESTIONS}"):
        return []
    if origin != "mmlu" and not (rerun.root / origin).exists():
        raise RunError(
            f"{rerun.folder} cannot be replayed: it asked questions from {origin}, which is not here\n"
            "  say where they are: --questions WHERE"
        )
    return [f"--questions={origin}"]


def _explain(record: Record, made: Path) -> Difference:
    """Say in which field a record differs from the one of the same cell in the run folder `made`."""
    cell = record.cell
    again = f", repeat {cell.repeat}" if cell.repeat > 1 else ""
    place = f"{cell.eval}[{cell.case}] of '{cell.model}'{again}"
    found = next((other for other in read_records(made) if _cell(other) == _cell(record)), None)
    if found is None:
        return Difference(place, "a record", "none: the eval does not ask it any more")
    difference = first_difference(_plain(record), _plain(found))
    if difference is None:
        raise RunError(f"{place} differs in nothing that can be shown: compare {made} by hand")
    note = found.error.splitlines()[0] if found.error and difference.place == "state" else ""
    if difference.place.startswith("messages"):
        note = f"the prompt of the eval '{cell.eval}' is another"
    return replace(difference, place=f"{place}: {difference.place}", note=note)


def _plain(record: Record) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(replace(record, source=None).to_json())
    return {**{name: plain[name] for name in _LOOKED_AT_FIRST}, **plain}


def _cell(record: Record) -> bytes:
    """Return a short name for a cell: a million of them are held at once."""
    cell = record.cell
    text = json.dumps([cell.eval, cell.case, cell.model, cell.repeat])
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _digest(record: Record) -> bytes:
    return hashlib.blake2b(replace(record, source=None).to_json().encode(), digest_size=16).digest()
