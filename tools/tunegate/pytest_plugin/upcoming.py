"""Which items this process will run next, as far as that is certain."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from tunegate.pytest_plugin.outcome import planned_of
from tunegate.records import Cell
from tunegate.session import Planned

DIST = "tunegate_dist"
"""Key of a worker's input under which the controller says how items are distributed."""
ROUND = "tunegate_round"
"""Key of a worker's input under which stands how many items it holds at most, where it is not all of its share."""
_SHARE_ARRIVES_S = 0.1


class Upcoming:
    """Tells each item once, before its turn.

    Without workers that is every item at once. A worker knows what stands in its queue; where another may steal from
    that queue, only what has left it is certain.
    """

    def __init__(self, session: pytest.Session) -> None:
        self._items = session.items
        worker_input: dict[str, Any] | None = getattr(session.config, "workerinput", None)
        self._dist = worker_input.get(DIST, "no") if worker_input else "no"
        self._workers = int(worker_input["workercount"]) if worker_input else 1
        self._round = int(worker_input.get(ROUND, len(self._items))) if worker_input else 0
        self._interactor: Any = _interactor_of(session.config) if worker_input else None
        self._told: set[int] = set()
        self._queued = -1

    def now(self) -> Iterator[Planned]:
        """Yield the cells that became certain since the last call, in the order of their items."""
        for index in self._certain():
            if index not in self._told:
                self._told.add(index)
                planned = planned_of(self._items[index])
                if planned is not None and not _may_be_skipped(self._items[index]):
                    yield planned

    def _certain(self) -> Sequence[int]:
        interactor = self._interactor
        if interactor is None:
            return () if self._told else range(len(self._items))
        if not self._told and self._dist == "load":
            self._await_share()
        heads = [interactor.item_index, interactor.nextitem_index]
        with interactor.torun.lock() as queue:
            # Looked at only when something was added: it shrinks by one an item.
            grew = len(queue) > self._queued - 1
            self._queued = len(queue)
            queued = list(queue) if grew and self._dist != "worksteal" else []
        return [index for index in (*heads, *queued) if isinstance(index, int)]

    def _await_share(self) -> None:
        """The share comes as one message, and the first item may begin while the rest is still being queued."""
        deadline = time.monotonic() + _SHARE_ARRIVES_S
        whole = min(len(self._items) // self._workers, self._round) - 2
        while time.monotonic() < deadline:
            with self._interactor.torun.lock() as queue:
                if len(queue) >= whole:
                    return
            time.sleep(0.001)


class Window:
    """Tells each item before its turn, a few at a time, where it may turn out that the others are not wanted.

    Args:
        size: how many cells are told that stand at the item whose turn it is or behind it.
        wants: whether a cell is still to be asked.
    """

    def __init__(self, session: pytest.Session, *, size: int, wants: Callable[[Cell], bool]) -> None:
        self._items = session.items
        self._size = size
        self._wants = wants
        self._turn = 0
        self._next = 0
        self._told: deque[int] = deque()

    def now(self) -> Iterator[Planned]:
        """Yield the cells that came into sight with the next item; called once for each item, in order."""
        while self._told and self._told[0] < self._turn:
            self._told.popleft()
        self._next = max(self._next, self._turn)
        self._turn += 1
        while len(self._told) < self._size and self._next < len(self._items):
            item = self._items[self._next]
            planned = planned_of(item)
            if planned is not None and self._wants(planned.cell) and not _may_be_skipped(item):
                self._told.append(self._next)
                yield planned
            self._next += 1


def _interactor_of(config: pytest.Config) -> Any:
    """Return xdist's side of this worker: the plugin that holds the indices of the items to run."""
    return next(plugin for plugin in config.pluginmanager.get_plugins() if hasattr(plugin, "torun"))


def _may_be_skipped(item: pytest.Item) -> bool:
    """Whether a marker may keep the item from running: then it is asked when it asks."""
    return any(item.get_closest_marker(name) is not None for name in ("skip", "skipif"))
