"""A TOML file that people write: read whole, with a place to say what is wrong in it, and a digest of what it says."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from functools import cached_property
from pathlib import Path
from typing import Any

from tunegate.cases.fields import Spot
from tunegate.cases.names import show_path
from tunegate.errors import TunegateError
from tunegate.exchanges import canonical_json


@dataclass(frozen=True)
class TomlFile:
    """What a file holds, not yet checked."""

    table: Mapping[str, Any]
    spot: Spot
    """The file as a place."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of what the file says: comments and order of keys do not count."""
        return hashlib.sha256(canonical_json(_plain(self.table)).encode("ascii")).hexdigest()


def read_toml(path: Path, *, error: type[TunegateError]) -> TomlFile:
    """Read a TOML file; whatever is wrong in it is told as an `error`.

    Raises:
        OSError: it is not there or cannot be read; what that means is the caller's to say.
        TunegateError: as `error`: it is no TOML in UTF-8.
    """
    # Imported late: a command that reads no TOML does not wait for the parser.
    import tomllib

    spot = Spot(show_path(path), error)
    try:
        return TomlFile(tomllib.loads(path.read_bytes().decode("utf-8-sig")), spot)
    except UnicodeDecodeError as problem:
        raise error(f"{spot}: wanted UTF-8, found {problem}") from problem
    except (ValueError, RecursionError) as problem:
        # TOMLDecodeError is a ValueError; a number of thousands of digits is another.
        raise error(f"{spot}: wanted TOML, found a mistake: {problem}") from problem


def _plain(value: object) -> object:
    """Return a value as JSON can write it, which knows no dates and times."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, date | time) else value
