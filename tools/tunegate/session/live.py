"""Asking an endpoint: admitted by the run's desk, sent, read, and kept; again where that may help."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict, dataclass, replace
from typing import Any

from tunegate.cases import Endpoint
from tunegate.cassettes import Redactor
from tunegate.errors import UsageError, WireError
from tunegate.exchanges import Exchange
from tunegate.records import Cell
from tunegate.session.answers import IN_FLIGHT, Answer
from tunegate.session.desk import Desk
from tunegate.session.engine import Slot
from tunegate.session.flights import Flights
from tunegate.session.keeping import Keeper
from tunegate.session.plan import Prepared
from tunegate.session.pricing import Pricing
from tunegate.wire import Connection, Reading, read_exchange
from tunegate.wire.retries import Retries, read_quota, retry_after_s, should_retry
from tunegate.wire.tickets import Decision, Go, Outcome, Ticket


@dataclass(frozen=True)
class _Attempt:
    """How one attempt ended: with a reply, or with a problem that may or may not be worth another."""

    outcome: Outcome
    may_help_again: bool = False
    problem: WireError | None = None
    exchange: Exchange | None = None
    reading: Reading | None = None


class Live:
    """Asks endpoints; belongs to the event loop on which `answer` runs.

    `sees_all` says that nobody else asks in this run: recordings then note how many requests were under way.
    """

    def __init__(
        self,
        *,
        connect: Callable[[Endpoint], Connection],
        desk: Desk,
        keeper: Keeper,
        pricing: Pricing,
        redactor: Redactor,
        chance: random.Random | None = None,
        sees_all: bool = True,
    ) -> None:
        self._connect = connect
        self._desk = desk
        self._keeper = keeper
        self._pricing = pricing
        self._redactor = redactor
        self._chance = chance or random.Random()  # noqa: S311  # spreads retries, guards nothing
        self._connections: dict[Endpoint, Connection] = {}
        self._numbers = itertools.count()
        self._flights = Flights()
        self._sees_all = sees_all

    async def answer(self, prepared: Prepared, slot: Slot) -> Answer:
        """Return the reply to a prepared cell once it is durable.

        Raises:
            WireError: no usable reply came, or the desk let the request not pass; nothing is recorded then.
            UsageError: the endpoint needs a key that is not there.
            CassetteError: the reply cannot be written down.
        """
        exchange, reading = await self._ask(prepared, slot)
        cell = prepared.cell
        noted = replace(exchange, repeat=cell.repeat, note={**note_of(cell, reading), **exchange.note})
        kept = await _waited_out(self._keeper.keep(cell.shelf, cell.model, noted))
        # Read what was kept, not what came: a live record and its replay are then equal by construction.
        return Answer(prepared, kept, reading if kept.body == noted.body else read_exchange(kept), "live")

    async def close(self) -> None:
        """Close every connection."""
        while self._connections:
            _, connection = self._connections.popitem()
            await connection.aclose()

    async def _ask(self, prepared: Prepared, slot: Slot) -> tuple[Exchange, Reading]:
        endpoint = prepared.model.endpoint
        retries = Retries(attempts=endpoint.limits.attempts)
        connection = self._connection(endpoint)
        for number in itertools.count(1):
            is_last = number >= retries.attempts
            attempt = await self._attempt(prepared, connection=connection, number=number, is_last=is_last)
            if attempt.exchange is not None and attempt.reading is not None:
                return attempt.exchange, attempt.reading
            assert attempt.problem is not None, "an attempt without a reply has a problem"  # noqa: S101
            if is_last or not attempt.may_help_again:
                raise _told(attempt.problem, attempts=number)
            wait_s = attempt.outcome.retry_after_s
            # The desk holds the whole account where that is meant; this request waits in any case.
            await slot.rest(retries.delay_s(number, self._chance) if wait_s is None else wait_s)
        raise AssertionError("unreachable")

    async def _attempt(self, prepared: Prepared, *, connection: Connection, number: int, is_last: bool) -> _Attempt:
        quote = self._pricing.quote(prepared)
        ticket = Ticket(
            owner=self._desk.owner,
            number=next(self._numbers),
            account=prepared.model.endpoint.name,
            model=prepared.model.model,
            tokens=quote.tokens,
            cost_usd=quote.most_usd or 0.0,
            attempt=number,
        )
        outcome = Outcome("cancelled", cost_usd=0.0)
        try:
            decision = await self._decided(ticket)
            if not isinstance(decision, Go):
                raise WireError(decision.reason if decision.kind == "circuit" else f"not asked: {decision.reason}")
            # Given up in flight, a request may have cost its price.
            outcome = Outcome("cancelled", cost_usd=None)
            attempt = await self._exchange(prepared, connection=connection, is_last=is_last)
            outcome = attempt.outcome
        finally:
            # Whatever happens, the desk hears of it.
            self._desk.settle(ticket.number, outcome)
        return attempt

    async def _exchange(self, prepared: Prepared, *, connection: Connection, is_last: bool) -> _Attempt:
        exchange = None
        try:
            with self._flights.begin() as flight:
                exchange = await connection.send(prepared.request)
            if self._sees_all:
                exchange = replace(exchange, note={IN_FLIGHT: flight.most})
            reading = read_exchange(exchange)
        except WireError as problem:
            # Servers like to quote the key that they refuse.
            told = WireError(self._redactor.text(str(problem)), status=problem.status)
            return _failed(exchange, told, is_last=is_last)
        usage = reading.reply.usage
        outcome = Outcome(
            "answered",
            status=exchange.status,
            cost_usd=self._pricing.charge(prepared, usage),
            tokens=self._pricing.count(prepared, usage),
            quota=read_quota(exchange.headers),
        )
        return _Attempt(outcome, exchange=exchange, reading=reading)

    async def _decided(self, ticket: Ticket) -> Decision:
        loop = asyncio.get_running_loop()
        decided: asyncio.Future[Decision] = loop.create_future()
        here = threading.get_ident()

        def decide(decision: Decision) -> None:
            if threading.get_ident() == here:
                _resolve(decided, decision)
            else:
                loop.call_soon_threadsafe(_resolve, decided, decision)

        self._desk.ask(ticket, decide)
        return await decided

    def _connection(self, endpoint: Endpoint) -> Connection:
        if endpoint not in self._connections:
            self._connections[endpoint] = self._connect(endpoint)
        return self._connections[endpoint]


def connect(endpoint: Endpoint) -> Connection:
    """Return a connection with the key that the environment holds for `endpoint`.

    Raises:
        UsageError: the endpoint needs a key, and the variable is not set or holds what no header can carry.
    """
    return Connection(endpoint.base_url, api_key=key_of(endpoint), timeout_s=endpoint.limits.timeout_s)


def key_of(endpoint: Endpoint) -> str | None:
    """Return the key that the environment holds for `endpoint`, None where it needs none.

    Raises:
        UsageError: the variable is not set, or holds what no header can carry.
    """
    key = os.environ.get(endpoint.key_env, "").strip() if endpoint.key_env else None
    if endpoint.key_env and not key:
        raise UsageError(
            f"{endpoint.base_url} needs a key in the environment variable {endpoint.key_env}, which is not set\n"
            f"  to set it: export {endpoint.key_env}=...   (it is sent to that endpoint only, and never written)"
        )
    if key and not (key.isascii() and key.isprintable()):
        raise UsageError(
            f"the key in {endpoint.key_env} holds characters that no key has (a quote from copying?)\n"
            f"  to set it again: export {endpoint.key_env}=..."
        )
    return key


async def _waited_out(future: Future[Exchange]) -> Exchange:
    """Return what is kept, even where it was given up in the meantime: it came, and it was paid for."""
    waiting = asyncio.wrap_future(future)
    while not waiting.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([waiting])
    return waiting.result()


def _resolve(future: asyncio.Future[Decision], decision: Decision) -> None:
    if not future.done():
        future.set_result(decision)


def _failed(exchange: Exchange | None, problem: WireError, *, is_last: bool) -> _Attempt:
    status = exchange.status if exchange else None
    headers = exchange.headers if exchange else {}
    body = exchange.body.decode("utf-8", "replace") if exchange else ""
    # What calls itself a success and is no reply (cut short, a proxy's page) may be one the next time.
    may_help = status == 200 or should_retry(status, headers, message=body)
    outcome = Outcome(
        "refused" if not may_help else "rejected" if status == 429 else "failed",
        status=status,
        # An error is not charged; of a reply that was lost on its way nobody knows.
        cost_usd=None if status in (None, 200) else 0.0,
        retry_after_s=retry_after_s(headers, time.time()) if may_help else None,
        quota=read_quota(headers),
        message=str(problem),
        final=is_last,
    )
    return _Attempt(outcome, may_help_again=may_help, problem=problem)


def _told(problem: WireError, *, attempts: int) -> WireError:
    return problem if attempts == 1 else WireError(f"{problem} (attempt {attempts})", status=problem.status)


def note_of(cell: Cell, reading: Reading) -> dict[str, Any]:
    """Return what a reviewer of the cassette wants to see without decoding a stream."""
    reply = reading.reply
    return {
        "case": cell.case,
        "text": reply.text,
        "finish_reason": reply.finish_reason,
        "model": reply.model,
        "fingerprint": reply.fingerprint,
        "usage": asdict(reply.usage),
    }
