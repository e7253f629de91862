"""What a model said, read from the bytes that came: the same code for a live reply and for a replayed one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tunegate.errors import WireError
from tunegate.exchanges import Exchange
from tunegate.records import Reply, State, Usage

_JSON = json.JSONDecoder()


@dataclass(frozen=True)
class Reading:
    """A reply, what kind of outcome it is, and when it came (seconds after the request was sent)."""

    reply: Reply
    state: State
    latency_s: float | None
    first_token_s: float | None
    pieces_s: tuple[float, ...] = ()
    """When each piece of text came; empty where the reply was not streamed, or nobody measured."""


def read_exchange(exchange: Exchange) -> Reading:
    """Read a complete exchange.

    A refusal (the API's own, or its content filter's) and a reply cut at the token limit are states of their own:
    both are things that the model did.

    Raises:
        WireError: the response is no chat completion, or reports an error that is not the model's.
    """
    if exchange.status != 200:
        if _is_content_filter(exchange):
            message = _error_message(exchange.body)
            reply = Reply(text="", finish_reason="content_filter", refusal=message)
            return Reading(reply, "refused", _total(exchange), None)
        raise WireError(
            f"{exchange.status} {_error_message(exchange.body)}, from {exchange.request.url}",
            status=exchange.status,
        )
    if _is_stream(exchange):
        return _read_stream(exchange)
    return _read_single(exchange)


def _read_single(exchange: Exchange) -> Reading:
    body = _parse(exchange.body, exchange)
    choice = _first_choice(body, exchange)
    message = _mapping(choice.get("message"))
    reply = Reply(
        text=_text(message.get("content")),
        finish_reason=choice.get("finish_reason"),
        model=body.get("model"),
        fingerprint=body.get("system_fingerprint"),
        usage=_usage(body.get("usage")),
        refusal=message.get("refusal"),
    )
    return Reading(reply, _state(reply), _total(exchange), None)


def _read_stream(exchange: Exchange) -> Reading:
    parts: list[str] = []
    refusals: list[str] = []
    finish_reason = model = fingerprint = None
    usage = Usage()
    with_text: list[int] = []
    ended = False
    for number, event in enumerate(stream_events(exchange.body)):
        if event == b"[DONE]":
            ended = True
            break
        chunk = _parse(event, exchange)
        if "error" in chunk:
            raise WireError(f"stream broken off: {_error_message(event)}, by {exchange.request.url}")
        model = chunk.get("model") or model
        fingerprint = chunk.get("system_fingerprint") or fingerprint
        usage = _usage(chunk["usage"]) if chunk.get("usage") else usage
        choice = _mapping(next(iter(chunk.get("choices") or ()), None))
        delta = _mapping(choice.get("delta"))
        if text := _text(delta.get("content")):
            parts.append(text)
            with_text.append(number)
        refusals.append(_text(delta.get("refusal")))
        finish_reason = choice.get("finish_reason") or finish_reason
    if finish_reason is None:
        raise WireError(f"incomplete reply: a stream without a finish_reason, from {exchange.request.url}")
    reply = Reply(
        text="".join(parts),
        finish_reason=finish_reason,
        model=model,
        fingerprint=fingerprint,
        usage=usage,
        refusal="".join(refusals) or None,
        ended=ended,
    )
    pieces_s = _arrivals(exchange, with_text)
    first_token_s = pieces_s[0] if pieces_s else None
    return Reading(reply, _state(reply), _total(exchange), first_token_s, pieces_s)


def stream_events(body: bytes) -> Iterator[bytes]:
    """Yield the data of each server-sent event in `body`, in order (WHATWG HTML, section 9.2.6).

    Comments and fields other than `data` are passed over; an event without data is none.
    """
    data: list[bytes] = []
    for line in body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"):
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line and data:
            yield b"\n".join(data)
            data.clear()


def _state(reply: Reply) -> State:
    if reply.refusal or reply.finish_reason == "content_filter":
        return "refused"
    return "truncated" if reply.finish_reason == "length" else "answered"


def _total(exchange: Exchange) -> float | None:
    return exchange.timing.total_s if exchange.timing else None


def _arrivals(exchange: Exchange, events: Sequence[int]) -> tuple[float, ...]:
    """Return when these events came: of the leading ones of which it is known."""
    known = exchange.timing.events_s if exchange.timing is not None else ()
    return tuple(known[event] for event in events if event < len(known))


def _is_stream(exchange: Exchange) -> bool:
    return _content_type(exchange).startswith("text/event-stream") or exchange.body.startswith(b"data:")


def _content_type(exchange: Exchange) -> str:
    return next((value[0] for name, value in exchange.headers.items() if name.lower() == "content-type"), "")


def _is_content_filter(exchange: Exchange) -> bool:
    """Azure answers 400 with this code where a prompt or a reply was filtered."""
    try:
        error = _mapping(_mapping(json.loads(exchange.body)).get("error"))
    except ValueError:
        return False
    return exchange.status == 400 and error.get("code") in {"content_filter", "content_policy_violation"}


def _parse(data: bytes, exchange: Exchange) -> Mapping[str, Any]:
    try:
        # A lone surrogate may stand escaped in the JSON; the record keeps it as it is.
        value = _JSON.decode(data.decode())
    except (ValueError, RecursionError) as problem:
        kind = ", ".join(
            next((value for name, value in exchange.headers.items() if name.lower() == "content-type"), ())
        )
        raise WireError(
            f"no JSON but {kind or 'bytes of no stated type'} from {exchange.request.url}, status {exchange.status}; "
            f"is that the address of a chat completions API? It began {data[:60]!r} ({problem})"
        ) from problem
    if not isinstance(value, dict):
        raise WireError(f"no completion but other JSON from {exchange.request.url}: {data[:120]!r}")
    return value


def _first_choice(body: Mapping[str, Any], exchange: Exchange) -> Mapping[str, Any]:
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise WireError(f"a completion without choices from {exchange.request.url}: {exchange.body[:120]!r}")
    return choices[0]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(content: object) -> str:
    """`null` content is an empty text; a list of parts, as some servers send it, is their text joined."""
    if isinstance(content, list):
        return "".join(str(_mapping(part).get("text", "")) for part in content)
    return content if isinstance(content, str) else ""


def _usage(usage: object) -> Usage:
    counts = _mapping(usage)
    cached = _mapping(counts.get("prompt_tokens_details")).get("cached_tokens")
    return Usage(_count(counts.get("prompt_tokens")), _count(counts.get("completion_tokens")), _count(cached))


def _count(value: object) -> int | None:
    """A count that cannot be one is unknown: budgets and limits rest on it."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _error_message(body: bytes) -> str:
    try:
        error = _mapping(json.loads(body)).get("error")
    except ValueError:
        error = None
    if isinstance(error, dict) and error.get("message"):
        return str(error["message"])
    if isinstance(error, str):
        return error
    return body[:200].decode("utf-8", "backslashreplace").strip() or "nothing"
