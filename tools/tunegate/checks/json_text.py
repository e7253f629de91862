"""Is a text JSON, by the letter of RFC 8259?"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NoReturn

MAX_DEPTH = 100
"""Levels of nesting that are read. RFC 8259, section 9, lets a reader set the limit; it is fixed here so that
a verdict does not depend on how deep the caller's own stack is, and so that comparing, validating and writing
a value that was read is safe."""

MAX_DIGITS = 4300
"""Digits of an integer that are read exactly: CPython's own default limit, past which `int` is quadratic."""

BOM = "\ufeff"

_RFC_WHITESPACE = " \t\n\r"
_QUOTED = 20  # characters of the text that a problem quotes
# Closed or not; possessive, so that no text makes this backtrack.
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in _STEP)


@dataclass(frozen=True)
class JsonText:
    """What reading a text as JSON gave.

    Where the text is not JSON, `value` is None and `problem` says why in a few words; of JSON, `problem` is
    empty.
    """

    value: Any
    valid: bool
    problem: str = ""
    repeated: tuple[str, ...] = ()
    """Keys that stood twice or more in one object, each once; `value` holds the last of what they named."""


class _RefusedError(ValueError):
    """Python's json would read this, RFC 8259 does not allow it."""


def read_json(text: str) -> JsonText:
    """Read `text` as one JSON value, strictly by RFC 8259.

    Not JSON: NaN and Infinity, comments, single quotes, trailing commas or text, control characters in
    strings, whitespace other than space, tab, line feed and carriage return, and the empty text.

    Where RFC 8259 leaves it to the reader (the `i_` files of JSONTestSuite), this one decides:

    - Half of a surrogate pair in a string, escaped or not, is accepted and kept: the grammar of section 7 has
      it.
    - A byte order mark before the text is refused; section 8.1 only says that a reader may ignore it.
    - Nesting deeper than `MAX_DEPTH` is refused (section 9 allows a limit).
    - A number of any size is accepted (section 6 allows limits, and its model is IEEE 754 binary64): integers
      of up to `MAX_DIGITS` digits are exact; every other number is the nearest double, thus infinite or zero
      where it is out of range.
    - A key that stands twice in an object is accepted, the last value counts, and `repeated` names the key
      (section 4: names SHOULD be unique).
    - Any value may stand alone, not only an object or a list (section 2).

    It takes text, so what bytes become under UTF-8 is settled before.
    """
    if _is_nested_too_deep(text):
        return JsonText(None, valid=False, problem=f"nested more than {MAX_DEPTH} deep")
    repeated: dict[str, None] = {}

    def make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    repeated[key] = None
                seen.add(key)
        return made

    decoder = json.JSONDecoder(object_pairs_hook=make_object, parse_int=_read_integer, parse_constant=_refuse_constant)
    try:
        value = decoder.decode(text)
    except json.JSONDecodeError as error:
        return JsonText(None, valid=False, problem=_describe_error(error))
    except _RefusedError as error:
        return JsonText(None, valid=False, problem=str(error))
    except RecursionError:
        # Within MAX_DEPTH only a caller that has used up its own stack comes here.
        return JsonText(None, valid=False, problem="nested too deep for the room left on the stack")
    return JsonText(value, valid=True, repeated=tuple(repeated))


def _is_nested_too_deep(text: str) -> bool:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    # As bytes, for deleting all but the brackets then takes no time.
    bare = _STRING.sub("", text).encode("utf-8", "surrogatepass").translate(None, _NO_BRACKETS)
    return max(accumulate(_STEP[bracket] for bracket in bare), default=0) > MAX_DEPTH


def _read_integer(digits: str) -> int | float:
    # `int` also refuses fewer digits where the process has a lower limit set.
    try:
        return int(digits) if len(digits.lstrip("-")) <= MAX_DIGITS else float(digits)
    except ValueError:
        return float(digits)


def _refuse_constant(name: str) -> NoReturn:
    raise _RefusedError(f"{name} is not JSON")


def _describe_error(error: json.JSONDecodeError) -> str:
    text, place = error.doc, error.pos
    start = text.lstrip(_RFC_WHITESPACE)
    if not start:
        return "empty"
    for prefix, name in ((BOM, "a byte order mark"), ("```", "a code fence")):
        if start.startswith(prefix):
            return f"starts with {name}"
    if error.msg == "Expecting value" and place == len(text) - len(start):
        return f"starts with {_quote_start(start)}, as no JSON does"
    if error.msg == "Extra data":
        return f"text after the JSON: {_quote_start(text[place:])}"
    if not text[place:].strip(_RFC_WHITESPACE):
        return "ends too early"
    wrong = error.msg[:1].lower() + error.msg[1:].removesuffix(" at")
    return f"{wrong} at line {error.lineno} column {error.colno}"


def _quote_start(text: str) -> str:
    return ascii(text if len(text) <= _QUOTED else text[:_QUOTED] + "...")


def kind_of(value: object) -> str:
    """Return what JSON calls the type of `value`, with its article."""
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")


def brief(value: object, *, length: int = 200) -> str:
    """Return `value` as JSON for people to read, cut to `length` characters."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= length else f"{text[: length - 1]}…"
