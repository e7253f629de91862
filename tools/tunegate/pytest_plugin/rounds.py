"""`--until-decided` with xdist: items are dealt out a few at a time, and heard of in the order of the plan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import execnet
import pytest
from xdist.dsession import DSession, get_default_max_worker_restart
from xdist.remote import Producer
from xdist.workermanage import WorkerController

from tunegate.pytest_plugin.harness import Harness
from tunegate.pytest_plugin.shares import ShareScheduling
from tunegate.pytest_plugin.stopping import CHANNEL, Stopping
from tunegate.pytest_plugin.upcoming import ROUND
from tunegate.records import Cell
from tunegate.session import Turns

_LEAST = 8
"""Items that each worker holds at least: it need not wait for the next one while a replay goes fast."""
_OF_AN_ITEM = frozenset({"logstart", "testreport", "logfinish"})
"""What a worker says of an item while it runs."""

Event = tuple[str, dict[str, Any]]


class Rounds:
    """The controller's side of workers that run until everything is decided.

    What they say of an item waits until all items before it have ended, and is heard if its cell still matters
    then. So a run says the same as one without workers: what they had begun too early, be it that a recording was
    missing which nobody needs, is as if it had not been.
    """

    def __init__(self, dsession: DSession, harness: Harness, stopping: Stopping) -> None:
        self._dsession = dsession
        self._harness = harness
        self._stopping = stopping
        self._channels: dict[WorkerController, execnet.Channel] = {}
        self._told: list[tuple[Any, ...] | None] | None = None
        self._cells: Sequence[Cell | None] = ()
        self._nodeids: Sequence[str] = ()
        self._places: dict[str, int] = {}
        self._turns = Turns()
        self._held: defaultdict[str, list[Event]] = defaultdict(list)
        self._withdrawn: set[int] = set()

    def open(self, node: WorkerController) -> None:
        """Stand between a worker and xdist, and give it a channel for what xdist does not carry."""
        channel = self._channels[node] = node.gateway.newchannel()
        channel.setcallback(self._hear_plan)
        node.workerinput |= {CHANNEL: channel, ROUND: self.most(node.workerinput["workercount"])}
        node.putevent = partial(self._hear, node.putevent)

    def most(self, workers: int) -> int:
        """Return how many items each worker holds at a time: few, as what it holds may have been asked in vain."""
        if self._dsession.maxfail:
            return 2  # the one in hand, and one without which it is not begun
        if not self._harness.records:
            return _LEAST
        return max(_LEAST, -(-self._harness.in_flight // workers) + 1)

    def begin(self, nodeids: Sequence[str]) -> None:
        """Take the plan, now that every worker has told it.

        Raises:
            pytest.UsageError: nobody says when enough is known.
        """
        self._cells = [Cell(*row) if row else None for row in self._told or ()]
        self._nodeids = nodeids
        self._places = {nodeid: place for place, nodeid in enumerate(nodeids)}
        self._told = None
        self._stopping.begin([cell for cell in self._cells if cell is not None])

    @property
    def turn(self) -> int:
        """The place before which all items have ended."""
        return self._turns.now

    def wants(self, place: int) -> bool:
        """Tell whether an item is still to be run."""
        cell = self._cells[place]
        return cell is None or self._harness.wants(cell)

    def has_begun(self, nodeid: str) -> bool:
        """Tell whether a worker has reported anything of an item whose turn has not come."""
        return any(name == "testreport" for name, _ in self._held.get(nodeid, ()))

    def end(self, place: int) -> None:
        """Note that an item has ended, one way or another, and hear what was said of those whose turn that makes it."""
        for turn in self._turns.end(place):
            events = self._held.pop(self._nodeids[turn], ())
            # With `-x` nothing is heard of what stands behind a failure.
            if self.wants(turn) and not self._dsession.shouldstop:
                self._release(events)

    @contextmanager
    def buried(self, report: pytest.TestReport) -> Iterator[None]:
        """Hear at once what a worker said of the item that it died with, then run the block, then go on behind it."""
        self._release(self._held.pop(report.nodeid, ()))
        yield
        if report.nodeid in self._places:
            self.end(self._places[report.nodeid])

    def withdraw(self, node: WorkerController, share: Sequence[int]) -> None:
        """Tell a worker which items of its share it need not run any more."""
        unwanted = [place for place in share if place not in self._withdrawn and not self.wants(place)]
        if unwanted:
            self._withdrawn.update(unwanted)
            with suppress(OSError):  # the worker has died
                self._channels[node].send(unwanted)

    def _hear_plan(self, rows: list[tuple[Any, ...] | None]) -> None:
        if self._told is None and not self._places:
            self._told = rows

    def _hear(self, put: Callable[[Event], None], event: Event) -> None:
        name, facts = event
        if name in _OF_AN_ITEM:
            nodeid: str = facts["rep"].nodeid if name == "testreport" else facts["nodeid"]
            if self._cells[self._places[nodeid]] is not None:
                self._held[nodeid].append(event)
                return
        put(event)

    def _release(self, events: Sequence[Event]) -> None:
        for name, facts in events:
            getattr(self._dsession, f"worker_{name}")(**facts)


class RoundScheduling(ShareScheduling):
    """Deals the items out in their order, a few to each worker, and only while they are wanted."""

    def __init__(
        self, config: pytest.Config, log: Producer | None = None, *, has_begun: Callable[[str], bool], rounds: Rounds
    ) -> None:
        super().__init__(config, log, has_begun=lambda nodeid: has_begun(nodeid) or rounds.has_begun(nodeid))
        self._rounds = rounds
        self._most = rounds.most(self.numnodes)
        self._has_begun_to_deal = False
        self._is_sorted = True
        self._crashes = 0

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        """Hear what can be heard now, before the next items are dealt out."""
        self._rounds.end(item_index)
        super().mark_test_complete(node, item_index, duration)
        for worker, share in self.node2pending.items():
            self._rounds.withdraw(worker, share)

    def remove_node(self, node: WorkerController) -> str | None:
        """Let go of a worker; what it leaves is dealt out next."""
        self._is_sorted = False
        most = get_default_max_worker_restart(self.config)
        self._crashes += bool(self.node2pending[node])
        if most is not None and self._crashes > most and self.collection is not None:
            # xdist is about to let everybody go: who is there takes all that is left, and is told what is not wanted.
            self._most = len(self.collection)
        return super().remove_node(node)

    def check_schedule(self, node: WorkerController, duration: float = 0) -> None:  # noqa: ARG002  # the base class's names
        """Give those that are there what they may take, and let them go where nothing is left."""
        if self.pending:
            self._deal()
        if not self.pending:
            for worker in self.nodes:
                if len(self.node2pending[worker]) <= 1 and not worker.shutting_down:
                    worker.shutdown()

    def _deal(self) -> None:
        if not self._has_begun_to_deal and self.collection is not None:
            self._has_begun_to_deal = True
            self._rounds.begin(self.collection)
        nodes = [node for node in self.nodes if not node.shutting_down]
        if not nodes:
            return  # xdist starts another worker in place of the dead one
        if not self._is_sorted:
            self.pending.sort()
            self._is_sorted = True
        shares: dict[WorkerController, list[int]] = {node: [] for node in nodes}
        dealt = 0
        for place in self.pending:
            if self._rounds.wants(place):
                node = self._choose(nodes, place)
                if node is None:
                    break
                self.node2pending[node].append(place)
                shares[node].append(place)
            else:
                self._rounds.end(place)
            dealt += 1
        del self.pending[:dealt]
        for node, share in shares.items():
            if share:
                node.send_runtest_some(share)

    def _choose(self, nodes: Sequence[WorkerController], place: int) -> WorkerController | None:
        """Return who is to run an item now, if anybody."""
        if place < self._rounds.turn + self._most * len(nodes):
            node = min(nodes, key=lambda node: len(self.node2pending[node]))
            return node if len(self.node2pending[node]) < self._most else None
        # Who is quick does not run far ahead of the others. But the item whose turn it is must be begun, which its
        # worker does not do before another follows.
        return next((node for node in nodes if self.node2pending[node] == [self._rounds.turn]), None)
