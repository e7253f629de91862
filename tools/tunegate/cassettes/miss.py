"""Why there is no recording for a request: the nearest one, and where it differs."""

from __future__ import annotations

import bisect
import difflib
import heapq
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from tunegate.cassettes.entry import Entry
from tunegate.cassettes.redaction import Redactor
from tunegate.exchanges import Request

SHOWN = 40
"""Characters of a differing value that are shown."""
_COMPARED = 50
_PROBED = 400
_PROBES = 8
_PROBE_LENGTH = 24
_WORDS = 400
"""Words of two lines together that are still compared word by word."""


class _Absent:
    """Stands for a value that one side does not have."""


ABSENT = _Absent()


@dataclass(frozen=True)
class Difference:
    """One place where a recorded request and a wanted one differ."""

    place: str
    recorded: object
    wanted: object

    @property
    def weight(self) -> float:
        """How different the two are, from nearly 0 (a letter) to 1 (another value)."""
        if not isinstance(self.recorded, str) or not isinstance(self.wanted, str):
            return 1.0
        longer = max(len(self.recorded), len(self.wanted))
        head, tail = _shared_ends(self.recorded, self.wanted)
        return 0.01 + 0.99 * (longer - head - tail) / longer

    def __str__(self) -> str:
        if isinstance(self.recorded, str) and isinstance(self.wanted, str):
            return _shown_text(self)
        return f"{self.place} ({_shown(self.recorded)} -> {_shown(self.wanted)})"


class Catalogue:
    """Recordings arranged for finding what is like a request: made once, for thousands of misses."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.by_size = sorted(entries, key=lambda entry: (entry.size, entry.key))
        self.by_case: defaultdict[str, list[Entry]] = defaultdict(list)
        self.repeats: defaultdict[str, list[int]] = defaultdict(list)
        """Of each fingerprint, in order."""
        for entry in sorted(self.by_size, key=lambda entry: entry.key):
            self.by_case[entry.case].append(entry)
            self.repeats[entry.key.fingerprint].append(entry.key.repeat)


def explain_miss(catalogue: Catalogue, *, request: Request, case: str, repeat: int, redactor: Redactor) -> str:
    """Return one line without secrets: other repeats, the nearest recording, or that there is none."""
    if not catalogue.by_size:
        return "no recording at all"
    repeats = catalogue.repeats.get(request.fingerprint, [])
    if repeats and repeat not in repeats:
        word = "repeat" if len(repeats) == 1 else "repeats"
        return f"recorded for {word} {', '.join(map(str, repeats))} only"
    # Recordings hold no secrets, so what is compared with them must not either.
    wanted = Request(redactor.url(request.url), redactor.value(request.body), request.method.upper())
    nearest, differences = _nearest(catalogue, request=wanted, case=case, repeat=repeat)
    other_case = f" (of case {nearest.case})" if nearest.case and nearest.case != case else ""
    if not differences:
        return f"nearest recording{other_case} differs only in what was redacted"
    first, *others = differences
    more = f", and {len(others)} more {'place' if len(others) == 1 else 'places'}" if others else ""
    where = first.place if first.place in ("url", "method") else "body"
    shown = str(first).removeprefix(where + " ") if where != "body" else str(first)
    return redactor.text(f"nearest recording{other_case} differs in {where}: {shown}{more}")


def differences_of(recorded: Request, wanted: Request) -> list[Difference]:
    """Return where two requests differ: method, address, then the body in the order of the wanted one."""
    found: list[Difference] = []
    if recorded.method.upper() != wanted.method.upper():
        found.append(Difference("method", recorded.method, wanted.method))
    if recorded.url != wanted.url:
        found.append(Difference("url", recorded.url, wanted.url))
    found.extend(_walk(recorded.body, wanted.body, place=""))
    return found


def _nearest(catalogue: Catalogue, *, request: Request, case: str, repeat: int) -> tuple[Entry, list[Difference]]:
    same_case = catalogue.by_case.get(case, []) if case else []
    candidates = same_case[:_COMPARED] or _similar(catalogue.by_size, request=request)
    compared = [(entry, differences_of(entry.request(), request)) for entry in candidates]
    return min(
        compared,
        key=lambda pair: (sum(one.weight for one in pair[1]), abs(pair[0].key.repeat - repeat), pair[0].key),
    )


def _similar(by_size: Sequence[Entry], *, request: Request) -> list[Entry]:
    """Return the recordings of like length that share most of a few samples of the wanted text."""
    body = json.dumps(request.body, ensure_ascii=False, separators=(",", ":"))
    written = json.dumps(body, ensure_ascii=False)
    size = len(written)
    size_bytes = len(written.encode("utf-8", "surrogatepass"))
    middle = bisect.bisect_left(by_size, size_bytes, key=lambda entry: entry.size)
    around = by_size[max(0, middle - _PROBED) : middle + _PROBED]
    alike = heapq.nsmallest(_PROBED, around, key=lambda entry: abs(entry.size - size_bytes))
    step = max(1, size // (_PROBES + 1))
    probes = [written[at : at + _PROBE_LENGTH] for at in range(step // 2, size, step)]

    def strangeness(entry: Entry) -> int:
        text = entry.request_text()
        return sum(probe not in text for probe in probes)

    return heapq.nsmallest(_COMPARED, alike, key=strangeness)


def _walk(recorded: object, wanted: object, *, place: str) -> Iterator[Difference]:
    if isinstance(recorded, Mapping) and isinstance(wanted, Mapping):
        for key in dict.fromkeys([*wanted, *recorded]):
            inner = f"{place}.{key}" if place else str(key)
            yield from _walk(recorded.get(key, ABSENT), wanted.get(key, ABSENT), place=inner)
    elif isinstance(recorded, list | tuple) and isinstance(wanted, list | tuple):
        for number, (one, other) in enumerate(zip_longest(recorded, wanted, fillvalue=ABSENT)):
            yield from _walk(one, other, place=f"{place}[{number}]")
    elif type(recorded) is not type(wanted) or recorded != wanted:
        # 0 and 0.0 are two requests: the type counts.
        yield Difference(place, recorded, wanted)


def _shown_text(difference: Difference) -> str:
    recorded, wanted = str(difference.recorded), str(difference.wanted)
    place = f"{difference.place} "
    if "\n" in recorded or "\n" in wanted:
        old, new = recorded.split("\n"), wanted.split("\n")
        pairs = zip_longest(old, new, fillvalue=None)
        number, (first_old, first_new) = next(
            (number, pair) for number, pair in enumerate(pairs, 1) if pair[0] != pair[1]
        )
        if first_old is None:
            return f"{place}(line {number}: nothing -> {_around(first_new or '', 0)})"
        if first_new is None:
            return f"{place}(line {number}: {_around(first_old, 0)} -> nothing)"
        return f"{place}(line {number}: {_changed_words(first_old, first_new)})"
    return f"{place}({_changed_words(recorded, wanted)})"


def _changed_words(recorded: str, wanted: str) -> str:
    """Return the first words that differ, or what surrounds the first difference where words do not help."""
    old, new = recorded.split(" "), wanted.split(" ")
    if len(old) + len(new) < _WORDS:
        for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if tag != "equal":
                before, after = " ".join(old[i1:i2]), " ".join(new[j1:j2])
                if before and after and max(len(before), len(after)) <= SHOWN:
                    return f"{_quoted(before)} -> {_quoted(after)}"
                break
    head, _ = _shared_ends(recorded, wanted)
    start = max(0, head - SHOWN // 2)
    return f"{_around(recorded, start)} -> {_around(wanted, start)}"


def _around(text: str, start: int) -> str:
    end = start + SHOWN
    return _quoted(("…" if start else "") + text[start:end] + ("…" if len(text) > end else ""))


def _shared_ends(one: str, other: str) -> tuple[int, int]:
    shorter = min(len(one), len(other))
    low, high = 0, shorter
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    head = low
    low, high = 0, shorter - head
    while low < high:
        middle = (low + high + 1) // 2
        same = one[len(one) - middle :] == other[len(other) - middle :]
        low, high = (middle, high) if same else (low, middle - 1)
    return head, low


def _shown(value: object) -> str:
    if value is ABSENT:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
