"""The thread on which requests travel, so that pytest's own thread only ever waits for its own reply."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tunegate.cases import Endpoint
from tunegate.exchanges import Exchange, Request
from tunegate.wire import Connection

T = TypeVar("T")


class Engine:
    """Runs an event loop on a thread of its own and keeps one connection per endpoint.

    `connect` makes an endpoint's connection at its first use. Nothing is started before the first `send`. Two
    endpoints at one address stay apart: they may be two accounts.
    """

    def __init__(self, connect: Callable[[Endpoint], Connection]) -> None:
        self._connect = connect
        self._connections: dict[Endpoint, Connection] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def send(self, endpoint: Endpoint, request: Request) -> Exchange:
        """Send `request` to `endpoint` and wait for the complete exchange.

        Raises:
            WireError: no complete response came.
        """
        return self._wait(self._send(endpoint, request))

    def close(self) -> None:
        """Close every connection and end the thread; a closed engine starts again at its next `send`."""
        if self._loop is None or self._thread is None:
            return
        self._wait(self._close_connections())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = None

    async def _send(self, endpoint: Endpoint, request: Request) -> Exchange:
        if endpoint not in self._connections:
            self._connections[endpoint] = self._connect(endpoint)
        return await self._connections[endpoint].send(request)

    async def _close_connections(self) -> None:
        while self._connections:
            _, connection = self._connections.popitem()
            await connection.aclose()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._started())
        try:
            return future.result()
        except BaseException:
            # Ctrl-C in the waiting thread: stop asking for what nobody waits for any more.
            future.cancel()
            raise

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="tunegate-engine", daemon=True)
            self._thread.start()
        return self._loop
