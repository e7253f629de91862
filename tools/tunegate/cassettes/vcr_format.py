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
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

from tunegate.cassettes.entry import Entry, Head, Key, fingerprint_of_text
from tunegate.cassettes.extent import StoredFile
from tunegate.cassettes.index import Index
from tunegate.cassettes.redaction import Redactor
from tunegate.cassettes.retention import kept_exchange
from tunegate.exchanges import Exchange

HEAD = b'{"version": 1, "interactions": [\n'
FOOT = b"]}\n"
_REQUEST, _NOTES, _STATUS, _BODY = ('{"request": ', ' "response": {"tunegate": ', ' "status": ', ' "body": ')
_STARTS = tuple(start.encode() for start in (_REQUEST, _NOTES, _STATUS, _BODY))
_REQUEST_HEADERS = {"content-type": ["application/json"], "accept": ["application/json"]}
_SPACED = json.JSONEncoder(ensure_ascii=False)
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
"""JSON as the openai client sends it."""
_ASCII = {_SPACED: json.JSONEncoder(), _COMPACT: json.JSONEncoder(separators=(",", ":"))}
_JSON = json.JSONDecoder()


def encode_exchange(kept: Exchange, *, fingerprint: str, redactor: Redactor) -> bytes:
    """Return a journal's line, less its end, for an exchange as `kept_exchange` returns it.

    `fingerprint` is that of the request as it was asked. It is kept in the notes where the one of the written
    request differs: a request that held a secret is still found by the request that holds it.
    """
    written = _Lines(kept, fingerprint=fingerprint, redactor=redactor)
    try:
        return written.joined(checked=False).encode("utf-8")
    except UnicodeEncodeError:
        return written.joined(checked=True).encode("utf-8")


def spells_surrogates(line: bytes) -> bool:
    """Whether a line may hold lone surrogates: two that were apart may come back as one character."""
    return b"\\ud" in line


class _Lines:
    """The four lines of an exchange before they are text."""

    def __init__(self, kept: Exchange, *, fingerprint: str, redactor: Redactor) -> None:
        request = kept.request
        self._kept = kept
        self._fingerprint = fingerprint
        self._method = request.method.upper()
        self._url = redactor.url(request.url)
        self._asked = redactor.value(request.body)
        # Nothing was redacted, so writing and reading it gives the same fingerprint.
        self._is_as_asked = (
            self._asked is request.body and self._url == request.url and fingerprint == request.fingerprint
        )

    def joined(self, *, checked: bool) -> str:
        """Return the lines; `checked` writes in ASCII what UTF-8 cannot hold, and the rest as it reads best."""
        kept = self._kept
        has_body = self._asked or self._method not in ("GET", "HEAD", "DELETE")
        text = _json(self._asked, checked=checked, encoder=_COMPACT) if has_body else ""
        notes = self._notes(text)
        try:
            string = kept.body.decode("utf-8")
        except UnicodeDecodeError:
            # Stock vcrpy encodes a string as UTF-8, so no string gives it these bytes: it gets what of them is
            # text, and the notes keep them exactly.
            string = kept.body.decode("utf-8", "replace")
            notes["body_base64"] = b64encode(kept.body).decode()
        sent = {"method": self._method, "uri": self._url, "body": text, "headers": _REQUEST_HEADERS if text else {}}
        status = _json({"code": kept.status, "message": kept.reason}, checked=checked)
        headers = _json({name: list(values) for name, values in kept.headers.items()}, checked=checked)
        return (
            f"{_REQUEST}{_json(sent, checked=checked)},\t"
            f"{_NOTES}{_json(notes, checked=checked)},\t"
            f'{_STATUS}{status}, "headers": {headers},\t'
            f'{_BODY}{{"string": {_json(string, checked=checked)}}}}}}}'
        )

    def _notes(self, text: str) -> dict[str, Any]:
        kept = self._kept
        notes: dict[str, Any] = {"case": kept.note["case"]} if "case" in kept.note else {}
        notes["repeat"] = kept.repeat
        if kept.recorded_at is not None:
            notes["recorded_at"] = kept.recorded_at
        if kept.timing is not None:
            notes["total_s"] = kept.timing.total_s
            notes["events_s"] = kept.timing.events_s
        notes |= kept.note
        if not self._is_as_asked and fingerprint_of_text(self._method, self._url, text) != self._fingerprint:
            notes["request"] = self._fingerprint
        return notes


def head_of(lines: Iterable[bytes]) -> Head:
    """Read what is needed to find an interaction from its four lines; the reply is read when it is asked for.

    Raises:
        ValueError: the lines are not JSON in this layout.
    """
    first, second, third, fourth = lines
    starts = first.startswith(_STARTS[0]), second.startswith(_STARTS[1])
    if not all(starts) or not third.startswith(_STARTS[2]) or not fourth.startswith(_STARTS[3]):
        raise ValueError("not laid out as tunegate writes it")
    for line in (third, fourth):
        if not line.isascii():
            line.decode("utf-8")
    request = _value(first.decode("utf-8"), _REQUEST)
    notes = _value(second.decode("utf-8"), _NOTES)
    try:
        fingerprint = notes.get("request") or fingerprint_of_text(request["method"], request["uri"], request["body"])
        if len(bytes.fromhex(fingerprint)) != 32:
            raise ValueError(f"{fingerprint!r} is no SHA-256")
        key = Key(fingerprint, int(notes["repeat"]))
        if abs(key.repeat) >= 2**63:
            raise ValueError(f"{key.repeat} is no count of repeats")
        return Head(key, str(notes.get("case", "")), str(notes.get("recorded_at") or ""), len(first))
    except (KeyError, TypeError, AttributeError, OverflowError) as problem:
        raise ValueError(f"not an interaction: {problem!r}") from problem


def index_cassette(file: IO[bytes], *, stored: StoredFile) -> Index | None:
    """Look through a cassette as `cassette_chunks` writes it; None for one laid out otherwise, or damaged."""
    if file.readline() != HEAD:
        return None
    index = Index(stored)
    offset = len(HEAD)
    more = True
    while (first := file.readline()) != FOOT:
        lines = (first, file.readline(), file.readline(), file.readline())
        has_next = lines[3].endswith(b"}}},\n")
        if not more or not lines[3].endswith(b"\n"):
            return None
        length = sum(map(len, lines))
        try:
            index.put(head_of(lines), offset=offset, length=length - (2 if has_next else 1))
        except ValueError:
            return None
        offset += length
        more = has_next
    # A comma before the end, or anything behind it, is for the reader that says where the damage is.
    return None if (more and len(index)) or file.read(1) else index


def cassette_chunks(entries: Iterable[Entry], *, redactor: Redactor) -> Iterator[bytes]:
    """Yield the bytes of a cassette; equal content gives equal bytes, by case, repeat and fingerprint."""
    ordered = sorted(entries, key=lambda entry: (entry.case, entry.key.repeat, entry.key.fingerprint))
    yield HEAD
    for number, entry in enumerate(ordered, 1):
        yield _text_of(entry, redactor=redactor).encode("utf-8") + (b",\n" if number < len(ordered) else b"\n")
    yield FOOT


def _text_of(entry: Entry, *, redactor: Redactor) -> str:
    """Return the four lines of an entry: as they are, or written anew where stock vcrpy wrote it."""
    if isinstance(entry.source, Mapping):
        kept = kept_exchange(entry.exchange(), redactor=redactor)
        text = encode_exchange(kept, fingerprint=entry.key.fingerprint, redactor=redactor).decode("utf-8")
    else:
        text = entry.text()
    return text if "\n" in text else text.replace("\t", "\n")


def _value(line: str, start: str) -> Any:
    value, end = _JSON.raw_decode(line, len(start))
    if line[end:].rstrip("\n") != ",":
        raise ValueError("more on the line than one value")
    return value


def _json(value: object, *, checked: bool, encoder: json.JSONEncoder = _SPACED) -> str:
    text = encoder.encode(value)
    if checked:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            # A lone surrogate: in ASCII, JSON has a spelling for it.
            return _ASCII[encoder].encode(value)
    return text
