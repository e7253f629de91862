"""Keeping secrets out of files.

Known secrets are replaced wherever they occur. Unknown ones are recognised by their shape, and only with a
realistic length and alphabet, so that ordinary text ("task-oriented-approach", "org-chart", "proj_2") stays.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from tunegate.cassettes.fragments import joined_strings, joined_texts, rewrite_fragments
from tunegate.cassettes.shapes import shapes_hinted_at

MARK = "[redacted]"
SHORTEST_SECRET = 8
"""Characters; shorter ones (`none`, `dummy`, `EMPTY`) are ordinary words taken as a key by local servers."""

KEPT_RESPONSE_HEADERS = frozenset(
    {
        "content-type",
        "date",
        "openai-model",
        "openai-processing-ms",
        "openai-version",
        "retry-after",
        "retry-after-ms",
        "x-should-retry",
    }
)
"""Everything else may name an account, a session or a machine, or does not hold for the decoded body."""

_PLAIN = frozenset({int, float, bool, type(None)})
_SHORTEST_MATCH = len("://a:b@")
_QUERY = re.compile(
    r"(?i:[?&](?:api[-_]?key|key|token|access[-_]?token|sig|signature|x-amz-signature|x-amz-security-token"
    r"|x-amz-credential|client[-_]?secret|password)=)(?P<secret>[^&#]+)"
)
_AUTHORITY = re.compile(r"(?<=://)[^/?#]*")


class Redactor:
    """Replaces secrets by `[redacted]`: those given, and what looks like an API key or a password.

    Replacing twice changes nothing more.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Take the exact `secrets` to replace; those under 8 characters are left out."""
        long_enough = [secret for secret in secrets if len(secret) >= SHORTEST_SECRET and secret not in MARK]
        spellings = {form for secret in long_enough for form in _spellings(secret)}
        longest_first = sorted(spellings, key=lambda form: (-len(form), form))
        exact = "|".join(re.escape(form) for form in longest_first)
        self._exact = re.compile(exact) if exact else None
        # Where one lies inside another, looking for the shorter is enough to know whether there is any.
        self._forms = tuple(
            form for form in longest_first if not any(other != form and other in form for other in longest_first)
        )
        self._is_numeric = any(set(form) <= set("0123456789.e+-infa") for form in longest_first)

    def text(self, text: str, /) -> str:
        """Return `text` without secrets."""
        # Again and again: a secret glued to another only begins where that has ended.
        while (clean := _replace(text, self.spans(text))) != text:
            text = clean
        return text

    def spans(self, text: str, /) -> list[tuple[int, int]]:
        """Return where secrets lie in `text`: start and end of each, ordered, none overlapping."""
        if len(text) < _SHORTEST_MATCH:
            return []
        patterns = shapes_hinted_at(text)
        if self._exact:
            for form in self._forms:
                if form in text:
                    patterns.add(self._exact)
                    break
        if not patterns:
            return []
        found = sorted(
            match.span("secret" if "secret" in pattern.groupindex else 0)
            for pattern in patterns
            for match in pattern.finditer(text)
        )
        apart: list[tuple[int, int]] = []
        for start, end in found:
            if apart and start < apart[-1][1]:
                apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
            elif end > start:
                apart.append((start, end))
        return apart

    def value(self, value: Any, /) -> Any:
        """Return a JSON value without secrets in its strings, keys and numbers: the very same where it holds none."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict | list) and not self._is_numeric:
            strings = _plain_strings(value)
            # A secret inside one string stays one between line breaks.
            if strings is not None and not self.spans("\n".join(strings)):
                return value
        return self._copied(value)

    def _copied(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._copied(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._copied(item) for item in value]
        if self._exact and isinstance(value, int | float) and self._exact.search(repr(value)):
            return MARK
        return value

    def bytes(self, body: bytes, /) -> bytes:
        """Return a body without secrets; bytes that hold none are returned as they are.

        JSON and server-sent events stay what they are. A secret that a stream delivers in pieces is found in
        the joined text of its events.
        """
        text = body.decode("utf-8", "surrogateescape")
        if self._holds_none(text):
            return body
        clean = self._document(text)
        if clean is None:
            clean = self.text(self._events(text))
        return body if clean == text else clean.encode("utf-8", "surrogateescape")

    def url(self, url: str, /) -> str:
        """Return an address without secrets, user or password; it can still be parsed as an address."""
        spans = [match.span("secret") for match in _QUERY.finditer(url)]
        clean = self.text(_replace(url, spans))
        return _AUTHORITY.sub(_bare_authority, clean, count=1)

    def _holds_none(self, text: str) -> bool:
        """Whether a body is free of secrets for certain; False also where finding out needs a closer look."""
        if self._is_numeric or self.spans(text):
            return False
        try:
            events = _parsed_events(text)
            looked_at = joined_texts(events or ())
        except RecursionError:
            return False
        if events is None:
            return False
        if "\\" in text:
            # Without escapes the body spells its strings as they are, between quotes, and was looked at above.
            looked_at.extend(_plain_strings(events) or ())
        return not self.spans("\n".join(looked_at))

    def _document(self, text: str) -> str | None:
        """Redact `text` as one JSON document; None where it is none."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(value, dict | list):
            return None
        pieces_changed = rewrite_fragments(joined_strings([value]), spans_of=self.spans, mark=MARK)
        clean = self.value(value)
        # The raw text is looked at too: a key that occurs twice hides its first value from the parser.
        if not pieces_changed and clean == value and not self.spans(text):
            return text
        return _compact(clean)

    def _events(self, text: str) -> str:
        """Redact the JSON in the data lines of server-sent events, each and joined."""
        lines = text.split("\n")
        events: dict[int, Any] = {}
        for number, line in enumerate(lines):
            if line.startswith("data:"):
                try:
                    event = json.loads(line[5:])
                except (ValueError, RecursionError):
                    continue
                if isinstance(event, dict | list):
                    events[number] = event
        if not events:
            return text
        changed = rewrite_fragments(joined_strings(list(events.values())), spans_of=self.spans, mark=MARK)
        for place, (number, event) in enumerate(events.items()):
            line = lines[number]
            # Without escapes the line holds its strings as they are, and looking at it once is enough.
            if place in changed or self.spans(line) or ("\\" in line and self.value(event) != event):
                lines[number] = f"data: {_compact(self.value(event))}" + ("\r" if line.endswith("\r") else "")
        return "\n".join(lines)


def kept_headers(headers: Mapping[str, Iterable[str]], *, redactor: Redactor) -> dict[str, tuple[str, ...]]:
    """Return the response headers that may lie in a file: names in lower case, an allow-list."""
    kept = {name.lower(): tuple(headers[name]) for name in sorted(headers) if name.lower() in KEPT_RESPONSE_HEADERS}
    together = "\n".join(value for values in kept.values() for value in values)
    if together.isascii() and not redactor.spans(together):
        return kept
    return {
        name: tuple(redactor.text(value).encode("ascii", "replace").decode() for value in values)
        for name, values in kept.items()
    }


def _parsed_events(text: str) -> list[Any] | None:
    """Return the JSON values that a body brings, in order; none for plain text, None where that is unclear."""
    lines = [line[5:] for line in text.split("\n") if line.startswith("data:")]
    try:
        if not lines:
            value = json.loads(text)
            return [value] if isinstance(value, dict | list) else []
        events = [line for line in lines if line.lstrip().startswith(("{", "[")) and line.strip() != "[DONE]"]
        # Parsed in one go: that takes a third of the time.
        values = json.loads(f"[{','.join(events)}]")
    except ValueError:
        return None if lines else []
    return values if len(values) == len(events) else None


def _plain_strings(value: Any) -> list[str] | None:
    """Return the strings and keys of a value, None where it holds more than JSON does."""
    found: list[str] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        kind = type(one)
        if kind is str:
            found.append(one)
        elif kind is dict:
            for key in one:
                if type(key) is not str:
                    return None
            found.extend(one)
            waiting.extend(one.values())
        elif kind is list:
            waiting.extend(one)
        elif kind not in _PLAIN:
            return None
    return found


def _spellings(secret: str) -> set[str]:
    """How a secret is spelt plainly, in an address, in JSON and in basic authentication."""
    plain = json.dumps(secret, ensure_ascii=False)[1:-1]
    coded = base64.b64encode(secret.encode("utf-8", "surrogateescape")).decode()
    ascii_only = json.dumps(secret)[1:-1]
    address = quote(secret, safe="", errors="surrogateescape")
    return {secret, plain, plain.replace("/", "\\/"), ascii_only, address, coded}


def _compact(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # A lone surrogate, which JSON can spell and UTF-8 cannot.
        return json.dumps(value, separators=(",", ":"))
    return text


def _replace(text: str, spans: list[tuple[int, int]]) -> str:
    for start, end in reversed(spans):
        text = text[:start] + MARK + text[end:]
    return text


def _bare_authority(match: re.Match[str]) -> str:
    # Square brackets before the path would be read as an IPv6 address, and refused.
    authority = match[0].replace(MARK, "redacted")
    user, at, host = authority.rpartition("@")
    return f"redacted@{host}" if at and user else authority
