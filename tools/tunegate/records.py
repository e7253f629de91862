"""The run record: the waist of the hourglass.

Above it stand pytest and the wire; below it everything that judges, draws or trains, on a live run, a replay and
last year's run of a model that no longer exists alike. The format is documented in docs/records.md and read and
written here only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol, TypedDict, get_args

from tunegate.errors import RunError

FORMAT = 1
"""Version of the record's format: it grows when a reader of the old format would misread the new one."""

State = Literal["answered", "refused", "truncated", "error", "lost"]
Source = Literal["live", "cassette"]
STATES: tuple[State, ...] = get_args(State)
SCORED: frozenset[State] = frozenset({"answered", "refused", "truncated"})
"""Only what the model did is scored; an error or a loss is ours and never a wrong answer of the model's."""
UNSCORED: frozenset[State] = frozenset(STATES) - SCORED


class Message(TypedDict):
    """One message of a chat, as the chat completions API takes it."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Usage:
    """Tokens as the server counted them; None where it did not say."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    """Of the prompt, what the provider read from its cache."""


@dataclass(frozen=True)
class Reply:
    """What a model said to one request."""

    text: str
    finish_reason: str | None = None
    model: str | None = None
    """The model the server named, which may be another than the one asked for."""
    fingerprint: str | None = None
    """The server's `system_fingerprint`."""
    usage: Usage = field(default_factory=Usage)
    refusal: str | None = None
    ended: bool = True
    """False where a stream stopped behind its finish_reason without the `[DONE]` that ends it."""


@dataclass(frozen=True)
class Check:
    """One judgement of a reply.

    `passed` is None where the check could not be judged (its premise did not hold): it is then in no denominator.
    An `advisory` check is measured and shown, and its failure alone is no miss.
    """

    name: str
    passed: bool | None
    expected: str = ""
    got: str = ""
    question: int | None = None
    advisory: bool = False


class Judgement(Protocol):
    """What a check said: the check itself, or what a quick reader keeps of it."""

    @property
    def name(self) -> str:
        """Name of the check."""

    @property
    def passed(self) -> bool | None:
        """As in `Check`."""

    @property
    def advisory(self) -> bool:
        """As in `Check`."""


Outcome = tuple[tuple[tuple[str, int], bool], ...]
"""What checks came to, each by its name and by its place, from 0, among those of the same name."""


def outcome_of(checks: Iterable[Judgement]) -> Outcome:
    """Return what the checks that count came to; what could not be judged says nothing, and is left out."""
    places: dict[str, int] = {}
    found: list[tuple[tuple[str, int], bool]] = []
    for check in checks:
        if check.advisory:
            continue
        place = places[check.name] = places.get(check.name, -1) + 1
        if check.passed is not None:
            found.append(((check.name, place), check.passed))
    return tuple(found)


def tells_time(state: State, checks: Iterable[Judgement], *, load: int | None) -> bool:
    """Say whether the time of a reply counts: a refusal is quick, and no answer.

    Where an eval measures time (`load` is known), neither does that of a reply that missed a check.
    """
    if state not in SCORED or state == "refused":
        return False
    return load is None or not any(check.passed is False and not check.advisory for check in checks)


def shelf_of(eval_name: str, *, load: int | None) -> str:
    """Return the folder of an eval's recordings: those under load are of the same requests, and stand by themselves."""
    return eval_name if load in (None, 1) else f"{eval_name}.load-{load}"


@dataclass(frozen=True)
class Cell:
    """One place of the matrix: a case asked of a model, for the first or a further time."""

    eval: str
    case: str
    subject: str
    model: str
    repeat: int = 1
    temperature: float | None = None
    shots: int = 0
    load: int | None = None
    """Requests that are to be under way at once; only of an eval that measures time."""

    @property
    def shelf(self) -> str:
        """Name of the folder of its recordings."""
        return shelf_of(self.eval, load=self.load)


@dataclass(frozen=True)
class Record:
    """Everything known about one cell of a run after it was asked."""

    cell: Cell
    state: State
    checks: Sequence[Check] = ()
    messages: Sequence[Message] = ()
    reply: Reply | None = None
    latency_s: float | None = None
    first_token_s: float | None = None
    source: Source | None = None
    request: str | None = None
    """Fingerprint of the request: equal where two runs asked exactly the same."""
    recorded_at: str | None = None
    error: str | None = None
    max_tokens: int | None = None
    """Where the reply was to be cut; only of an eval that says it of each case."""
    pieces_s: Sequence[float] = ()
    """Seconds to each piece of text; only of an eval that measures time, and empty where nothing was streamed."""
    in_flight: int | None = None
    """The most requests that were under way at once while this one was, itself among them, when it was recorded; None
    where the recording does not say."""

    @property
    def missed(self) -> tuple[Check, ...]:
        """The checks that failed and count."""
        return tuple(check for check in self.checks if check.passed is False and not check.advisory)

    def to_json(self) -> str:
        """Return the record as one line of JSON, in ASCII so that any text at all survives."""
        return json.dumps(_plain(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str | bytes) -> Record:
        """Read a record back.

        Raises:
            RunError: the line is not a record, or of a newer format than this program knows.
        """
        try:
            return _record(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            raise RunError(f"not a record: {problem!r} in {line[:80]!r}") from problem


def _plain(record: Record) -> dict[str, Any]:
    cell = record.cell
    plain: dict[str, Any] = {
        "v": FORMAT,
        "eval": cell.eval,
        "case": cell.case,
        "subject": cell.subject,
        "model": cell.model,
        "repeat": cell.repeat,
        "temperature": cell.temperature,
        "shots": cell.shots,
        "state": record.state,
        "checks": [_plain_check(check) for check in record.checks],
        "messages": list(record.messages),
        "reply": _plain_reply(record.reply) if record.reply else None,
        "latency_s": record.latency_s,
        "first_token_s": record.first_token_s,
        "source": record.source,
        "request": record.request,
        "recorded_at": record.recorded_at,
    }
    if cell.load is not None:
        plain["load"] = cell.load
    if record.error is not None:
        plain["error"] = record.error
    if record.max_tokens is not None:
        plain["max_tokens"] = record.max_tokens
    if record.pieces_s:
        plain["pieces_s"] = list(record.pieces_s)
    if record.in_flight is not None:
        plain["in_flight"] = record.in_flight
    return plain


def _plain_check(check: Check) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "name": check.name,
        "passed": check.passed,
        "expected": check.expected,
        "got": check.got,
    }
    if check.question is not None:
        plain["question"] = check.question
    if check.advisory:
        plain["advisory"] = True
    return plain


def _plain_reply(reply: Reply) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "text": reply.text,
        "finish_reason": reply.finish_reason,
        "model": reply.model,
        "fingerprint": reply.fingerprint,
        "usage": _plain_usage(reply.usage),
    }
    if reply.refusal is not None:
        plain["refusal"] = reply.refusal
    if not reply.ended:
        plain["ended"] = False
    return plain


def _plain_usage(usage: Usage) -> dict[str, int | None]:
    plain = asdict(usage)
    if usage.cached_tokens is None:
        # Most servers do not say: such a record is the same as it was before there was the field.
        del plain["cached_tokens"]
    return plain


def _record(plain: Mapping[str, Any]) -> Record:
    version = plain["v"]
    if version > FORMAT:
        raise ValueError(f"format {version} is newer than {FORMAT}; update tunegate to read it")
    if plain["state"] not in STATES:
        raise ValueError(f"unknown state {plain['state']!r}")
    reply = plain["reply"]
    return Record(
        cell=Cell(
            eval=plain["eval"],
            case=plain["case"],
            subject=plain["subject"],
            model=plain["model"],
            repeat=plain["repeat"],
            temperature=plain["temperature"],
            shots=plain["shots"],
            load=plain.get("load"),
        ),
        state=plain["state"],
        checks=tuple(Check(**check) for check in plain["checks"]),
        messages=tuple(plain["messages"]),
        reply=Reply(**{**reply, "usage": Usage(**reply["usage"])}) if reply else None,
        latency_s=plain["latency_s"],
        first_token_s=plain["first_token_s"],
        source=plain["source"],
        request=plain["request"],
        recorded_at=plain["recorded_at"],
        error=plain.get("error"),
        max_tokens=plain.get("max_tokens"),
        pieces_s=tuple(plain.get("pieces_s", ())),
        in_flight=plain.get("in_flight"),
    )
