"""When a reply arrived: a busy event loop reads it later, and that is not the model's time.

Two witnesses are asked. The loop knows between which of its looks at the sockets something came; the kernel (Linux)
knows how long ago the last data came at a socket, to the tick of 4 ms. Without either, a reply came when it was read.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
import struct
import sys
import time
from typing import Any

_WAITED_S = 0.0001
"""A look at the sockets that took longer had to wait: what it found came at its end."""
_WORTH_S = 0.0005
"""Less than that is not worth asking the kernel."""
_LAST_DATA_RECEIVED = (8 + 11 * 4, struct.Struct("=I"))
"""Where `tcpi_last_data_recv` stands in Linux' tcp_info: milliseconds since the last data came."""


class _Looks(selectors.DefaultSelector):
    """A selector that remembers when it looked."""

    def __init__(self) -> None:
        super().__init__()
        self._returned = self._last = self.earliest = time.perf_counter()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        entered = time.perf_counter()
        found = super().select(timeout)
        returned = time.perf_counter()
        # What a look finds at once came since the look before it. A task sees it one look later.
        self.earliest = self._last
        self._last = returned if returned - entered > _WAITED_S else self._returned
        self._returned = returned
        return found


class ArrivalLoop(asyncio.SelectorEventLoop):
    """An event loop that can tell how late it is."""

    def __init__(self) -> None:
        self._looks = _Looks()
        super().__init__(self._looks)

    def delay_s(self, sock: Any) -> float:
        """Return how long ago the data came at `sock` that the running task has just been given, in seconds."""
        most_s = time.perf_counter() - self._looks.earliest
        return min(most_s, _since_data_s(sock)) if most_s > _WORTH_S else 0.0


def delay_s(sock: Any) -> float:
    """Return how long ago data came at `sock` that is being read now, as the running loop knows it; else 0.0."""
    loop = asyncio.get_running_loop()
    return loop.delay_s(sock) if isinstance(loop, ArrivalLoop) and sock is not None else 0.0


def _since_data_s(sock: Any) -> float:
    if sys.platform != "linux":
        return 0.0
    offset, number = _LAST_DATA_RECEIVED
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, offset + number.size)
    except OSError:  # closed meanwhile, or no TCP
        return 0.0
    if len(info) < offset + number.size:
        return 0.0
    milliseconds: int = number.unpack_from(info, offset)[0]
    return milliseconds / 1000
