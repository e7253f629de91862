"""One connection of the mock server, over a bare `asyncio.Protocol`."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import re
import time
from collections import deque
from typing import Any

from mock_limits import Fault, draw
from mock_replies import (
    answer_text,
    chars_of,
    error_body,
    filling_text,
    http_chunk,
    http_head,
    stream_pieces,
    whole_body,
)
from mock_state import MockServer, Seen

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_HOST = re.compile(rb"\r\nhost:[ \t]*([^\r\n]*)", re.IGNORECASE)


class Conversation(asyncio.Protocol):
    """One connection: requests are read one after the other, the next only when the last is answered."""

    def __init__(self, server: MockServer) -> None:
        self._server = server
        self._buffer = b""
        self._open: Seen | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        """Give up what was not answered yet."""
        if self._timer is not None:
            self._timer.cancel()
        if self._open is not None:
            self._close("left")

    def data_received(self, data: bytes) -> None:
        """Collect until a request is complete."""
        self._buffer = self._buffer + data if self._buffer else data
        self._read_next()

    def _read_next(self) -> None:
        while self._open is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end]
            found = _LENGTH.search(head)
            total = end + 4 + (int(found[1]) if found else 0)
            if len(self._buffer) < total:
                return
            body, self._buffer = self._buffer[end + 4 : total], self._buffer[total:]
            self._serve(head, body, arrival_ns=time.monotonic_ns())

    def _serve(self, head: bytes, body: bytes, *, arrival_ns: int) -> None:
        method, path, _ = head[: head.find(b"\r\n")].decode("latin-1").split(" ", 2)
        if method == "POST" and path.endswith("/chat/completions"):
            host = _HOST.search(head)
            self._ask(body, url=f"http://{host[1].decode() if host else ''}{path}", arrival_ns=arrival_ns)
        elif (method, path) == ("GET", "/stats"):
            self._send(200, json.dumps(self._server.stats()).encode())
        elif (method, path) == ("GET", "/log"):
            lines = "".join(seen.to_json() + "\n" for seen in self._server.seen)
            self._send(200, lines.encode(), kind="application/jsonl")
        elif (method, path) == ("POST", "/reset"):
            self._server.reset()
            self._send(200, b"{}")
        else:
            self._send(404, error_body(f"no {method} {path} here", kind="invalid_request_error"))

    def _ask(self, body: bytes, *, url: str, arrival_ns: int) -> None:
        server, settings = self._server, self._server.settings
        request = json.loads(body)
        digest = hashlib.sha256(body).hexdigest()
        server.attempts[digest] = attempt = server.attempts[digest] + 1
        tokens = math.ceil(chars_of(request) / 4) + (request.get("max_tokens") or 0)
        self._open = seen = Seen(body, url, digest, attempt, tokens, arrival_ns)
        server.enter(seen)
        if server.limit is not None and (refusal := server.limit.admit(tokens, now=arrival_ns / 1e9)):
            self._reject(*refusal)
            return
        faults, seed = settings.faults, settings.seed
        fault = faults.pick(draw(seed, "fault", digest, attempt)) if faults.any else None
        if fault == "429":
            self._reject("requests", faults.retry_after_s, outcome="429")
            return
        delay_s = settings.latency_ms / 1000 + (faults.hang_s if fault == "hang" else 0.0)
        if settings.jitter_ms:
            delay_s += (2 * draw(seed, "jitter", digest, attempt) - 1) * settings.jitter_ms / 1000
        self._after(delay_s, request, fault)

    def _after(self, delay_s: float, request: dict[str, Any], fault: Fault | None) -> None:
        if delay_s <= 0:
            self._answer(request, fault)
        else:
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._answer, request, fault)

    def _answer(self, request: dict[str, Any], fault: Fault | None) -> None:
        settings, seen = self._server.settings, self._open
        assert seen is not None
        if fault == "drop":
            self._end("drop")
            return
        if fault == "500":
            self._finish(500, error_body("the server had an error", kind="server_error"), outcome="500")
            return
        wrong = settings.wrong > 0 and draw(settings.seed, "wrong", seen.digest) < settings.wrong
        text, name = answer_text(request, wrong=wrong), seen.digest[:16]
        chunks, finish = settings.chunks, "stop"
        if settings.fill:
            chunks, finish = request["max_tokens"], "length"
            text = filling_text(chunks)
        if request.get("stream"):
            pieces = stream_pieces(request, text, name=name, chunks=chunks, finish=finish)
            seen.status, seen.first_ns = 200, time.monotonic_ns()
            head = http_head(200, length=None, kind="text/event-stream", more=self._headers())
            kept = deque(pieces[: len(pieces) // 2] if fault == "cut" else pieces)
            self._write_pieces(kept, head, fault, due=asyncio.get_running_loop().time())
        else:
            self._finish(200, whole_body(request, text, name=name), outcome=fault or "answered", cut=fault == "cut")

    def _write_pieces(self, pieces: deque[bytes], head: bytes, fault: Fault | None, due: float) -> None:
        """Write what is due; the others are due by the clock, so that what one is late does not add up."""
        seen = self._open
        assert seen is not None
        wait_s = self._server.settings.chunk_ms / 1000
        while pieces:
            piece = pieces.popleft()
            if not pieces:
                seen.last_ns = time.monotonic_ns()
            self._transport.write(head + http_chunk(piece, last=not pieces and fault != "cut"))
            head = b""
            if pieces and wait_s:
                due += wait_s
                self._timer = asyncio.get_running_loop().call_at(due, self._write_pieces, pieces, b"", fault, due)
                return
        if fault == "cut":
            self._transport.write(head)
            self._end("cut")
        else:
            self._close(fault or "answered")
            self._read_next()

    def _reject(self, name: str, wait_s: float, *, outcome: str = "rejected") -> None:
        message = f"Rate limit reached for {name} per minute. Please try again in {wait_s:.3f}s."
        body = error_body(message, kind=name, code="rate_limit_exceeded")
        more = f"Retry-After: {math.ceil(wait_s)}\r\nretry-after-ms: {math.ceil(wait_s * 1000)}\r\n"
        self._finish(429, body, outcome=outcome, more=more)

    def _finish(self, status: int, body: bytes, *, outcome: str, more: str = "", cut: bool = False) -> None:
        seen = self._open
        assert seen is not None
        seen.status = status
        seen.first_ns = seen.last_ns = now = time.monotonic_ns()
        more += f"{self._headers()}x-mock-duration-us: {(now - seen.arrival_ns) // 1000}\r\n"
        self._transport.write(
            http_head(status, length=len(body), more=more) + (body[: len(body) // 2] if cut else body)
        )
        if cut:
            self._end(outcome)
        else:
            self._close(outcome)
            self._read_next()

    def _headers(self) -> str:
        assert self._open is not None
        limits = self._server.limit.headers() if self._server.limit is not None else ""
        return f"{limits}x-mock-attempt: {self._open.attempt}\r\n"

    def _close(self, outcome: str) -> None:
        assert self._open is not None
        self._server.leave(self._open, outcome)
        self._open = self._timer = None

    def _end(self, outcome: str) -> None:
        self._close(outcome)
        self._transport.close()

    def _send(self, status: int, body: bytes, *, kind: str = "application/json") -> None:
        self._transport.write(http_head(status, length=len(body), kind=kind) + body)
