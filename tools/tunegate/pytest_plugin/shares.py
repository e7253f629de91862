"""Fixed shares for xdist's workers: each knows all of its items at its first one, and can work ahead on them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScheduling
from xdist.workermanage import WorkerController


class ShareScheduling(LoadScheduling):  # type: ignore[misc]  # xdist is not typed
    """Deals the items out once, one to each worker in turn, so that all models spread over all workers.

    A worker is let go when it is at its last item. Until then it can take over what a dead one leaves.

    Args:
        has_begun: whether anything was heard of an item, by its node id.
        takes_all: whether one worker is to have everything; asked when all have told what they collected.
    """

    collection: list[str] | None

    def __init__(
        self,
        config: pytest.Config,
        log: Producer | None = None,
        *,
        has_begun: Callable[[str], bool],
        takes_all: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(config, log)
        self._has_begun = has_begun
        self._takes_all = takes_all
        self._passed_on: set[int] = set()

    def remove_node(self, node: WorkerController) -> str | None:
        """Let go of a worker and return the item that it died with; None where it had none in hand.

        What nobody has heard of yet was not in hand, and others run it: once, as it may have killed the worker.
        """
        share = self.node2pending[node]
        if self.collection is None or not share:
            return super().remove_node(node)  # type: ignore[no-any-return]
        if share[0] in self._passed_on or self._has_begun(self.collection[share[0]]):
            return super().remove_node(node)  # type: ignore[no-any-return]
        self._passed_on.add(share[0])
        self.pending.extend(self.node2pending.pop(node))
        for other in self.nodes:
            self.check_schedule(other)
        return None

    def schedule(self) -> None:
        """Deal out all items, or those that wait for a worker that came later."""
        if self.collection is None:
            if not self._check_nodes_have_same_collection():
                return
            collected = next(iter(self.node2collection.values()))
            self.collection = collected
            self.pending[:] = range(len(collected))
            self._deal()
        for node in self.nodes:
            self.check_schedule(node)

    def check_schedule(self, node: WorkerController, duration: float = 0) -> None:  # noqa: ARG002  # the base class's name
        """Give what has no worker to those that are there, and let `node` go where nothing is left for it."""
        if self.pending:
            self._deal()
        # Its last item is not begun before it knows whether another follows.
        if len(self.node2pending[node]) <= 1 and not node.shutting_down:
            node.shutdown()

    def _deal(self) -> None:
        nodes = [node for node in self.nodes if not node.shutting_down]
        if not nodes:
            return  # xdist starts another worker in place of the dead one
        if self._takes_all():
            nodes = nodes[:1]
        items = list(self.pending)
        self.pending.clear()
        for number, node in enumerate(nodes):
            share = items[number :: len(nodes)]
            if share:
                self.node2pending[node].extend(share)
                node.send_runtest_some(share)
