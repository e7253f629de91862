"""What a cassette file holds, whoever wrote it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunegate.cassettes.address import READ_ONLY_SUFFIXES, shown_path
from tunegate.cassettes.durability import explained
from tunegate.cassettes.entry import Entry, Key, fingerprint_of_text
from tunegate.cassettes.extent import Stamp, StoredFile, stamp_of_open
from tunegate.cassettes.index import latest
from tunegate.cassettes.stock import parse_yaml
from tunegate.cassettes.vcr_format import index_cassette
from tunegate.errors import CassetteError

_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7}|\|{7})(?: .*)?$", re.MULTILINE)


@dataclass(frozen=True)
class Content:
    """The interactions of one version of a file, the newest of each key."""

    stamp: Stamp
    entries: Mapping[Key, Entry]
    """An index where tunegate wrote the file; where stock vcrpy did, they are in memory whole."""
    shadowed: Sequence[Entry]
    """Interactions that a newer one of the same key stands before."""


def read_cassette(path: Path) -> Content | None:
    """Read the cassette at `path`; None where there is none.

    Raises:
        CassetteError: it is not a cassette; the message says where it stops being one and what to do.
    """
    is_yaml = path.suffix in READ_ONLY_SUFFIXES
    with explained(path, doing="read"):
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return None
        with file:
            # Of the open file: the name may be given to a newer version at any moment.
            stamp = stamp_of_open(file.fileno())
            index = None if is_yaml else index_cassette(file, stored=StoredFile(path, stamp=stamp))
            if index is not None:
                return Content(stamp, index, index.shadowed)
            file.seek(0)
            raw = file.read()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as problem:
        line = raw[: problem.start].count(b"\n") + 1
        raise CassetteError(f"{shown_path(path)} is not UTF-8 at line {line}: {_restore(path)}") from problem
    if not text.strip():
        # As vcrpy has it: an empty file is no recording.
        return Content(stamp, {}, ())
    every = _stock_entries(text, path=path, is_yaml=is_yaml)
    newest = latest(every)
    return Content(stamp, newest, [entry for entry in every if newest[entry.key] is not entry])


def _stock_entries(text: str, *, path: Path, is_yaml: bool) -> list[Entry]:
    conflict = _CONFLICT.search(text)
    if conflict and conflict[0].startswith("<"):
        line = text.count("\n", 0, conflict.start()) + 1
        raise CassetteError(
            f"{shown_path(path)} holds an unresolved merge conflict at line {line}: "
            "keep the interactions of both sides, remove the marker lines, "
            "mind the comma between two interactions"
        )
    try:
        plain = parse_yaml(text) if is_yaml else json.loads(text)
    except json.JSONDecodeError as problem:
        raise CassetteError(
            f"{shown_path(path)} is not JSON at line {problem.lineno}, column {problem.colno} "
            f"({problem.msg}): {_restore(path)}"
        ) from problem
    except ValueError as problem:
        raise CassetteError(f"{shown_path(path)} is not YAML ({problem}): {_restore(path)}") from problem
    if not isinstance(plain, dict) or not isinstance(plain.get("interactions"), list):
        raise CassetteError(
            f"{shown_path(path)} is not a cassette: wanted an object with a list of interactions; {_restore(path)}"
        )
    if plain.get("version", 1) != 1:
        raise CassetteError(
            f"{shown_path(path)} is a cassette of version {plain['version']!r}; "
            "only version 1 is known: update tunegate"
        )
    seen: Counter[str] = Counter()
    entries: list[Entry] = []
    for number, interaction in enumerate(plain["interactions"], 1):
        try:
            entries.append(_stock_entry(interaction, seen=seen))
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise CassetteError(
                f"interaction {number} of {shown_path(path)} is malformed ({problem!r}): {_restore(path)}"
            ) from problem
    return entries


def _stock_entry(interaction: Mapping[str, Any], *, seen: Counter[str]) -> Entry:
    request, response = interaction["request"], interaction["response"]
    notes = response.get("tunegate") or {}
    body = request.get("body")
    fingerprint = notes.get("request") or fingerprint_of_text(request["method"], request["uri"], body)
    # Without notes, the order of occurrence is the repeat: so does vcrpy play them.
    repeat = int(notes["repeat"]) if "repeat" in notes else seen[fingerprint] + 1
    seen[fingerprint] = max(seen[fingerprint], repeat)
    case, recorded_at = str(notes.get("case", "")), str(notes.get("recorded_at") or "")
    size = len(body) if isinstance(body, str | bytes) else 0
    return Entry(Key(fingerprint, repeat), case, recorded_at, size, interaction)


def _restore(path: Path) -> str:
    return f"restore it (git checkout -- {shown_path(path)}) or remove it and record again"
