"""Who may send: nobody is forgotten, nobody is told twice, and no more is spent than was allowed."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tunegate.errors import UsageError
from tunegate.wire.admission import Admission
from tunegate.wire.limits import AccountLimits
from tunegate.wire.pacer import Pacer
from tunegate.wire.retries import Allowance, Quota
from tunegate.wire.tickets import GO, Decision, Go, No, Outcome, Ticket

PATIENT_S = 10.0
"""How long a test waits for another thread before it gives up."""


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Desk:
    """An admission, and what it decided, by number."""

    def __init__(self, *limits: AccountLimits, **options: Any) -> None:
        self.clock = Hand()
        names = "abc"[: len(limits) or 1]
        options = {"max_in_flight": 100, "budget_usd": None, "clock": self.clock, "rng": Random(1)} | options
        self.admission = Admission(dict(zip(names, limits or (AccountLimits(),), strict=True)), **options)
        self.decided: dict[int, Decision] = {}
        self.order: list[int] = []

    def ask(self, number: int, *, cost: float = 0.0, attempt: int = 1, account: str = "a", model: str = "m",
            tokens: int = 1, owner: str = "main") -> Decision | None:  # fmt: skip
        ticket = Ticket(owner, number, account, model, tokens, cost, attempt)
        self.admission.ask(ticket, partial(self._decide, number))
        return self.decided.get(number)

    def settle(self, number: int, kind: Any = "answered", status: int | None = None, *, owner: str = "main",
               cost: float | None = 0.0, **more: Any) -> None:  # fmt: skip
        self.admission.settle(owner, number, Outcome(kind, status, cost, **more))

    def went(self) -> list[int]:
        return [number for number in self.order if isinstance(self.decided[number], Go)]

    def _decide(self, number: int, decision: Decision) -> None:
        assert number not in self.decided
        self.decided[number] = decision
        self.order.append(number)


def test_without_limits_everybody_goes_at_once() -> None:
    """Where nothing is limited, the decision falls within the call that asks."""
    desk = Desk()
    assert [desk.ask(number) for number in range(100)] == [GO] * 100
    assert (desk.admission.admitted, desk.admission.in_flight, desk.admission.waiting) == (100, 100, 0)


def test_later_attempts_go_first_and_others_in_their_order() -> None:
    """Who has waited longest goes first, except that what was begun is finished before."""
    desk = Desk(AccountLimits(max_connections=1))
    for number, attempt in enumerate((1, 1, 1, 2, 1, 3)):
        desk.ask(number, attempt=attempt)
    for number in (0, 5, 3, 1, 2, 4):
        desk.settle(number)
    assert desk.went() == [0, 5, 3, 1, 2, 4]


def test_connections_are_limited_per_account() -> None:
    """`max_connections` and the run's own limit both hold, for each account by itself."""
    desk = Desk(AccountLimits(max_connections=2), AccountLimits(), max_in_flight=3)
    for number in range(20):
        desk.ask(number, account="ab"[number % 2])
    assert desk.went() == [0, 1, 2, 3, 5]


def test_rate_spreads_requests_evenly() -> None:
    """Beyond a small burst, requests leave one by one at the pace of the limit, when `pump` said they would."""
    desk = Desk(AccountLimits(requests_per_minute=60))
    for number in range(3):
        desk.ask(number)
    assert desk.went() == [0]
    for number in (1, 2):
        wait_s = desk.admission.pump()
        assert wait_s == pytest.approx(1 / 0.98, rel=0.01)
        assert wait_s is not None
        desk.clock.now += wait_s
        desk.admission.pump()
        assert desk.went()[-1] == number
    assert desk.admission.pump() is None


def test_request_beyond_a_minutes_allowance_passes() -> None:
    """What is larger than the bucket goes when the bucket is full, and the next pays for it."""
    desk = Desk(AccountLimits(tokens_per_minute=600))
    assert desk.ask(0, tokens=1200) == GO
    assert desk.ask(1, tokens=10) is None
    desk.clock.now += 60
    desk.admission.pump()
    assert 1 not in desk.decided
    desk.clock.now += 65
    desk.admission.pump()
    assert desk.decided[1] == GO


def test_unknown_account_and_number_in_use_are_errors() -> None:
    """A ticket that cannot be told from another, or is for no account, is refused aloud."""
    desk = Desk()
    desk.ask(1)
    with pytest.raises(UsageError, match="asks twice for its number 1"):
        desk.ask(1)
    with pytest.raises(UsageError, match="no account 'z' to send at; there are: a"):
        desk.ask(2, account="z")


def test_number_may_be_used_again_once_it_is_settled() -> None:
    """A number tells apart only what waits or is in flight."""
    desk = Desk()
    desk.ask(1)
    desk.settle(1)
    desk.decided.clear()
    assert desk.ask(1, attempt=2) == GO


def test_attempt_cancelled_while_it_waits_leaves_the_queue() -> None:
    """Who gives up waiting is not told anything any more and holds up nobody."""
    desk = Desk(AccountLimits(max_connections=1))
    for number in range(3):
        desk.ask(number)
    desk.settle(1, "cancelled")
    desk.settle(0)
    assert desk.went() == [0, 2]
    assert desk.admission.waiting == 0


def test_attempt_that_was_never_sent_gives_its_place_back() -> None:
    """A request cancelled before it left does not count against the rates."""
    desk = Desk(AccountLimits(60, 60_000))
    desk.ask(0, tokens=500)
    desk.settle(0, "cancelled")
    assert desk.ask(1, tokens=500) == GO
    desk.settle(1, "cancelled", cost=None)
    assert desk.ask(2, tokens=1) is None


def test_tokens_not_used_are_given_back() -> None:
    """The difference between estimate and real use goes back into the bucket, or out of it."""
    desk = Desk(AccountLimits(tokens_per_minute=60_000))
    desk.ask(0, tokens=500)
    assert desk.ask(1, tokens=400) is None
    desk.settle(0, tokens=100)
    assert desk.decided[1] == GO
    desk.settle(1, tokens=490)
    assert desk.ask(2, tokens=50) is None


def test_pace_recovers_with_answers() -> None:
    """A rejection slows an account down; a few hundred answers later it is at its full pace again."""
    desk = Desk(AccountLimits(requests_per_minute=6000))
    desk.ask(0)
    desk.settle(0, "rejected", 429)
    waits: list[float | None] = []
    for answers in (0, 400):
        for number in range(1, answers):
            desk.clock.now += 1.0
            assert desk.ask(number) == GO
            desk.settle(number)
            del desk.decided[number]
        for number in range(1000 + answers, 1060 + answers):
            desk.ask(number)
        waits.append(desk.admission.pump())
        for number in range(1000 + answers, 1060 + answers):
            desk.settle(number, "cancelled", cost=None)
    assert waits == [pytest.approx(1 / 95.06), pytest.approx(1 / 98)]


def test_shorter_pause_does_not_end_a_longer_one() -> None:
    """Of several answers that say when to come back, the latest time holds."""
    desk = Desk(AccountLimits())
    desk.ask(0)
    desk.ask(1)
    desk.settle(0, "rejected", 429, retry_after_s=60.0)
    desk.settle(1, "rejected", 429, retry_after_s=1.0)
    desk.clock.now = 59.0
    assert desk.ask(2) is None


def test_stop_refuses_what_waits_and_what_comes() -> None:
    """After a stop nothing more is sent, and what is in flight is settled as ever."""
    desk = Desk(AccountLimits(max_connections=1))
    desk.ask(0, cost=1.0)
    desk.ask(1)
    desk.admission.stop("interrupted")
    assert desk.decided[1] == desk.ask(2) == No("interrupted", "stopped")
    desk.settle(0, cost=0.4)
    assert (desk.admission.spent_usd, desk.admission.reserved_usd) == (0.4, 0.0)


def test_withdrawn_owner_pays_and_frees_its_place() -> None:
    """A dead worker's requests count as spent, its connections are free again, and what it waited for is forgotten."""
    desk = Desk(AccountLimits(max_connections=2), budget_usd=10.0)
    desk.ask(0, owner="gw0", cost=1.0)
    desk.ask(1, owner="gw1", cost=1.0)
    desk.ask(2, owner="gw0", cost=1.0)
    desk.ask(3, owner="gw1", cost=1.0)
    desk.admission.withdraw("gw0")
    assert desk.went() == [0, 1, 3]
    assert (desk.admission.spent_usd, desk.admission.reserved_usd) == (1.0, 2.0)
    desk.settle(0, owner="gw0", cost=0.1)  # its last word came late
    assert (desk.admission.spent_usd, desk.admission.in_flight) == (1.0, 2)


def test_what_does_not_fit_waits_for_what_may_come_back() -> None:
    """While something is in flight, its settlement may free money, and nobody cheaper goes before who waits for it."""
    desk = Desk(budget_usd=1.0)
    desk.ask(0, cost=0.8)
    assert desk.ask(1, cost=0.5) is None
    assert desk.ask(2, cost=0.1) is None
    desk.settle(0, cost=0.2)
    assert desk.went() == [0, 1, 2]


def test_cheaper_requests_of_another_account_starve_nobody() -> None:
    """Between accounts, too, who waits for money goes before who asked later; what is free goes at any time."""
    desk = Desk(AccountLimits(), AccountLimits(), budget_usd=1.0)
    desk.ask(0, cost=0.8)
    desk.ask(1, cost=0.5)
    assert desk.ask(2, cost=0.1, account="b") is None
    desk.settle(0, cost=0.5)
    assert desk.went() == [0, 1]
    assert desk.ask(3, cost=0.0, account="b") is None, "behind number 2"
    desk.settle(1, cost=0.3)
    assert desk.went() == [0, 1, 2, 3]


@pytest.mark.parametrize(("earlier", "later"), ["ab", "ba"])
def test_between_accounts_money_goes_to_who_asked_first(earlier: str, later: str) -> None:
    """Which account a request is for makes no difference to when it gets its money."""
    desk = Desk(AccountLimits(), AccountLimits(), budget_usd=1.0)
    desk.ask(0, cost=0.8)
    desk.ask(1, cost=0.5, account=earlier)
    desk.ask(2, cost=0.5, account=later)
    desk.settle(0, cost=0.3)
    assert desk.went() == [0, 1]


def test_money_held_for_a_paused_account_is_lent_to_others() -> None:
    """Who could not go anyway holds no money back from an account that can use it."""
    desk = Desk(AccountLimits(), AccountLimits(), budget_usd=1.0)
    desk.ask(0, cost=0.1)
    desk.ask(1, cost=0.7)
    assert desk.ask(2, cost=0.8) is None
    assert desk.ask(3, cost=0.1, account="b") is None
    desk.settle(0, "rejected", 429, retry_after_s=3600.0)
    assert desk.went() == [0, 1, 3]


def test_empty_purse_is_said_once_and_ends_the_run() -> None:
    """Once the next request cannot be paid and nothing can come back, it and all others are refused, once told."""
    desk = Desk(AccountLimits(max_connections=1), AccountLimits(), budget_usd=1.0)
    for number in range(4):
        desk.ask(number, cost=0.4)
    desk.settle(0, cost=0.4)
    assert 1 in desk.went()
    desk.settle(1, cost=0.4)
    refusals = [desk.decided[2], desk.decided[3], desk.ask(4, cost=0.0, account="b")]
    reason = "the budget of 1.00 USD is used up: 0.80 USD spent, and the next request may cost up to 0.40 USD"
    assert refusals == [No(reason, "budget")] * 3
    assert desk.admission.notices() == [reason]
    assert desk.admission.notices() == []


@settings(max_examples=300)
@given(
    plans=st.lists(
        st.tuples(
            st.sampled_from("ab"),
            st.sampled_from(["gw0", "gw1"]),
            st.floats(0.0001, 1.0),
            st.one_of(st.none(), st.floats(0, 1)),
        ),
        min_size=1,
        max_size=60,
    ),
    budget_usd=st.floats(1.0, 10.0),
    connections=st.integers(1, 10),
    seed=st.integers(0, 2**32),
)
def test_budget_is_never_exceeded_and_is_used_up(
    plans: list[tuple[str, str, float, float | None]], budget_usd: float, connections: int, seed: int
) -> None:
    """Whatever requests turn out to cost, the sum stays within the budget; and nobody is refused for want of money
    while as much as one request's upper bound is left."""
    rng = Random(seed)
    desk = Desk(*[AccountLimits(max_connections=connections)] * 2, budget_usd=budget_usd)
    flying: set[int] = set()
    left = list(enumerate(plans))
    while left or flying or desk.admission.waiting:
        if left and (not flying or rng.random() < 0.6):
            number, (account, owner, cost, _) = left.pop(0)
            desk.ask(number, account=account, owner=owner, cost=cost)
        elif flying:
            number = rng.choice(sorted(flying))
            _, owner, cost, share = plans[number]
            desk.settle(number, owner=owner, cost=None if share is None else share * cost)
            flying.remove(number)
            plans[number] = (*plans[number][:3], -1.0)
        flying = {number for number in desk.went() if plans[number][3] != -1.0}
        assert desk.admission.spent_usd + desk.admission.reserved_usd <= budget_usd + 1e-9
    assert desk.admission.reserved_usd == 0.0
    assert len(desk.decided) == len(plans)
    if any(isinstance(decision, No) for decision in desk.decided.values()):
        assert budget_usd - desk.admission.spent_usd < max(cost for _, _, cost, _ in plans)


KINDS = st.sampled_from(["answered"] * 4 + ["rejected"] * 2 + ["failed"] * 2 + ["cancelled"])


class Anything(RuleBasedStateMachine):
    """Whatever happens in whatever order, each ticket is decided once, and the counts stay true."""

    def __init__(self) -> None:
        super().__init__()
        limits = {
            "open": AccountLimits(),
            "paced": AccountLimits(120, 6000),
            "narrow": AccountLimits(max_connections=2),
        }
        self.clock = Hand()
        self.budget_usd = 5.0
        self.admission = Admission(limits, max_in_flight=6, budget_usd=5.0, clock=self.clock, rng=Random(0))
        self.tickets: dict[int, Ticket] = {}
        self.decisions: Counter[int] = Counter()
        self.flying: set[int] = set()
        self.vanished: set[int] = set()

    def decide(self, number: int, decision: Decision) -> None:
        self.decisions[number] += 1
        if isinstance(decision, Go):
            self.flying.add(number)

    def waiting(self) -> list[int]:
        return [number for number in self.tickets if not self.decisions[number] and number not in self.vanished]

    @rule(
        owner=st.sampled_from(["gw0", "gw1"]),
        account=st.sampled_from(["open", "paced", "narrow"]),
        model=st.sampled_from(["m", "n"]),
        tokens=st.integers(0, 300),
        cost=st.sampled_from([0.0, 0.01, 0.1, 1.0]),
        attempt=st.integers(1, 6),
        count=st.integers(1, 8),
    )
    def ask(self, *, owner: str, account: str, model: str, tokens: int, cost: float, attempt: int, count: int) -> None:
        for _ in range(count):
            number = len(self.tickets)
            self.tickets[number] = Ticket(owner, number, account, model, tokens, cost, attempt)
            self.admission.ask(self.tickets[number], partial(self.decide, number))

    @precondition(lambda self: self.flying)
    @rule(
        data=st.data(),
        kind=KINDS,
        share=st.one_of(st.none(), st.floats(0, 1)),
        retry_after_s=st.sampled_from([None, None, 0.0, 1.0, 5000.0]),
        remaining=st.one_of(st.none(), st.integers(0, 50)),
        final=st.booleans(),
    )
    def settle(self, data: st.DataObject, kind: Any, share: float | None, retry_after_s: float | None,
               remaining: int | None, *, final: bool) -> None:  # fmt: skip
        number = data.draw(st.sampled_from(sorted(self.flying)))
        quota = None if remaining is None else Quota(Allowance(60, remaining), Allowance(6000, remaining * 100))
        cost = None if share is None else share * self.tickets[number].cost_usd
        self.end(number, Outcome(kind, None, cost, 10, retry_after_s, quota, final=final))

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), status=st.sampled_from([400, 401, 404, 429]))
    def refuse(self, data: st.DataObject, status: int) -> None:
        self.end(data.draw(st.sampled_from(sorted(self.flying))), Outcome("refused", status, 0.0, message="no"))

    @precondition(lambda self: self.waiting())
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.waiting()))
        self.vanished.add(number)
        self.admission.settle(self.tickets[number].owner, number, Outcome("cancelled", None, 0.0))

    @rule(owner=st.sampled_from(["gw0", "gw1"]))
    def withdraw(self, owner: str) -> None:
        gone = {number for number, ticket in self.tickets.items() if ticket.owner == owner}
        self.vanished |= gone & set(self.waiting())
        self.flying -= gone
        self.admission.withdraw(owner)

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.5, 60.0, 4000.0]))
    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds
        self.admission.pump()

    @precondition(lambda self: len(self.tickets) > 30)
    @rule()
    def stop(self) -> None:
        self.admission.stop("enough")
        assert not self.waiting()

    def end(self, number: int, outcome: Outcome) -> None:
        self.flying.remove(number)
        self.admission.settle(self.tickets[number].owner, number, outcome)

    @invariant()
    def each_is_decided_at_most_once(self) -> None:
        assert max(self.decisions.values(), default=0) <= 1
        assert not any(self.decisions[number] for number in self.vanished)

    @invariant()
    def counts_are_true(self) -> None:
        assert self.admission.in_flight == len(self.flying)
        assert self.admission.waiting == len(self.waiting())
        for account, most in (("open", 6), ("paced", 6), ("narrow", 2)):
            assert sum(self.tickets[number].account == account for number in self.flying) <= most

    @invariant()
    def money_is_true(self) -> None:
        promised = sum(self.tickets[number].cost_usd for number in self.flying)
        assert self.admission.reserved_usd == pytest.approx(promised, abs=1e-9)
        assert self.admission.spent_usd + self.admission.reserved_usd <= self.budget_usd + 1e-9

    def teardown(self) -> None:
        """Once every request is answered, time alone brings everybody a decision."""
        for _ in range(20 * len(self.tickets) + 20):
            for number in sorted(self.flying):
                self.end(number, Outcome("answered", 200, 0.0))
            wait_s = self.admission.pump()
            if not self.flying and not self.waiting():
                break
            if wait_s is not None:
                self.clock.now += wait_s
        assert self.waiting() == []
        for number in self.tickets:
            assert self.decisions[number] == (number not in self.vanished)


TestAnything = Anything.TestCase
TestAnything.settings = settings(max_examples=150, stateful_step_count=40)


def test_threads_share_one_budget() -> None:
    """Many threads asking and settling at once lose no ticket, decide none twice and stay within the budget."""
    admission = Admission({"a": AccountLimits(max_connections=5), "b": AccountLimits(6_000_000)}, max_in_flight=8,
                          budget_usd=1.0)  # fmt: skip
    pacer = Pacer(admission)
    decided: Counter[tuple[str, int]] = Counter()
    ended = threading.Semaphore(0)
    excess: list[float] = []

    def told(owner: str, number: int, decision: Decision) -> None:
        decided[owner, number] += 1
        if admission.spent_usd > 1.0 + 1e-9:
            excess.append(admission.spent_usd)
        if isinstance(decision, Go):
            admission.settle(owner, number, Outcome("answered", 200, 0.0005, 1))
        ended.release()

    def work(owner: str) -> None:
        for number in range(500):
            ticket = Ticket(owner, number, "ab"[number % 2], "m", 1, 0.001)
            admission.ask(ticket, partial(told, owner, number))

    threads = [threading.Thread(target=work, args=(f"gw{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(3000):
        assert ended.acquire(timeout=PATIENT_S)
    for thread in threads:
        thread.join()
    pacer.close()
    assert set(decided.values()) == {1}
    assert excess == []
    assert 0.999 < admission.spent_usd <= 1.0 + 1e-9
    assert (admission.in_flight, admission.waiting) == (0, 0)


def test_pacer_lets_waiting_requests_go_in_time() -> None:
    """With a pacer nobody needs to poll; its thread starts with the first ticket that waits and ends when closed."""
    admission = Admission({"a": AccountLimits(requests_per_minute=12_000)}, max_in_flight=1000)
    pacer = Pacer(admission)
    gone = threading.Semaphore(0)

    def is_running() -> bool:
        return any(thread.name == "tunegate-pacer" for thread in threading.enumerate())

    with contextlib.closing(pacer):
        for number in range(50):
            admission.ask(Ticket("main", number, "a", "m", 1), lambda decision: gone.release())
        assert not is_running()
        for number in range(50, 106):
            admission.ask(Ticket("main", number, "a", "m", 1), lambda decision: gone.release())
        assert is_running()
        for _ in range(106):
            assert gone.acquire(timeout=PATIENT_S)
    assert not is_running()


def test_pacer_hears_of_what_comes_up_while_it_decides() -> None:
    """Requests that are asked for by the decision on another go as promptly, and so does what comes after a lull."""
    admission = Admission({"a": AccountLimits(requests_per_minute=12_000)}, max_in_flight=1000)
    gone = threading.Semaphore(0)

    def go_on(number: int, decision: Decision) -> None:
        assert decision == GO
        gone.release()
        if number % 120:
            admission.ask(Ticket("main", number + 1, "a", "m", 1), partial(go_on, number + 1))

    with contextlib.closing(Pacer(admission)):
        for first in (1, 121):
            admission.ask(Ticket("main", first, "a", "m", 1), partial(go_on, first))
            for _ in range(120):
                assert gone.acquire(timeout=PATIENT_S)


def test_decision_that_breaks_takes_no_other_with_it() -> None:
    """A callback that raises is that caller's problem: those decided with it are told nevertheless."""
    desk = Desk(AccountLimits(max_connections=1))
    desk.ask(0)

    def break_off(_: Decision) -> None:
        raise ZeroDivisionError

    desk.admission.ask(Ticket("main", 1, "a", "m", 1), break_off)
    desk.ask(2)
    with pytest.raises(ZeroDivisionError):
        desk.admission.stop("interrupted")
    assert desk.decided[2] == No("interrupted", "stopped")


def test_nothing_is_decided_while_the_lock_is_held() -> None:
    """A callback may ask and settle itself."""
    desk = Desk(AccountLimits(max_connections=1))
    told: list[Decision] = []

    def go_on(decision: Decision) -> None:
        told.append(decision)
        if len(told) < 50:
            desk.admission.settle("main", len(told), Outcome("answered", 200, 0.0))
            desk.admission.ask(Ticket("main", len(told) + 1, "a", "m", 1), go_on)

    desk.admission.ask(Ticket("main", 1, "a", "m", 1), go_on)
    assert told == [GO] * 50
    assert desk.admission.pump() is None
