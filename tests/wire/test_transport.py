"""How requests reach a socket, and when what came of them came."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tunegate.errors import WireError
from tunegate.exchanges import Exchange
from tunegate.testing import Scripted, render_body
from tunegate.wire import Connection, chat_request, read_exchange
from tunegate.wire.arrival import ArrivalLoop

MOMENT_S = 0.02
EVENT = b'data: {"model":"m","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":%s}]}\n\n'


@dataclass(frozen=True)
class Head:
    """The head of a request as it reached the server."""

    target: str
    headers: Mapping[str, str]


Reply = Callable[[Head, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """A server of a few lines, which does to its sockets what a test wants."""

    reply: Reply
    connections: int = 0
    seen: list[Head] = field(default_factory=list)
    is_left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client closed its connection."""
    talks: list[asyncio.Task[None] | None] = field(default_factory=list)
    port: int = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.talks.append(asyncio.current_task())
        with contextlib.closing(writer), contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                fields = (line.partition(":") for line in lines[1:] if line)
                head = Head(lines[0].split()[1], {name.lower(): value.strip() for name, _, value in fields})
                await reader.readexactly(int(head.headers.get("content-length", 0)))
                self.seen.append(head)
                await self.reply(head, writer)
                await writer.drain()
        self.is_left.set()

    async def close(self) -> None:
        talks = [talk for talk in self.talks if talk is not None]
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


@asynccontextmanager
async def serving(reply: Reply) -> AsyncIterator[Server]:
    server = Server(reply)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await server.close()


@asynccontextmanager
async def connected(base_url: str, *, timeout_s: float = 20.0) -> AsyncIterator[Callable[[], Awaitable[Exchange]]]:
    """Yield what sends one request."""
    connection = Connection(base_url, api_key=None, timeout_s=timeout_s)
    message = {"role": "user", "content": "2 + 2?"}
    request = chat_request(base_url, "m", messages=[message], max_tokens=9, temperature=0.0)
    try:
        yield lambda: connection.send(request)
    finally:
        await connection.aclose()


def write_head(writer: asyncio.StreamWriter, *headers: str, status: str = "200 OK") -> None:
    writer.write("\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode())


async def write_reply(_: Head, writer: asyncio.StreamWriter) -> None:
    body = render_body(Scripted("four"), {"model": "m"})
    write_head(writer, "Content-Type: application/json", f"Content-Length: {len(body)}")
    writer.write(body)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def test_waiting_for_a_connection_is_not_the_models_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of a reply begins when its request is written, not while its address is looked up."""
    look_up = socket.getaddrinfo

    def slow(*args: Any, **options: Any) -> Any:
        time.sleep(5 * MOMENT_S)
        return look_up(*args, **options)

    async def ask() -> tuple[float, float]:
        async with serving(write_reply) as server, connected(f"http://localhost:{server.port}/v1") as send:
            # What is imported and made at a first request must not count for the whole either.
            with contextlib.suppress(WireError):
                await send()
            monkeypatch.setattr(socket, "getaddrinfo", slow)
        async with serving(write_reply) as server, connected(f"http://localhost:{server.port}/v1") as send:
            began = time.perf_counter()
            exchange = await send()
            assert exchange.timing is not None
            return exchange.timing.total_s, time.perf_counter() - began

    total_s, whole_s = asyncio.run(ask())
    assert whole_s >= 5 * MOMENT_S
    assert total_s <= whole_s - 5 * MOMENT_S


def test_server_that_thinks_is_timed_in_full() -> None:
    """From the request to the last byte everything counts, also where the head comes early."""

    async def think(_: Head, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(MOMENT_S)
        body = render_body(Scripted("four"), {"model": "m"})
        write_head(writer, "Content-Type: application/json", f"Content-Length: {len(body)}")
        await asyncio.sleep(MOMENT_S)
        writer.write(body)

    async def ask() -> Exchange:
        async with serving(think) as server, connected(server.base_url) as send:
            return await send()

    reading = read_exchange(asyncio.run(ask()))
    assert reading.latency_s is not None
    assert reading.latency_s >= 2 * MOMENT_S
    assert reading.first_token_s is None


def test_events_are_timed_as_they_come() -> None:
    """Each event has the time of its own arrival, whatever is sent in one piece or torn in two."""
    one, two, three = EVENT % (b"one ", b"null"), EVENT % (b"two ", b"null"), EVENT % (b"three", b'"stop"')

    async def stream(_: Head, writer: asyncio.StreamWriter) -> None:
        write_head(writer, "Content-Type: text/event-stream", "Connection: close")
        await asyncio.sleep(MOMENT_S)
        for piece in (one + two[:20], two[20:], three + b"data: [DONE]\n\n"):
            writer.write(piece)
            await asyncio.sleep(MOMENT_S)
        writer.close()

    async def ask() -> Exchange:
        async with serving(stream) as server, connected(server.base_url) as send:
            return await send()

    exchange = asyncio.run(ask())
    reading = read_exchange(exchange)
    assert reading.reply.text == "one two three"
    assert exchange.timing is not None
    first, second, third, done = exchange.timing.events_s
    assert reading.first_token_s == first >= MOMENT_S
    assert second - first >= MOMENT_S / 2
    assert third - second >= MOMENT_S / 2
    assert done == third <= exchange.timing.total_s


def test_timeout_is_that_of_the_whole_reply() -> None:
    """A server that sends a byte now and then for ever is given up after `timeout_s`."""

    async def trickle(_: Head, writer: asyncio.StreamWriter) -> None:
        write_head(writer, "Content-Type: text/event-stream", "Connection: close")
        while True:
            writer.write(b": still here\n\n")
            await writer.drain()
            await asyncio.sleep(MOMENT_S / 10)

    async def ask() -> None:
        async with serving(trickle) as server, connected(server.base_url, timeout_s=5 * MOMENT_S) as send:
            with pytest.raises(
                WireError, match=r"no complete reply within timeout_s = 0\.1 s from http://127"
            ) as problem:
                await asyncio.wait_for(send(), 10)
            assert problem.value.status is None
            await asyncio.wait_for(server.is_left.wait(), 20)

    asyncio.run(ask())


def test_giving_up_closes_the_connection() -> None:
    """A request that is cancelled does not stay behind in the pool: the server sees its client go."""

    async def ask() -> None:
        async with serving(lambda _, __: asyncio.sleep(0)) as server, connected(server.base_url) as send:
            asking = asyncio.ensure_future(send())
            while not server.seen:
                await asyncio.sleep(MOMENT_S / 10)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            await asyncio.wait_for(server.is_left.wait(), 20)

    asyncio.run(ask())


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"])
def test_redirect_is_not_followed(status: str) -> None:
    """A request goes to the address that the matrix names and nowhere else, and its key with it."""

    async def redirect(_: Head, writer: asyncio.StreamWriter) -> None:
        write_head(writer, f"Location: {elsewhere.base_url}", "Content-Length: 0", status=status)

    async def ask() -> Exchange:
        nonlocal elsewhere
        async with serving(write_reply) as elsewhere, serving(redirect) as server, connected(server.base_url) as send:
            exchange = await send()
            assert (len(server.seen), len(elsewhere.seen)) == (1, 0)
            return exchange

    elsewhere = Server(write_reply)
    exchange = asyncio.run(ask())
    assert f"{exchange.status} {exchange.reason}" == status
    with pytest.raises(WireError, match=f"^{exchange.status} nothing, from"):
        read_exchange(exchange)


def test_compression_is_not_asked_for() -> None:
    """A body must be readable in a cassette; one that comes compressed all the same is unpacked."""

    async def compress(_: Head, writer: asyncio.StreamWriter) -> None:
        body = gzip.compress(render_body(Scripted("four"), {"model": "m"}))
        write_head(writer, "Content-Type: application/json", "Content-Encoding: gzip", f"Content-Length: {len(body)}")
        writer.write(body)

    async def ask() -> Exchange:
        async with serving(compress) as server, connected(server.base_url) as send:
            exchange = await send()
            assert server.seen[0].headers["accept-encoding"] == "identity"
            return exchange

    assert read_exchange(asyncio.run(ask())).reply.text == "four"


def test_connections_are_used_again() -> None:
    """One request after the other goes through one connection; requests at the same time open their own."""

    async def ask() -> tuple[int, int]:
        async with serving(write_reply) as server, connected(server.base_url) as send:
            for _ in range(5):
                await send()
            one_by_one = server.connections
            await asyncio.gather(*(send() for _ in range(4)))
            for _ in range(5):
                await send()
            return one_by_one, server.connections

    one_by_one, at_once = asyncio.run(ask())
    assert one_by_one == 1
    assert 1 < at_once <= 4


def test_connection_that_the_server_closed_is_replaced() -> None:
    """A server may end a connection that lies idle; the next request opens another."""

    async def once(head: Head, writer: asyncio.StreamWriter) -> None:
        await write_reply(head, writer)
        await writer.drain()
        writer.close()

    async def ask() -> int:
        async with serving(once) as server, connected(server.base_url) as send:
            for _ in range(3):
                assert (await send()).status == 200
                await asyncio.sleep(MOMENT_S)
            return server.connections

    assert asyncio.run(ask()) == 3


@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"no HTTP at all\r\n\r\n"])
def test_server_that_hangs_up_is_said_so(reply: bytes) -> None:
    """A connection that ends without a response is no reply, and the address is named."""

    async def hang_up(_: Head, writer: asyncio.StreamWriter) -> None:
        writer.write(reply)
        writer.close()

    async def ask() -> None:
        async with serving(hang_up) as server, connected(server.base_url) as send:
            with pytest.raises(WireError, match=r"no complete reply from http://127\.0\.0\.1:\d+/v1: ReadError: "):
                await send()

    asyncio.run(ask())


@pytest.mark.parametrize(
    ("variable", "value"),
    [("HTTP_PROXY", "http://{}"), ("http_proxy", "http://{}"), ("ALL_PROXY", "http://{}"), ("HTTP_PROXY", "{}")],
)
def test_proxy_of_the_environment_is_used(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy that the environment names gets the request, with its whole address."""

    async def ask() -> list[str]:
        async with serving(write_reply) as proxy:
            monkeypatch.setenv(variable, value.format(f"127.0.0.1:{proxy.port}"))
            async with connected("http://models.example/v1") as send:
                assert (await send()).request.url == "http://models.example/v1/chat/completions"
            return [head.target for head in proxy.seen]

    assert asyncio.run(ask()) == ["http://models.example/v1/chat/completions"]


@pytest.mark.parametrize("named", ["127.0.0.1", "other.example, 127.0.0.1", "*", "127.0.0.1:{}"])
def test_no_proxy_is_respected(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment excepts from its proxy is asked directly, by host and by host and port."""

    async def ask() -> tuple[int, list[str]]:
        async with serving(write_reply) as proxy, serving(write_reply) as server:
            monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
            monkeypatch.setenv("NO_PROXY", named.format(server.port))
            async with connected(server.base_url) as send:
                await send()
            return len(proxy.seen), [head.target for head in server.seen]

    assert asyncio.run(ask()) == (0, ["/v1/chat/completions"])


def test_exception_for_another_port_keeps_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that names a port is for that port."""

    async def ask() -> int:
        async with serving(write_reply) as proxy, serving(write_reply) as server:
            monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
            monkeypatch.setenv("NO_PROXY", "127.0.0.1:1")
            async with connected(server.base_url) as send:
                await send()
            return len(server.seen)

    assert asyncio.run(ask()) == 0


TICK_S = 0.004
"""To which the kernel knows when data came."""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel is asked in Linux' own way")
@pytest.mark.parametrize("streams", [False, True])
def test_busy_loop_does_not_delay_the_clock(streams: bool) -> None:
    """While the loop is at something else, a reply that is there is timed as it came, not when it was read."""
    replied = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = b'data: {"choices": []}\n\n' if streams else b"{}"
            kind = "text/event-stream" if streams else "application/json"
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
                % (kind.encode(), len(body), body)
            )
            replied.set()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    async def ask(base_url: str) -> tuple[float, float]:
        async with connected(base_url) as send:
            await send()
            await asyncio.sleep(MOMENT_S)  # the loop rests, as it does between replies
            replied.clear()
            began = time.perf_counter()
            asking = asyncio.ensure_future(send())
            while not replied.is_set():
                await asyncio.sleep(0)
            came_s = time.perf_counter() - began
            time.sleep(5 * MOMENT_S)
            exchange = await asking
            assert exchange.timing is not None
            return exchange.timing.total_s, came_s

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        with asyncio.Runner(loop_factory=ArrivalLoop) as runner:
            total_s, came_s = runner.run(ask(f"http://127.0.0.1:{server.server_address[1]}/v1"))
    finally:
        server.shutdown()
        server.server_close()
    assert total_s <= came_s + 2 * TICK_S


def test_rested_loop_asks_nobody() -> None:
    """A loop that waits for its replies sees them come: their times are its own, finer than the kernel's ticks."""

    async def ask() -> set[float]:
        async with serving(write_reply) as server, connected(server.base_url) as send:
            await send()
            exchanges = [await send() for _ in range(20)]
            return {exchange.timing.total_s for exchange in exchanges if exchange.timing}

    with asyncio.Runner(loop_factory=ArrivalLoop) as runner:
        times = runner.run(ask())
    assert len(times) > 10
    assert min(times) > 0


class HastyLoop(ArrivalLoop):
    """A loop whose kernel says that data came long before it was asked for, as its ticks may of a quick reply."""

    def delay_s(self, sock: Any) -> float:  # noqa: ARG002  # whatever the socket
        return 1.0


def test_reply_is_never_timed_before_its_request() -> None:
    """Where the kernel's clock contradicts the request's, a reply came when it was read: no time is 0."""

    async def ask() -> Exchange:
        async with serving(write_reply) as server, connected(server.base_url) as send:
            return await send()

    with asyncio.Runner(loop_factory=HastyLoop) as runner:
        timing = runner.run(ask()).timing
    assert timing is not None
    assert timing.total_s > 0
