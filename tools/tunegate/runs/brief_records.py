"""Records without their texts: what a gate needs, read several times as fast as whole ones.

Not imported with the room: a run that judges nothing does not wait for the decoder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import msgspec

from tunegate.errors import RunError
from tunegate.records import FORMAT, Record, State
from tunegate.runs.folder import read_whole_lines, records_file


class BriefCheck(msgspec.Struct, gc=False):
    """A check's name and what it said."""

    name: str
    passed: bool | None
    advisory: bool = False


class BriefUsage(msgspec.Struct, gc=False):
    """Tokens as the server counted them; None where it did not say."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None


class BriefReply(msgspec.Struct, gc=False):
    """What a reply was made of."""

    usage: BriefUsage


class BriefMessage(msgspec.Struct, gc=False):
    """What one message said."""

    content: str


class BriefRecord(msgspec.Struct, gc=False):
    """A line of records.jsonl, as docs/records.md describes it, without the fields that no gate reads."""

    v: int
    eval: str
    case: str
    subject: str
    model: str
    repeat: int
    state: State
    checks: list[BriefCheck]
    messages: list[BriefMessage]
    reply: BriefReply | None
    latency_s: float | None
    first_token_s: float | None
    temperature: float | None = None
    max_tokens: int | None = None
    load: int | None = None
    in_flight: int | None = None
    recorded_at: str | None = None

    @classmethod
    def of(cls, record: Record) -> BriefRecord:
        """Return what a gate needs of a record, as it would be read from its line."""
        cell, reply = record.cell, record.reply
        return cls(
            v=FORMAT,
            eval=cell.eval,
            case=cell.case,
            subject=cell.subject,
            model=cell.model,
            repeat=cell.repeat,
            state=record.state,
            checks=[BriefCheck(check.name, check.passed, check.advisory) for check in record.checks],
            messages=[BriefMessage(message["content"]) for message in record.messages],
            reply=BriefReply(BriefUsage(**vars(reply.usage))) if reply else None,
            latency_s=record.latency_s,
            first_token_s=record.first_token_s,
            temperature=cell.temperature,
            max_tokens=record.max_tokens,
            load=cell.load,
            in_flight=record.in_flight,
            recorded_at=record.recorded_at,
        )


_decode = msgspec.json.Decoder(BriefRecord).decode


def read_brief_records(path: Path) -> Iterator[BriefRecord]:
    """Yield what a gate needs of each record of the run folder `path`, in the file's order.

    The last line may be torn where a writer was killed; it is passed over.

    Raises:
        RunError: no such file, or a line that is not a record, named by its number.
    """
    file = records_file(path)
    for number, line in read_whole_lines(path):
        yield _read(line, file=file, number=number)


def _read(line: bytes, *, file: Path, number: int) -> BriefRecord:
    try:
        record = _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _read_slowly(line, file=file, number=number)
    if record.v > FORMAT:
        return _read_slowly(line, file=file, number=number)
    return record


def _read_slowly(line: bytes, *, file: Path, number: int) -> BriefRecord:
    """Read what the decoder refuses: texts with lone surrogates are records, and of all else `Record` says what it is.

    Raises:
        RunError: it is not a record.
    """
    try:
        Record.from_json(line)
        return msgspec.convert(json.loads(line, parse_constant=_refuse_constant), BriefRecord)
    except RunError as problem:
        raise RunError(f"{file}, line {number}: {problem}") from problem
    except (msgspec.MsgspecError, ValueError) as problem:
        raise RunError(f"{file}, line {number}: not a record: {problem}") from problem


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
