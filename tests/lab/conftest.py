"""A lab without a model: where llama.cpp stands, a socket stands whose every byte the test sends itself."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import openai
import pytest

from tunegate.lab import Lab
from tunegate.lab.relay import Served

PATIENCE_S = 20.0


class ScriptedCall:
    """One call that the front made, answered byte by byte."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE_S)
        self._connection = connection
        self._reader = connection.makefile("rb")
        self.request_line = self._reader.readline().decode().strip()
        headers = http.client.parse_headers(self._reader)
        self.body: dict[str, Any] = json.loads(self._reader.read(int(headers["Content-Length"])))

    def send_json(self, value: object, *, status: int = 200) -> None:
        payload = json.dumps(value).encode()
        self.send(f"HTTP/1.1 {status} X\r\nContent-Length: {len(payload)}\r\n\r\n".encode() + payload)

    def start_stream(self) -> None:
        self.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")

    def send_event(self, event: bytes) -> None:
        self.send(b"%x\r\n%b\r\n" % (len(event), event))

    def send(self, content: bytes) -> None:
        self._connection.sendall(content)

    def is_hung_up(self) -> bool:
        """Waits for the front to end the call."""
        try:
            return self._connection.recv(1) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self._reader.close()
        self._connection.close()


class ScriptedEngine:
    """A listening socket in the place of llama.cpp."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE_S)
        self.address: tuple[str, int] = self._listener.getsockname()
        self._calls: list[ScriptedCall] = []

    def take_call(self) -> ScriptedCall:
        """The next call of the front."""
        connection, _ = self._listener.accept()
        self._calls.append(ScriptedCall(connection))
        return self._calls[-1]

    def has_another_call(self) -> bool:
        """Whether a call is there that was not taken."""
        self._listener.settimeout(0)
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return False
        finally:
            self._listener.settimeout(PATIENCE_S)
        connection.close()
        return True

    def close(self) -> None:
        for call in self._calls:
            call.close()
        self._listener.close()


def completion(text: str = "hello") -> dict[str, Any]:
    """What llama.cpp answers, its bookkeeping included."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "/somewhere/a.gguf",
        "system_fingerprint": "b1-abc",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}},
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        "timings": {"prompt_ms": 1.5},
    }


def event(text: str) -> bytes:
    """One event of a stream, as llama.cpp writes it."""
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "/somewhere/a.gguf",
        "choices": [{"index": 0, "finish_reason": None, "delta": {"content": text}}],
    }
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


@pytest.fixture
def engine() -> Iterator[ScriptedEngine]:
    scripted = ScriptedEngine()
    yield scripted
    scripted.close()


@pytest.fixture
def lab(engine: ScriptedEngine) -> Iterator[Lab]:
    """A lab whose only model is called `tiny`."""
    with Lab([Served("tiny", engine.address)], host="127.0.0.1", port=0) as lab:
        yield lab


@pytest.fixture
def client(lab: Lab) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=lab.base_url, api_key="none", max_retries=0, timeout=PATIENCE_S) as client:
        yield client


@pytest.fixture
def connection(lab: Lab) -> Iterator[http.client.HTTPConnection]:
    """A bare connection, for requests that no SDK would send."""
    host, port = lab.base_url.removeprefix("http://").removesuffix("/v1").split(":")
    bare = http.client.HTTPConnection(host, int(port), timeout=PATIENCE_S)
    yield bare
    bare.close()


Ask = Callable[[http.client.HTTPConnection, str, str, object], tuple[int, dict[str, Any]]]


@pytest.fixture
def ask() -> Ask:
    def ask(
        bare: http.client.HTTPConnection, method: str, path: str, body: object = None
    ) -> tuple[int, dict[str, Any]]:
        payload = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        bare.request(method, path, payload)
        response = bare.getresponse()
        return response.status, json.loads(response.read())

    return ask


@pytest.fixture
def in_background() -> Iterator[Callable[..., Future[Any]]]:
    """Run a call beside the test: `in_background(function, ...)`."""
    with ThreadPoolExecutor() as pool:
        yield pool.submit


@pytest.fixture
def llama_completion() -> Callable[..., dict[str, Any]]:
    return completion


@pytest.fixture
def llama_event() -> Callable[[str], bytes]:
    return event
