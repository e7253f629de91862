"""Where two things differ that should be the same: the first place, what was wanted and what is there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile, zip_longest
from typing import Any

SHOWN = 100
"""Characters of a differing value that are shown."""
_BEFORE = 30
_ABSENT = object()


@dataclass(frozen=True)
class Difference:
    """One place where two things differ, in words."""

    place: str
    """`cassettes/format/a.json`, `decisions[0].word`."""
    wanted: str
    found: str
    note: str = ""
    """What it means, where that does not go without saying."""


def first_difference(wanted: object, found: object, *, place: str = "") -> Difference | None:
    """Return the first place where two values of JSON differ, None where they are the same.

    Places come in the order of `wanted`; what only `found` has comes last. Objects are equal in any order.
    """
    inner: Iterable[tuple[str, Any, Any]]
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        keys = dict.fromkeys((*wanted, *found))
        dot = "." if place else ""
        inner = ((f"{place}{dot}{key}", wanted.get(key, _ABSENT), found.get(key, _ABSENT)) for key in keys)
    elif isinstance(wanted, list) and isinstance(found, list):
        pairs = enumerate(zip_longest(wanted, found, fillvalue=_ABSENT))
        inner = ((f"{place}[{number}]", mine, theirs) for number, (mine, theirs) in pairs)
    elif type(wanted) is type(found) and wanted == found:
        return None
    else:
        return Difference(place, *_show(wanted, found))
    differences = (first_difference(mine, theirs, place=where) for where, mine, theirs in inner)
    return next((difference for difference in differences if difference is not None), None)


def _show(wanted: object, found: object) -> tuple[str, str]:
    """Return both values in short; long texts from shortly before the place where they part."""
    start = 0
    if isinstance(wanted, str) and isinstance(found, str):
        shared = takewhile(lambda pair: pair[0] == pair[1], zip(wanted, found, strict=False))
        start = max(0, sum(1 for _ in shared) - _BEFORE)
    return _cut(wanted, start), _cut(found, start)


def _cut(value: object, start: int) -> str:
    if value is _ABSENT:
        return "nothing"
    text = json.dumps(value[start:] if isinstance(value, str) else value, ensure_ascii=True)
    shown = text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
    return f"...{shown}" if start else shown
