"""HTTP in front of the engines: connections, dispatch, and sending without delay."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tunegate.lab.refusals import Refusal

NOTICE = "a rehearsal with tiny models: what they answer says nothing about a model worth buying"

LARGEST_BODY = 8 * 1024 * 1024
"""Far more than any context here holds, far less than memory."""
DISCARDED = 8
"""Times the largest body that is read and thrown away so that a client lives to see why."""


class Exchange(BaseHTTPRequestHandler):
    """One connection: reads its requests one after the other and answers each."""

    protocol_version = "HTTP/1.1"
    server_version = "tunegate-lab"
    sys_version = ""
    # Without it the kernel holds small events back, and first-token times are wrong by up to 40 ms.
    disable_nagle_algorithm = True
    server: Front
    body = b""
    """What came with the request in hand."""

    def answer(self) -> None:
        """Find the route and let it answer; what it refuses is answered here."""
        try:
            path = unquote(urlsplit(self.path).path)
            # Read whatever the route makes of it: bytes left over would be taken for the next request.
            self.body = self._read_body(self.server.largest_body(self.command, path))
            action, arguments = self.server.find_route(self.command, path)
            action(self, *arguments)
        except Refusal as refusal:
            self.refuse(refusal)
        except ConnectionError:
            self.close_connection = True
        finally:
            # An upload is large, and its connection may stay open for long.
            self.body = b""

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters behind the path; the last of a name counts."""
        return dict(parse_qsl(urlsplit(self.path).query))

    # The names that the standard library calls.
    do_GET = do_POST = do_PUT = answer  # noqa: N815
    do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = answer  # noqa: N815

    def send_json(self, value: Mapping[str, object], *, status: int = 200) -> None:
        """Answer with one JSON object."""
        payload = json.dumps(value, ensure_ascii=False).encode()
        self._send_head(status, {"Content-Type": "application/json", "Content-Length": str(len(payload))})
        self.wfile.write(payload if self.command != "HEAD" else b"")

    def send_file(self, path: Path) -> None:
        """Answer with the bytes of a file."""
        with path.open("rb") as content:
            size = content.seek(0, 2)
            content.seek(0)
            self._send_head(200, {"Content-Type": "application/octet-stream", "Content-Length": str(size)})
            if self.command != "HEAD":
                shutil.copyfileobj(content, self.wfile, 1 << 20)

    def send_stream(self, events: Iterable[bytes]) -> None:
        """Answer with server-sent events, each in a chunk of its own, sent as soon as it is there."""
        chunked = self.request_version == "HTTP/1.1"
        self._send_head(200, {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}, chunked=chunked)
        for event in events:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event) if chunked else event)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def refuse(self, refusal: Refusal) -> None:
        """Answer with an error; a client that is gone hears nothing, and nobody waits for it."""
        try:
            self.send_json(refusal.body, status=refusal.status)
        except ConnectionError:
            self.close_connection = True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """What the standard library objects to (a malformed request line, a foreign method), in our shape."""
        self.close_connection = True
        # A request line that could not be read leaves HTTP/0.9 behind, which has no status to answer with.
        self.request_version = self.protocol_version
        self.refuse(Refusal(int(code), message or "The request could not be understood"))

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Say nothing: the standard library would print a line for each request."""

    def _read_body(self, largest: int) -> bytes:
        stated = self.headers.get("Content-Length")
        if stated is None and "Transfer-Encoding" not in self.headers:
            return b""
        self.close_connection, keeps_alive = True, not self.close_connection
        if stated is None:
            raise Refusal(411, "The request must state its Content-Length")
        if not re.fullmatch(r"[0-9]{1,18}", stated):
            raise Refusal(400, "Content-Length must be a number")
        length = int(stated)
        if length > largest:
            self._discard(min(length, DISCARDED * largest))
            raise Refusal(413, f"The body is larger than {largest} bytes")
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionAbortedError("the client hung up in the middle of its body")
        self.close_connection = not keeps_alive
        return body

    def _discard(self, length: int) -> None:
        # A client that is still sending when its connection closes sees a reset and never the reason.
        while length > 0 and (piece := self.rfile.read(min(length, 1 << 20))):
            length -= len(piece)

    def _send_head(self, status: int, headers: Mapping[str, str], *, chunked: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("X-Tunegate-Lab", NOTICE)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()


@dataclass(frozen=True)
class Route:
    """What answers a method on a path; the pattern's groups are the action's further arguments."""

    method: str
    pattern: str
    action: Callable[..., None]
    largest_body: int = LARGEST_BODY
    """In bytes; what is larger is refused unread."""


class Front(ThreadingHTTPServer):
    """The server that clients talk to."""

    # Threads are waited for on closing, after their connections were shut: none outlives the lab.
    daemon_threads = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], routes: Sequence[Route]) -> None:
        self._routes = routes
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, Exchange)

    def find_route(self, method: str, path: str) -> tuple[Callable[..., None], Sequence[str]]:
        """The action for a path, or a refusal that tells an unknown path from a wrong method."""
        matches = [(route, match) for route in self._routes if (match := re.fullmatch(route.pattern, path))]
        if not matches:
            raise Refusal(404, f"Unknown request URL: {method} {path}", code="unknown_url")
        for route, match in matches:
            if method in (route.method, "HEAD" if route.method == "GET" else route.method):
                return route.action, match.groups()
        allowed = ", ".join(route.method for route, _ in matches)
        raise Refusal(405, f"Not allowed to {method} on {path}, only {allowed}", code="method_not_supported")

    def largest_body(self, method: str, path: str) -> int:
        """How many bytes a request may bring along."""
        fitting = (route for route in self._routes if route.method == method and re.fullmatch(route.pattern, path))
        return next((route.largest_body for route in fitting), LARGEST_BODY)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, then answer it in a thread of its own."""
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection and close it."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that resets its connection is no error of ours; anything else is printed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        """End every open connection, which also cancels what was being computed for it."""
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
