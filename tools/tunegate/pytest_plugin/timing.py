"""Evals that measure time, asked live: one worker, one request at a time, the models in turns in a random order.

Whatever drifts while they are asked, a machine that warms up or another that takes its turn, then hits all alike.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

import pytest

from tunegate.errors import UsageError
from tunegate.pytest_plugin.outcome import planned_of
from tunegate.session import Planned, turn_order

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

    from tunegate.pytest_plugin.harness import Harness
    from tunegate.pytest_plugin.options import Options

CHANNEL = "tunegate_timing"
"""Key of a worker's input that holds the channel on which it tells that it has collected what measures time."""
_DEALT = ("no", "load")
"""Modes of xdist in which one worker can be given everything."""


def register_timing(config: pytest.Config, harness: Harness) -> None:
    """Register what a process needs that collects items and may ask them live."""
    if not harness.records or harness.options.via == "batch":
        return
    # Registered late: what reorders items besides has done so when this one does.
    config.pluginmanager.register(InTurns(harness))
    config.pluginmanager.register(Announcement(config, harness))


def check_timing(cells: Sequence[Planned], options: Options, *, dist: str) -> None:
    """Look whether what measures time can be asked as the command line has it.

    Raises:
        UsageError: its replies would come in a batch, or several workers would ask at once.
    """
    timed = sorted({planned.eval.name for planned in cells if planned.eval.times})
    if not timed:
        return
    names = " and ".join(f"'{name}'" for name in timed)
    if options.via == "batch":
        raise UsageError(
            f"{names} measures time, which the replies of a batch do not tell\n"
            "  leave it out: name the files of the other evals, or ask without --via batch"
        )
    if dist not in _DEALT:
        raise UsageError(
            f"{names} measures time with one worker asking everything, which --dist {dist} does not allow\n"
            "  use --dist load, or -n 0"
        )
    _check_loads(cells, options, names=names)
    if options.until_decided and dist != "no":
        raise UsageError(
            f"{names} measures time with one worker asking everything, and --until-decided deals cases out to all\n"
            "  use -n 0, or leave out --until-decided"
        )


class InTurns:
    """Sorts the items that measure time before all others: a case's models one after the other, in a random order."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None, object, object]:
        result = yield
        timed = [item for item in items if (planned := planned_of(item)) is not None and planned.eval.times]
        self._harness.times = bool(timed)
        # Until everything is decided, cases stand in an order that the verdict rests on.
        if timed and not self._harness.options.until_decided:
            place = turn_order(seed=self._harness.options.seed)  # one load after the other
            others = [item for item in items if item not in set(timed)]
            cells = {item: planned.cell for item in timed if (planned := planned_of(item)) is not None}
            items[:] = [*sorted(timed, key=lambda item: place(cells[item])), *others]
        return result


class Announcement:
    """Says before the first item how it is going to be asked, in a worker to the controller."""

    def __init__(self, config: pytest.Config, harness: Harness) -> None:
        self._harness = harness
        self._channel = getattr(config, "workerinput", {}).get(CHANNEL)

    # Before xdist sends its own word: when the controller deals items out it knows what they are.
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        planned = [cell for item in session.items if (cell := planned_of(item)) is not None]
        names = sorted({cell.eval.name for cell in planned if cell.eval.times})
        if self._channel is not None:
            self._channel.send(names)
        elif names and not (session.config.option.collectonly or self._harness.options.dry_run):
            self._harness.show(describe(names, loads=self._harness.options.in_flight))


class SoleWorker:
    """The controller's side: knows when one worker is to ask everything."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness
        self._evals: list[str] = []

    def open(self, node: WorkerController) -> None:
        """Give a worker a channel for what xdist does not carry."""
        channel = node.gateway.newchannel()
        channel.setcallback(self._hear)
        node.workerinput[CHANNEL] = channel

    def takes_all(self) -> bool:
        """Say whether one worker is to have everything."""
        return bool(self._evals)

    def _hear(self, evals: list[str]) -> None:
        if evals and not self._evals:
            self._harness.show(f"{describe(evals, loads=self._harness.options.in_flight)}, all from one worker")
        self._evals = self._evals or evals


def _check_loads(cells: Sequence[Planned], options: Options, *, names: str) -> None:
    most = max((planned.cell.load or 1 for planned in cells), default=1)
    if most == 1:
        return
    if options.until_decided:
        raise UsageError(
            f"{names} measures time under a load, and --until-decided asks one case after the other\n"
            "  leave out --in-flight or --until-decided"
        )
    limits = {"--max-connections": options.max_connections} | {
        f"max_connections of the endpoint '{planned.model.endpoint.name}'": limit
        for planned in cells
        if (planned.cell.load or 1) > 1 and (limit := planned.model.endpoint.limits.max_connections)
    }
    for name, limit in limits.items():
        if limit < most:
            raise UsageError(
                f"{names} is to be measured with {most} requests at a time, and {name} is {limit}\n"
                f"  raise it, or use --in-flight {limit}"
            )


def describe(evals: Sequence[str], *, loads: Sequence[int]) -> str:
    """Say how what measures time is asked."""
    numbers = sorted({*loads}) or [1]
    told = " and ".join(filter(None, [", ".join(map(str, numbers[:-1])), str(numbers[-1])]))
    many = "one request" if numbers == [1] else f"{told} requests"
    return f"{', '.join(evals)}: measured with {many} at a time, the models in turns"
