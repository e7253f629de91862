"""One process of a run makes its plan, and nobody begins before it is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from tunegate.cases import Model
from tunegate.errors import UsageError
from tunegate.session.desk import RunDesk
from tunegate.session.forecast import Forecast, ModelForecast
from tunegate.wire.tickets import GO, Decision, No, Outcome, Ticket

from .bench import PATIENCE_S, one_model

MODEL = one_model("http://h/v1", max_connections=1)
PLAN = Forecast((ModelForecast("m", calls=2, recorded=0, prompt_tokens=9, reply_tokens=9, cost_usd=0.5),))
UNPRICED = Forecast((replace(PLAN.models[0], cost_usd=None),))


@dataclass
class Run:
    """A desk, what it shows, and what it tells the processes that enter."""

    desk: RunDesk
    shown: list[str]
    told: list[tuple[str, bool, str | None]]

    def enter(self, *owners: str) -> None:
        for owner in owners:
            self.desk.enter(
                owner, lambda *, makes_plan, refused, who=owner: self.told.append((who, makes_plan, refused))
            )

    def hear(self) -> list[tuple[str, bool, str | None]]:
        """Return what was told since the last time."""
        told, self.told[:] = list(self.told), []
        return told


def open_run(*models: Model, max_cost_usd: float | None = None) -> Run:
    shown: list[str] = []
    return Run(RunDesk(models or [MODEL], max_in_flight=8, max_cost_usd=max_cost_usd, show=shown.append), shown, [])


@pytest.fixture
def run() -> Iterator[Run]:
    run = open_run()
    yield run
    run.desk.close()


def test_first_makes_the_plan_and_nobody_begins_before(run: Run) -> None:
    """Of those who enter one makes the plan; all of them begin when it is told, and who comes later at once."""
    run.enter("gw0", "gw1", "gw2")
    assert run.hear() == [("gw0", True, None)]
    run.desk.announce(PLAN)
    assert sorted(run.hear()) == [("gw0", False, None), ("gw1", False, None), ("gw2", False, None)]
    assert run.desk.plan == PLAN
    assert run.shown == PLAN.lines()
    run.enter("gw3")
    assert run.hear() == [("gw3", False, None)]


def test_heir_makes_the_plan_where_the_first_dies(run: Run) -> None:
    """Where the process that was to make the plan is gone, another that waits makes it."""
    run.enter("gw0", "gw1", "gw2")
    run.desk.withdraw("gw2")
    run.desk.withdraw("gw0")
    assert run.hear() == [("gw0", True, None), ("gw1", True, None)]
    run.desk.announce(PLAN)
    assert run.hear() == [("gw1", False, None)]
    run.desk.withdraw("gw1")
    assert run.hear() == []


def test_plan_waits_for_the_next_where_all_died(run: Run) -> None:
    """Where nobody is left to make the plan, the next to enter makes it."""
    run.enter("gw0")
    run.desk.withdraw("gw0")
    run.enter("gw1")
    assert run.hear() == [("gw0", True, None), ("gw1", True, None)]


def test_refusal_is_everybodys(run: Run) -> None:
    """A run that is refused begins nowhere, now or later, and nothing of it is admitted."""
    run.enter("gw0", "gw1")
    run.hear()
    run.desk.refuse("the plan cannot be made")
    assert run.hear() == [("gw0", False, "the plan cannot be made"), ("gw1", False, "the plan cannot be made")]
    run.enter("gw2")
    assert run.hear() == [("gw2", False, "the plan cannot be made")]
    run.desk.withdraw("gw0")
    assert run.hear() == []
    told: list[Decision] = []
    run.desk.ask(Ticket("gw1", 1, "unlisted", "m", 1), told.append)
    assert told == [No("the plan cannot be made", "stopped")]


def test_single_process_makes_the_plan_itself(run: Run) -> None:
    """Without workers the plan is made and shown where the run is."""
    run.desk.begin(lambda: PLAN)
    assert (run.desk.plan, run.shown) == (PLAN, PLAN.lines())


def test_budget_without_price_is_refused() -> None:
    """A run with a budget and a model of unknown price does not begin: the budget could not be kept."""
    run = open_run(max_cost_usd=1.0)
    with pytest.raises(UsageError, match="--max-cost cannot hold: nobody knows what m costs"):
        run.desk.begin(lambda: UNPRICED)
    assert run.desk.plan is None
    assert run.shown == []
    run.enter("gw0")
    ((_, makes_plan, refused),) = run.hear()
    assert not makes_plan
    assert "--max-cost cannot hold" in (refused or "")
    run.desk.close()


def test_plan_says_where_the_budget_may_not_do() -> None:
    """A budget below the estimate is no mistake: the run begins, and says that it may end early."""
    run = open_run(max_cost_usd=0.1)
    run.desk.begin(lambda: PLAN)
    assert run.shown[1:] == ["that may be more than --max-cost $0.10: the run stops asking there"]
    run.desk.close()


def test_spent_is_unknown_where_a_price_is(run: Run) -> None:
    """What a run has cost is unknown where a model that is asked has no price, and else what its replies cost."""
    run.desk.announce(PLAN)
    run.desk.ask(Ticket("main", 1, "unlisted", "m", 1, cost_usd=0.25), lambda _: None)
    run.desk.settle(1, Outcome("answered", 200, cost_usd=0.125))
    assert run.desk.spent_usd == 0.125
    run.desk.announce(UNPRICED)
    assert run.desk.spent_usd is None


def test_limits_are_those_of_the_run(run: Run) -> None:
    """What one process has in flight counts for all; what a dead one had makes room for the others."""
    told: list[tuple[str, Decision]] = []
    for owner in ("gw0", "gw1"):
        run.desk.ask(Ticket(owner, 7, "unlisted", "m", 1), lambda decision, who=owner: told.append((who, decision)))
    assert told == [("gw0", GO)]
    run.desk.settle_for("gw1", 8, Outcome("answered", 200, 0.0))
    assert told == [("gw0", GO)]
    run.desk.withdraw("gw0")
    assert told == [("gw0", GO), ("gw1", GO)]


def test_news_of_the_endpoints_are_shown_once(run: Run) -> None:
    """What an endpoint makes the run do is shown when it happens, once."""
    run.desk.ask(Ticket("main", 1, "unlisted", "m", 1), lambda _: None)
    run.desk.settle(1, Outcome("refused", 401, 0.0, message="401 wrong key"))
    told: list[Decision] = []
    run.desk.ask(Ticket("main", 2, "unlisted", "m", 1), told.append)
    assert run.shown == ["unlisted is not asked any more: 401 wrong key"]
    (no,) = told
    assert isinstance(no, No)
    assert no.kind == "circuit"


def test_what_waits_for_a_rate_goes_without_being_asked_about() -> None:
    """A request that must wait for its rate limit is let go by time alone, from another thread."""
    run = open_run(one_model("http://h/v1", requests_per_minute=60_000))
    gone = threading.Event()
    for number in range(600):
        run.desk.ask(Ticket("main", number, "unlisted", "m", 1), lambda _: None)
        run.desk.settle(number, Outcome("answered", 200, 0.0))
    run.desk.ask(Ticket("main", 600, "unlisted", "m", 1), lambda _: gone.set())
    assert gone.wait(PATIENCE_S)
    run.desk.close()


def test_stop_refuses_what_waits_and_what_comes(run: Run) -> None:
    """After a stop nobody is admitted any more."""
    told: list[Decision] = []
    for number in range(2):
        run.desk.ask(Ticket("main", number, "unlisted", "m", 1), told.append)
    run.desk.stop("interrupted")
    run.desk.ask(Ticket("main", 2, "unlisted", "m", 1), told.append)
    assert told == [GO, No("interrupted", "stopped"), No("interrupted", "stopped")]
