"""Finding a name among those that exist: globs, exact names first, and the nearest ones for a miss."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

SHOWN = 12
"""A miss lists this many names: more are counted, not printed."""
WIDTH = 60
"""What was found instead is shown up to this length."""


def is_glob(pattern: str) -> bool:
    """Say whether `pattern` may match more than itself."""
    return any(sign in pattern for sign in "*?[")


def match_names(pattern: str, names: Sequence[str]) -> list[str]:
    """Return the names that `pattern` means, in their order: the exact one if there is one, else by glob."""
    if pattern in names:
        return [pattern]
    return [name for name in names if fnmatchcase(name, pattern)]


def nearest_names(wanted: str, names: Iterable[str]) -> list[str]:
    """Return the few names most like `wanted`, the likest first."""
    # Imported late: only a miss needs it, and every start would pay for it.
    from difflib import get_close_matches

    bare = re.sub(r"[*?\[\]]", "", wanted).lower()
    by_folded = {name.lower(): name for name in names}
    return [by_folded[folded] for folded in get_close_matches(bare, by_folded, n=3, cutoff=0.5)]


def list_names(wanted: str, names: Sequence[str]) -> str:
    """Return what exists as a miss shows it: the nearest names first, long lists cut and counted."""
    if not names:
        return "none"
    near = nearest_names(wanted, names)
    ordered = [*near, *(name for name in names if name not in near)]
    shown = ", ".join(ordered[:SHOWN])
    return shown if len(ordered) <= SHOWN else f"{shown} and {len(ordered) - SHOWN} more"


def shorten(value: object) -> str:
    """Return `value` quoted for an error message, cut to a length that fits on a line."""
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 3]}..."


def show_path(path: Path) -> str:
    """Return `path` as a person in the current folder would type it."""
    try:
        return path.absolute().relative_to(Path.cwd()).as_posix() or "."
    except ValueError:
        return path.as_posix()
