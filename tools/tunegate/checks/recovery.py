"""The JSON inside a text that is not JSON: what a forgiving caller would still have made of a reply."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tunegate.checks.json_text import BOM, MAX_DEPTH, JsonText, read_json

_FENCE = re.compile(r"```(?:json)?(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE)
_OPENING = re.compile(r"[\[{]")
_TOKEN = re.compile(
    r"""[ \t\n\r]*+(?:
        (?P<mark>[\[\]{},:])
      | (?P<string>"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+")
      | (?P<scalar>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][-+]?[0-9]++)?+|true|false|null)
    )""",
    re.VERBOSE,
)

# States of an open container: "[" or "{" just opened, then what was last read in it.
_AFTER_VALUE = {"[": "[value", "[,": "[value", "{:": "{value"}
_AFTER_MARK = {("[value", ","): "[,", ("{value", ","): "{,", ("{key", ":"): "{:"}
_AFTER_KEY = {"{": "{key", "{,": "{key"}
_OPENS = frozenset("[{")
_CLOSES = frozenset("]}")
_CLOSED_BY = {"[": "]", "[value": "]", "{": "}", "{value": "}"}


@dataclass
class _Container:
    start: int
    state: str
    height: int = 1


def recover_json(text: str) -> JsonText | None:
    """Return the JSON that remains of `text` after taking away what stands around it, or None.

    Taken away are, in this order and only as far as needed: nothing; a byte order mark and whitespace of any
    kind; a code fence (``` or ```json, closed or not) with all that is outside it; and prose, which leaves
    the longest valid list or object in the text, the first of several as long. Nothing inside is repaired: a
    trailing comma or a single quote stays an error.

    Takes time proportional to the text's length, whatever the text.
    """
    whole = read_json(text)
    if whole.valid:
        return whole
    bare = read_json(text.strip().removeprefix(BOM).strip())
    if bare.valid:
        return bare
    for fence in _FENCE.finditer(text):
        fenced = read_json(fence[1].strip())
        if fenced.valid:
            return fenced
    longest = max(_spans(text), key=lambda span: span[1] - span[0], default=None)
    if longest is None:
        return None
    found = read_json(text[longest[0] : longest[1]])
    return found if found.valid else None


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where valid lists and objects start and end, inner ones before those around them.

    One pass with a stack. A token that fits nowhere rules out every container that is open there, and none
    that was closed before; reading goes on behind it as prose. A string that did fit is not looked into.

    Linear: a token that fits is read once. The characters of a string that does not fit, or is not closed
    properly, are read again, but only once more: as prose, or from the quotation mark that ended it.
    """
    place = 0
    while opening := _OPENING.search(text, place):
        stack = [_Container(opening.start(), opening[0])]
        place = opening.end()
        while stack:
            token = _TOKEN.match(text, place)
            if token is None:
                break
            inner, mark = stack[-1], token["mark"]
            after = _state_after(token, inner.state)
            if after is None:
                place = _place_behind(token)
                break
            place = token.end()
            inner.state = after
            if mark in _OPENS:
                stack.append(_Container(place - 1, mark))
            elif mark in _CLOSES:
                stack.pop()
                if inner.height <= MAX_DEPTH:
                    yield inner.start, place
                if stack:
                    stack[-1].height = max(stack[-1].height, inner.height + 1)


def _place_behind(misfit: re.Match[str]) -> int:
    # An opening bracket may be the start of the JSON, and a quotation mark one of the prose.
    if misfit["mark"]:
        return misfit.start("mark")
    return misfit.start("string") + 1 if misfit["string"] else misfit.end()


def _state_after(token: re.Match[str], state: str) -> str | None:
    """Return the state of the innermost container after `token`, or None where the token does not fit."""
    mark = token["mark"]
    if mark is None:
        after = _AFTER_VALUE.get(state)
        return after if after or token["scalar"] else _AFTER_KEY.get(state)
    if mark in _OPENS:
        return _AFTER_VALUE.get(state)
    if mark in _CLOSES:
        return state if _CLOSED_BY.get(state) == mark else None
    return _AFTER_MARK.get((state, mark))
