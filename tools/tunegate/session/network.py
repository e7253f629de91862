"""Nothing reaches the network while this guard is up, whoever tries: the eval, a plugin or a library."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tunegate.errors import UsageError

_EVENTS = frozenset({"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"})


class NetworkRefused(UsageError):
    """Something tried to reach the network although recording is off."""


class _Guard:
    """An audit hook cannot be taken away again, so it is installed once and asks whether it is up."""

    def __init__(self) -> None:
        self.is_up = False
        self._is_installed = False

    def install(self) -> None:
        if not self._is_installed:
            sys.addaudithook(self._see)
            self._is_installed = True

    def _see(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.is_up and event in _EVENTS and not _is_local_file(arguments):
            raise NetworkRefused(f"{event}{arguments[-1:]!r} was stopped: without --record nothing reaches the network")


_guard = _Guard()


@contextmanager
def network_forbidden() -> Iterator[None]:
    """Refuse every connection and name look-up in this process, from any thread, inside the block.

    Raises (in the caller that tries):
        NetworkRefused: sockets of the file system are exempt, everything else is refused, loopback included.
    """
    _guard.install()
    before = _guard.is_up
    _guard.is_up = True
    try:
        yield
    finally:
        _guard.is_up = before


def _is_local_file(arguments: tuple[object, ...]) -> bool:
    """`socket.connect` and `socket.sendto` pass (socket, address): a path is a Unix socket's address."""
    return len(arguments) == 2 and isinstance(arguments[1], (str, bytes)) and hasattr(arguments[0], "family")
