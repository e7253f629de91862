"""An endpoint's side of many requests at once: how many there were, in what order, and which may be answered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tunegate.cassettes import Library
from tunegate.records import Record
from tunegate.runs import read_records
from tunegate.testing import Scripted, Seen

from ..project import Project, answer

Asked = tuple[str, str]
"""A model and the question it was asked."""


class Crowd:
    """Answers like the project's endpoint, once `size` requests are there at once or `patience_s` has passed."""

    def __init__(self, *, size: int = 1, patience_s: float = 20.0) -> None:
        self.size = size
        self.patience_s = patience_s
        self.peak = 0
        self._present = 0
        self._changed = threading.Condition()

    def __call__(self, body: Mapping[str, Any]) -> Scripted | str:
        with self._changed:
            self._present += 1
            self.peak = max(self.peak, self._present)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self.peak >= self.size, timeout=self.patience_s)
            self._present -= 1
        return answer(body)


class Hold:
    """Answers like the project's endpoint, but holds what `holds` picks until it is released."""

    def __init__(self, holds: Callable[[Mapping[str, Any]], bool]) -> None:
        self._holds = holds
        self._held = 0
        self._is_released = False
        self._changed = threading.Condition()

    def __call__(self, body: Mapping[str, Any]) -> Scripted | str:
        if self._holds(body):
            with self._changed:
                self._held += 1
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._is_released, timeout=60)
        return answer(body)

    def await_held(self, count: int) -> None:
        """Wait until `count` requests are held."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._held >= count, timeout=60), f"{self._held} of {count} came"

    def release(self) -> None:
        """Answer what was held and all that comes."""
        with self._changed:
            self._is_released = True
            self._changed.notify_all()


def asked_of(seen: Iterable[Seen]) -> list[Asked]:
    """Return what reached the endpoint, in that order."""
    return [(request.body["model"], request.body["messages"][-1]["content"]) for request in seen]


def asked_in(records: Iterable[Record]) -> list[Asked]:
    """Return what the items of some records ask, in their order."""
    return [(record.cell.model, record.messages[-1]["content"]) for record in records]


def in_order(project: Project, run: str) -> list[Record]:
    """Return the records of a run in the order in which they were written."""
    return list(read_records(project.root / "reports" / "runs" / run))


def durable(project: Project) -> list[Asked]:
    """Return what was recorded in the format eval, as another process finds it on disk."""
    library = Library(project.root / "cassettes")
    return [
        (entry.request().body["model"], entry.request().body["messages"][-1]["content"])
        for cassette in library.cassettes()
        for entry in cassette.entries()
    ]
