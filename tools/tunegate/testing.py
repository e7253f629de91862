"""For tests of evals: an endpoint on this machine that speaks the chat completions API and answers from a script."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


@dataclass(frozen=True)
class Scripted:
    """One answer of a scripted endpoint; `raw` replaces the whole body, and `cut` breaks it off half-way."""

    text: str | None = ""
    finish_reason: str = "stop"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    refusal: str | None = None
    raw: bytes | None = None
    cut: bool = False


@dataclass(frozen=True)
class Seen:
    """A request as it reached the endpoint; the names of its headers are in small letters."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Many requests come at once; who finds the queue full is let in a second later.
    request_queue_size = 256


class ScriptedEndpoint:
    """Serves `answer(body)` for every chat completion on a free loopback port; use it as a context manager."""

    def __init__(self, answer: Callable[[Mapping[str, Any]], Scripted | str]) -> None:
        self.seen: list[Seen] = []
        self._answer = answer
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def base_url(self) -> str:
        """Address to give to a client or to `--base-url`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> ScriptedEndpoint:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body are two writes: without this the second waits 40 ms for the client's acknowledgement.
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.seen.append(
                    Seen(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                )
                answer = endpoint._answer(body)
                scripted = Scripted(answer) if isinstance(answer, str) else answer
                data = scripted.raw if scripted.raw is not None else render_body(scripted, body)
                is_stream = scripted.status == 200 and body.get("stream")
                self.send_response(scripted.status)
                self.send_header("Content-Type", "text/event-stream" if is_stream else "application/json")
                self.send_header("Content-Length", str(len(data)))
                for name, value in scripted.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data[: len(data) // 2] if scripted.cut else data)
                self.close_connection = scripted.cut

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
                """Say nothing: a test shows what it wants to show."""

        return Handler


def render_body(answer: Scripted, request: Mapping[str, Any]) -> bytes:
    """Return the body that an OpenAI-style server sends for `answer`, streamed where `request` asks for it."""
    if answer.status != 200:
        return json.dumps({"error": {"message": answer.text, "type": "scripted", "code": None}}).encode()
    if request.get("stream"):
        return b"".join(_events(answer, request))
    message = {"role": "assistant", "content": answer.text, "refusal": answer.refusal}
    choice = {"index": 0, "message": message, "finish_reason": answer.finish_reason}
    return json.dumps({**_head(request, "chat.completion"), "choices": [choice], "usage": _usage(answer)}).encode()


def _events(answer: Scripted, request: Mapping[str, Any]) -> Iterator[bytes]:
    head = _head(request, "chat.completion.chunk")
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": part} for part in _split(answer.text or "")]
    deltas += [{"refusal": answer.refusal}] if answer.refusal else []
    for delta in deltas:
        yield _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    yield _event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": answer.finish_reason}]})
    yield _event({**head, "choices": [], "usage": _usage(answer)})
    yield b"data: [DONE]\n\n"


def _split(text: str) -> list[str]:
    """Words keep the spaces after them, so that the parts join to the text."""
    words = text.split(" ")
    return [word + " " for word in words[:-1]] + words[-1:]


def _event(value: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def _head(request: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-scripted",
        "object": kind,
        "created": 0,
        "model": request["model"],
        "system_fingerprint": "fp_scripted",
    }


def _usage(answer: Scripted) -> dict[str, int]:
    return {"prompt_tokens": 7, "completion_tokens": len((answer.text or "").split())}
