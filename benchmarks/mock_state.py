"""What all connections of the mock server share: its settings, what it has seen, its counts."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from mock_limits import Faults, RateLimit


@dataclass(frozen=True)
class Settings:
    """How the server behaves. Times are in milliseconds where the name says so, else in seconds."""

    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    """Each reply comes up to this much earlier or later."""
    chunks: int = 1
    """In how many writes a streamed reply comes."""
    chunk_ms: float = 0.0
    """Between two of those writes."""
    fill: bool = False
    """Say as many tokens as a request allows, each in a write of its own, and end at the limit."""
    wrong: float = 0.0
    """Share of requests (by their body) that are answered in the right shape with wrong options."""
    seed: int = 0
    faults: Faults = field(default_factory=Faults)
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    burst_s: float = 1.0
    """How many seconds of the allowance may come at once."""


@dataclass(slots=True)
class Seen:
    """One request as the server saw it."""

    body: bytes
    url: str
    digest: str
    attempt: int
    tokens: int
    arrival_ns: int
    first_ns: int | None = None
    last_ns: int | None = None
    status: int | None = None
    outcome: str = "open"
    """`answered`, `rejected` (rate limit), a fault's name, `left` where the client was gone, `open` until then."""

    def to_json(self) -> str:
        """Return its line of the log; `fingerprint` is the SHA-256 of method, address and canonical JSON body."""
        canonical = json.dumps(json.loads(self.body), sort_keys=True, separators=(",", ":"))
        fingerprint = hashlib.sha256(f"POST {self.url}\n{canonical}".encode()).hexdigest()
        names = ("attempt", "tokens", "arrival_ns", "first_ns", "last_ns", "status", "outcome")
        plain = {"fingerprint": fingerprint, "body_sha256": self.digest}
        return json.dumps(plain | {name: getattr(self, name) for name in names})


class MockServer:
    """What all connections share: the settings, the counts and the log."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.in_flight = 0
        self.reset()

    def reset(self) -> None:
        """Forget what was seen; requests in flight stay in flight, and are in no count."""
        given = self.settings
        self.seen: list[Seen] = []
        self.attempts: Counter[str] = Counter()
        self.peak_in_flight = self.in_flight
        self.connections = 0
        self.limit = (
            RateLimit(given.requests_per_minute, given.tokens_per_minute, burst_s=given.burst_s, now=time.monotonic())
            if given.requests_per_minute or given.tokens_per_minute
            else None
        )
        self._cpu_s = time.process_time()

    def enter(self, seen: Seen) -> None:
        """Take note of a request that arrived."""
        self.seen.append(seen)
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)

    def leave(self, seen: Seen, outcome: str) -> None:
        """Take note of how a request ended."""
        seen.outcome = outcome
        self.in_flight -= 1

    def stats(self) -> dict[str, Any]:
        """Return the counts since the last reset."""
        return {
            "requests": len(self.seen),
            "status": Counter(str(seen.status) for seen in self.seen if seen.status is not None),
            "outcomes": Counter(seen.outcome for seen in self.seen),
            "in_flight": self.in_flight,
            "peak_in_flight": self.peak_in_flight,
            "connections": self.connections,
            "cpu_s": round(time.process_time() - self._cpu_s, 4),
        }
