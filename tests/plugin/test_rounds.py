"""Items are dealt out so that every worker can go on, none runs far ahead, and nothing is left over."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest
from xdist.remote import Producer

from tunegate.pytest_plugin.harness import Harness
from tunegate.pytest_plugin.rounds import Rounds, RoundScheduling
from tunegate.pytest_plugin.stopping import Stopping
from tunegate.records import Cell, Record

ITEMS = [f"test_it.py::test_it[{number}]" for number in range(90)]
CELLS = [Cell("it", f"{number}", "s", "m") for number in range(90)]
LEAST = 8


class Configuration:
    """What scheduler and rounds ask of pytest's configuration."""

    def __init__(self, watch: object) -> None:
        self.hook = SimpleNamespace(pytest_tunegate_watch=lambda config, cells: watch)
        self.option = SimpleNamespace(maxworkerrestart=None, numprocesses=3)

    def getvalue(self, name: str) -> object:
        return {"tx": ["3*popen"]}[name]

    def getoption(self, name: str) -> object:
        return {"maxschedchunk": None}[name]


class Enough:
    """Wants cells until it has heard of `most`."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.heard: list[int] = []

    def take(self, record: Record) -> None:
        self.heard.append(int(record.cell.case))

    def wants(self, _: Cell) -> bool:
        return len(self.heard) < self.most


class Worker:
    """A worker and its channel: begins an item when another follows in its queue, or none ever will."""

    def __init__(self) -> None:
        self.gateway = SimpleNamespace(id="worker", newchannel=lambda: self)
        self.workerinput: dict[str, object] = {"workercount": 3}
        self.putevent: Any = lambda event: None
        self.queue: list[int] = []
        self.unwanted: set[int] = set()
        self.shutting_down = False

    def setcallback(self, hear: Any) -> None:
        hear([tuple(vars(cell).values()) for cell in CELLS])

    def send(self, places: Sequence[int]) -> None:
        self.unwanted.update(places)

    def send_runtest_some(self, indices: Sequence[int]) -> None:
        assert not self.shutting_down, "nothing is dealt to a worker that was let go"
        self.queue += indices

    def shutdown(self) -> None:
        self.shutting_down = True

    @property
    def can_go_on(self) -> bool:
        return len(self.queue) > 1 or (self.shutting_down and bool(self.queue))


class Run:
    """xdist's controller with three workers, of which chance says who is next and who dies."""

    def __init__(self, *, seed: int, most: int) -> None:
        self.chance = Random(seed)
        self.watch = Enough(most)
        self.ran: list[int] = []
        self.lead = 0
        self.lost: list[int] = []
        config = cast("pytest.Config", Configuration(self.watch))
        harness = SimpleNamespace(records=False, watch=None, wants=None)
        self.harness = cast("Harness", harness)
        dsession = SimpleNamespace(maxfail=0, shouldstop=False, worker_testreport=self.hear)
        self.rounds = Rounds(dsession, self.harness, Stopping(config, self.harness))
        self.scheduler = RoundScheduling(config, Producer("test"), has_begun=lambda _: False, rounds=self.rounds)
        self.workers: list[Worker] = []
        for _ in range(3):
            self.join()

    def join(self) -> None:
        worker = Worker()
        self.rounds.open(cast("Any", worker))
        self.scheduler.add_node(worker)
        self.scheduler.add_node_collection(worker, ITEMS)
        self.workers.append(worker)
        if self.scheduler.collection_is_completed:
            self.scheduler.schedule()

    def hear(self, *, rep: Any) -> None:
        self.watch.take(Record(CELLS[rep.place], "answered"))

    def step(self) -> bool:
        """Let one worker go on; False when all have ended."""
        able = [worker for worker in self.workers if worker.can_go_on]
        if not able:
            return False
        worker = self.chance.choice(able)
        place = worker.queue.pop(0)
        if place not in worker.unwanted:
            self.ran.append(place)
            self.lead = max(self.lead, place - self.rounds.turn)
            report = SimpleNamespace(nodeid=ITEMS[place], place=place)
            worker.putevent(("testreport", {"rep": report}))
        self.scheduler.mark_test_complete(worker, place)
        return True

    def kill_one(self) -> None:
        worker = self.chance.choice(self.workers)
        self.workers.remove(worker)
        crashed = self.scheduler.remove_node(worker)
        if crashed is not None:
            place = ITEMS.index(crashed)
            self.lost.append(place)
            with self.rounds.buried(cast("pytest.TestReport", SimpleNamespace(nodeid=crashed))):
                self.watch.take(Record(CELLS[place], "lost"))
        self.join()


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("most", [0, 1, 30, 1000])
def test_all_that_is_wanted_is_run_in_the_end(seed: int, most: int) -> None:
    """However the workers' paces mix, they end; who was quick did not run far ahead; all was heard in order."""
    run = Run(seed=seed, most=most)
    while run.step():
        pass
    assert run.scheduler.tests_finished
    assert not any(worker.queue for worker in run.workers)
    wanted = list(range(min(most, len(ITEMS))))
    assert run.watch.heard == wanted
    assert set(wanted) <= set(run.ran)
    assert len(run.ran) == len(set(run.ran))
    assert run.lead <= 3 * LEAST


@pytest.mark.parametrize("seed", range(40))
def test_whoever_takes_over_keeps_the_order(seed: int) -> None:
    """Workers die between their items, and others come: nothing is left out, and what is not lost is heard in order."""
    run = Run(seed=seed, most=60)
    deaths = sorted(run.chance.sample(range(60), 4))
    for number in range(1000):
        if number in deaths:
            run.kill_one()
        if not run.step():
            break
    assert run.scheduler.tests_finished
    assert len(run.watch.heard) == 60
    alive = [place for place in run.watch.heard if place not in run.lost]
    assert alive == [place for place in range(alive[-1] + 1) if place not in run.lost]
    assert set(alive) <= set(run.ran)
