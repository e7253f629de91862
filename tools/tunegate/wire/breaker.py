"""Which accounts and models are not worth asking any more: what is down or refuses us is said once, not a thousand
times."""

from __future__ import annotations

import math

from tunegate.wire.retries import Retries
from tunegate.wire.tickets import Outcome, Ticket

PATIENCE = 5
"""Attempts in a row that fail before an account counts as down."""
_REFUSES_US = frozenset({401, 403, 429})
_KNOWS_NO_SUCH_MODEL = 404


class Breaker:
    """Circuit breaker of one account (Nygard, "Release It!", 2nd edition, 2018, section 5.2).

    Closed, everything passes. After `PATIENCE` failures in a row it is half open: one attempt at a time tries whether
    the endpoint is back. An answer closes it. A try that was its request's last attempt opens it for good, as does an
    endpoint that refuses our key; one that does not know a model opens it for that model.
    """

    __slots__ = ("_account", "_failures", "_is_half_open", "_is_trying", "_retries", "_tried", "_try_at", "refusals")

    def __init__(self, account: str, retries: Retries) -> None:
        self.refusals: dict[str | None, str] = {}
        """Why a model is not asked any more; None stands for all models."""
        self._account = account
        self._retries = retries
        self._failures = 0
        self._is_half_open = False
        self._is_trying = False
        self._tried = 0
        self._try_at = 0.0

    def refusal(self, model: str) -> str | None:
        """Return why `model` is not asked any more, or None."""
        if not self.refusals:
            return None
        return self.refusals.get(None) or self.refusals.get(model)

    def wait_s(self, attempt: int, now: float) -> float:
        """Return in how many seconds an attempt may go; infinite where another must end first."""
        if not self._is_half_open:
            return 0.0
        if self._is_trying:
            return math.inf
        # The request that tried last may try again when it likes. Others give it its time to: else each of a hundred
        # requests would try in turn, one right after the other, and none would be the first to run out of attempts.
        return 0.0 if attempt > self._tried else max(0.0, self._try_at - now)

    def note_sent(self) -> bool:
        """Take note that an attempt leaves; say whether it is a try."""
        self._is_trying = self._is_half_open
        return self._is_trying

    def note_lost(self, *, was_try: bool) -> None:
        """Take note that nobody will say how an attempt ended."""
        if was_try:
            self._is_trying = False

    def note_end(self, ticket: Ticket, outcome: Outcome, *, was_try: bool, now: float) -> str | None:
        """Take note of how an attempt ended, and return what is worth telling."""
        self.note_lost(was_try=was_try)
        was_try = was_try and self._is_half_open  # another's answer may have closed it in the meantime
        if outcome.kind == "failed":
            return self._fail(ticket, outcome, was_try=was_try, now=now)
        if outcome.kind == "cancelled":
            return None
        self._failures = 0
        if outcome.kind == "answered":
            return self._close()
        if was_try:
            self._tried, self._try_at = 0, now
        if outcome.kind == "refused":
            return self._refuse(ticket.model, outcome)
        return None

    def _fail(self, ticket: Ticket, outcome: Outcome, *, was_try: bool, now: float) -> str | None:
        self._failures += 1
        if was_try and outcome.final:
            return self._open(None, outcome)
        if was_try:
            self._tried, self._try_at = ticket.attempt, now + self._retries.longest_s(ticket.attempt)
        elif self._failures >= PATIENCE and not self._is_half_open:
            self._is_half_open, self._tried, self._try_at = True, 0, now
            return f"{self._account} is down: {PATIENCE} attempts in a row without a reply{_because(outcome)}"
        return None

    def _close(self) -> str | None:
        if not self._is_half_open:
            return None
        self._is_half_open = False
        return f"{self._account} answers again"

    def _refuse(self, model: str, outcome: Outcome) -> str | None:
        if outcome.status in _REFUSES_US:
            return self._open(None, outcome)
        if outcome.status == _KNOWS_NO_SUCH_MODEL:
            return self._open(model, outcome)
        return None

    def _open(self, model: str | None, outcome: Outcome) -> str | None:
        if None in self.refusals or model in self.refusals:
            return None
        last = outcome.message or f"status {outcome.status or 'unknown'}"
        self.refusals[model] = f"not asked any more, since every request would end like an earlier one: {last}"
        what = self._account if model is None else f"{model} at {self._account}"
        return f"{what} is not asked any more: {last}"


def _because(outcome: Outcome) -> str:
    return f" (the last: {outcome.message})" if outcome.message else ""
