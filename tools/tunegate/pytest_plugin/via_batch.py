"""`--via batch`: what has no recording is handed in as batches before the first item, and waited for."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pytest

from tunegate.cases import Endpoint
from tunegate.cost import dollars
from tunegate.errors import TunegateError, UsageError
from tunegate.exchanges import Exchange
from tunegate.pytest_plugin.ahead import cells_of
from tunegate.pytest_plugin.harness import Harness
from tunegate.session import Planned, Prepared
from tunegate.session.batches import LONGEST_KEY, BatchProgress, Wanted, answer_in_batches
from tunegate.session.live import key_of, note_of
from tunegate.wire import read_exchange
from tunegate.wire.batches import BatchClient


class ViaBatch:
    """Registered where recordings are to come from the Batch API."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        if session.testsfailed:
            return
        try:
            self._answer(cells_of(session))
        except TunegateError as problem:
            raise pytest.UsageError(str(problem)) from problem

    def _answer(self, cells: Iterable[Planned]) -> None:
        harness = self._harness
        cells = list(cells)
        harness.recording.run_desk.begin(lambda: harness.recording.forecast(cells))
        order = _Order(harness)
        for planned in cells:
            order.add(planned)
        if not order.wanted:
            return
        order.check_budget(harness.options.max_cost_usd)
        try:
            outcome = asyncio.run(
                answer_in_batches(
                    order.wanted,
                    connect=_connect,
                    keep=order.keep,
                    folder=harness.options.runs.parent / "batches",
                    progress=self._show,
                )
            )
        except KeyboardInterrupt:
            harness.show("what was handed in goes on there; the same command fetches it")
            raise
        for problem in outcome.problems:
            harness.session.problems[order.prepared[problem.key].cell] = problem.message

    def _show(self, progress: BatchProgress) -> None:
        counts = f"{progress.completed + progress.failed:,} of {progress.total:,}"
        failed = f", {progress.failed:,} failed" if progress.failed else ""
        note = f" ({progress.note})" if progress.note else ""
        self._harness.show(
            f"batch {progress.batch_id or '-'} of {progress.model}: {progress.status}, {counts}{failed}{note}"
        )


@dataclass
class _Order:
    """What a run wants from the Batch API, and what came of it."""

    harness: Harness
    wanted: list[Wanted] = field(default_factory=list)
    prepared: dict[str, Prepared] = field(default_factory=dict)

    def add(self, planned: Planned) -> None:
        """Want a cell unless it has a recording that will do."""
        harness, cell = self.harness, planned.cell
        prepared = harness.prepare(planned)
        cassette = harness.library.cassette(cell.eval, cell.model)
        if harness.options.record == "missing" and cassette.holds(prepared.request, repeat=cell.repeat):
            return
        recording = f"{cell.eval}\n{cell.model}\n{cell.repeat}\n{prepared.request.fingerprint}"
        key = hashlib.sha256(recording.encode("utf-8", "surrogatepass")).hexdigest()[:LONGEST_KEY]
        if key in self.prepared:
            return  # another case asks the very same, and shares its recording
        self.prepared[key] = prepared
        self.wanted.append(Wanted(key, prepared.request, planned.model.endpoint, planned.model.model))

    def check_budget(self, max_cost_usd: float | None) -> None:
        """Look whether all that is wanted can be paid: what is handed in cannot be stopped half-way.

        Raises:
            UsageError: it may cost more.
        """
        if max_cost_usd is None:
            return
        pricing = self.harness.recording.pricing
        # No price is unknown here: the plan has looked.
        most_usd = sum(pricing.quote(prepared, batch=True).most_usd or 0.0 for prepared in self.prepared.values())
        if most_usd > max_cost_usd:
            raise UsageError(
                f"the batches may cost up to {dollars(most_usd)}, more than --max-cost {max_cost_usd:g}: "
                "nothing was handed in\n  to go on: ask for less (--limit N), or raise the cap"
            )

    def keep(self, wanted: Wanted, exchange: Exchange) -> None:
        """Record a reply."""
        harness, prepared = self.harness, self.prepared[wanted.key]
        recording = harness.recording
        cell, reading = prepared.cell, read_exchange(exchange)
        noted = replace(exchange, repeat=cell.repeat, note=note_of(cell, reading))
        harness.library.cassette(cell.eval, cell.model).add(noted)
        harness.session.fresh.add(cell)
        recording.run_desk.charge(recording.pricing.charge(prepared, reading.reply.usage, batch=True))


def _connect(endpoint: Endpoint) -> BatchClient:
    return BatchClient(endpoint.base_url, api_key=key_of(endpoint), timeout_s=endpoint.limits.timeout_s)
