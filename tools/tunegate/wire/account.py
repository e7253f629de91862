"""One account at an endpoint: what waits for it, what is in flight, and when the next may go."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from random import Random

from tunegate.wire.breaker import Breaker
from tunegate.wire.limits import AccountLimits, Rates, Window
from tunegate.wire.retries import Quota, Retries
from tunegate.wire.tickets import Decision, No, Outcome, Ticket

_WORTH_TELLING_S = 10.0
"""Shorter pauses are nobody's business; one that long is never meant for a single request."""
_REMEMBERED = 12
"""Attempts over which the share of rejections is averaged."""
_MEANS_ALL = 0.4
"""Above this share of rejections, a Retry-After is meant for the account."""


class Passage:
    """A ticket's way through an account: it waits, is in flight, or is gone."""

    __slots__ = ("decide", "is_gone", "rank", "sent", "sent_at", "ticket", "tokens_taken", "was_try")

    def __init__(self, ticket: Ticket, decide: Callable[[Decision], None], *, order: int) -> None:
        self.ticket = ticket
        self.decide = decide
        self.rank = (-ticket.attempt, order)
        """Later attempts go first, then whoever asked first."""
        self.is_gone = False
        """Nobody waits for its decision any more."""
        self.sent = 0
        """Its number among what the account sent; 0 while it waits."""
        self.sent_at = 0.0
        self.tokens_taken = 0.0
        self.was_try = False

    def __lt__(self, other: Passage) -> bool:
        return self.rank < other.rank


class Account:
    """The queue of one account and everything that may hold it up, except money."""

    __slots__ = ("_paused_until", "_queue", "_rejected_share", "_rng", "breaker", "name", "news", "rates", "window")

    def __init__(
        self, name: str, limits: AccountLimits, *, max_in_flight: int, retries: Retries, rng: Random, now: float
    ) -> None:
        self.name = name
        self.news: list[str] = []
        """What is worth telling and was not told yet."""
        self.breaker = Breaker(name, retries)
        self.rates = Rates(limits, now=now)
        self.window = Window(max(1, min(max_in_flight, limits.max_connections or max_in_flight)))
        self._queue: list[Passage] = []
        self._rng = rng
        self._paused_until = -math.inf
        self._rejected_share = 0.0
        """Of the last few attempts that the endpoint answered at all."""

    def first(self) -> Passage | None:
        """Return who is to go next."""
        while self._queue and self._queue[0].is_gone:
            heapq.heappop(self._queue)
        return self._queue[0] if self._queue else None

    def line_up(self, passage: Passage) -> None:
        """Let `passage` wait for its turn."""
        heapq.heappush(self._queue, passage)

    def leave(self) -> Passage:
        """Take who is to go next out of the queue."""
        return heapq.heappop(self._queue)

    def dismiss(self, refusal: Callable[[Ticket], No | None]) -> list[tuple[Passage, No]]:
        """Take everybody out of the queue for whom there is a `refusal`."""
        waiting = [passage for passage in sorted(self._queue) if not passage.is_gone]
        dismissed = [(passage, no) for passage in waiting if (no := refusal(passage.ticket)) is not None]
        gone = {id(passage) for passage, _ in dismissed}
        self._queue = [passage for passage in waiting if id(passage) not in gone]  # sorted, so still a heap
        return dismissed

    def wait_s(self, ticket: Ticket, now: float) -> float:
        """Return in how many seconds `ticket` may go; infinite where something else must happen first."""
        if now < self._paused_until:
            return self._paused_until - now
        wait_s = max(self.window.wait_s(now), self.breaker.wait_s(ticket.attempt, now))
        return wait_s if wait_s == math.inf else max(wait_s, self.rates.wait_s(ticket.tokens, now))

    def send(self, passage: Passage, now: float) -> None:
        """Take note that `passage` goes."""
        self.window.sent += 1
        self.window.in_flight += 1
        passage.sent = self.window.sent
        passage.sent_at = now
        passage.was_try = self.breaker.note_sent()
        self.rates.requests.take(1.0)
        passage.tokens_taken = self.rates.tokens.take(passage.ticket.tokens)

    def lose(self, passage: Passage) -> None:
        """Take note that nobody will say how `passage` ended."""
        self.window.in_flight -= 1
        self.breaker.note_lost(was_try=passage.was_try)

    def settle(self, passage: Passage, outcome: Outcome, *, now: float) -> bool:
        """Take note of how `passage` ended; say whether that leaves some who wait without hope."""
        ticket = passage.ticket
        self.window.in_flight -= 1
        if outcome.kind == "cancelled" and outcome.cost_usd == 0.0:
            self.rates.give_back(requests=1.0, tokens=ticket.tokens)
        elif outcome.kind != "rejected" and outcome.tokens is not None:
            # A rejection shows that there was less than we thought: nothing is given back for it.
            self.rates.give_back(tokens=ticket.tokens - outcome.tokens)
        was_rejected = outcome.kind == "rejected"
        if was_rejected or outcome.kind == "answered":
            self._rejected_share += (was_rejected - self._rejected_share) / _REMEMBERED
        if outcome.kind == "answered":
            self.window.grow()
            self.rates.recover(now)
        if self.window.note_end(was_rejected=was_rejected) and self.rates.are_limited:
            self.rates.slow_down(now)
        if outcome.quota is not None:
            self._correct(passage, outcome.quota, now)
        if outcome.retry_after_s is not None and outcome.kind in {"rejected", "failed"}:
            self._hold(outcome.retry_after_s, now)
        refusals = len(self.breaker.refusals)
        news = self.breaker.note_end(ticket, outcome, was_try=passage.was_try, now=now)
        if news is not None:
            self.news.append(news)
        return len(self.breaker.refusals) > refusals

    def _correct(self, passage: Passage, quota: Quota, now: float) -> None:
        model, sent_at = passage.ticket.model, passage.sent_at
        for meter, said, taken, kind in (
            (self.rates.requests, quota.requests, float(passage.sent), "requests"),
            (self.rates.tokens, quota.tokens, passage.tokens_taken, "tokens"),
        ):
            limit = meter.correct(said, model=model, taken=taken, sent_at=sent_at, now=now)
            if limit is not None:
                self.news.append(f"rate limit: {limit:,} {kind}/min at {self.name}, learned from its headers")

    def _hold(self, retry_after_s: float, now: float) -> None:
        """Hold everybody where the account is meant; a request that was turned away alone waits by itself."""
        if self.rates.are_limited or self._rejected_share > _MEANS_ALL or retry_after_s >= _WORTH_TELLING_S:
            self._pause(retry_after_s, now)

    def _pause(self, retry_after_s: float, now: float) -> None:
        # A little late, so that not everybody who was told the same comes back at the same moment.
        until = now + retry_after_s + self._rng.uniform(0.0, min(1.0, retry_after_s / 10))
        if until <= self._paused_until:
            return
        if retry_after_s >= _WORTH_TELLING_S and now >= self._paused_until:
            self.news.append(f"waiting {retry_after_s:,.0f} s as {self.name} asks (Retry-After)")
        self._paused_until = until
        self.rates.drain(until)
        self.window.ramp(until, pause_s=retry_after_s)
