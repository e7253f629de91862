"""How an exchange is read: every shape of reply gets the right state, and nothing crashes."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.errors import WireError
from tunegate.exchanges import Exchange, Request, Timing
from tunegate.records import Usage
from tunegate.wire import read_exchange
from tunegate.wire.reading import stream_events

REQUEST = Request("http://h/v1/chat/completions", {"model": "m"})


def exchange(body: bytes, *, status: int = 200, stream: bool = False, timing: Timing | None = None) -> Exchange:
    kind = "text/event-stream" if stream else "application/json"
    return Exchange(REQUEST, status, "OK", {"Content-Type": (kind,)}, body, timing)


def whole(message: dict[str, Any] | None, finish_reason: str | None = "stop", **more: Any) -> Exchange:
    body = {"choices": [{"index": 0, "message": message, "finish_reason": finish_reason}], **more}
    return exchange(json.dumps(body).encode())


def stream(*chunks: dict[str, Any] | str, timing: Timing | None = None) -> Exchange:
    events = [chunk if isinstance(chunk, str) else json.dumps(chunk) for chunk in chunks]
    return exchange("".join(f"data: {event}\n\n" for event in events).encode(), stream=True, timing=timing)


def delta(finish_reason: str | None = None, **content: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": content, "finish_reason": finish_reason}]}


@pytest.mark.parametrize(
    ("details", "cached"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 6}}, 6),
        ({"prompt_tokens_details": {"cached_tokens": 0}}, 0),
        ({"prompt_tokens_details": {"cached_tokens": -1}}, None),
        ({"prompt_tokens_details": None}, None),
        ({}, None),
    ],
)
def test_cached_tokens_are_read_where_the_server_says_so(details: dict[str, Any], cached: int | None) -> None:
    """0 is something that the server said; silence and nonsense are unknown."""
    usage = {"prompt_tokens": 9, "completion_tokens": 1, **details}
    assert read_exchange(whole({"content": "a"}, usage=usage)).reply.usage == Usage(9, 1, cached)


@pytest.mark.parametrize(
    ("message", "finish_reason", "state", "text"),
    [
        ({"content": "[]"}, "stop", "answered", "[]"),
        ({"content": ""}, "stop", "answered", ""),
        ({"content": None}, "stop", "answered", ""),
        ({}, "stop", "answered", ""),
        (None, "stop", "answered", ""),
        ({"content": "[1, 2"}, "length", "truncated", "[1, 2"),
        ({"content": None, "refusal": "I cannot."}, "stop", "refused", ""),
        ({"content": "I"}, "content_filter", "refused", "I"),
        (
            {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            "stop",
            "answered",
            "ab",
        ),
        ({"content": "\ud800"}, "stop", "answered", "\ud800"),
    ],
)
def test_every_kind_of_reply_has_its_state(
    message: dict[str, Any] | None, finish_reason: str, state: str, text: str
) -> None:
    """Empty and null content, a refusal, a cut reply and a lone surrogate are replies, each with its state."""
    reading = read_exchange(whole(message, finish_reason))
    assert (reading.state, reading.reply.text) == (state, text)


def test_streamed_refusal_is_refused() -> None:
    """A refusal that comes in pieces is one refusal."""
    reading = read_exchange(stream(delta(refusal="I "), delta(refusal="cannot."), delta("stop"), "[DONE]"))
    assert (reading.state, reading.reply.refusal, reading.reply.text) == ("refused", "I cannot.", "")


def test_first_token_is_the_first_event_with_content() -> None:
    """An opening event that only names the role is no token."""
    timing = Timing(0.9, (0.1, 0.2, 0.3, 0.9))
    reading = read_exchange(stream(delta(role="assistant", content=""), delta(content="a"), delta("stop"), "[DONE]",
                                   timing=timing))  # fmt: skip
    assert (reading.first_token_s, reading.latency_s) == (0.2, 0.9)


def test_usage_of_a_stream_stands_in_its_last_chunk() -> None:
    """With `include_usage` the counts come in a chunk without choices."""
    usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}
    reading = read_exchange(stream(delta(content="a"), delta("stop"), usage, "[DONE]"))
    assert reading.reply.usage.completion_tokens == 1


@pytest.mark.parametrize(
    "broken",
    [
        exchange(b""),
        exchange(b"<html>504</html>"),
        exchange(b"[]"),
        exchange(b"{}"),
        exchange(b'{"choices": []}'),
        exchange(b"\xff\xfe"),
        exchange(b"[" * 100_000),
        stream(delta(content="a")),
        stream(delta(content="a"), "{oops"),
        stream({"error": {"message": "overloaded"}}),
        exchange(b"", stream=True),
        exchange(b'{"error": "busy"}', status=503),
    ],
    ids=range(12),
)
def test_what_is_no_completion_is_an_error_of_the_wire(broken: Exchange) -> None:
    """Nonsense, half a stream and error bodies are never read as an answer."""
    with pytest.raises(WireError, match="http://h/v1"):
        read_exchange(broken)


def test_filtered_prompt_is_a_refusal() -> None:
    """Azure's 400 with the code `content_filter` is something the model's provider did, not a failure of ours."""
    body = json.dumps({"error": {"code": "content_filter", "message": "filtered"}}).encode()
    reading = read_exchange(exchange(body, status=400))
    assert (reading.state, reading.reply.refusal) == ("refused", "filtered")


@given(st.binary(), st.sampled_from([200, 400, 429, 500]), st.booleans())
def test_any_bytes_are_read_or_refused(body: bytes, status: int, is_stream: bool) -> None:
    """Whatever a server sends, reading it gives a reply or a WireError."""
    with suppress(WireError):
        read_exchange(exchange(body, status=status, stream=is_stream))


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1)))
def test_events_are_split_at_empty_lines(texts: list[str]) -> None:
    """Every event's data comes back, whichever line ends are used."""
    for end in ("\n", "\r\n", "\r"):
        body = "".join(f"data: {text}{end}{end}" for text in texts).encode()
        assert [event.decode() for event in stream_events(body)] == texts


@pytest.mark.parametrize("count", ["7", -1, 1.5, True, None, {}])
def test_usage_that_cannot_be_counted_is_unknown(count: object) -> None:
    """A budget rests on the counts: what is no number of tokens is unknown, never a number."""
    message = {"role": "assistant", "content": "x"}
    reply = read_exchange(whole(message, usage={"prompt_tokens": count, "completion_tokens": 3})).reply
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (None, 3)
