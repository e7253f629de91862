"""What is asked of an endpoint, and what came back over the wire.

`wire` produces exchanges, `cassettes` keeps them, and neither knows the other: these are their common words.
An exchange holds the bytes as they came, so that a live reply and its replay are read by the same code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def canonical_json(value: object) -> str:
    """Return `value` as JSON with sorted keys and no spaces: equal values give equal text."""
    return _CANONICAL.encode(value)


def fingerprint_of(method: str, url: str, body: object) -> str:
    """Return the SHA-256 (hex) by which a request is found again: method, address and canonical body.

    The address counts, because the same model name at two endpoints may be two models.
    """
    text = f"{method.upper()} {url}\n{canonical_json(body)}"
    return hashlib.sha256(text.encode("ascii", "backslashreplace")).hexdigest()


@dataclass(frozen=True)
class Request:
    """One call of an endpoint: where it goes and the JSON body that is sent, exactly as it is sent."""

    url: str
    body: Mapping[str, Any]
    method: str = "POST"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of method, address and canonical body."""
        return fingerprint_of(self.method, self.url, self.body)


@dataclass(frozen=True)
class Timing:
    """When the parts of a response came, in seconds since the request was sent."""

    total_s: float
    events_s: tuple[float, ...] = ()
    """Arrival of each server-sent event, in order; empty where the response was not streamed."""


@dataclass(frozen=True)
class Exchange:
    """A request and the complete response to it."""

    request: Request
    status: int
    reason: str
    headers: Mapping[str, tuple[str, ...]]
    body: bytes
    timing: Timing | None = None
    """None where nobody measured: stock vcrpy keeps no timing."""
    recorded_at: str | None = None
    """UTC, ISO 8601 with seconds; None where the recording does not say."""
    repeat: int = 1
    note: Mapping[str, Any] = field(default_factory=dict)
    """What the recording says of itself for people who review it: case, text, model, usage."""
