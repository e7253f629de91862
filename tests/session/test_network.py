"""Nothing leaves while the guard is up."""

from __future__ import annotations

import socket
import threading

import pytest

from tunegate.errors import NetworkRefused
from tunegate.session.network import network_forbidden


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_connections_and_look_ups_are_refused(port: int) -> None:
    """Connecting, sending a datagram and asking for an address are refused, on this machine too."""
    with network_forbidden():
        with pytest.raises(NetworkRefused, match="without --record"):
            socket.create_connection(("127.0.0.1", port))
        with pytest.raises(NetworkRefused), socket.socket() as raw:
            raw.connect(("127.0.0.1", port))
        with pytest.raises(NetworkRefused), socket.socket(type=socket.SOCK_DGRAM) as datagram:
            datagram.sendto(b"x", ("127.0.0.1", port))
        with pytest.raises(NetworkRefused), socket.socket(type=socket.SOCK_DGRAM) as datagram:
            datagram.sendmsg([b"x"], [], 0, ("127.0.0.1", port))
        for ask in (
            lambda: socket.getaddrinfo("example.org", 443),
            lambda: socket.gethostbyname("example.org"),
            lambda: socket.gethostbyaddr("192.0.2.1"),
            lambda: socket.getnameinfo(("192.0.2.1", 443), 0),
        ):
            with pytest.raises(NetworkRefused, match=r"example\.org|192\.0\.2\.1"):
                ask()


def test_threads_are_refused_too(port: int) -> None:
    """A library that connects from a thread of its own is refused as well."""
    seen: list[BaseException] = []

    def connect() -> None:
        try:
            socket.create_connection(("127.0.0.1", port))
        except NetworkRefused as refused:
            seen.append(refused)

    with network_forbidden():
        thread = threading.Thread(target=connect)
        thread.start()
        thread.join()
    assert seen


def test_local_pairs_stay_possible() -> None:
    """An event loop's own pair of sockets is no network."""
    with network_forbidden():
        one, other = socket.socketpair()
        one.sendall(b"x")
        assert other.recv(1) == b"x"
        one.close()
        other.close()


def test_guard_goes_down_again(port: int) -> None:
    """After the block the network is as it was."""
    with network_forbidden():
        pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
