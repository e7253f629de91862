"""The processes that run items: the plan before the first of them, and requests under way before their turn."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import suppress

import pytest

from tunegate.errors import TunegateError
from tunegate.pytest_plugin.harness import Harness
from tunegate.pytest_plugin.outcome import planned_of
from tunegate.pytest_plugin.upcoming import Upcoming, Window
from tunegate.records import Cell
from tunegate.session import Planned


class WorkAhead:
    """Registered where items run and endpoints may be asked."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness
        self._upcoming: Upcoming | Window | None = None
        self._held: list[Planned] = []
        """What comes and may not be asked yet."""
        self._expected: set[Cell] = set()
        """What was asked for ahead, where that may turn out to be in vain."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        if runs_items(session):
            self._begin(session)
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        planned = planned_of(item)
        if self._upcoming is not None:
            self._limit(item.session)
            self._expect(self._upcoming.now(), beside=planned)
            if planned is not None and not self._harness.wants(planned.cell):
                self._await_in_vain(planned)
        result = yield
        self._limit(item.session)
        if planned is not None:
            self._harness.session.dismiss(planned)
        return result

    def pytest_keyboard_interrupt(self) -> None:
        self._harness.session.stop()

    def _begin(self, session: pytest.Session) -> None:
        cells = cells_of(session)
        if not cells:
            return
        try:
            self._harness.recording.desk.begin(lambda: self._harness.recording.forecast(cells))
        except TunegateError as problem:
            if self._harness.is_worker:
                # The controller says why; a worker only has to end in good order.
                session.shouldstop = str(problem)
                session.config.pluginmanager.register(NothingRuns())
                return
            raise pytest.UsageError(str(problem)) from problem
        harness = self._harness
        if harness.options.until_decided and harness.times:
            return  # timed cases stand among the others there: each is asked when its turn comes
        if harness.options.until_decided and not harness.is_worker:
            self._upcoming = Window(session, size=harness.in_flight, wants=harness.wants)
        else:
            self._upcoming = Upcoming(session)

    def _expect(self, upcoming: Iterator[Planned], *, beside: Planned | None) -> None:
        """Ask for what comes, as far as it may be under way beside an item: under another load, it waits its turn."""
        load = beside.cell.load if beside is not None else None
        self._held.extend(upcoming)
        if load == 1:
            return  # what is measured alone is asked when its turn comes, and nothing else before all of that is done
        ready = [planned for planned in self._held if planned.cell.load == load]
        self._held = [planned for planned in self._held if planned.cell.load not in (load, 1)]
        if self._harness.options.until_decided:
            ready = [planned for planned in ready if self._harness.wants(planned.cell)]
            self._expected.update(planned.cell for planned in ready)
        self._harness.session.expect(ready)

    def _await_in_vain(self, planned: Planned) -> None:
        """Let a reply arrive that was asked for and is not wanted any more: it is paid for, so it is to be recorded."""
        if planned.cell in self._expected:
            # Nobody reads it, so whatever is wrong with it is nobody's problem; a skip by its eval is no Exception.
            with suppress(Exception, pytest.skip.Exception):
                self._harness.session.ask(planned)

    def _limit(self, session: pytest.Session) -> None:
        """With `-x` and its like, ask only for items that run whatever becomes of those before them."""
        if session.shouldstop or session.shouldfail:
            self._harness.session.stop()
            return
        option = session.config.option
        most = 1 if getattr(option, "stepwise", False) else option.maxfail
        if most:
            # An item may fail twice, in its test and again after it.
            self._harness.session.limit((most - session.testsfailed + 1) // 2)


class DryRun:
    """Tells the plan in place of running it."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if not runs_items(session):
            return None
        recording = self._harness.recording
        try:
            recording.run_desk.begin(lambda: recording.forecast(cells_of(session)))
        except TunegateError as problem:
            raise pytest.UsageError(str(problem)) from problem
        return True


class NothingRuns:
    """Passes over every item."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self) -> bool:
        return True


def runs_items(session: pytest.Session) -> bool:
    """Tell whether pytest goes on after the collection: a file that cannot be collected stops all but a worker."""
    option = session.config.option
    goes_on = option.continue_on_collection_errors or hasattr(session.config, "workerinput")
    return not option.collectonly and (goes_on or session.testsfailed == 0)


def cells_of(session: pytest.Session) -> list[Planned]:
    """Return the cells of the items that were collected and selected, in their order."""
    return [planned for item in session.items if (planned := planned_of(item)) is not None]
