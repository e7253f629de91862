"""An answer in plain words: does the reply say it, and is it words at all?"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from tunegate.checks.json_text import BOM, read_json
from tunegate.records import Check

_FENCE = re.compile(r"```\w*\s*(.*?)\s*(?:```)?", re.DOTALL)
# A list of lists, objects or texts, or an object with a key. Prose may begin with "[Your Name]", "[1]" or "{name}".
_JSON_BEGINS = re.compile(r'\[\s*[\[{"]|\{\s*"')

_DEGREES = str.maketrans("ºª", "°°")


def find_answer(text: str, answers: Iterable[str]) -> str | None:
    """Return the first of `answers` that `text` says, as whole words; None where it says none.

    Upper and lower case, accents and the width of spaces make no difference: "sao paulo" says "São Paulo". A whole
    word has no letter or digit beside it, and a number no further digits beyond a point, comma or ^: neither "17" nor
    "7.5" says "7". Where it stands, and what else the reply says, does not matter: a reply that lists every
    colour says each of them. Keep replies short, and ask for what few words would name. A power or a fraction after a
    number makes another number of it: neither "7²" nor "7½" says "7".
    """
    said = _plain(text)
    for answer in answers:
        pattern = rf"(?<![^\W_])(?<!\d[.,^]){re.escape(_plain(answer))}(?![^\W_])(?![.,^]\d)"
        if re.search(pattern, said):
            return answer
    return None


def check_plain(text: str) -> Check:
    """Check `plain`: the reply is words, and no JSON list or object.

    It is JSON where the whole of it, without a code fence around it, is a list or an object, and where it begins as a
    list of lists, objects or texts does, or an object: so one that was cut off is seen too. JSON within prose is prose.
    """
    bare = text.strip().removeprefix(BOM).strip()
    fenced = _FENCE.fullmatch(bare)
    bare = fenced[1] if fenced else bare
    is_json = _JSON_BEGINS.match(bare) is not None or isinstance(read_json(bare).value, list | dict)
    return Check("plain", not is_json, expected="words", got="JSON" if is_json else "words")


def _plain(text: str) -> str:
    """Return `text` without accents, in small letters, with one space between words."""
    # NFKD alone would make letters of the ordinal signs, which stand for a degree often enough: "100ºC" is no "100oc".
    parts = unicodedata.normalize("NFKD", _lift(text.translate(_DEGREES)))
    bare = "".join(sign for sign in parts if not unicodedata.combining(sign))
    return " ".join(bare.casefold().split())


def _lift(text: str) -> str:
    """Return `text` with ^ before what is raised, lowered or a fraction after a digit: "10²" is no "102"."""
    return "".join(
        f"^{sign}" if before.isdecimal() and unicodedata.category(sign) == "No" else sign
        for before, sign in zip(f" {text}", text, strict=False)
    )
