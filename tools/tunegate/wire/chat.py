"""The body of a chat completion request."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tunegate.exchanges import Request
from tunegate.records import Message


def chat_request(
    base_url: str,
    model: str,
    *,
    messages: Sequence[Message],
    max_tokens: int,
    temperature: float | None,
    stream: bool = True,
    extra: Mapping[str, Any] | None = None,
    omit: Collection[str] = (),
) -> Request:
    """Return the request that asks `model` at `base_url` to continue `messages`.

    `extra` is merged last and `omit` is left out: so a row of the matrix gives an endpoint what it takes.
    """
    body: dict[str, Any] = {
        "model": model,
        "messages": [dict(message) for message in messages],
        "max_tokens": max_tokens,
        "temperature": temperature,
        "stream": True if stream else None,
        # Without it a stream ends without a word about its tokens.
        "stream_options": {"include_usage": True} if stream else None,
        **(extra or {}),
    }
    kept = {name: value for name, value in body.items() if value is not None and name not in omit}
    return Request(url=base_url.rstrip("/") + "/chat/completions", body=kept)
