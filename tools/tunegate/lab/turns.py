"""One request at a time, first come first served, and clients that leave.

At temperature 0 llama.cpp gives the same bytes only if nothing else is computed beside the request.
"""

from __future__ import annotations

import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self


class ClientLeft(Exception):
    """The client hung up: there is nobody to answer any more."""


class Presence:
    """Whether the client is still there, watched while its request waits and is worked on."""

    def __init__(self, connection: socket.socket, *, on_leave: Callable[[], None]) -> None:
        self.left = False
        self._connection = connection
        self._on_leave = on_leave
        self._near, self._far = socket.socketpair()
        self._watcher = threading.Thread(target=self._watch, name="lab-presence", daemon=True)

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._far.close()
        self._watcher.join()
        self._near.close()

    def _watch(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._connection, selectors.EVENT_READ)
            selector.register(self._near, selectors.EVENT_READ)
            ready = {key.fileobj for key, _ in selector.select()}
        # Bytes instead of an end are the client's next request, sent early: there is no more to learn.
        if self._near not in ready and has_ended(self._connection):
            self.left = True
            self._on_leave()


def has_ended(connection: socket.socket) -> bool:
    """Whether a readable connection is readable because the other side closed it."""
    try:
        return not connection.recv(1, socket.MSG_PEEK)
    except OSError:
        return True


class Turns:
    """A queue in front of the engines, of all models together."""

    def __init__(self, changed: threading.Condition | None = None) -> None:
        self._changed = changed or threading.Condition()
        self._queue: deque[object] = deque()

    @property
    def waiting(self) -> int:
        """How many requests wait or are worked on."""
        return len(self._queue)

    def wake(self) -> None:
        """Let those who wait look again whether their client is still there."""
        with self._changed:
            self._changed.notify_all()

    @contextmanager
    def take(self, client: Presence | None = None) -> Iterator[None]:
        """Wait for one's turn and hold it; raises ClientLeft if the client does not wait that long.

        Without a client it is a turn of the lab's own, which is always waited for.
        """
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            self._changed.notify_all()
        try:
            with self._changed:
                self._changed.wait_for(lambda: (client and client.left) or self._queue[0] is ticket)
            if client is not None and client.left:
                raise ClientLeft
            yield
        finally:
            with self._changed:
                self._queue.remove(ticket)
                self._changed.notify_all()

    @contextmanager
    def take_spare(self, gave_up: Callable[[], bool], *, patience_s: float) -> Iterator[bool]:
        """Wait for a moment in which nobody waits, and hold the turn; yields False if it did not come in time.

        Whoever asks live is before all that asks here, however late it comes. `gave_up` is looked at again
        after each `wake`.
        """
        ticket = object()
        with self._changed:
            self._changed.wait_for(lambda: gave_up() or not self._queue, patience_s)
            is_mine = not gave_up() and not self._queue
            if is_mine:
                self._queue.append(ticket)
        try:
            yield is_mine
        finally:
            if is_mine:
                with self._changed:
                    self._queue.remove(ticket)
                    self._changed.notify_all()
