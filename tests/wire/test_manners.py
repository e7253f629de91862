"""How admission behaves towards an endpoint over time: an endpoint, its clients and the time are simulated."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random

import pytest

from tunegate.wire.admission import Admission
from tunegate.wire.limits import AccountLimits
from tunegate.wire.retries import Allowance, Quota, Retries
from tunegate.wire.tickets import Decision, Go, Outcome, Ticket


class Time:
    """A clock that jumps from one event to the next."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def __call__(self) -> float:
        return self.now

    def later(self, delay_s: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + delay_s, next(self._numbers), event))

    def run(self, until: float = math.inf) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, event = heapq.heappop(self._events)
            event()


@dataclass
class Endpoint:
    """Token buckets of requests and tokens per minute that hold `burst_s` of their rate, charged on arrival."""

    time: Time
    rpm: float = math.inf
    tpm: float = math.inf
    burst_s: float = 1.0
    states_limits: bool = True
    capacity: float = math.inf
    """More requests at once than this are rejected."""
    wait_for_token_s: float = 1.0
    """Its Retry-After."""
    log: list[tuple[float, int, int]] = field(default_factory=list)
    """Time of arrival, status and tokens of each attempt."""
    _levels: list[float] | None = None
    _at: float = 0.0
    busy: int = 0

    def receive(self, tokens: int) -> Outcome:
        now, rates = self.time.now, [self.rpm / 60, self.tpm / 60]
        full = [max(rates[0] * self.burst_s, 1.0), max(rates[1] * self.burst_s, tokens)]
        levels = self._levels or full
        levels = [min(most, level + (now - self._at) * rate) if math.isfinite(rate) else math.inf
                  for most, level, rate in zip(full, levels, rates, strict=True)]  # fmt: skip
        fits = levels[0] >= 1 and levels[1] >= tokens and self.busy < self.capacity
        if fits:
            levels = [levels[0] - 1, levels[1] - tokens]
            self.busy += 1
        self._levels, self._at = levels, now
        self.log.append((now, 200 if fits else 429, tokens))
        quota = None
        if self.states_limits:
            quota = Quota(*(Allowance(int(limit), int(level)) if math.isfinite(limit) else Allowance()
                            for limit, level in zip((self.rpm, self.tpm), levels, strict=True)))  # fmt: skip
        if fits:
            return Outcome("answered", 200, cost_usd=0.0, quota=quota)
        return Outcome("rejected", 429, cost_usd=0.0, quota=quota, retry_after_s=self.wait_for_token_s)

    def count(self, status: int) -> int:
        return sum(one == status for _, one, _ in self.log)

    @property
    def duration_s(self) -> float:
        return self.log[-1][0] - self.log[0][0]


class Client:
    """A worker with many requests at hand: what it is told and what it says takes a moment to get across."""

    def __init__(self, owner: str, admission: Admission, endpoint: Endpoint, *, rng: Random, latency_s: float,
                 jitter_s: float = 0.05, used: Callable[[int], int | None] = lambda tokens: None,
                 account: str = "openai") -> None:  # fmt: skip
        self.owner, self.admission, self.endpoint, self.account = owner, admission, endpoint, account
        self.answered = 0
        self._rng, self._latency_s, self._jitter_s, self._used = rng, latency_s, jitter_s, used
        self._numbers = itertools.count()
        self._time = endpoint.time

    def want(self, tokens: int, attempt: int = 1) -> None:
        ticket = Ticket(self.owner, next(self._numbers), self.account, "m", tokens, attempt=attempt)
        self.admission.ask(ticket, partial(self._told, ticket))

    def _told(self, ticket: Ticket, decision: Decision) -> None:
        assert isinstance(decision, Go), decision
        self._time.later(self._rng.uniform(0, self._jitter_s), partial(self._arrive, ticket))

    def _arrive(self, ticket: Ticket) -> None:
        outcome = self.endpoint.receive(ticket.tokens)
        took_s = self._rng.uniform(0.5, 1.5) * self._latency_s if outcome.kind == "answered" else 0.01
        self._time.later(took_s, partial(self._end, ticket, outcome))

    def _end(self, ticket: Ticket, outcome: Outcome) -> None:
        if outcome.kind == "answered":
            self.endpoint.busy -= 1
            self.answered += 1
            outcome = Outcome("answered", 200, 0.0, self._used(ticket.tokens), quota=outcome.quota)
        else:
            delay_s = Retries().delay_s(ticket.attempt, self._rng)
            self._time.later(delay_s, partial(self.want, ticket.tokens, ticket.attempt + 1))
        self.admission.settle(self.owner, ticket.number, outcome)


def pace(time: Time, admission: Admission, *, late_s: float = 0.002) -> None:
    """Pump `admission` as a Pacer does, always a little late."""
    latest = itertools.count()
    current = [0]

    def pump(number: int) -> None:
        if number == current[0]:
            wait_s = admission.pump()
            if wait_s is not None:
                plan(wait_s + late_s)

    def plan(delay_s: float) -> None:
        current[0] = next(latest)
        time.later(delay_s, partial(pump, current[0]))

    admission.watch(lambda: plan(0.0))


def ask_all(endpoint: Endpoint, limits: AccountLimits, *, requests: int, tokens: Callable[[Random], int],
            latency_s: float, used: Callable[[int], int | None] = lambda tokens: None, seed: int = 1,
            max_in_flight: int = 64, jitter_s: float = 0.05) -> Admission:  # fmt: skip
    """Ask everything at once from two workers, and let the time run until all is answered."""
    rng = Random(seed)
    admission = Admission({"openai": limits}, max_in_flight=max_in_flight, clock=endpoint.time, rng=rng)
    pace(endpoint.time, admission)
    clients = [Client(owner, admission, endpoint, rng=rng, latency_s=latency_s, used=used, jitter_s=jitter_s)
               for owner in ("gw0", "gw1")]  # fmt: skip
    for number in range(requests):
        clients[number % 2].want(tokens(rng))
    endpoint.time.run()
    assert sum(client.answered for client in clients) == requests
    return admission


def share_rejected(endpoint: Endpoint) -> float:
    return endpoint.count(429) / len(endpoint.log)


def share_used(endpoint: Endpoint) -> float:
    """Return how much of the scarcer allowance was used."""
    taken = [tokens for _, status, tokens in endpoint.log if status == 200]
    minutes = endpoint.duration_s / 60
    return max(len(taken) / minutes / endpoint.rpm, sum(taken) / minutes / endpoint.tpm)


def around_100(rng: Random) -> int:
    return rng.randint(50, 150)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("latency_s", [0.05, 0.5, 3.0])
@pytest.mark.parametrize(
    "tokens", [around_100, lambda rng: 40, lambda rng: rng.choice([50, 900])], ids=["both", "requests", "tokens"]
)
def test_limits_are_used_and_kept(tokens: Callable[[Random], int], latency_s: float, seed: int) -> None:
    """At 600 requests and 60,000 tokens per minute, at most 1 % is rejected and at least 90 % of what is allowed is
    used, by two workers together, whichever limit is the scarcer."""
    endpoint = Endpoint(Time(), rpm=600, tpm=60_000)
    ask_all(endpoint, AccountLimits(600, 60_000), requests=1500, tokens=tokens, latency_s=latency_s, seed=seed)
    assert share_rejected(endpoint) <= 0.01
    assert share_used(endpoint) >= 0.9


@pytest.mark.parametrize("rate", [0.9, 0.95, 0.99, 1.01])
def test_slower_clock_than_ours_is_learned(rate: float) -> None:
    """An endpoint that allows less than it says teaches us its pace at the price of few rejections."""
    endpoint = Endpoint(Time(), rpm=600 * rate, tpm=60_000 * rate, states_limits=False)
    ask_all(endpoint, AccountLimits(600, 60_000), requests=2000, tokens=around_100, latency_s=0.5)
    assert share_rejected(endpoint) <= 0.01
    assert share_used(endpoint) >= 0.9


def test_limits_are_learned_from_headers() -> None:
    """Where the user set no limit, or too high a one, the one stated in headers is kept to."""
    for limits in (AccountLimits(), AccountLimits(1200, 120_000)):
        endpoint = Endpoint(Time(), rpm=600, tpm=60_000)
        admission = ask_all(endpoint, limits, requests=3000, tokens=around_100, latency_s=0.5, max_in_flight=16)
        assert share_rejected(endpoint) <= 0.01
        assert share_used(endpoint) >= 0.9
        assert "rate limit: 600 requests/min at openai, learned from its headers" in admission.notices()


@pytest.mark.parametrize("latency_s", [0.2, 2.0])
def test_estimate_is_corrected_by_the_endpoints_own_count(latency_s: float) -> None:
    """Where replies use half of what was set aside, but the endpoint charged all of it, its headers are believed."""
    endpoint = Endpoint(Time(), rpm=600, tpm=60_000)
    ask_all(endpoint, AccountLimits(600, 60_000), requests=2000, tokens=lambda rng: rng.randint(100, 300),
            latency_s=latency_s, used=lambda tokens: tokens // 2)  # fmt: skip
    assert share_rejected(endpoint) <= 0.01
    assert share_used(endpoint) >= 0.9


def test_window_converges_to_what_the_endpoint_takes() -> None:
    """An endpoint that serves ten at once is soon asked by about ten: one in seven is turned away, its room is used.

    Who turns away one in twenty by chance looks the same, and must not be slowed to a crawl: hence not fewer.
    """
    endpoint = Endpoint(Time(), capacity=10, states_limits=False, wait_for_token_s=0.05)
    ask_all(endpoint, AccountLimits(), requests=4000, tokens=around_100, latency_s=0.5, jitter_s=0.0)
    later = endpoint.log[len(endpoint.log) // 4 :]
    assert sum(status == 429 for _, status, _ in later) / len(later) <= 0.2
    answered_per_s = sum(status == 200 for _, status, _ in later) / (later[-1][0] - later[0][0])
    assert answered_per_s >= 0.9 * 10 / 0.5


def test_chance_rejections_do_not_slow_to_a_crawl() -> None:
    """Where one in twenty is turned away whatever we do, more than half of the window stays open."""
    time, chance = Time(), Random(3)
    admission = Admission({"openai": AccountLimits()}, max_in_flight=64, clock=time, rng=Random(1))
    flying: list[int] = []
    widths: list[int] = []
    for number in range(20_000):
        admission.ask(Ticket("main", number, "openai", "m", 1), lambda _, number=number: flying.append(number))
        if admission.waiting:
            widths.append(admission.in_flight)
            admission.settle("main", flying.pop(0), Outcome("rejected" if chance.random() < 0.05 else "answered"))
    assert sum(widths[2000:]) / len(widths[2000:]) > 32


@pytest.mark.parametrize("kind", ["rejected", "failed"])
def test_retry_after_of_an_hour_is_honoured(kind: str) -> None:
    """A Retry-After of 3,700 s is waited out to the end, said once, and what waited does not come back all at once."""
    time, sent = Time(), list[float]()
    admission = Admission({"openai": AccountLimits()}, max_in_flight=20, clock=time, rng=Random(1))
    pace(time, admission)
    admission.ask(Ticket("main", 0, "openai", "m", 1), lambda decision: None)
    start = time.now
    outcome = Outcome(kind, 429 if kind == "rejected" else 503, 0.0, retry_after_s=3700.0)  # type: ignore[arg-type]
    admission.settle("main", 0, outcome)
    for number in range(1, 11):
        admission.ask(Ticket("main", number, "openai", "m", 1), lambda decision: sent.append(time.now - start))
    time.run(until=start + 3700)
    assert sent == []
    time.run()
    assert 3700 <= sent[0] <= 3702
    assert len(sent) == 10
    assert max(sent.count(at) for at in sent) == 1, "nobody leaves in the same moment"
    assert admission.notices() == ["waiting 3,700 s as openai asks (Retry-After)"]


def test_account_that_waits_holds_up_no_other() -> None:
    """While one account waits for an hour and one for its rate, a third goes at full speed."""
    time, rng = Time(), Random(1)
    limits = {"paused": AccountLimits(), "slow": AccountLimits(requests_per_minute=1), "free": AccountLimits()}
    admission = Admission(limits, max_in_flight=8, budget_usd=100.0, clock=time, rng=rng)
    pace(time, admission)
    admission.ask(Ticket("gw0", -1, "paused", "m", 1), lambda decision: None)
    admission.settle("gw0", -1, Outcome("rejected", 429, 0.0, retry_after_s=3600.0))
    endpoint = Endpoint(time)
    clients = {name: Client("gw-" + name, admission, endpoint, rng=rng, latency_s=0.1, account=name)
               for name in limits}  # fmt: skip
    for _ in range(100):
        for client in clients.values():
            client.want(1)
    time.run(until=time.now + 10)
    assert (clients["paused"].answered, clients["slow"].answered, clients["free"].answered) == (0, 1, 100)


def test_paused_account_does_not_save_up() -> None:
    """What a rate would have allowed during a pause is not sent in one burst after it."""
    time, sent = Time(), list[float]()
    admission = Admission({"openai": AccountLimits(600)}, max_in_flight=64, clock=time, rng=Random(1))
    pace(time, admission)
    admission.ask(Ticket("main", 0, "openai", "m", 1), lambda decision: None)
    admission.settle("main", 0, Outcome("rejected", 429, 0.0, retry_after_s=5.0))
    for number in range(1, 31):
        admission.ask(Ticket("main", number, "openai", "m", 1), lambda decision: sent.append(time.now))
    time.run()
    assert all(later - earlier >= 0.09 for earlier, later in itertools.pairwise(sent))
