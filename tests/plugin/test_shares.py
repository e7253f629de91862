"""Which item a dead worker takes with it, and who runs the others."""

from __future__ import annotations

from xdist.remote import Producer

from tunegate.pytest_plugin.shares import ShareScheduling

ITEMS = [f"test_it.py::test_it[{number}]" for number in range(6)]


class TwoWorkers:
    """What the scheduler asks of pytest's configuration."""

    def getvalue(self, name: str) -> object:
        return {"tx": ["2*popen"]}[name]

    def getoption(self, name: str) -> object:
        return {"maxschedchunk": None}[name]


class Worker:
    """What the scheduler sees of a worker: where its messages go."""

    def __init__(self) -> None:
        self.gateway, self.id = self, "worker"
        self.sent: list[int] = []
        self.shutting_down = False

    def send_runtest_some(self, indices: list[int]) -> None:
        self.sent += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def deal(*, begun: set[str]) -> tuple[ShareScheduling, Worker, Worker]:
    """Deal the items out to two workers."""
    scheduler = ShareScheduling(TwoWorkers(), Producer("test"), has_begun=begun.__contains__)
    workers = Worker(), Worker()
    for worker in workers:
        scheduler.add_node(worker)
    for worker in workers:
        scheduler.add_node_collection(worker, ITEMS)
    scheduler.schedule()
    assert [worker.sent for worker in workers] == [[0, 2, 4], [1, 3, 5]]
    return scheduler, *workers


def test_worker_takes_the_item_in_hand_with_it() -> None:
    """The first item of a dead worker's share is what it died with, once anything was heard of it."""
    scheduler, dead, living = deal(begun={ITEMS[0]})
    assert scheduler.remove_node(dead) == ITEMS[0]
    assert living.sent == [1, 3, 5, 2, 4]


def test_item_that_was_not_begun_is_run_by_another() -> None:
    """A worker that dies between two items takes none with it: the next one is run elsewhere."""
    scheduler, dead, living = deal(begun=set())
    assert scheduler.remove_node(dead) is None
    assert living.sent == [1, 3, 5, 0, 2, 4]


def test_item_that_nothing_is_heard_of_twice_is_given_up() -> None:
    """An item that kills its worker before anything is heard of it is passed on once, not to every worker in turn."""
    scheduler, first, second = deal(begun=set())
    assert scheduler.remove_node(first) is None
    for done in (1, 3, 5):
        scheduler.mark_test_complete(second, done)
    assert scheduler.remove_node(second) == ITEMS[0]
