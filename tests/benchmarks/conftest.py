"""The mock server of the benchmarks, in this process, and a client that shows every byte."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

# The scripts stand beside each other and import each other by name, as they do when one of them is run.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from mock_process import RunningMock
from mock_server import start_server
from mock_state import Settings


@dataclass(frozen=True)
class Got:
    """A response; the names of its headers are in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes


class Asking:
    """A keep-alive connection to a mock server."""

    def __init__(self, mock: RunningMock) -> None:
        host, port = mock.url.removeprefix("http://").split(":")
        self._connection = HTTPConnection(host, int(port), timeout=10)

    def ask(self, text: str = "Question 1: 1 + 1?", **fields: Any) -> Got:
        """Ask for a completion."""
        body = {"model": "m", "messages": [{"role": "user", "content": text}], **fields}
        self._connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
        reply = self._connection.getresponse()
        return Got(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Settings], RunningMock]]:
    """Start mock servers with given settings."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    servers: list[asyncio.Server] = []

    def start(settings: Settings) -> RunningMock:
        server, url = asyncio.run_coroutine_threadsafe(start_server(settings), loop).result()
        servers.append(server)
        return RunningMock(url)

    async def stop() -> None:
        for server in servers:
            server.close()
        # What the server still holds open belongs to clients that the tests have dropped.
        for _ in range(3):
            await asyncio.sleep(0)

    yield start
    asyncio.run_coroutine_threadsafe(stop(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def connect() -> Iterator[Callable[[RunningMock], Asking]]:
    """Open connections to mock servers."""
    opened: list[Asking] = []

    def open_one(mock: RunningMock) -> Asking:
        opened.append(Asking(mock))
        return opened[-1]

    yield open_one
    for asking in opened:
        asking.close()
