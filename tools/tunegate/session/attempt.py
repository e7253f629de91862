"""One item's way from its question to its record: ask, then score, then say what was missed."""

from __future__ import annotations

from collections.abc import Sequence

from tunegate.errors import TunegateError, UsageError
from tunegate.records import Check, Message, Record, Reply, State
from tunegate.session.answers import IN_FLIGHT, Answer
from tunegate.session.asking import Session
from tunegate.session.plan import Planned


class Missed(AssertionError):
    """The model was asked and answered, and the answer misses checks: a measurement, not a failure of the run."""


class Attempt:
    """Asks one planned cell and keeps its record."""

    def __init__(self, planned: Planned, session: Session) -> None:
        self.planned = planned
        self.record: Record | None = None
        self._session = session
        self._answer: Answer | None = None

    def ask(self) -> Reply:
        """Ask the model what the eval's prompt says, and return its reply.

        Raises:
            TunegateError: there is no reply; `failed` then makes the record.
        """
        self._answer = self._session.ask(self.planned)
        return self._answer.reading.reply

    def score(self, checks: Sequence[Check]) -> None:
        """Keep the record with `checks`, and only then say what was missed.

        Raises:
            Missed: at least one check that counts failed; the message shows all of them.
            UsageError: there is no reply to score, or nothing to score it by.
        """
        if self._answer is None:
            raise UsageError("score() was called before ask(): there is no reply to score")
        if not checks:
            raise UsageError("score() was called without a check: an item that measures nothing cannot pass")
        self.record = self._record(self._answer.reading.state, checks=tuple(checks))
        if self.record.missed:
            raise Missed(describe_misses(self.record))

    def failed(self, problem: str) -> Record:
        """Return the record of an item that broke before it was scored: our failure, not the model's.

        A reply that had come is kept on it: it was paid for, and its recording is in use.
        """
        return self._record("error", error=problem)

    def _record(self, state: State, *, checks: Sequence[Check] = (), error: str | None = None) -> Record:
        answer = self._answer
        if answer is None:
            return Record(self.planned.cell, state, checks=checks, messages=self._would_be_sent(), error=error)
        return Record(
            self.planned.cell,
            state,
            checks=tuple(checks),
            messages=answer.prepared.messages,
            reply=answer.reading.reply,
            latency_s=answer.reading.latency_s,
            first_token_s=answer.reading.first_token_s,
            source=answer.source,
            request=answer.exchange.request.fingerprint,
            recorded_at=answer.exchange.recorded_at,
            error=error,
            max_tokens=answer.prepared.max_tokens if self.planned.eval.sweeps else None,
            pieces_s=answer.reading.pieces_s if self.planned.eval.times else (),
            in_flight=_count(answer.exchange.note.get(IN_FLIGHT)),
        )

    def _would_be_sent(self) -> tuple[Message, ...]:
        """Return the messages of a cell without an answer; none where preparing them is what failed."""
        try:
            return self._session.prepare(self.planned).messages
        except TunegateError:
            return ()


def describe_misses(record: Record) -> str:
    """Say in a few lines what was expected of a reply and what came."""
    cell = record.cell
    repeat = f", repeat {cell.repeat}" if cell.repeat > 1 else ""
    judged = sum(check.passed is not None and not check.advisory for check in record.checks)
    width = max(len(_label(check)) for check in record.missed)
    text = record.reply.text if record.reply else ""
    state = "" if record.state == "answered" else f" ({record.state})"
    lines = [
        f"{cell.eval}[{cell.case}] of '{cell.model}'{repeat} missed {len(record.missed)} of {judged} checks",
        *(
            f"  {_label(check):{width}}  expected {_cut(check.expected)}, got {_cut(check.got)}"
            for check in record.missed
        ),
        f"  {'reply':{width}}  {_cut(repr(text), 160)}{state}",
    ]
    return ascii_safe("\n".join(lines))


def ascii_safe(text: str) -> str:
    """Return `text` with what no terminal or report can carry (lone surrogates) written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _count(noted: object) -> int | None:
    return noted if type(noted) is int else None


def _label(check: Check) -> str:
    return check.name if check.question is None else f"{check.name} {check.question}"


def _cut(text: str, length: int = 80) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
