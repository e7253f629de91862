"""What the mock server says: an answer that follows from the request alone, in the chat completions API's format."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

REASONS = {200: b"OK", 404: b"Not Found", 429: b"Too Many Requests", 500: b"Internal Server Error"}
_WHOLE = (
    '{"id":"chatcmpl-%s","object":"chat.completion","created":0,"model":%s,"choices":[{"index":0,"message":'
    '{"role":"assistant","content":%s,"refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":%s,'
    '"system_fingerprint":"fp_mock"}'
)
_CHUNK = (
    'data: {"id":"chatcmpl-%s","object":"chat.completion.chunk","created":0,"model":%s,"system_fingerprint":"fp_mock",'
    '"choices":%s,"usage":%s}\n\n'
)


def chars_of(body: Mapping[str, Any]) -> int:
    """Return how many characters the messages of a request hold."""
    return sum(len(message["content"]) for message in body["messages"])


def answer_text(body: Mapping[str, Any], *, wrong: bool = False) -> str:
    """Return the list that the format eval wants, with option 2 (or 3, where it is to be `wrong`) for each question."""
    return _list_of(max(1, body["messages"][-1]["content"].count("Question ")), "3" if wrong else "2")


def filling_text(tokens: int) -> str:
    """Return a text of so many tokens."""
    return "word" * tokens


@lru_cache(maxsize=64)
def _list_of(questions: int, option: str) -> str:
    return json.dumps([{str(number): option} for number in range(1, questions + 1)])


@lru_cache(maxsize=256)
def _quoted(text: str) -> str:
    return json.dumps(text)


def usage_of(body: Mapping[str, Any], text: str) -> str:
    """Return the usage object: a token is four characters."""
    asked, said = math.ceil(chars_of(body) / 4), math.ceil(len(text) / 4)
    return f'{{"prompt_tokens":{asked},"completion_tokens":{said},"total_tokens":{asked + said}}}'


def whole_body(body: Mapping[str, Any], text: str, *, name: str) -> bytes:
    """Return the JSON of an unstreamed reply whose id ends in `name`."""
    return (_WHOLE % (name, _quoted(body["model"]), _quoted(text), usage_of(body, text))).encode()


def stream_pieces(body: Mapping[str, Any], text: str, *, name: str, chunks: int, finish: str = "stop") -> list[bytes]:
    """Return a streamed reply as `chunks` pieces to be written one by one.

    Each holds one event with text. The first begins with the role, the last ends with the finish, the usage where the
    request wants it, and [DONE].
    """
    model = _quoted(body["model"])
    wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))

    def event(choices: str, usage: str = "null") -> bytes:
        return (_CHUNK % (name, model, choices, usage)).encode()

    parts = list(_split(text, parts=chunks))
    pieces = [event(f'[{{"index":0,"delta":{{"content":{_quoted(part)}}},"finish_reason":null}}]') for part in parts]
    pieces[0] = event('[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]') + pieces[0]
    pieces[-1] += event(f'[{{"index":0,"delta":{{}},"finish_reason":"{finish}"}}]')
    if wants_usage:
        pieces[-1] += event("[]", usage_of(body, text))
    pieces[-1] += b"data: [DONE]\n\n"
    return pieces


def _split(text: str, *, parts: int) -> Iterator[str]:
    size = max(1, math.ceil(len(text) / parts))
    for start in range(0, max(1, len(text)), size):
        yield text[start : start + size]


def error_body(message: str, *, kind: str, code: str | None = None) -> bytes:
    """Return an error as the API words it."""
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}}).encode()


def http_head(status: int, *, length: int | None, kind: str = "application/json", more: str = "") -> bytes:
    """Return status line and headers; a `length` of None announces chunks. `more` holds whole lines, each ended."""
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    reason = REASONS[status].decode()
    return f"HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\n{size}\r\n{more}\r\n".encode()


def http_chunk(data: bytes, *, last: bool = False) -> bytes:
    """Return `data` as one chunk of a body, followed by its end where it is the last."""
    return b"%x\r\n%b\r\n%b" % (len(data), data, b"0\r\n\r\n" if last else b"")
