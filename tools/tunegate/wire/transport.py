"""How the openai package's requests reach a socket: through aiohttp, for a tenth of the CPU of httpx2's own transport.

The SDK builds a request and hands it to this transport. What comes back is complete: status, headers, body, and the
moments at which its parts arrived.
"""

from __future__ import annotations

import ssl
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2

from tunegate.exchanges import Timing
from tunegate.wire.arrival import delay_s

if TYPE_CHECKING:
    import aiohttp

RECEPTION = "tunegate_reception"
"""Extension of a response that holds its `Reception`."""
CONNECT_S = 5.0
SOCKET = "tunegate_socket"


@dataclass(frozen=True)
class Reception:
    """When the last attempt was sent (UTC, ISO 8601) and when what came of it arrived."""

    sent_at: str
    timing: Timing


class EventClock:
    """Notes when each server-sent event was complete, whatever pieces the network made of them."""

    def __init__(self) -> None:
        self.events_s: list[float] = []
        self._line = b""
        self._has_data = False

    def feed(self, piece: bytes, at_s: float) -> None:
        """Take the next piece of the body, which arrived `at_s` seconds after the request was sent."""
        lines = (self._line + piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")).split(b"\n")
        self._line = lines.pop()
        for line in lines:
            if line.startswith(b"data:"):
                self._has_data = True
            elif not line and self._has_data:
                self.events_s.append(round(at_s, 6))
                self._has_data = False


class Transport(httpx2.AsyncBaseTransport):
    """Sends the SDK's requests. Belongs to the event loop in which it is first used."""

    def __init__(self, base_url: str, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._proxy = _proxy_for(base_url)
        self._is_secure = "https" in {urlsplit(address or "").scheme for address in (base_url, self._proxy)}
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the complete response.

        Raises:
            httpx2.TimeoutException: it was not complete within the time-out.
            httpx2.TransportError: no connection, or it was broken off.
        """
        stopwatch = _Stopwatch()
        async with (
            _translated_errors(),
            self._opened().request(
                request.method,
                str(request.url),
                data=request.content,
                headers=request.headers.multi_items(),
                allow_redirects=False,
                proxy=self._proxy,
                trace_request_ctx=stopwatch,
            ) as response,
        ):
            clock = EventClock()
            pieces: list[bytes] = []
            is_stream = response.content_type == "text/event-stream"
            total_s = stopwatch.read(response)
            async for piece in response.content.iter_any():
                total_s = stopwatch.read(response)
                if is_stream:
                    clock.feed(piece, total_s)
                pieces.append(piece)
        return httpx2.Response(
            response.status,
            headers=response.raw_headers,
            content=b"".join(pieces),
            request=request,
            extensions={
                "reason_phrase": (response.reason or "").encode("latin-1", "replace"),
                RECEPTION: Reception(stopwatch.sent_at, Timing(round(total_s, 6), tuple(clock.events_s))),
            },
        )

    async def aclose(self) -> None:
        """Close the connections of the pool."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    def _trust(self) -> ssl.SSLContext | bool:
        """Return whom to trust, as the SDK would; reading the certificates takes a tenth of a second."""
        return httpx2.create_ssl_context() if self._is_secure else True

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            import aiohttp

            tracing = aiohttp.TraceConfig()
            tracing.on_request_headers_sent.append(_note_sending)
            # The head waits for the body, which is written when the loop comes to it: that is when a request leaves.
            tracing.on_request_chunk_sent.append(_note_sending)
            self._session = aiohttp.ClientSession(
                # How many may be in flight is decided before a request comes here.
                connector=aiohttp.TCPConnector(limit=0, ssl=self._trust()),
                timeout=aiohttp.ClientTimeout(total=self._timeout_s, sock_connect=CONNECT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                # Compressed bodies would have to be unpacked before anybody could review a cassette.
                auto_decompress=False,
                trace_configs=[tracing],
                response_class=_response_class(),
            )
        return self._session


class _Stopwatch:
    """Runs from the moment a request is written to its socket: waiting for a connection is not the model's time."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.sent_at = datetime.now(UTC).isoformat(timespec="seconds")
        self._started = time.perf_counter()
        self._last_s = 0.0

    def read(self, response: aiohttp.ClientResponse) -> float:
        """Return when the data arrived that was just read, in seconds; later data never came earlier."""
        read_s = time.perf_counter() - self._started
        arrived_s = read_s - delay_s(getattr(response, SOCKET, None))
        # A clock of 4 ms may say that it came before it was asked for: then it came when it was read.
        self._last_s = max(self._last_s, arrived_s if arrived_s > 0 else read_s)
        return self._last_s


def _response_class() -> type[aiohttp.ClientResponse]:
    """Return a class of responses that remember their socket: a whole reply has given it back when it is read."""
    import aiohttp

    class Response(aiohttp.ClientResponse):
        async def start(self, connection: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
            if connection.transport is not None:
                setattr(self, SOCKET, connection.transport.get_extra_info("socket"))
            return await super().start(connection)

    return Response


async def _note_sending(session: aiohttp.ClientSession, context: Any, sent: object) -> None:  # noqa: ARG001
    context.trace_request_ctx.start()


@asynccontextmanager
async def _translated_errors() -> AsyncIterator[None]:
    """Turn aiohttp's errors into those that the SDK expects of a transport."""
    import aiohttp

    try:
        yield
    except TimeoutError as problem:  # aiohttp's own time-outs among them
        raise httpx2.ReadTimeout(str(problem)) from problem
    except aiohttp.ClientConnectorError as problem:
        raise httpx2.ConnectError(f"{problem.os_error.strerror or problem.os_error}") from problem
    except (aiohttp.ClientError, OSError) as problem:
        raise httpx2.ReadError(f"{type(problem).__name__}: {problem}") from problem


def _proxy_for(base_url: str) -> str | None:
    """Return the proxy that the environment names for an address, as the SDK's own transport would find it."""
    address = urlsplit(base_url)
    host = address.hostname or ""
    # NO_PROXY may name a port beside the host.
    if any(map(urllib.request.proxy_bypass, (host, f"{host}:{address.port}"))):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get(address.scheme) or proxies.get("all")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy
