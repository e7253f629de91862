"""What is tried again and when, and what headers say of limits."""

from __future__ import annotations

from random import Random

import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.wire.retries import Allowance, Quota, Retries, read_quota, retry_after_s, should_retry

NOON = 1_700_000_000.0
"""Tue, 14 Nov 2023 22:13:20 GMT."""


def test_backoff_is_exponential_with_full_jitter() -> None:
    """The delay is anything from nothing to a bound that doubles, up to its cap."""
    retries, rng = Retries(base_s=0.5, cap_s=60), Random(1)
    assert [retries.longest_s(attempt) for attempt in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 32, 60]
    assert retries.longest_s(10_000) == 60
    delays = [retries.delay_s(3, rng) for _ in range(2000)]
    assert 0 <= min(delays) < 0.02
    assert 1.98 < max(delays) <= 2
    assert sum(delays) / len(delays) == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize(
    ("status", "told", "message", "expected"),
    [
        (None, None, "", True),
        (408, None, "", True),
        (409, None, "", True),
        (429, None, "rate_limit_exceeded", True),
        (429, None, "You exceeded your current quota (insufficient_quota)", False),
        (429, "true", "insufficient_quota", False),
        (500, None, "", True),
        (503, None, "", True),
        (529, None, "", True),
        (503, "false", "", False),
        (429, "false", "", False),
        (418, None, "", False),
        (418, "true", "", True),
        (500, "perhaps", "", True),
        (400, "true", "", False),
        (401, "true", "", False),
        (403, None, "", False),
        (404, None, "", False),
        (422, None, "", False),
    ],
)
def test_only_what_may_end_better_is_repeated(
    status: int | None, told: str | None, message: str, *, expected: bool
) -> None:
    """What the endpoint or the way to it got wrong is repeated; what it refuses for what it is never is."""
    headers = {} if told is None else {"X-Should-Retry": (told,)}
    assert should_retry(status, headers, message=message) is expected


@given(st.sampled_from([408, 409, 410, 418, 429, 500, 502, 503, 504, 529]), st.sampled_from([None, "true", "false"]))
def test_repeats_what_the_openai_package_repeats(status: int, told: str | None) -> None:
    """Apart from what is never repeated, we decide as `openai` does."""
    headers = {} if told is None else {"x-should-retry": told}
    theirs = openai.OpenAI(api_key="none")._should_retry(httpx2.Response(status, headers=headers))
    assert should_retry(status, {name: (value,) for name, value in headers.items()}) is theirs


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": ("3700",)}, 3700.0),
        ({"Retry-After": (" 2.5 ",)}, 2.5),
        ({"retry-after": ("0",)}, 0.0),
        ({"retry-after": ("31536000",)}, 31_536_000.0),
        ({"retry-after-ms": ("250",), "retry-after": ("1",)}, 0.25),
        ({"retry-after-ms": ("soon",), "retry-after": ("1",)}, 1.0),
        ({"retry-after": ("Tue, 14 Nov 2023 22:14:20 GMT",)}, 60.0),
        ({"retry-after": ("Tue, 14 Nov 2023 22:14:20 +0100",)}, None),
        ({"retry-after": ("Tue, 14 Nov 2023 22:12:20 GMT",)}, None),
        ({"retry-after": ("-5",)}, None),
        ({"retry-after": ("nan",)}, None),
        ({"retry-after": ("inf",)}, None),
        ({"retry-after": ("1e3",)}, None),
        ({"retry-after": ("9" * 400,)}, None),
        ({"retry-after": ("soon",)}, None),
        ({"retry-after": ("",)}, None),
        ({"retry-after": ()}, None),
    ],
)
def test_retry_after_is_read_in_every_form(headers: dict[str, tuple[str, ...]], expected: float | None) -> None:
    """Seconds, milliseconds or a date, of any length; what is past or nonsense says nothing."""
    assert retry_after_s(headers, NOON) == expected


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_header_is_read_or_passed_over(first: str, second: str) -> None:
    """Whatever a server writes there, reading it breaks nothing, and no wait is negative or endless."""
    headers = {"retry-after": (first,), "retry-after-ms": (second,)}
    headers |= {"x-ratelimit-limit-requests": (first,), "x-ratelimit-reset-tokens": (second,)}
    waited = retry_after_s(headers, NOON)
    assert waited is None or 0 <= waited < float("inf")
    quota = read_quota(headers)
    assert quota is None or quota.requests.limit is None or quota.requests.limit > 0


def test_quota_of_openai_is_read() -> None:
    """Limits, what remains and when it is all there again, whatever the case of the names."""
    headers = {
        "X-RateLimit-Limit-Requests": ("600",),
        "x-ratelimit-remaining-requests": ("599",),
        "x-ratelimit-reset-requests": ("100ms",),
        "x-ratelimit-limit-tokens": ("60000",),
        "x-ratelimit-remaining-tokens": ("59,000",),
        "x-ratelimit-reset-tokens": ("1m0.5s",),
    }
    assert read_quota(headers) == Quota(Allowance(600, 599, 0.1), Allowance(60_000, None, 60.5))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("6ms", 0.006), ("1.2s", 1.2), ("1m0s", 60.0), ("2h3m", 7380.0), ("1d", 86_400.0), ("12", 12.0), ("500µs", 5e-4),
     ("1x", None), ("s", None), ("", None), ("-1s", None), ("2023-11-14T22:13:20Z", None)],
)  # fmt: skip
def test_times_of_reset_are_read(text: str, seconds: float | None) -> None:
    """Go's notation of durations, and plain seconds."""
    quota = read_quota({"x-ratelimit-limit-tokens": ("1",), "x-ratelimit-reset-tokens": (text,)})
    assert quota is not None
    assert quota.tokens.reset_s == (None if seconds is None else pytest.approx(seconds))


def test_quota_of_anthropic_and_azure_is_read() -> None:
    """Anthropic names its headers otherwise, and Azure states no limits but what remains."""
    anthropic = {
        "anthropic-ratelimit-requests-limit": ("50",),
        "anthropic-ratelimit-requests-remaining": ("49",),
        "anthropic-ratelimit-requests-reset": ("2023-11-14T22:13:20Z",),
    }
    assert read_quota(anthropic) == Quota(Allowance(50, 49), Allowance())
    azure = {"x-ratelimit-remaining-requests": ("9",), "x-ratelimit-remaining-tokens": ("900",)}
    assert read_quota(azure) == Quota(Allowance(None, 9), Allowance(None, 900))


@pytest.mark.parametrize("value", ["", "many", "-1", "0", "nan"])
def test_limit_that_is_none_counts_as_missing(value: str) -> None:
    """A limit that is no positive number is no limit."""
    assert read_quota({"x-ratelimit-limit-requests": (value,)}) is None
    assert read_quota({"content-type": ("text/plain",)}) is None
