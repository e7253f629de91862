"""The fields of a TOML table: which there may be, of which type, and how a wrong one is told."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn
from urllib.parse import urlsplit

from tunegate.cases.names import nearest_names, shorten
from tunegate.errors import TunegateError

_TYPES = {
    str: "text",
    int: "an integer",
    float: "a number",
    dict: "a table",
    bool: "true or false",
    list: "a list",
}
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
# A key, not the name of a variable: those are written in capitals, HF_TOKEN or KEY_A.
_KEY_LIKE = re.compile(r"(sk|gsk|hf|key)[-_]")

OURS = ("model", "messages", "stream", "stream_options", "n")
"""Keys of a request's body that tunegate writes itself."""


@dataclass(frozen=True)
class Spot:
    """A place in a file, as TOML would write it."""

    origin: str
    error: type[TunegateError]
    """What a mistake here is raised as."""
    path: tuple[str, ...] = ()

    def __truediv__(self, key: str) -> Spot:
        return replace(self, path=(*self.path, key))

    def refuse(self, *, wanted: str, found: object) -> NoReturn:
        """Say what was wanted here and what was there.

        Raises:
            TunegateError: always, as `error`.
        """
        shown = found if isinstance(found, str) else shorten(found)
        raise self.error(f"{self}: wanted {wanted}, found {shown}")

    def __str__(self) -> str:
        keys = (key if _BARE_KEY.fullmatch(key) else json.dumps(key) for key in self.path)
        return ", ".join(filter(None, (self.origin, ".".join(keys))))


@dataclass(frozen=True)
class Field:
    """What a field may hold: a type, and more if `judge` says what is wanted instead of a value."""

    type: type
    wanted: str = ""
    judge: Callable[[Any], bool] = lambda _: True
    is_required: bool = False
    secret: bool = False
    """What is there is not repeated: it may be a key."""

    def required(self) -> Field:
        """Return the same field where a table must have it."""
        return replace(self, is_required=True)

    def check(self, value: object, spot: Spot) -> Any:
        """Return the value if it may stand here.

        Raises:
            TunegateError: it may not; as the spot's error.
        """
        if self.type is float and type(value) is int and abs(value) <= sys.float_info.max:
            value = float(value)
        if type(value) is not self.type or not self.judge(value):
            found = "something else (not shown: it may be a key)" if self.secret else shorten(value)
            spot.refuse(wanted=self.wanted or _TYPES[self.type], found=found)
        return value


def read_fields(row: object, fields: Mapping[str, Field], *, spot: Spot) -> dict[str, Any]:
    """Return the fields of a table that are there, each checked.

    Raises:
        TunegateError: a field is unknown, missing or wrong; as the spot's error, with its place and what is allowed.
    """
    if not isinstance(row, dict):
        spot.refuse(wanted=f"a table with {', '.join(fields)}", found=row)
    for key in row:
        if key not in fields:
            near = nearest_names(key, fields)
            (spot / key).refuse(
                wanted=f"one of {', '.join(fields)}",
                found=f"the unknown key {key!r}" + (f" (perhaps {near[0]}?)" if near else ""),
            )
    for key, allowed in fields.items():
        if allowed.is_required and key not in row:
            (spot / key).refuse(wanted=allowed.wanted or _TYPES[allowed.type], found="no such key")
    return {key: fields[key].check(value, spot / key) for key, value in row.items()}


def one_of(words: Sequence[str]) -> Field:
    """Return a field that holds one of these words."""
    return Field(str, f"one of {', '.join(words)}", lambda value: value in words)


def _is_text(value: str) -> bool:
    return bool(value.strip()) and value.isprintable()


def _is_name(value: str) -> bool:
    return _is_text(value) and value == value.strip()


def _is_address(value: str) -> bool:
    try:
        url = urlsplit(value)
        port_fits = url.port is None or url.port > 0
    except ValueError:
        return False
    plain = not (url.query or url.fragment or url.username or url.password) and " " not in value
    return url.scheme in ("http", "https") and bool(url.hostname) and port_fits and plain


def _is_body(value: Mapping[str, Any]) -> bool:
    return not any(key in value for key in OURS) and _is_json(value)


def _is_json(value: object) -> bool:
    if isinstance(value, dict):
        return all(_is_json(inner) for inner in value.values())
    if isinstance(value, list):
        return all(map(_is_json, value))
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


LINES = Field(str, "text, not empty", lambda value: bool(value.strip()) and "\0" not in value)
TEXT = Field(str, "one line of text, not empty", _is_text)
NAME = Field(str, "a model name without padding or control characters", _is_name)
LABEL = Field(str, "one line of text, without padding", _is_name)
COUNT = Field(int, "an integer, 0 or more", lambda value: value >= 0)
POSITIVE = Field(int, "an integer, 1 or more", lambda value: value >= 1)
SECONDS = Field(float, "seconds, more than 0", lambda value: 0 < value < math.inf)
RATE = Field(float, "a number above 0", lambda value: 0 < value < math.inf)
NUMBER = Field(float, "a finite number", math.isfinite)
URL = Field(str, "an address like http://127.0.0.1:8091/v1, without password or query", _is_address, secret=True)
KEY_ENV = Field(
    str,
    "the name of an environment variable, such as OPENAI_API_KEY",
    lambda value: bool(_VARIABLE.fullmatch(value)) and not _KEY_LIKE.match(value),
    secret=True,
)
OMIT = Field(
    list,
    "a list of names of fields that tunegate does not set itself",
    lambda value: all(isinstance(name, str) and name not in OURS for name in value),
)
BODY = Field(dict, f"a table of JSON values without {', '.join(OURS)}, which tunegate sets itself", _is_body)
