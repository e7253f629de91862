"""Where every request of a run passes: its limits, its budget and its breakers are the run's, not a process's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Protocol

from tunegate.cases import Model
from tunegate.errors import UsageError
from tunegate.session.forecast import Forecast
from tunegate.wire.admission import Admission
from tunegate.wire.limits import AccountLimits
from tunegate.wire.pacer import Pacer
from tunegate.wire.tickets import Decision, Outcome, Ticket


class Desk(Protocol):
    """The run's desk as one process sees it."""

    owner: str
    """Name under which this process asks."""

    def begin(self, forecast: Callable[[], Forecast]) -> None:
        """Wait until the plan of the run was told, making it with `forecast` where nobody else does."""

    def ask(self, ticket: Ticket, decide: Callable[[Decision], None]) -> None:
        """Have `decide` called once, from any thread, with the decision about a request."""

    def settle(self, number: int, outcome: Outcome) -> None:
        """Say how a request ended that asked."""


class Entry(Protocol):
    """Tells a process that waits for the plan what to do."""

    def __call__(self, *, makes_plan: bool, refused: str | None) -> None:
        """Begin; first make the plan, or do not begin at all."""


class RunDesk:
    """The desk in the process that owns it: the only one, or the one that all workers report to.

    Args:
        models: whose endpoints are the accounts.
        max_in_flight: requests of each account, all processes together.
        max_cost_usd: what the run may cost, None without a cap.
        show: shows a line to people, from any thread: the plan, and what the endpoints make us do.
    """

    owner = "main"

    def __init__(
        self,
        models: Iterable[Model],
        *,
        max_in_flight: int,
        max_cost_usd: float | None,
        show: Callable[[str], None],
    ) -> None:
        endpoints = {model.endpoint.name: model.endpoint.limits for model in models}
        self.admission = Admission(
            {
                name: AccountLimits(limits.requests_per_minute, limits.tokens_per_minute, limits.max_connections)
                for name, limits in endpoints.items()
            },
            max_in_flight=max_in_flight,
            budget_usd=max_cost_usd,
        )
        self.plan: Forecast | None = None
        self.refused: str | None = None
        """Why the run must not begin."""
        self._charged_usd: float | None = 0.0
        self._max_cost_usd = max_cost_usd
        self._show = show
        self._pacer = Pacer(self.admission)
        self._lock = threading.Lock()
        self._planner: str | None = None
        self._entering: dict[str, Entry] = {}

    @property
    def spent_usd(self) -> float | None:
        """What the run's calls have cost so far; None where a price is not known."""
        if self._charged_usd is None or (self.plan is not None and self.plan.unpriced):
            return None
        return self._charged_usd + self.admission.spent_usd

    def charge(self, cost_usd: float | None) -> None:
        """Count what was paid without passing here; None is unknown."""
        self._charged_usd = None if self._charged_usd is None or cost_usd is None else self._charged_usd + cost_usd

    def begin(self, forecast: Callable[[], Forecast]) -> None:
        """Make the plan and tell it.

        Raises:
            UsageError: it asks for what the run may not do.
        """
        self.announce(forecast())
        if self.refused is not None:
            raise UsageError(self.refused)

    def enter(self, owner: str, entry: Entry) -> None:
        """Have `entry` called when `owner` may begin; the first one is told to make the plan."""
        with self._lock:
            is_told = self.plan is not None or self.refused is not None
            makes_plan = not is_told and self._planner is None
            if makes_plan:
                self._planner = owner
            if not is_told:
                self._entering[owner] = entry
        if is_told or makes_plan:
            entry(makes_plan=makes_plan, refused=self.refused)

    def announce(self, plan: Forecast) -> None:
        """Tell the plan, and let everybody begin."""
        try:
            plan.check_budget(self._max_cost_usd)
        except UsageError as problem:
            self.refuse(str(problem))
            return
        for line in plan.lines(max_cost_usd=self._max_cost_usd):
            self._show(line)
        self.plan = plan
        self._let_in()

    def refuse(self, reason: str) -> None:
        """Let nobody begin."""
        self.refused = reason
        self.admission.stop(reason)
        self._let_in()

    def ask(self, ticket: Ticket, decide: Callable[[Decision], None]) -> None:
        """Have `decide` called once with the decision about a request."""
        self.admission.ask(ticket, decide)
        self._show_news()

    def settle(self, number: int, outcome: Outcome) -> None:
        """Say how a request of this process ended."""
        self.settle_for(self.owner, number, outcome)

    def settle_for(self, owner: str, number: int, outcome: Outcome) -> None:
        """Say how a request of another process ended."""
        self.admission.settle(owner, number, outcome)
        self._show_news()

    def withdraw(self, owner: str) -> None:
        """Forget a process that is gone; another makes the plan if it was to."""
        self.admission.withdraw(owner)
        heir: Entry | None = None
        with self._lock:
            self._entering.pop(owner, None)
            if self._planner == owner and self.plan is None and self.refused is None:
                self._planner = next(iter(self._entering), None)
                heir = self._entering.get(self._planner) if self._planner else None
        if heir is not None:
            heir(makes_plan=True, refused=None)

    def stop(self, reason: str) -> None:
        """Let nothing pass any more."""
        self.admission.stop(reason)

    def close(self) -> None:
        """End the thread that waits for limits to refill."""
        self._pacer.close()

    def _show_news(self) -> None:
        for sentence in self.admission.notices():
            self._show(sentence)

    def _let_in(self) -> None:
        with self._lock:
            waiting, self._entering = list(self._entering.values()), {}
        for entry in waiting:
            entry(makes_plan=False, refused=self.refused)
