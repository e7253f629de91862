"""How many requests are under way at once: what a latency was measured under."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(eq=False)
class Flight:
    """One request that is under way."""

    most: int
    """Requests that were under way at once while this one was, itself among them; at their most."""


class Flights:
    """The requests of one process that are under way; belongs to one thread."""

    def __init__(self) -> None:
        self._open: set[Flight] = set()

    @contextmanager
    def begin(self) -> Iterator[Flight]:
        """Count a request while the block runs."""
        flight = Flight(0)
        self._open.add(flight)
        for other in self._open:
            other.most = max(other.most, len(self._open))
        try:
            yield flight
        finally:
            self._open.remove(flight)
