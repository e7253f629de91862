"""A bench for the engine: sessions with all their real parts, which ask a scripted endpoint."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tunegate.cases import Eval, Matrix, Model, Sources
from tunegate.cassettes import Library
from tunegate.cost import Price, Rates
from tunegate.records import Cell, Message
from tunegate.session import Planned, Preparer, RecordMode, Session
from tunegate.session.desk import RunDesk
from tunegate.session.keeping import Recorder
from tunegate.session.live import Live, connect
from tunegate.session.pricing import Pricing
from tunegate.testing import Scripted
from tunegate.wire.tickets import Decision, Go, Outcome, Ticket

PATIENCE_S = 20.0
"""How long a test waits for another thread before it gives up."""
PRICED = Price(Rates(1.0, 2.0), "a test")
"""A dollar for a million tokens in, two for a million out."""


@dataclass(frozen=True)
class Question:
    """A case that is its own prompt."""

    id: str
    text: str
    subject: str = "sums"


def one_model(base_url: str, *, name: str = "m", key_env: str | None = None, **limits: Any) -> Model:
    """Return a row whose endpoint is asked twice at most, unless `limits` say otherwise."""
    model = Matrix.unlisted(name, base_url=base_url, key_env=key_env)
    given: dict[str, Any] = {"attempts": 2, "timeout_s": PATIENCE_S} | limits
    return replace(model, endpoint=replace(model.endpoint, limits=replace(model.endpoint.limits, **given)))


def say(case: Question, _: Sources) -> list[Message]:
    return [{"role": "user", "content": case.text}]


def plan(model: Model, *texts: str, prompt: Callable[[Any, Sources], list[Message]] = say) -> list[Planned]:
    """Return a planned cell for each text; its case has the text for its name."""
    eval_ = Eval("format", cases=lambda sources: [], prompt=prompt, max_tokens=9)
    return [
        Planned(eval_, Question(text, text), model, Cell("format", text, "sums", model.name, temperature=0.0))
        for text in texts
    ]


def text_of(body: Mapping[str, Any]) -> str:
    """Return what a request says."""
    text: str = body["messages"][0]["content"]
    return text


class NoDelay(random.Random):
    """Chance at its kindest: a retry waits for nothing. Keeps how often it was asked."""

    asked = 0

    def uniform(self, a: float, b: float) -> float:  # noqa: ARG002  # the base class's signature
        self.asked += 1
        return a


class HeardDesk(RunDesk):
    """The run's desk, which keeps what it heard and said."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.tickets: list[Ticket] = []
        self.gone: list[int] = []
        self.settled: list[tuple[int, Outcome]] = []

    def ask(self, ticket: Ticket, decide: Callable[[Decision], None]) -> None:
        def heard(decision: Decision) -> None:
            if isinstance(decision, Go):
                self.gone.append(ticket.number)
            decide(decision)

        self.tickets.append(ticket)
        super().ask(ticket, heard)

    def settle(self, number: int, outcome: Outcome) -> None:
        self.settled.append((number, outcome))
        super().settle(number, outcome)


@dataclass(frozen=True)
class FixedPrices:
    """Says one price of every model."""

    price: Price | None = None

    def price_of(self, model: Model) -> Price | None:  # noqa: ARG002  # as a price book is asked
        return self.price


@dataclass
class Opened:
    """A session with its parts."""

    session: Session
    desk: HeardDesk
    live: Live
    chance: NoDelay
    shown: list[str]


@contextmanager
def opened(
    library: Library,
    *models: Model,
    mode: RecordMode = "missing",
    in_flight: int = 8,
    max_cost_usd: float | None = None,
    price: Price | None = None,
    max_tokens: int | None = None,
) -> Iterator[Opened]:
    """Open a session that may ask `models`, and close it and its parts in the order in which a run does."""
    shown: list[str] = []
    desk = HeardDesk(models, max_in_flight=in_flight, max_cost_usd=max_cost_usd, show=shown.append)
    recorder, chance = Recorder(library), NoDelay()
    live = Live(
        connect=connect,
        desk=desk,
        keeper=recorder,
        pricing=Pricing(FixedPrices(price)),
        redactor=library.redactor,
        chance=chance,
    )
    prepare = Preparer(Sources(Path("fixtures")), max_tokens=max_tokens)
    session = Session(library, prepare=prepare, mode=mode, live=live, in_flight=in_flight)
    try:
        yield Opened(session, desk, live, chance, shown)
    finally:
        session.close()
        recorder.close()
        desk.close()


def replaying(library: Library) -> Session:
    """Return a session that asks nobody."""
    return Session(library, prepare=Preparer(Sources(Path("fixtures"))))


@dataclass
class Gate:
    """Answers with the text of the request; what `holds` picks is held until `open`."""

    holds: Callable[[str], bool] = lambda _: True
    came: list[str] = field(default_factory=list)
    present: int = 0
    peak: int = 0

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self._is_open = False

    def __call__(self, body: Mapping[str, Any]) -> Scripted:
        text = text_of(body)
        with self._changed:
            self.came.append(text)
            self.present += 1
            self.peak = max(self.peak, self.present)
            self._changed.notify_all()
            if self.holds(text):
                self._changed.wait_for(lambda: self._is_open, timeout=PATIENCE_S)
            self.present -= 1
        return Scripted(text)

    def open(self) -> None:
        """Let everything pass."""
        with self._changed:
            self._is_open = True
            self._changed.notify_all()

    def await_came(self, count: int) -> None:
        """Wait until `count` requests have come."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.came) >= count, timeout=PATIENCE_S), self.came
