"""Where a cassette lies: one file per eval and model, its journals in a folder beside it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from urllib.parse import quote, unquote

JOURNALS = ".journal"
"""Folder beside the cassettes of an eval: journals not merged yet, and the locks for merging them."""
READ_ONLY_SUFFIXES = (".yaml", ".yml")
"""Files of stock vcrpy that are replayed where they lie and never rewritten."""

_LONGEST = 200
_CUT = re.compile(r"~[0-9a-f]{10}$")
_JOURNAL = re.compile(r"(?P<stem>.+)\.\d+-[0-9a-f]+\.jsonl")


def quote_name(name: str) -> str:
    """Return `name` as a file name without suffix: percent-quoted, cut and hashed beyond 200 bytes."""
    quoted = quote(name, safe="", errors="surrogatepass")
    if quoted.startswith("."):
        # A leading dot would hide the file, and ".." would leave the folder.
        quoted = "%2E" + quoted[1:]
    if len(quoted) <= _LONGEST:
        return quoted
    digest = hashlib.sha256(quoted.encode()).hexdigest()[:10]
    kept = re.sub(r"%[0-9A-F]?$", "", quoted[: _LONGEST - 11])
    return f"{kept}~{digest}"


def unquote_name(stem: str) -> str | None:
    """Return the name behind a file name, or None where `quote_name` had to cut it."""
    if len(stem) > _LONGEST - 20 and _CUT.search(stem):
        return None
    return unquote(stem, errors="surrogatepass")


def cassette_path(root: Path, *, eval_name: str, model: str) -> Path:
    """Return where the recordings of one eval and model lie."""
    return root / quote_name(eval_name) / f"{quote_name(model)}.json"


def lock_path(cassette: Path) -> Path:
    """Return the file whose lock a process holds while it rewrites a cassette."""
    return cassette.parent / JOURNALS / f"{cassette.stem}.lock"


def draft_path(cassette: Path) -> Path:
    """Return where the next version of a cassette is written before it replaces the old one."""
    return cassette.parent / f".{cassette.stem}.tmp"


def journal_paths(cassette: Path) -> list[Path]:
    """Return the journals of a cassette in the order of their names."""
    folder = cassette.parent / JOURNALS
    try:
        names = sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return []
    return [folder / name for name in names if journal_stem(name) == cassette.stem]


def journal_stem(name: str) -> str | None:
    """Return the file name (without suffix) of the cassette a journal belongs to; None for other files."""
    match = _JOURNAL.fullmatch(name)
    return match["stem"] if match else None


def shown_path(path: Path) -> str:
    """Return `path` for people: relative to the current folder where it lies below it."""
    absolute = path.absolute()
    here = Path.cwd()
    return (absolute.relative_to(here) if absolute.is_relative_to(here) else absolute).as_posix()
