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

from tunegate.cassettes.fragments import joined_strings, rewrite_fragments

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

# A token starts where no word goes on; the "n" of an escaped line break ("\nsk-...") is no word.
_START = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf]))"
_RANDOM = r"(?=[A-Za-z0-9]*[0-9A-Z])"
_SHAPES = tuple(
    (hints, re.compile(pattern))
    for hints, pattern in (
        # OpenAI and its relatives: sk-..., sk-proj-..., sk-ant-api03-...; one long stretch that is no word.
        (
            ("sk-",),
            _START
            + r"sk-(?=[A-Za-z0-9_-]*?(?:(?=[A-Za-z]{0,15}[0-9])[A-Za-z0-9]{16}|[A-Za-z0-9]{32}))"
            + r"[A-Za-z0-9_-]{16,}",
        ),
        (("org-", "proj_", "user-"), _START + r"(?:org-|proj_|user-)" + _RANDOM + r"[A-Za-z0-9]{20,}"),
        (
            ("bearer",),
            _START + r"(?i:bearer)[ \t]+(?P<secret>(?=[A-Za-z._~+/-]*[0-9])[A-Za-z0-9._~+/-]{16,}=*)",
        ),
        (("basic",), _START + r"(?i:basic)[ \t]+(?P<secret>(?=[A-Za-z+/]*[0-9])[A-Za-z0-9+/]{16,}=*)"),
        (("akia", "asia"), _START + r"(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])"),
        (("eyj",), _START + r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"),
        (("aiza",), _START + r"AIza[A-Za-z0-9_-]{35}"),
        (("hf_", "gsk_"), _START + r"(?:hf_[A-Za-z0-9]{30,}|gsk_[A-Za-z0-9]{40,})"),
        (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), _START + r"gh[pousr]_[A-Za-z0-9]{36,}"),
        (("://",), r"://(?P<secret>[^/?#\s:@\"'<>\\]+:[^/?#\s@\"'<>\\]+)@"),
        (
            ("key=", "token=", "sig=", "signature="),
            r"(?i:[?&](?:key|token|access[-_]?token|sig|signature|x-amz-signature|x-amz-security-token)="
            r"|" + _START + r"api[-_]?key=)(?P<secret>(?=[A-Za-z._~%+/-]*[0-9])[A-Za-z0-9._~%+/-]{12,}=*)",
        ),
    )
)
"""Each with what it cannot do without, in lower case: looking for that is a hundred times cheaper."""
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
        lowered = text.lower()
        patterns = [pattern for hints, pattern in _SHAPES if any(hint in lowered for hint in hints)]
        if self._exact:
            patterns.append(self._exact)
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
        """Return a copy of a JSON value without secrets in its strings, keys and numbers."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        if self._exact and isinstance(value, int | float) and self._exact.search(repr(value)):
            return MARK
        return value

    def bytes(self, body: bytes, /) -> bytes:
        """Return a body without secrets; bytes that hold none are returned as they are.

        JSON and server-sent events stay what they are. A secret that a stream delivers in pieces is found in
        the joined text of its events.
        """
        text = body.decode("utf-8", "surrogateescape")
        clean = self._document(text)
        if clean is None:
            clean = self.text(self._events(text))
        return body if clean == text else clean.encode("utf-8", "surrogateescape")

    def url(self, url: str, /) -> str:
        """Return an address without secrets, user or password; it can still be parsed as an address."""
        spans = [match.span("secret") for match in _QUERY.finditer(url)]
        clean = self.text(_replace(url, spans))
        return _AUTHORITY.sub(_bare_authority, clean, count=1)

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


def kept_headers(headers: Mapping[str, Iterable[str]], *, redactor: Redactor) -> dict[str, list[str]]:
    """Return the response headers that may lie in a file: names in lower case, an allow-list."""
    return {
        name.lower(): [redactor.text(value).encode("ascii", "replace").decode() for value in values]
        for name, values in sorted(headers.items())
        if name.lower() in KEPT_RESPONSE_HEADERS
    }


def _spellings(secret: str) -> set[str]:
    """How a secret is spelt plainly, in an address, in JSON and in basic authentication."""
    plain = json.dumps(secret, ensure_ascii=False)[1:-1]
    coded = base64.b64encode(secret.encode("utf-8", "surrogateescape")).decode()
    ascii_only = json.dumps(secret)[1:-1]
    address = quote(secret, safe="", errors="surrogateescape")
    return {secret, plain, plain.replace("/", "\\/"), ascii_only, address, coded}


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _replace(text: str, spans: list[tuple[int, int]]) -> str:
    for start, end in reversed(spans):
        text = text[:start] + MARK + text[end:]
    return text


def _bare_authority(match: re.Match[str]) -> str:
    # Square brackets before the path would be read as an IPv6 address, and refused.
    authority = match[0].replace(MARK, "redacted")
    user, at, host = authority.rpartition("@")
    return f"redacted@{host}" if at and user else authority
