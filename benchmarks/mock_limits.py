"""What the mock server refuses and breaks: a rate limit as an API enforces it, and faults drawn by chance."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Literal

Fault = Literal["429", "500", "drop", "cut", "hang"]


@dataclass(frozen=True)
class Faults:
    """Shares (0 to 1) of attempts that go wrong, each in its own way."""

    rejected: float = 0.0
    """429 at once, with `Retry-After: retry_after_s`."""
    failed: float = 0.0
    """500 after the latency."""
    dropped: float = 0.0
    """Connection closed after the latency, before any byte."""
    cut: float = 0.0
    """Half of a reply with status 200, then the connection is closed."""
    hung: float = 0.0
    """A whole reply, `hang_s` later than it should be."""
    retry_after_s: int = 1
    hang_s: float = 30.0

    @property
    def any(self) -> bool:
        """Whether anything can go wrong."""
        return self.rejected + self.failed + self.dropped + self.cut + self.hung > 0

    def pick(self, chance: float) -> Fault | None:
        """Return what `chance`, a number from 0 to 1 drawn for the attempt, lets go wrong."""
        shares: tuple[tuple[Fault, float], ...] = (
            ("429", self.rejected),
            ("500", self.failed),
            ("drop", self.dropped),
            ("cut", self.cut),
            ("hang", self.hung),
        )
        for fault, share in shares:
            if chance < share:
                return fault
            chance -= share
        return None


def draw(*words: object) -> float:
    """Return a number from 0 (with) to 1 (without) that follows from `words` alone."""
    digest = hashlib.blake2b("\0".join(map(str, words)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


class Bucket:
    """A token bucket: `per_minute` flow in evenly, at most `burst_s` seconds' worth lie ready."""

    def __init__(self, per_minute: int, *, burst_s: float, now: float) -> None:
        self.per_minute = per_minute
        self._rate = per_minute / 60
        self._size = max(1.0, self._rate * burst_s)
        self._level = self._size
        self._filled_at = now

    def wait_s(self, amount: float, now: float) -> float:
        """Return in how many seconds `amount` may be taken: 0 is now.

        More than the bucket holds passes when it is full, for it would never pass otherwise.
        """
        self._fill(now)
        return max(0.0, (min(amount, self._size) - self._level) / self._rate)

    def take(self, amount: float) -> None:
        """Take `amount`, below empty where it is more than lies ready."""
        self._level -= amount

    @property
    def remaining(self) -> int:
        """What lies ready, as of the last look."""
        return max(0, math.floor(self._level))

    @property
    def full_in_s(self) -> float:
        """Seconds until the bucket is full again, as of the last look."""
        return (self._size - self._level) / self._rate

    def _fill(self, now: float) -> None:
        self._level = min(self._size, self._level + (now - self._filled_at) * self._rate)
        self._filled_at = now


class RateLimit:
    """Requests and tokens per minute of one account. What is rejected is not charged."""

    def __init__(self, requests: int | None, tokens: int | None, *, burst_s: float, now: float) -> None:
        self._buckets = {
            name: Bucket(allowed, burst_s=burst_s, now=now)
            for name, allowed in (("requests", requests), ("tokens", tokens))
            if allowed is not None
        }

    def admit(self, tokens: int, *, now: float) -> tuple[str, float] | None:
        """Charge a request of `tokens`, or return what it has too many of and when to come back, in seconds."""
        amounts = {"requests": 1, "tokens": tokens}
        waits = {name: bucket.wait_s(amounts[name], now) for name, bucket in self._buckets.items()}
        name, wait_s = max(waits.items(), key=lambda wait: wait[1], default=("", 0.0))
        if wait_s > 0:
            return name, wait_s
        for name, bucket in self._buckets.items():
            bucket.take(amounts[name])
        return None

    def headers(self) -> str:
        """Return the x-ratelimit lines: the allowance of a minute, what lies ready now, when it is full again."""
        return "".join(
            f"x-ratelimit-limit-{name}: {bucket.per_minute}\r\n"
            f"x-ratelimit-remaining-{name}: {bucket.remaining}\r\n"
            f"x-ratelimit-reset-{name}: {format_reset(bucket.full_in_s)}\r\n"
            for name, bucket in self._buckets.items()
        )


def format_reset(seconds: float) -> str:
    """Write a duration as the API's headers do: `6ms`, `1.2s`, `1m0s`, `2h3m0s`."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    if seconds < 60:
        return f"{round(seconds, 3):g}s"
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s"
