"""One recorded interaction: its head at once, the rest when it is asked for."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from tunegate.cassettes.extent import Extent
from tunegate.cassettes.stock import body_bytes, decompress
from tunegate.errors import CassetteError
from tunegate.exchanges import Exchange, Request, Timing, fingerprint_of

RESERVED_NOTES = frozenset({"repeat", "recorded_at", "total_s", "events_s", "request", "body_base64"})
"""Notes with a meaning for reading; the others are Exchange.note."""


class Key(NamedTuple):
    """What a recording is found by: the fingerprint of the request and the repeat, counted from 1."""

    fingerprint: str
    repeat: int


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of an interaction without its text."""

    key: Key
    case: str
    """Empty where the recording does not say."""
    recorded_at: str
    """Empty where the recording does not say."""
    size: int
    """Bytes of the request, for finding similar ones without reading them."""


@dataclass(frozen=True, slots=True)
class Entry(Head):
    """One interaction of a cassette or journal."""

    source: Extent | str | Mapping[str, Any]
    """Where its text lies, the text itself, or the interaction as stock vcrpy wrote it."""

    def text(self) -> str:
        """Return the four lines of an interaction that tunegate wrote, joined by line breaks or by tabs.

        Raises:
            FileReplaced: its file is another by now.
            CassetteError: it cannot be read.
        """
        if isinstance(self.source, Extent):
            try:
                return self.source.text()
            except ValueError as problem:
                raise CassetteError(f"the recording of {self.name} is damaged: {problem}") from problem
        if isinstance(self.source, str):
            return self.source
        raise TypeError("stock vcrpy wrote it: there are no four lines")

    def plain(self) -> Mapping[str, Any]:
        """Return the interaction as JSON holds it.

        Raises:
            FileReplaced: its file is another by now.
            CassetteError: its lines are damaged.
        """
        if isinstance(self.source, Mapping):
            return self.source
        text = self.text()
        try:
            plain: dict[str, Any] = json.loads(text)
        except ValueError as problem:
            raise CassetteError(f"the recording of {self.name} is damaged: {problem}") from problem
        return plain

    @property
    def name(self) -> str:
        """How messages speak of it."""
        case = f"case {self.case!r}" if self.case else f"request {self.key.fingerprint[:12]}"
        return f"{case}, repeat {self.key.repeat}"

    def request(self) -> Request:
        """Return the request as it is written, which is the one that was asked, less its secrets."""
        written = self.plain()["request"]
        body = parse_body(written.get("body"))
        return Request(written["uri"], body if isinstance(body, dict) else {}, written["method"])

    def request_text(self) -> str:
        """Return the request as text to compare others with, cheaply."""
        return str(self.source["request"]) if isinstance(self.source, Mapping) else self.text()[: self.size]

    def server_model(self) -> str | None:
        """Return the model the server named, from the notes; None where they do not say.

        Raises:
            CassetteError: the interaction is damaged.
        """
        notes = self.plain()["response"].get("tunegate") or {}
        model = notes.get("model")
        return model if isinstance(model, str) else None

    def exchange(self, request: Request | None = None) -> Exchange:
        """Return the exchange; `request` is the one it was found by, else it is the written one.

        Raises:
            CassetteError: the interaction is damaged.
        """
        try:
            return self._exchange(request or self.request())
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise CassetteError(f"the recording of {self.name} is damaged: {problem!r}") from problem

    def _exchange(self, request: Request) -> Exchange:
        response = self.plain()["response"]
        notes: Mapping[str, Any] = response.get("tunegate") or {}
        headers = {
            name.lower(): (values,) if isinstance(values, str) else tuple(values)
            for name, values in (response.get("headers") or {}).items()
        }
        total_s = notes.get("total_s")
        encoded = notes.get("body_base64")
        if "status" in response:
            code, reason = response["status"]["code"], response["status"].get("message") or ""
        else:  # vcrpy before 8.2 with httpx
            code, reason = response["status_code"], ""
        return Exchange(
            request=request,
            status=code,
            reason=reason,
            headers={name: values for name, values in headers.items() if name not in _OF_THE_TRANSFER},
            body=b64decode(encoded) if encoded else decompress(body_bytes(response), headers=headers),
            timing=Timing(total_s, tuple(notes.get("events_s") or ())) if total_s is not None else None,
            recorded_at=self.recorded_at or None,
            repeat=self.key.repeat,
            note={name: value for name, value in notes.items() if name not in RESERVED_NOTES},
        )


_OF_THE_TRANSFER = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Headers that were true of the bytes on the wire and are not of the body as it is read here."""


def parse_body(written: object) -> object:
    """Return the body of a written request: JSON parsed, other text as it is, nothing as an empty object."""
    if isinstance(written, bytes | bytearray):
        written = bytes(written).decode("utf-8", "backslashreplace")
    if not written:
        return {}
    if not isinstance(written, str):
        return str(written)
    try:
        return json.loads(written)
    except ValueError:
        return written


def fingerprint_of_text(method: str, url: str, written: object) -> str:
    """Return the fingerprint of a written request."""
    return fingerprint_of(method, url, parse_body(written))
