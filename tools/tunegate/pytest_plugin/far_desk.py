"""The run's desk across processes: xdist's workers reach the controller's through a channel of their gateway.

It works alike for workers on this machine and elsewhere, and ends with the worker, however that ends. Messages are
tuples of plain values, as execnet carries them; the first says what it is.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import execnet

from tunegate.errors import CassetteError, TunegateError, UsageError
from tunegate.exchanges import Exchange, Request, Timing
from tunegate.session.desk import RunDesk
from tunegate.session.forecast import Forecast
from tunegate.session.keeping import Keeper
from tunegate.wire.retries import Allowance, Quota
from tunegate.wire.tickets import GO, Decision, Go, No, Outcome, Ticket

CHANNEL = "tunegate_desk"
"""Key of a worker's input that holds the channel."""
IS_FAR = "tunegate_is_far"
"""Key of a worker's input: it runs elsewhere, so what it records is written by the controller."""
_GONE = No("the run's controller is gone", "stopped")


class FarDesk:
    """The run's desk as a worker sees it; for one that runs elsewhere, also the keeper of its recordings."""

    def __init__(self, channel: execnet.Channel, *, owner: str) -> None:
        self.owner = owner
        self._channel = channel
        self._lock = threading.Lock()
        self._asked: dict[int, Callable[[Decision], None]] = {}
        self._kept: dict[int, tuple[Exchange, Future[Exchange]]] = {}
        self._numbers = itertools.count()
        self._begun: Future[bool] = Future()
        self._is_gone = False
        channel.setcallback(self._receive, endmarker=None)

    def begin(self, forecast: Callable[[], Forecast]) -> None:
        """Wait until the plan of the run was told; one of the workers makes it.

        Raises:
            UsageError: the run must not begin.
        """
        self._channel.send(("ready",))
        if self._begun.result():
            self._begun = Future()
            try:
                plan = forecast()
            except TunegateError as problem:
                self._channel.send(("refuse", str(problem)))
            else:
                self._channel.send(("plan", plan.to_json()))
            self._begun.result()

    def ask(self, ticket: Ticket, decide: Callable[[Decision], None]) -> None:
        """Have `decide` called once, from any thread, with the decision about a request."""
        with self._lock:
            is_gone = self._is_gone
            if not is_gone:
                self._asked[ticket.number] = decide
        if is_gone:
            decide(_GONE)
            return
        self._send("ask", ticket.number, ticket.account, ticket.model, ticket.tokens, ticket.cost_usd, ticket.attempt)

    def settle(self, number: int, outcome: Outcome) -> None:
        """Say how an admitted request ended."""
        self._send("settle", number, *_pack_outcome(outcome))

    def stop(self, reason: str) -> None:
        """Nothing: only the controller stops a run."""

    def keep(self, eval_name: str, model: str, exchange: Exchange) -> Future[Exchange]:
        """Have the controller record an exchange."""
        future: Future[Exchange] = Future()
        with self._lock:
            number = next(self._numbers)
            self._kept[number] = exchange, future
        self._send("keep", number, eval_name, model, pack_exchange(exchange))
        return future

    def close(self) -> None:
        """Nothing: what was given is on its way, and the channel closes with the worker."""

    def _send(self, *message: object) -> None:
        try:
            self._channel.send(message)
        except OSError:
            self._receive(None)

    def _receive(self, message: tuple[Any, ...] | None) -> None:
        if message is None:
            self._end()
            return
        kind, *rest = message
        if kind == "go":
            self._decided(rest[0], GO)
        elif kind == "no":
            self._decided(rest[0], No(*rest[1:]))
        elif kind == "begin":
            self._begun.set_result(rest[0])
        elif kind == "refused":
            self._begun.set_exception(UsageError(rest[0]))
        elif kind == "kept":
            number, changed, problem = rest
            with self._lock:
                exchange, future = self._kept.pop(number)
            if problem is not None:
                future.set_exception(CassetteError(problem))
            else:
                future.set_result(exchange if changed is None else unpack_exchange(changed))

    def _decided(self, number: int, decision: Decision) -> None:
        with self._lock:
            decide = self._asked.pop(number, None)
        if decide is not None:
            decide(decision)

    def _end(self) -> None:
        with self._lock:
            self._is_gone = True
            asked, self._asked = self._asked, {}
            kept, self._kept = self._kept, {}
        for decide in asked.values():
            decide(_GONE)
        for _, future in kept.values():
            future.set_exception(CassetteError("the controller that writes the recordings is gone"))
        if not self._begun.done():
            self._begun.set_exception(UsageError("the run's controller is gone"))


class Counter:
    """The controller's side of one worker's channel; its methods run on the gateway's thread and never wait."""

    def __init__(self, channel: execnet.Channel, *, owner: str, desk: RunDesk, keeper: Keeper | None) -> None:
        self._channel = channel
        self._owner = owner
        self._desk = desk
        self._keeper = keeper
        channel.setcallback(self._receive, endmarker=None)

    def _receive(self, message: tuple[Any, ...] | None) -> None:
        if message is None:
            self._desk.withdraw(self._owner)
            return
        kind, *rest = message
        if kind == "ask":
            number, account, model, tokens, cost_usd, attempt = rest
            ticket = Ticket(self._owner, number, account, model, tokens, cost_usd, attempt)
            self._desk.ask(ticket, lambda decision: self._tell(number, decision))
        elif kind == "settle":
            number, *packed = rest
            self._desk.settle_for(self._owner, number, _unpack_outcome(packed))
        elif kind == "ready":
            self._desk.enter(self._owner, self._begin)
        elif kind == "plan":
            self._desk.announce(Forecast.from_json(rest[0]))
        elif kind == "refuse":
            self._desk.refuse(rest[0])
        elif kind == "keep" and self._keeper is not None:
            number, eval_name, model, packed = rest
            exchange = unpack_exchange(packed)
            self._keeper.keep(eval_name, model, exchange).add_done_callback(
                lambda future: self._kept(number, exchange, future)
            )

    def _begin(self, *, makes_plan: bool, refused: str | None) -> None:
        self._send("refused", refused) if refused else self._send("begin", makes_plan)

    def _tell(self, number: int, decision: Decision) -> None:
        if isinstance(decision, Go):
            self._send("go", number)
        else:
            self._send("no", number, decision.reason, decision.kind)

    def _kept(self, number: int, exchange: Exchange, future: Future[Exchange]) -> None:
        problem = future.exception()
        if problem is not None:
            self._send("kept", number, None, str(problem))
            return
        kept = future.result()
        self._send("kept", number, None if kept is exchange else pack_exchange(kept), None)

    def _send(self, *message: object) -> None:
        try:
            self._channel.send(message)
        except OSError:
            self._desk.withdraw(self._owner)


def _pack_outcome(outcome: Outcome) -> tuple[object, ...]:
    quota = outcome.quota
    told = None
    if quota is not None:
        told = tuple((kind.limit, kind.remaining, kind.reset_s) for kind in (quota.requests, quota.tokens))
    return (
        outcome.kind,
        outcome.status,
        outcome.cost_usd,
        outcome.tokens,
        outcome.retry_after_s,
        told,
        outcome.message,
        outcome.final,
    )


def _unpack_outcome(packed: Sequence[Any]) -> Outcome:
    kind, status, cost_usd, tokens, retry_after_s, told, message, final = packed
    quota = Quota(*(Allowance(*limits) for limits in told)) if told else None
    return Outcome(kind, status, cost_usd, tokens, retry_after_s, quota, message, final)


def pack_exchange(exchange: Exchange) -> tuple[object, ...]:
    """Return an exchange in values that execnet carries."""
    request, timing = exchange.request, exchange.timing
    return (
        (request.method, request.url, json.dumps(request.body)),
        exchange.status,
        exchange.reason,
        {name: tuple(values) for name, values in exchange.headers.items()},
        exchange.body,
        (timing.total_s, timing.events_s) if timing else None,
        exchange.recorded_at,
        exchange.repeat,
        json.dumps(dict(exchange.note)),
    )


def unpack_exchange(packed: tuple[Any, ...]) -> Exchange:
    """Return the exchange that `pack_exchange` packed."""
    (method, url, body), status, reason, headers, reply, timing, recorded_at, repeat, note = packed
    fields: Mapping[str, Any] = json.loads(body)
    return Exchange(
        request=Request(url, fields, method),
        status=status,
        reason=reason,
        headers=headers,
        body=reply,
        timing=Timing(*timing) if timing else None,
        recorded_at=recorded_at,
        repeat=repeat,
        note=json.loads(note),
    )
