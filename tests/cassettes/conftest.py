"""A library in an empty folder, exchanges to put into it, and a small chat server for the openai client."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

import pytest

from tunegate.cassettes import Cassette, Library
from tunegate.exchanges import Exchange, Request, Timing

URL = "https://api.example.com/v1/chat/completions"


class MakeExchange(Protocol):
    def __call__(self, prompt: str = ..., **changes: Any) -> Exchange: ...


@pytest.fixture
def make_exchange() -> MakeExchange:
    def make(prompt: str = "What is 2 + 2?", **changes: Any) -> Exchange:
        body = {"model": "m", "messages": [{"role": "user", "content": prompt}], "temperature": 0}
        request = Request(changes.pop("url", URL), changes.pop("asked", body))
        return Exchange(
            request=request,
            status=changes.pop("status", 200),
            reason=changes.pop("reason", "OK"),
            headers=changes.pop("headers", {"content-type": ("application/json",)}),
            body=changes.pop("body", b'{"choices":[{"message":{"content":"4"}}]}'),
            timing=changes.pop("timing", Timing(0.5)),
            recorded_at=changes.pop("recorded_at", "2026-11-22T10:00:00Z"),
            repeat=changes.pop("repeat", 1),
            note=changes.pop("note", {"case": "sums-01", "text": "4", "model": "m-2026"}),
        )

    return make


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cassettes"


@pytest.fixture
def library(root: Path) -> Library:
    return Library(root)


@pytest.fixture
def cassette(library: Library) -> Cassette:
    return library.cassette("format", "ft:gpt-3.5-turbo:acme::9x")


@dataclass
class ChatServer:
    """Answers chat completions with a count, and remembers what went over the wire."""

    base_url: str
    requests: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    replies: list[bytes] = field(default_factory=list)


@pytest.fixture
def chat_server() -> Iterator[ChatServer]:
    class Chat(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            server.requests.append((f"http://127.0.0.1:{port}{self.path}", body))
            text = f"réponse {len(server.requests)}"
            reply, kind = _chat_reply(body, text=text)
            server.replies.append(reply)
            sent = gzip.compress(reply) if self.path.startswith("/gzip") else reply
            self.send_response(200)
            self.send_header("Content-Type", kind)
            if sent is not reply:
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Set-Cookie", "__cf_bm=a-session-of-ours")
            self.send_header("OpenAI-Organization", "acme-corporation")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    port = http.server_address[1]
    server = ChatServer(f"http://127.0.0.1:{port}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    http.shutdown()
    http.server_close()
    thread.join()


def _chat_reply(body: Mapping[str, Any], *, text: str) -> tuple[bytes, str]:
    named = {"id": "chatcmpl-1", "created": 1, "model": body["model"]}
    if not body.get("stream"):
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        whole = {**named, "object": "chat.completion", "choices": [choice]}
        return json.dumps(whole, ensure_ascii=False).encode(), "application/json"
    events = []
    for piece in text:
        choice = {"index": 0, "finish_reason": None, "delta": {"content": piece}}
        events.append(json.dumps({**named, "object": "chat.completion.chunk", "choices": [choice]}))
    return "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"]).encode(), "text/event-stream"
