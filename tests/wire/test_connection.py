"""What goes over the wire, and what is kept of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tunegate.errors import WireError
from tunegate.exchanges import Exchange, Request
from tunegate.testing import Scripted, ScriptedEndpoint
from tunegate.wire import Connection, chat_request, read_exchange
from tunegate.wire.transport import EventClock

ASKED = [{"role": "user", "content": "2 + 2? Grüße 👋"}]


def ask(endpoint: ScriptedEndpoint, *, stream: bool, key: str | None = None, **extra: Any) -> Exchange:
    request = chat_request(
        endpoint.base_url, "m", messages=ASKED, max_tokens=9, temperature=0.0, stream=stream, extra=extra
    )

    async def send() -> Exchange:
        connection = Connection(endpoint.base_url, api_key=key)
        try:
            return await connection.send(request)
        finally:
            await connection.aclose()

    return asyncio.run(send())


@pytest.mark.parametrize("stream", [True, False])
def test_what_is_sent_is_the_request(stream: bool) -> None:
    """The body that reaches the endpoint is the request's body, nothing added and nothing left out."""
    with ScriptedEndpoint(lambda body: "four") as endpoint:
        exchange = ask(endpoint, stream=stream, seed=3, logit_bias={"50256": -100})
        (seen,) = endpoint.seen
    assert seen.body == exchange.request.body
    assert seen.path == "/v1/chat/completions"
    assert exchange.request.url == endpoint.base_url + "/chat/completions"


@pytest.mark.parametrize("stream", [True, False])
def test_reply_is_read_from_what_came(stream: bool) -> None:
    """Text, reason, model, fingerprint and usage of a reply are the server's."""
    with ScriptedEndpoint(lambda body: "four, I think") as endpoint:
        reading = read_exchange(ask(endpoint, stream=stream))
    assert (reading.state, reading.reply.text, reading.reply.finish_reason) == (
        "answered",
        "four, I think",
        "stop",
    )
    assert (reading.reply.model, reading.reply.fingerprint) == ("m", "fp_scripted")
    assert (reading.reply.usage.prompt_tokens, reading.reply.usage.completion_tokens) == (7, 3)


def test_streamed_reply_times_its_first_token() -> None:
    """The first token comes after the request and not after the end; a whole reply has none."""
    with ScriptedEndpoint(lambda body: "a b c") as endpoint:
        streamed = read_exchange(ask(endpoint, stream=True))
        whole = read_exchange(ask(endpoint, stream=False))
    assert streamed.first_token_s is not None
    assert streamed.latency_s is not None
    assert 0 < streamed.first_token_s <= streamed.latency_s
    assert whole.first_token_s is None
    assert whole.latency_s is not None


@pytest.mark.parametrize(("key", "sent"), [("sk-test", "Bearer sk-test"), (None, None)])
def test_key_is_sent_where_there_is_one(key: str | None, sent: str | None) -> None:
    """An endpoint without a key gets no Authorization header."""
    with ScriptedEndpoint(lambda body: "x") as endpoint:
        ask(endpoint, stream=True, key=key)
        headers = {name.lower(): value for name, value in endpoint.seen[0].headers.items()}
    assert headers.get("authorization") == sent


@pytest.mark.parametrize("status", [400, 401, 404])
def test_error_is_complete_exchange_and_no_reply(status: int) -> None:
    """An endpoint's error is kept with its text, and reading it says that it is no reply."""
    with ScriptedEndpoint(lambda body: Scripted("no such thing", status=status)) as endpoint:
        exchange = ask(endpoint, stream=True)
    assert exchange.status == status
    with pytest.raises(WireError, match=f"{status} no such thing, from http://") as problem:
        read_exchange(exchange)
    assert problem.value.status == status


@pytest.mark.parametrize("stream", [True, False])
def test_broken_off_reply_is_no_reply(stream: bool) -> None:
    """A body that ends before its length is an error of the wire, never a short answer of the model."""
    with (
        ScriptedEndpoint(lambda body: Scripted("one two three", cut=True)) as endpoint,
        pytest.raises(WireError, match="no complete reply"),
    ):
        ask(endpoint, stream=stream)


def test_endpoint_that_is_down_is_named() -> None:
    """Nobody listens: the error names the address and asks whether it is up."""
    with ScriptedEndpoint(lambda body: "x") as endpoint:
        gone = endpoint
    with pytest.raises(WireError, match=r"127\.0\.0\.1:\d+/v1.*is the endpoint up\?"):
        ask(gone, stream=True)


def test_event_clock_sees_events_through_any_pieces() -> None:
    """However the network cuts a stream, every event gets the time at which it was complete."""
    body = b": hello\n\ndata: a\r\n\r\ndata: b\ndata: c\n\nevent: x\ndata: d\n\n"
    for size in range(1, len(body) + 1):
        clock = EventClock()
        ends = []
        for start in range(0, len(body), size):
            clock.feed(body[start : start + size], at_s=float(start + size))
            ends.append(start + size)
        assert len(clock.events_s) == 3, f"in pieces of {size}"
        assert set(clock.events_s) <= set(map(float, ends))
        assert clock.events_s == sorted(clock.events_s)


def test_extra_fields_win_over_ours() -> None:
    """A row of the matrix may replace a field of the body, and leave one out."""
    request: Request = chat_request(
        "http://h/v1/", "m", messages=ASKED, max_tokens=5, temperature=0.5,
        extra={"max_completion_tokens": 5, "temperature": 1.0},
        omit=["max_tokens"],
    )  # fmt: skip
    body: Mapping[str, Any] = request.body
    assert "max_tokens" not in body
    assert body["temperature"] == 1.0
    assert body["max_completion_tokens"] == 5
    assert request.url == "http://h/v1/chat/completions"


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_request_is_sent_once(status: int) -> None:
    """Whatever comes back, the connection itself does not try again: who does must be able to count."""
    headers = {"retry-after": "1", "x-should-retry": "true"}
    with ScriptedEndpoint(lambda body: Scripted("busy", status=status, headers=headers)) as endpoint:
        exchange = ask(endpoint, stream=True)
        assert len(endpoint.seen) == 1
    assert exchange.status == status


def test_headers_are_kept_as_they_came() -> None:
    """Every header of the response is there, one that came twice with both values, and so is the reason phrase."""
    with ScriptedEndpoint(lambda body: Scripted("x", headers={"X-Request-Id": "7"})) as endpoint:
        exchange = ask(endpoint, stream=False)
    headers = {name.lower(): values for name, values in exchange.headers.items()}
    assert headers["x-request-id"] == ("7",)
    assert (exchange.status, exchange.reason) == (200, "OK")


def test_exchange_says_when_it_was_sent() -> None:
    """The time of day is UTC with seconds, for people and for the order of recordings."""
    with ScriptedEndpoint(lambda body: "x") as endpoint:
        before = datetime.now(UTC).replace(microsecond=0)
        sent_at = datetime.fromisoformat(ask(endpoint, stream=True).recorded_at or "")
    assert before <= sent_at <= datetime.now(UTC)
    assert sent_at.utcoffset() == timedelta(0)


def test_connection_can_be_used_again_after_it_was_closed() -> None:
    """Closing ends the sockets, not the connection: the next request opens them again; closing twice does nothing."""
    with ScriptedEndpoint(lambda body: "four") as endpoint:
        request = chat_request(endpoint.base_url, "m", messages=ASKED, max_tokens=9, temperature=0.0)

        async def send_twice() -> list[int]:
            connection = Connection(endpoint.base_url, api_key=None)
            statuses = []
            for _ in range(2):
                statuses.append((await connection.send(request)).status)
                await connection.aclose()
                await connection.aclose()
            return statuses

        assert asyncio.run(send_twice()) == [200, 200]


def test_account_is_told_to_openai_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's organisation and project go to nobody else."""
    monkeypatch.setenv("OPENAI_ORG_ID", "org-x")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-x")
    with ScriptedEndpoint(lambda body: "x") as endpoint:
        ask(endpoint, stream=True, key="k")
        headers = {name.lower() for name in endpoint.seen[0].headers}
    assert not headers & {"openai-organization", "openai-project"}
