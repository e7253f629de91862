"""`--until-decided`: cases in a random order, and none that is of no interest any more."""

from __future__ import annotations

from collections.abc import Container, Generator, Sequence
from typing import Any

import pytest

from tunegate.errors import TunegateError, UsageError
from tunegate.pytest_plugin.harness import Harness
from tunegate.pytest_plugin.outcome import planned_of
from tunegate.records import Cell
from tunegate.session import case_order

CHANNEL = "tunegate_stopping"
"""Key of a worker's input that holds the channel on which it tells its plan and hears what is not wanted any more."""
_OVER = "everything is decided"


def register_stopping(config: pytest.Config, harness: Harness) -> None:
    """Register what a process needs that collects items and runs them."""
    if not harness.options.until_decided:
        return
    if harness.is_worker:
        config.pluginmanager.register(Worker(config, harness))
    # Registered late: what reorders items besides has done so when this one does.
    config.pluginmanager.register(RandomOrder(harness))
    config.pluginmanager.register(PassesOver(harness))


def check_stopping(config: pytest.Config, harness: Harness) -> None:
    """Look whether the rest of the command line goes together with `--until-decided`.

    Raises:
        UsageError: it does not.
    """
    options = harness.options
    if not options.until_decided:
        return
    if options.shard is not None:
        raise UsageError(
            "--until-decided looks at all cases, and --shard at a part of them\n  leave out one of the two"
        )
    if options.via == "batch":
        raise UsageError(
            "--until-decided stops between requests, and --via batch hands them in all at once\n"
            "  leave out one of the two"
        )
    dist = config.getoption("dist", "no")
    if dist not in ("no", "load"):
        raise UsageError(
            f"--until-decided deals its items out itself, which --dist {dist} does not allow\n"
            "  use --dist load, or -n 0"
        )


class Stopping:
    """What a run was to ask, who says when that is enough, and what it was spared; where every report is seen."""

    def __init__(self, config: pytest.Config, harness: Harness) -> None:
        self.plan: Sequence[Cell] = ()
        """All cells in the order in which they are asked; none before somebody watches over them."""
        self._config = config
        self._harness = harness
        self._first = 0

    def begin(self, plan: Sequence[Cell]) -> None:
        """Have somebody watch over the cells of a plan.

        Raises:
            pytest.UsageError: nobody does, or whoever would cannot.
        """
        try:
            watch = self._config.hook.pytest_tunegate_watch(config=self._config, cells=plan)
        except TunegateError as problem:
            raise pytest.UsageError(str(problem)) from problem
        if watch is None:
            raise pytest.UsageError(
                "--until-decided: nothing says when enough is known\n"
                "  a plugin or conftest.py does, by the hook pytest_tunegate_watch; or leave out --until-decided"
            )
        self.plan = plan
        self._harness.watch = watch
        self._harness.wants = watch.wants

    @property
    def is_over(self) -> bool:
        """Whether nothing of the plan matters any more."""
        while self._first < len(self.plan) and not self._harness.wants(self.plan[self._first]):
            self._first += 1
        return self._first == len(self.plan)

    def rest(self) -> None:
        """Send nothing more where everything is decided; what is under way may still arrive."""
        if self._harness.records and self._harness.watch is not None and self.is_over:
            self._harness.recording.run_desk.stop(_OVER)

    def count_spared(self, written: Container[Cell]) -> int:
        """Return how many cells have no record because they did not matter any more."""
        return sum(cell not in written and not self._harness.wants(cell) for cell in self.plan)

    def outline(self) -> dict[str, Any]:
        """Return what could have been asked: a verdict on the part that was is made again from it."""
        cases = {(cell.eval, cell.case): cell.subject for cell in self.plan}
        subjects: dict[str, set[str]] = {}
        for (eval_name, _), subject in cases.items():
            subjects.setdefault(eval_name, set()).add(subject)
        return {
            "seed": self._harness.order_seed,
            "cases": len(cases),
            "subjects": {name: sorted(found) for name, found in sorted(subjects.items())},
        }

    def describe(self, *, asked: int, spared: int) -> str:
        """Say what came of it: `asked` is the number of cases with a record."""
        cases = len({(cell.eval, cell.case) for cell in self.plan})
        when = "decided" if self.is_over else "not all decided"
        return f"{when} after {asked} of {cases} cases: {spared} of {len(self.plan)} calls not needed"


class RandomOrder:
    """Sorts cells by their cases, in a random order; other tests stand before them."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None, object, object]:
        result = yield
        case_key = case_order(seed=self._harness.order_seed)
        cells = [(planned.cell, item) for item in items if (planned := planned_of(item)) is not None]
        others = [item for item in items if planned_of(item) is None]
        # In the matrix's order even where others have moved items: what failed the last time must not come first.
        models = {model.name: number for number, model in enumerate(self._harness.models)} if cells else {}
        cells.sort(key=lambda found: (case_key(found[0]), models[found[0].model], found[0].repeat))
        items[:] = [*others, *(item for _, item in cells)]
        return result


class PassesOver:
    """Runs no item whose cell is not wanted: there is neither a report of it nor a record."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        planned = planned_of(item)
        if planned is None or self._harness.wants(planned.cell):
            return None
        _tear_down(item, nextitem)
        return True


class Worker:
    """Tells xdist's controller the plan, of which it knows node ids only, and hears what is not wanted any more."""

    def __init__(self, config: pytest.Config, harness: Harness) -> None:
        worker_input: dict[str, Any] = config.workerinput  # type: ignore[attr-defined]
        self._channel = worker_input[CHANNEL]
        self._cells: list[Cell | None] = []
        self._unwanted: set[Cell | None] = set()
        harness.wants = self._wants
        # Failures count when their turn comes, and that is the controller's to say.
        config.option.maxfail = 0

    # Before xdist sends its own word: when the controller deals items out it knows what they are.
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._cells = [planned.cell if (planned := planned_of(item)) else None for item in session.items]
        self._channel.setcallback(self._withdraw)
        self._channel.send([tuple(vars(cell).values()) if cell else None for cell in self._cells])

    def _wants(self, cell: Cell) -> bool:
        return cell not in self._unwanted

    def _withdraw(self, places: list[int]) -> None:
        self._unwanted.update(self._cells[place] for place in places)


def _tear_down(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Tear down what the items before kept for this one and the next does not use."""
    call = pytest.CallInfo.from_call(lambda: item.session._setupstate.teardown_exact(nextitem), when="teardown")
    if call.excinfo is not None:
        report = item.ihook.pytest_runtest_makereport(item=item, call=call)
        item.ihook.pytest_runtest_logreport(report=report)
