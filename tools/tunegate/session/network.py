"""Nothing reaches the network while this guard is up, whoever tries: the eval, a plugin or a library."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tunegate.errors import NetworkRefused

_SENDS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
"""Audit events that pass (socket, address)."""
_ASKS = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"})
"""Audit events that pass a name or address first."""
_WATCHED = _SENDS | _ASKS


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
        if not self.is_up or event not in _WATCHED:
            return
        target = arguments[1] if event in _SENDS else arguments[0]
        if event in _SENDS and _is_no_network(target):
            return
        raise NetworkRefused(
            f"{event} to {target!r} was stopped: without --record nothing reaches the network\n"
            "  to allow it for this run: --record=missing"
        )


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


def _is_no_network(address: object) -> bool:
    """A path is a Unix socket's address; no address means a socket that was connected before, or a pair."""
    return address is None or isinstance(address, (str, bytes))
