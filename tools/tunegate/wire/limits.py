"""How hard an account may be pressed: requests and tokens per minute, and how many requests at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tunegate.wire.retries import Allowance

BURST_S = 0.5
"""What a bucket holds, in seconds of its rate: a server's own bucket of one second then has room for jitter."""
FULL_PACE = 0.98
"""Share of a stated rate that is used: clocks differ, and requests do not arrive as evenly as they leave."""
_SLOWER = 0.97
_SLOWEST = 0.25
_RECOVERY = 0.0001
"""Pace regained by each answered request: a rejection costs three hundred answers, so far less than 1 % end as one."""
_RAMP_S = 1.0
_ALMOST = 1e-6
"""Below this, sums of floats decide nothing."""


@dataclass(frozen=True)
class AccountLimits:
    """The limits that the user set for an account; None is no limit of ours."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_connections: int | None = None


class Bucket:
    """A token bucket: fills at `rate` per second up to `capacity`; what is taken may leave it in debt."""

    __slots__ = ("_stamp", "capacity", "level", "rate")

    def __init__(self, rate: float, *, capacity: float, now: float) -> None:
        self.rate = rate
        self.capacity = capacity
        self.level = capacity
        self._stamp = now

    def fill(self, now: float) -> None:
        """Add what has come in up to `now`."""
        if now > self._stamp:
            self.level = min(self.capacity, self.level + (now - self._stamp) * self.rate)
            self._stamp = now

    def wait_s(self, amount: float, now: float) -> float:
        """Return in how many seconds `amount` may be taken; more than it can hold goes when it is full."""
        self.fill(now)
        missing = min(amount, self.capacity) - self.level
        return missing / self.rate if missing > _ALMOST else 0.0

    def widen(self, capacity: float, *, fill: bool) -> None:
        """Hold more; `fill` says that a full bucket is full again then."""
        if fill and self.level == self.capacity:
            self.level = capacity
        self.capacity = capacity

    def give_back(self, amount: float) -> None:
        """Put back what was not used; a negative `amount` is taken instead."""
        self.level = min(self.capacity, self.level + amount)

    def drain(self, until: float) -> None:
        """Empty it, and let it fill again only from `until` on."""
        self.level = min(self.level, 0.0)
        self._stamp = max(self._stamp, until)


class Meter:
    """One kind of limit per minute: what the user set, lowered by what the endpoint says."""

    __slots__ = ("_burst", "_is_told", "_pace", "_per_minute", "_set", "_stated", "_taken", "bucket")

    def __init__(self, per_minute: int | None, *, burst: float, now: float) -> None:
        self.bucket: Bucket | None = None
        self._set = per_minute
        self._per_minute: int | None = None
        self._stated: dict[str, int] = {}
        self._burst = burst
        self._pace = FULL_PACE
        self._taken = 0.0
        self._is_told = False
        self._limit(per_minute, now)

    def wait_s(self, amount: float, now: float) -> float:
        """Return in how many seconds `amount` may be taken."""
        if self.bucket is None:
            return 0.0
        if amount > self.bucket.capacity:
            # It must be there before it is taken and not be owed after: the server's bucket knows no debt. Only what
            # exceeds a whole minute goes nevertheless. What never gave anything is full, however wide.
            widest = max(self.bucket.capacity, min(amount, self._per_minute or 0))
            self.bucket.widen(widest, fill=self._taken == 0)
        return self.bucket.wait_s(amount, now)

    def take(self, amount: float) -> float:
        """Take `amount`, and return how much was ever taken, this included."""
        self._taken += amount
        if self.bucket is not None:
            self.bucket.level -= amount
        return self._taken

    def set_pace(self, pace: float, now: float) -> None:
        """Use the share `pace` of the stated rate from `now` on."""
        self._pace = pace
        if self.bucket is not None and self._per_minute is not None:
            self.bucket.fill(now)
            self.bucket.rate = self._per_minute / 60 * pace

    def correct(self, said: Allowance, *, model: str, taken: float, sent_at: float, now: float) -> int | None:
        """Correct limit and level by what the endpoint said as it charged a request to `model`.

        The request left at `sent_at`, when `taken` had ever been taken. Corrections only ever lower what the user set.
        Returns the new limit per minute where it is worth telling.
        """
        news = None
        if said.limit is not None and self._stated.get(model) != said.limit:
            self._stated[model] = said.limit
            news = self._learn(now)
        if said.remaining is not None and self.bucket is not None:
            self.bucket.fill(now)
            # What has left since is not in their figure yet. What was given back here may never have been there.
            since = (now - sent_at) * self.bucket.rate - (self._taken - taken)
            self.bucket.level = min(self.bucket.level, said.remaining + since)
        return news

    def _learn(self, now: float) -> int | None:
        # Endpoints state limits per model: the account keeps to the lowest.
        limit = min(self._stated.values())
        if self._set is not None and self._set <= limit:
            limit = self._set
        if limit == self._per_minute:
            return None
        is_worth_telling = not self._is_told or limit < (self._per_minute or math.inf)
        self._is_told = True
        self._limit(limit, now)
        return limit if is_worth_telling else None

    def _limit(self, per_minute: int | None, now: float) -> None:
        self._per_minute = per_minute
        if per_minute is None:
            return
        capacity = max(self._burst, per_minute / 60 * BURST_S)
        if self.bucket is None:
            self.bucket = Bucket(0.0, capacity=capacity, now=now)
        self.bucket.capacity = capacity
        self.bucket.level = min(self.bucket.level, capacity)
        self.set_pace(self._pace, now)


class Rates:
    """Requests and tokens per minute of one account, and the pace that its endpoint turned out to take."""

    __slots__ = ("pace", "requests", "tokens")

    def __init__(self, limits: AccountLimits, *, now: float) -> None:
        self.requests = Meter(limits.requests_per_minute, burst=1.0, now=now)
        self.tokens = Meter(limits.tokens_per_minute, burst=0.0, now=now)
        self.pace = FULL_PACE

    def wait_s(self, tokens: int, now: float) -> float:
        """Return in how many seconds a request of `tokens` may be sent."""
        return max(self.requests.wait_s(1.0, now), self.tokens.wait_s(tokens, now))

    @property
    def are_limited(self) -> bool:
        """Whether there is any rate to keep to."""
        return self.requests.bucket is not None or self.tokens.bucket is not None

    def give_back(self, *, requests: float = 0.0, tokens: float = 0.0) -> None:
        """Put back what was taken and not used."""
        if requests and self.requests.bucket is not None:
            self.requests.bucket.give_back(requests)
        if tokens and self.tokens.bucket is not None:
            self.tokens.bucket.give_back(tokens)

    def slow_down(self, now: float) -> None:
        """Take note of a rejection at this pace."""
        self._set_pace(max(_SLOWEST, self.pace * _SLOWER), now)
        self.drain(now)

    def recover(self, now: float) -> None:
        """Take note of an answer at this pace."""
        if self.pace < FULL_PACE:
            self._set_pace(min(FULL_PACE, self.pace + _RECOVERY), now)

    def drain(self, until: float) -> None:
        """Save nothing up to `until`, so that what waited does not leave in one burst then."""
        for meter in (self.requests, self.tokens):
            if meter.bucket is not None:
                meter.bucket.fill(until)
                meter.bucket.drain(until)

    def _set_pace(self, pace: float, now: float) -> None:
        self.pace = pace
        self.requests.set_pace(pace, now)
        self.tokens.set_pace(pace, now)


class Window:
    """How many requests may be in flight: additive increase, multiplicative decrease (Chiu and Jain, 1989).

    It is lowered once a round, in proportion to the share of that round's requests that were rejected, and halved where
    all were: an endpoint that turns away one in twenty is not slowed to a crawl. Follows Alizadeh et al. (2010), "Data
    Center TCP (DCTCP)", section 3.1.
    """

    __slots__ = (
        "_ceiling",
        "_ramp_from",
        "_ramp_s",
        "_round",
        "_round_ended",
        "_round_rejected",
        "in_flight",
        "sent",
        "size",
    )

    def __init__(self, ceiling: int) -> None:
        self.size = float(ceiling)
        self.in_flight = 0
        self.sent = 0
        """How many were ever sent."""
        self._ceiling = float(ceiling)
        self._round = 1
        """Requests whose ends make up a round: as many as were in flight at its start."""
        self._round_ended = 0
        self._round_rejected = 0
        self._ramp_from = 0.0
        self._ramp_s = 0.0

    def wait_s(self, now: float) -> float:
        """Return in how many seconds one more may be sent; infinite where one must come back first."""
        if self.in_flight + 1 > self.size + _ALMOST:
            return math.inf
        if self._ramp_s == 0.0 or self.in_flight == 0:
            return 0.0
        share = self.in_flight / max(self.size - 1, 1.0)
        wait_s = self._ramp_from + share * self._ramp_s - now
        if now >= self._ramp_from + self._ramp_s:
            self._ramp_s = 0.0
        return wait_s if wait_s > _ALMOST else 0.0

    def grow(self) -> None:
        """Take note of an answer."""
        if self.size < self._ceiling:
            self.size = min(self._ceiling, self.size + 1 / self.size)

    def note_end(self, *, was_rejected: bool) -> bool:
        """Take note of how a request ended; say whether that ended a round in which some were rejected."""
        self._round_ended += 1
        self._round_rejected += was_rejected
        if self._round_ended < self._round:
            return False
        share = self._round_rejected / self._round_ended
        self._round, self._round_ended, self._round_rejected = max(1, self.in_flight), 0, 0
        self.size = max(1.0, self.size * (1 - share / 2))
        return share > 0

    def ramp(self, start: float, *, pause_s: float) -> None:
        """Open gradually from `start` on, so that what waited does not leave at once."""
        self._ramp_from = start
        self._ramp_s = min(_RAMP_S, pause_s)
