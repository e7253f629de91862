"""What a process needs when endpoints may be asked. Imported only then, so that a replay starts sooner."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tunegate.cases import Endpoint, PriceBook
from tunegate.pytest_plugin.far_desk import CHANNEL, IS_FAR, Counter, FarDesk
from tunegate.pytest_plugin.timing import check_timing
from tunegate.pytest_plugin.upcoming import DIST
from tunegate.session import Planned, Session
from tunegate.session.desk import Desk, RunDesk
from tunegate.session.forecast import Forecast, forecast_run
from tunegate.session.keeping import Keeper, Recorder
from tunegate.session.live import Live, connect, key_of
from tunegate.session.pricing import Pricing

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

    from tunegate.pytest_plugin.harness import Harness


class Recording:
    """The live half of the harness, made on demand.

    Args:
        harness: the rest of it.
        worker_input: what xdist's controller gave this worker; None elsewhere.
        show: shows a line to people while the run goes on.
    """

    def __init__(
        self, harness: Harness, *, worker_input: Mapping[str, Any] | None, show: Callable[[str], None]
    ) -> None:
        self._harness = harness
        self._worker_input = worker_input
        self._show = show

    @cached_property
    def pricing(self) -> Pricing:
        return Pricing(PriceBook.load(self._harness.options.fixtures / "prices.toml"))

    @cached_property
    def run_desk(self) -> RunDesk:
        """The desk of the whole run: made in the process that owns it."""
        options = self._harness.options
        return RunDesk(
            self._harness.models,
            max_in_flight=options.max_connections,
            max_cost_usd=options.max_cost_usd,
            show=self._show,
        )

    @cached_property
    def far_desk(self) -> FarDesk | None:
        """The controller's desk, in a worker."""
        if self._worker_input is None:
            return None
        return FarDesk(self._worker_input[CHANNEL], owner=self._worker_input["workerid"])

    @property
    def desk(self) -> Desk:
        """The run's desk as this process sees it."""
        return self.far_desk or self.run_desk

    @property
    def was_refused(self) -> bool:
        """Whether the desk let nobody begin."""
        return "run_desk" in self.__dict__ and self.run_desk.refused is not None

    @cached_property
    def keeper(self) -> Keeper:
        """What this process records is written here, unless it runs elsewhere."""
        is_far = self._worker_input is not None and self._worker_input[IS_FAR]
        return self.far_desk if is_far and self.far_desk else Recorder(self._harness.library)

    def open_session(self) -> Session:
        """Return a session that asks what is not recorded."""
        harness = self._harness
        live = Live(
            connect=connect,
            desk=self.desk,
            keeper=self.keeper,
            pricing=self.pricing,
            redactor=harness.redactor,
            sees_all=self._worker_input is None or harness.times or self._worker_input["workercount"] == 1,
        )
        return Session(
            harness.library,
            prepare=harness.prepare,
            mode=harness.options.record,
            live=live,
            in_flight=harness.options.max_connections,
        )

    def open_counter(self, node: WorkerController) -> None:
        """Give a worker its channel to the run's desk; what a worker elsewhere records is written here."""
        is_far = not node.gateway.spec.popen
        channel = node.gateway.newchannel()
        node.workerinput |= {CHANNEL: channel, IS_FAR: is_far}
        Counter(channel, owner=node.gateway.id, desk=self.run_desk, keeper=self.keeper if is_far else None)

    def forecast(self, cells: Iterable[Planned]) -> Forecast:
        """Look what `cells` will ask.

        Raises:
            UsageError: it cannot be asked, for want of a key among other reasons.
        """
        harness = self._harness
        cells = list(cells)
        check_timing(cells, harness.options, dist=self._worker_input[DIST] if self._worker_input else "no")
        with harness.network():
            plan = forecast_run(
                cells,
                prepare=harness.prepare,
                library=harness.library,
                pricing=self.pricing,
                records_all=harness.options.record == "all",
                batch=harness.options.via == "batch",
            )
        if not harness.options.dry_run:
            asked = {model.model for model in plan.models if model.calls}
            endpoints: set[Endpoint] = {model.endpoint for model in harness.models if model.name in asked}
            for endpoint in sorted(endpoints, key=lambda endpoint: endpoint.name):
                key_of(endpoint)
        return plan

    def close(self) -> None:
        """Write down what came, and end every thread; the session is closed before."""
        made = self.__dict__
        if "keeper" in made:
            self.keeper.close()
        if "run_desk" in made:
            self.run_desk.close()
