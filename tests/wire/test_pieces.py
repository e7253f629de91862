"""When each piece of a stream came, and whether the stream came to its end."""

from __future__ import annotations

import json
from typing import Any

from tunegate.exchanges import Exchange, Request, Timing
from tunegate.wire import read_exchange

REQUEST = Request("http://h/v1/chat/completions", {"model": "m"})
TIMES = (0.1, 0.2, 0.35, 0.5, 0.51)


def stream(*events: dict[str, Any] | str, timing: Timing | None) -> Exchange:
    told = [event if isinstance(event, str) else json.dumps(event) for event in events]
    body = "".join(f"data: {event}\n\n" for event in told).encode()
    return Exchange(REQUEST, 200, "OK", {"content-type": ("text/event-stream",)}, body, timing)


def piece(text: str, finish_reason: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}]}


EVENTS = (piece(""), piece("one "), piece("two"), piece("", "length"), "[DONE]")


def test_pieces_are_timed_and_what_holds_no_text_is_none() -> None:
    """The role, the finish and [DONE] are events and no pieces; the first token is the first piece."""
    reading = read_exchange(stream(*EVENTS, timing=Timing(0.51, TIMES)))
    assert reading.pieces_s == (0.2, 0.35)
    assert reading.first_token_s == 0.2


def test_pieces_that_nobody_timed_are_left_out() -> None:
    """A recording without times, or with times of some events, has those that it has."""
    assert read_exchange(stream(*EVENTS, timing=None)).pieces_s == ()
    some = read_exchange(stream(*EVENTS, timing=Timing(0.51, TIMES[:2])))
    assert (some.pieces_s, some.first_token_s) == ((0.2,), 0.2)


def test_stream_without_done_is_told() -> None:
    """A finish_reason makes a reply; that the stream ended as the API says is on it beside."""
    assert read_exchange(stream(*EVENTS, timing=None)).reply.ended
    assert not read_exchange(stream(*EVENTS[:-1], timing=None)).reply.ended


def test_whole_reply_has_no_pieces_and_has_ended() -> None:
    """What was not streamed cannot have stopped half-way."""
    body = json.dumps({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}).encode()
    reading = read_exchange(Exchange(REQUEST, 200, "OK", {"content-type": ("application/json",)}, body, Timing(0.3)))
    assert (reading.pieces_s, reading.reply.ended) == ((), True)
