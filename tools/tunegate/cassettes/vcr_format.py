"""The file format: vcrpy's JSON cassette, four lines an interaction, so that git shows what changed.

    {"version": 1, "interactions": [
    {"request": {"method": ..., "uri": ..., "body": ..., "headers": ...},
     "response": {"tunegate": {"case": ..., "repeat": 1, "recorded_at": ..., "total_s": ..., "text": ...},
     "status": {"code": 200, "message": "OK"}, "headers": {...},
     "body": {"string": ...}}}
    ]}

Stock vcrpy reads such a file and keeps what it does not know. A journal holds the same four lines joined by
tabs, which JSON allows between its tokens and never inside its strings: merging copies text.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any

from tunegate.cassettes.entry import RESERVED_NOTES, Entry, Key, fingerprint_of_text
from tunegate.cassettes.redaction import Redactor, kept_headers
from tunegate.cassettes.stock import decompress
from tunegate.exchanges import Exchange

HEAD = '{"version": 1, "interactions": ['
FOOT = "]}"
LINES = 4
_STARTS = ('{"request": ', ' "response": {"tunegate": ', ' "status": ', ' "body": ')
_REQUEST_HEADERS = {"content-type": ["application/json"], "accept": ["application/json"]}


def encode_exchange(exchange: Exchange, *, fingerprint: str, redactor: Redactor) -> tuple[str, ...]:
    """Return the four lines of an exchange, free of secrets, without the comma between interactions.

    `fingerprint` is that of the request as it was asked. It is kept in the notes where the one of the written
    request differs: a request that held a secret is still found by the request that holds it.
    """
    request = exchange.request
    method = request.method.upper()
    url = redactor.url(request.url)
    clean = redactor.value(request.body)
    text = "" if not clean and method in ("GET", "HEAD", "DELETE") else _compact(clean)
    notes: dict[str, Any] = {"case": exchange.note["case"]} if "case" in exchange.note else {}
    notes["repeat"] = exchange.repeat
    if exchange.recorded_at is not None:
        notes["recorded_at"] = exchange.recorded_at
    if exchange.timing is not None:
        notes["total_s"] = round(exchange.timing.total_s, 6)
        notes["events_s"] = [round(moment, 6) for moment in exchange.timing.events_s]
    notes |= {key: value for key, value in exchange.note.items() if key not in RESERVED_NOTES | {"case"}}
    notes = redactor.value(notes)
    if fingerprint_of_text(method, url, text) != fingerprint:
        notes["request"] = fingerprint
    body = redactor.bytes(decompress(exchange.body, headers=exchange.headers))
    try:
        string = body.decode("utf-8")
    except UnicodeDecodeError:
        # Stock vcrpy encodes a string as UTF-8, so no string gives it these bytes: it gets what of them is
        # text, and the notes keep them exactly.
        string = body.decode("utf-8", "replace")
        notes["body_base64"] = b64encode(body).decode()
    written = {"method": method, "uri": url, "body": text, "headers": _REQUEST_HEADERS if text else {}}
    reason = exchange.reason.encode("ascii", "replace").decode()
    status = _dump({"code": exchange.status, "message": reason})
    headers = _dump(kept_headers(exchange.headers, redactor=redactor))
    return (
        f"{_STARTS[0]}{_dump(written)},",
        f"{_STARTS[1]}{_dump(notes)},",
        f'{_STARTS[2]}{status}, "headers": {headers},',
        f"{_STARTS[3]}{_dump({'string': string})}}}}}",
    )


def entry_of(lines: tuple[str, ...]) -> Entry:
    """Read what is needed to find an interaction from its four lines; the reply is read when it is asked for.

    Raises:
        ValueError: the lines are not JSON in this layout.
    """
    if len(lines) != LINES or not all(map(str.startswith, lines, _STARTS)):
        raise ValueError("not laid out as tunegate writes it")
    request = json.loads(lines[0][len(_STARTS[0]) : -1])
    notes = json.loads(lines[1][len(_STARTS[1]) : -1])
    try:
        fingerprint = notes.get("request") or fingerprint_of_text(request["method"], request["uri"], request["body"])
        key = Key(fingerprint, int(notes["repeat"]))
        case, recorded_at = str(notes.get("case", "")), str(notes.get("recorded_at") or "")
    except (KeyError, TypeError, AttributeError) as problem:
        raise ValueError(f"not an interaction: {problem!r}") from problem
    return Entry(key, case, recorded_at, len(lines[0]), lines)


def entries_of_cassette(text: str) -> list[Entry] | None:
    """Read a cassette as `cassette_of` writes it; None for one laid out otherwise, or damaged."""
    lines = text.split("\n")
    if lines[-2:] != [FOOT, ""] or lines[0] != HEAD or (len(lines) - 3) % LINES:
        return None
    last = len(lines) - 3
    entries: list[Entry] = []
    try:
        for first in range(1, last + 1, LINES):
            *upper, body = lines[first : first + LINES]
            if first + LINES <= last:
                if not body.endswith("}}},"):
                    return None
                body = body[:-1]
            entries.append(entry_of((*upper, body)))
    except ValueError:
        return None
    return entries


def entry_of_journal(line: str) -> Entry:
    """Read one line of a journal.

    Raises:
        ValueError: the line is damaged.
    """
    return entry_of(tuple(line.split("\t")))


def journal_line(lines: Iterable[str]) -> str:
    """Return the four lines of an interaction as one line."""
    return "\t".join(lines)


def cassette_of(entries: Iterable[Entry], *, redactor: Redactor) -> str:
    """Return the text of a cassette; equal content gives equal text, by case, repeat and fingerprint."""
    ordered = sorted(entries, key=lambda entry: (entry.case, entry.key.repeat, entry.key.fingerprint))
    laid_out = ",\n".join("\n".join(lines_of(entry, redactor=redactor)) for entry in ordered)
    return "\n".join((HEAD, *([laid_out] if ordered else []), FOOT, ""))


def lines_of(entry: Entry, *, redactor: Redactor) -> tuple[str, ...]:
    """Return the four lines of an entry: as they are, or written anew where stock vcrpy wrote it."""
    if isinstance(entry.source, Mapping):
        return encode_exchange(entry.exchange(), fingerprint=entry.key.fingerprint, redactor=redactor)
    return entry.source


def _dump(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if _encodable(text) else json.dumps(value)


def _compact(value: object) -> str:
    """Return JSON as the openai client sends it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if _encodable(text) else json.dumps(value, separators=(",", ":"))


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
