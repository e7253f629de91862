"""When an attempt is worth repeating, how long to wait before it, and what a response says of its endpoint's limits."""

from __future__ import annotations

import email.utils
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

Headers = Mapping[str, tuple[str, ...]]

_NEVER = frozenset({400, 401, 403, 404, 422})
_RETRIED = frozenset({408, 409, 429})
_NO_CREDIT = "insufficient_quota"

_NUMBER = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)", re.ASCII)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|[dhms])", re.ASCII)
_SECONDS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


@dataclass(frozen=True)
class Retries:
    """How often a request is tried, and how long to wait in between: exponential backoff with full jitter.

    Follows Brooker (2015), "Exponential Backoff And Jitter", AWS Architecture Blog.
    """

    attempts: int = 6
    base_s: float = 0.5
    cap_s: float = 60.0

    def longest_s(self, attempt: int) -> float:
        """Return the longest wait, in seconds, after attempt number `attempt` (1 is the first)."""
        return min(self.cap_s, math.ldexp(self.base_s, min(attempt, 64) - 1))

    def delay_s(self, attempt: int, rng: Random) -> float:
        """Return how many seconds to wait after attempt number `attempt`, where the endpoint named no time."""
        return rng.uniform(0.0, self.longest_s(attempt))


def should_retry(status: int | None, headers: Headers, *, message: str = "") -> bool:
    """Say whether an attempt that ended without a usable reply is worth another.

    `status` is None where no complete response came. `x-should-retry` decides as in the openai package, but nothing
    repeats a request that was refused for what it is, or a 429 whose `message` says that the account has no credit.
    """
    if status is None:
        return True
    if status in _NEVER or (status == 429 and _NO_CREDIT in message):
        return False
    told = _value(headers, "x-should-retry")
    if told in {"true", "false"}:
        return told == "true"
    return status in _RETRIED or status >= 500


def retry_after_s(headers: Headers, now: float) -> float | None:
    """Return how many seconds the endpoint asks us to wait, however many; None where it does not say.

    `now` is the time of day in seconds since 1970, for an endpoint that names a date. A date that has passed, a
    negative number and nonsense are None.
    """
    milliseconds = _number(_value(headers, "retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = _value(headers, "retry-after")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    try:
        date = email.utils.parsedate_tz(text)
        left_s = None if date is None else email.utils.mktime_tz(date) - now
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return left_s if left_s is not None and left_s >= 0 else None


@dataclass(frozen=True)
class Allowance:
    """What an endpoint said of one kind of limit, as it charged the request; None where it did not say."""

    limit: int | None = None
    """Per minute."""
    remaining: int | None = None
    reset_s: float | None = None
    """Until all of it is there again."""


@dataclass(frozen=True)
class Quota:
    """What an endpoint said of our limits in its response headers."""

    requests: Allowance = Allowance()
    tokens: Allowance = Allowance()


def read_quota(headers: Headers) -> Quota | None:
    """Read the limits that response headers state, or None where they state none.

    Understands OpenAI's `x-ratelimit-*` (which Azure and most compatible servers send too) and Anthropic's
    `anthropic-ratelimit-*`, whose times of reset are left out. A value that is no number counts as missing.
    """
    told = {name: values[0] for key, values in headers.items() if "ratelimit" in (name := key.lower()) and values}
    if not told:
        return None
    quota = Quota(_allowance(told, "requests"), _allowance(told, "tokens"))
    return None if quota == Quota() else quota


def _allowance(told: Mapping[str, str], kind: str) -> Allowance:
    def read(what: str) -> str | None:
        return told.get(f"x-ratelimit-{what}-{kind}", told.get(f"anthropic-ratelimit-{kind}-{what}"))

    # A limit of 0 would never let anything pass: no endpoint that answers means it.
    return Allowance(_count(read("limit")) or None, _count(read("remaining")), _duration_s(read("reset")))


def _value(headers: Headers, name: str) -> str | None:
    values = headers.get(name)
    if values is None:
        values = next((found for key, found in headers.items() if key.lower() == name), None)
    return values[0].strip() if values else None


def _number(text: str | None) -> float | None:
    if text is None or not _NUMBER.fullmatch(text.strip()):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def _count(text: str | None) -> int | None:
    number = _number(text)
    return None if number is None else int(number)


def _duration_s(text: str | None) -> float | None:
    """Read "6ms", "1.2s", "1m0s", "2h3m" or plain seconds."""
    if text is None:
        return None
    seconds = _number(text)
    if seconds is not None:
        return seconds
    parts = _DURATION.findall(text.strip())
    if not parts or "".join(map("".join, parts)) != text.strip():
        return None
    total_s = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    return total_s if math.isfinite(total_s) else None
