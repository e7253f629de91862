"""Who writes recordings down: a thread that waits for the disk, so that neither the sockets nor pytest do."""

from __future__ import annotations

import queue
import threading
from collections import defaultdict
from concurrent.futures import Future
from typing import Protocol

from tunegate.cassettes import Cassette, Library
from tunegate.exchanges import Exchange


class Keeper(Protocol):
    """Makes exchanges durable."""

    def keep(self, eval_name: str, model: str, exchange: Exchange) -> Future[Exchange]:
        """Record an exchange; the future holds it as it was kept, free of secrets, once it survives a crash."""

    def close(self) -> None:
        """Write what was given, and stop."""


class Recorder:
    """Writes into a library. Whatever came while the disk was busy goes to it in one go."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._waiting: queue.SimpleQueue[tuple[Cassette, Exchange, Future[Exchange]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def keep(self, eval_name: str, model: str, exchange: Exchange) -> Future[Exchange]:
        """Record an exchange; the future raises CassetteError where it cannot be written."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="tunegate-recorder", daemon=True)
            self._thread.start()
        future: Future[Exchange] = Future()
        self._waiting.put((self._library.cassette(eval_name, model), exchange, future))
        return future

    def close(self) -> None:
        """Write what was given, and end the thread."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while True:
            batch = [self._waiting.get()]
            while not self._waiting.empty():
                batch.append(self._waiting.get())
            by_cassette: defaultdict[Cassette, list[tuple[Exchange, Future[Exchange]]]] = defaultdict(list)
            for given in batch:
                if given is not None:
                    cassette, exchange, future = given
                    by_cassette[cassette].append((exchange, future))
            for cassette, given_here in by_cassette.items():
                _write(cassette, given_here)
            if None in batch:
                return


def _write(cassette: Cassette, given: list[tuple[Exchange, Future[Exchange]]]) -> None:
    try:
        kept = cassette.add_all([exchange for exchange, _ in given])
    except Exception as problem:  # noqa: BLE001  # whoever waits raises it; without this thread all would wait for ever
        for _, future in given:
            future.set_exception(problem)
        return
    for (_, future), exchange in zip(given, kept, strict=True):
        future.set_result(exchange)
