"""Who may send now: the one place that all requests of a run pass, whichever process asks."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from random import Random

from tunegate.errors import UsageError
from tunegate.wire.account import Account, Passage
from tunegate.wire.budget import Budget
from tunegate.wire.limits import AccountLimits
from tunegate.wire.retries import Retries
from tunegate.wire.tickets import GO, Decision, No, Outcome, Ticket

_SHORTEST_WAIT_S = 0.001
"""Nobody wakes more often than this: what a few microseconds hold up goes with the next."""

Told = list[Callable[[], object]]
"""Calls to make once the lock is free again."""


class Admission:
    """Decides which attempt goes when, within what endpoint, user and budget allow. Thread-safe; never blocks.

    `max_in_flight` holds for each account by itself, so that one that waits holds up no other. In an account, later
    attempts go first and then whoever asked first; so they do between accounts where money is short. Time passes only
    in `clock` (monotonic seconds): call `pump` when it says so, or let a `Pacer` do it.
    """

    def __init__(
        self,
        accounts: Mapping[str, AccountLimits],
        *,
        max_in_flight: int,
        budget_usd: float | None = None,
        retries: Retries | None = None,
        clock: Callable[[], float] = time.monotonic,
        rng: Random | None = None,
    ) -> None:
        now = clock()
        rng = rng or Random()  # noqa: S311 - spreads load, keeps no secret
        self._accounts = {
            name: Account(name, limits, max_in_flight=max_in_flight, retries=retries or Retries(), rng=rng, now=now)
            for name, limits in accounts.items()
        }
        self.admitted = 0
        """Attempts that were told to go."""
        self.rejected = 0
        """Attempts that ended with a 429."""
        self._clock = clock
        self._lock = threading.Lock()
        self._budget = Budget(budget_usd)
        self._passages: dict[tuple[str, int], Passage] = {}
        self._waiting = 0
        self._order = 0
        self._stopped: No | None = None
        self._news: list[str] = []
        self._wake_at = self._announced = math.inf
        self._nudge: Callable[[], None] | None = None

    @property
    def spent_usd(self) -> float:
        """What the attempts that ended have cost."""
        return self._budget.spent_usd

    @property
    def reserved_usd(self) -> float:
        """What the attempts in flight may cost."""
        return self._budget.reserved_usd

    @property
    def in_flight(self) -> int:
        """How many attempts were told to go and have not ended."""
        return len(self._passages) - self._waiting

    @property
    def waiting(self) -> int:
        """How many attempts wait for their decision."""
        return self._waiting

    def watch(self, nudge: Callable[[], None]) -> None:
        """Have `nudge` called, from any thread, whenever `pump` is due earlier than its last call said."""
        self._nudge = nudge

    def ask(self, ticket: Ticket, decide: Callable[[Decision], None]) -> None:
        """Let `ticket` pass, now or later.

        `decide` is called once: in this call where that is possible, else in another's, from whatever thread. It must
        not raise. It is not called at all where the ticket is settled or its owner withdrawn before it was decided.

        Raises:
            UsageError: there is no such account, or the owner has this number waiting or in flight already.
        """
        key = (ticket.owner, ticket.number)
        told: Told = []
        with self._lock:
            account = self._accounts.get(ticket.account)
            if account is None:
                raise UsageError(f"no account {ticket.account!r} to send at; there are: {', '.join(self._accounts)}")
            if key in self._passages:
                raise UsageError(f"{ticket.owner} asks twice for its number {ticket.number}: settle the first before")
            refusal = self._refusal(ticket)
            if refusal is not None:
                told.append(partial(decide, refusal))
            else:
                now = self._clock()
                self._order += 1
                passage = self._passages[key] = Passage(ticket, decide, order=self._order)
                if not self._waiting and account.wait_s(ticket, now) <= 0 and self._budget.fits(ticket.cost_usd):
                    self._send(passage, account, now=now, told=told)
                else:
                    account.line_up(passage)
                    self._waiting += 1
                    self._sweep(told)
        _tell(iter(told))

    def settle(self, owner: str, number: int, outcome: Outcome) -> None:
        """Take note of how an attempt ended.

        One that still waits leaves the queue without a decision; one that is unknown (its owner was withdrawn) is
        passed over.
        """
        told: Told = []
        with self._lock:
            passage = self._passages.pop((owner, number), None)
            if passage is None:
                return
            if passage.sent:
                account = self._accounts[passage.ticket.account]
                self.rejected += outcome.kind == "rejected"
                self._budget.settle(passage.ticket.cost_usd, outcome.cost_usd)
                if account.settle(passage, outcome, now=self._clock()):
                    self._refuse(account, told)
            else:
                self._forget(passage)
            if self._waiting:
                self._sweep(told)
        _tell(iter(told))

    def withdraw(self, owner: str) -> None:
        """Forget an owner that died: what it had in flight counts as spent in full, what waited is gone."""
        told: Told = []
        with self._lock:
            for key in [key for key in self._passages if key[0] == owner]:
                passage = self._passages.pop(key)
                if passage.sent:
                    self._accounts[passage.ticket.account].lose(passage)
                    self._budget.settle(passage.ticket.cost_usd, None)
                else:
                    self._forget(passage)
            self._sweep(told)
        _tell(iter(told))

    def stop(self, reason: str) -> None:
        """Refuse everything that waits and comes; what is in flight is settled as ever."""
        told: Told = []
        with self._lock:
            self._refuse_all(No(reason, "stopped"), told)
        _tell(iter(told))

    def pump(self) -> float | None:
        """Decide what may go now; return in how many seconds time alone may let go more, or None."""
        told: Told = []
        with self._lock:
            self._announced = -math.inf  # whoever calls learns it from what this returns
            self._sweep(told)
            self._announced = self._wake_at
            wait_s = self._wake_at - self._clock()
        _tell(iter(told))
        return None if wait_s == math.inf else max(wait_s, _SHORTEST_WAIT_S)

    def notices(self) -> list[str]:
        """Return the short sentences that the user should read, each once."""
        with self._lock:
            news, self._news = self._news, []
            for account in self._accounts.values():
                news += account.news
                account.news = []
        return news

    def _refusal(self, ticket: Ticket) -> No | None:
        if self._stopped is not None:
            return self._stopped
        reason = self._accounts[ticket.account].breaker.refusal(ticket.model)
        return None if reason is None else No(reason, "circuit")

    def _sweep(self, told: Told) -> None:
        """Let go all that may, in order, and note when time alone may let go more."""
        now = self._clock()
        while (passage := self._next(now)) is not None:
            account = self._accounts[passage.ticket.account]
            account.leave()
            self._waiting -= 1
            self._send(passage, account, now=now, told=told)
        self._close_empty_purse(told)
        if self._wake_at < self._announced - _SHORTEST_WAIT_S:
            self._announced = self._wake_at
            if self._nudge is not None:
                told.append(self._nudge)

    def _next(self, now: float) -> Passage | None:
        self._wake_at = math.inf
        ready: list[Passage] = []
        for account in self._accounts.values():
            first = account.first()
            if first is None or self._budget.is_beyond(first.ticket.cost_usd):
                continue
            wait_s = account.wait_s(first.ticket, now)
            if wait_s > 0:
                self._wake_at = min(self._wake_at, now + wait_s)
            else:
                ready.append(first)
        is_short = False
        for passage in sorted(ready):
            cost_usd = passage.ticket.cost_usd
            if self._budget.fits(cost_usd) and not (is_short and cost_usd):
                return passage
            # Whoever asks for less later must not take what this one waits for.
            is_short = True
        return None

    def _close_empty_purse(self, told: Told) -> None:
        """Refuse everything once nothing in flight can give money back and nobody in front can be paid."""
        if self._stopped is not None or not self._waiting or not self._budget.is_settled:
            return
        costs = [first.ticket.cost_usd for account in self._accounts.values() if (first := account.first())]
        if any(map(self._budget.fits, costs)):
            return
        reason = self._budget.describe(min(costs))
        self._news.append(reason)
        self._refuse_all(No(reason, "budget"), told)

    def _send(self, passage: Passage, account: Account, *, now: float, told: Told) -> None:
        account.send(passage, now)
        self._budget.reserve(passage.ticket.cost_usd)
        self.admitted += 1
        told.append(partial(passage.decide, GO))

    def _forget(self, passage: Passage) -> None:
        passage.is_gone = True
        self._waiting -= 1

    def _refuse_all(self, no: No, told: Told) -> None:
        if self._stopped is None:
            self._stopped = no
        for account in self._accounts.values():
            self._refuse(account, told)

    def _refuse(self, account: Account, told: Told) -> None:
        """Refuse what waits at `account` and would be refused if it came now."""
        for passage, no in account.dismiss(self._refusal):
            del self._passages[passage.ticket.owner, passage.ticket.number]
            self._waiting -= 1
            told.append(partial(passage.decide, no))


def _tell(told: Iterator[Callable[[], object]]) -> None:
    """Make the calls that were put off while the lock was held."""
    for call in told:
        try:
            call()
        except BaseException:
            _tell(told)  # the others are not to blame, and nobody would ever tell them
            raise
