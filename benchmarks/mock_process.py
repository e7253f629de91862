"""The mock server as a process of its own, and what it says of itself."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from measuring import Unmeasured

SCRIPT = Path(__file__).with_name("mock_server.py")


@dataclass(frozen=True)
class Stamped:
    """One line of the server's log; times are monotonic nanoseconds, None where that was never written."""

    fingerprint: str
    body_sha256: str
    attempt: int
    tokens: int
    arrival_ns: int
    first_ns: int | None
    last_ns: int | None
    status: int | None
    outcome: str

    @property
    def is_whole(self) -> bool:
        """Whether a whole reply was written, late or not."""
        return self.outcome in {"answered", "hang"}


@dataclass(frozen=True)
class Stats:
    """The server's counts since its last reset."""

    requests: int
    status: Mapping[str, int]
    outcomes: Mapping[str, int]
    in_flight: int
    peak_in_flight: int
    connections: int
    cpu_s: float


class RunningMock:
    """A mock server that is up."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def base_url(self) -> str:
        """Address for models.toml and for clients."""
        return f"{self.url}/v1"

    def stats(self) -> Stats:
        """Return the counts."""
        return Stats(**json.loads(self._fetch("/stats")))

    def log(self) -> list[Stamped]:
        """Return every request in the order of arrival."""
        return [Stamped(**json.loads(line)) for line in self._fetch("/log").splitlines()]

    def reset(self) -> None:
        """Let the server forget what it has seen."""
        self._fetch("/reset", data=b"")

    def _fetch(self, path: str, *, data: bytes | None = None) -> bytes:
        with urllib.request.urlopen(self.url + path, data=data, timeout=60) as reply:
            return bytes(reply.read())


@contextmanager
def run_mock(**options: object) -> Iterator[RunningMock]:
    """Run a mock server with the options of its command line, written with `_`, and end it afterwards."""
    named = {f"--{name.replace('_', '-')}": value for name, value in options.items()}
    words = [name if value is True else f"{name}={value}" for name, value in named.items()]
    process = subprocess.Popen([sys.executable, str(SCRIPT), *words], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise Unmeasured(f"the mock server did not start: {process.args!r}")
        yield RunningMock(json.loads(line)["url"])
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
