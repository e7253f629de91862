"""The record keeps what it was given, whatever that was."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.errors import RunError
from tunegate.records import STATES, Cell, Check, Record, Reply, Usage

TEXT = st.text(st.characters())  # lone surrogates included
COUNTS = st.none() | st.integers(0, 10**6)
SECONDS = st.none() | st.floats(0, 1e4)
CHECKS = st.builds(
    Check,
    name=TEXT,
    passed=st.none() | st.booleans(),
    expected=TEXT,
    got=TEXT,
    question=st.none() | st.integers(1, 4),
    advisory=st.booleans(),
)
REPLIES = st.builds(
    Reply,
    text=TEXT,
    finish_reason=st.none() | TEXT,
    model=st.none() | TEXT,
    fingerprint=st.none() | TEXT,
    usage=st.builds(Usage, COUNTS, COUNTS, COUNTS),
    refusal=st.none() | TEXT,
    ended=st.booleans(),
)
RECORDS = st.builds(
    Record,
    cell=st.builds(Cell, TEXT, TEXT, TEXT, TEXT, st.integers(1, 9), st.none() | st.floats(0, 2), st.integers(0, 9)),
    state=st.sampled_from(STATES),
    checks=st.lists(CHECKS, max_size=3).map(tuple),
    messages=st.lists(st.fixed_dictionaries({"role": st.just("user"), "content": TEXT}), max_size=2).map(tuple),
    reply=st.none() | REPLIES,
    latency_s=SECONDS,
    first_token_s=SECONDS,
    source=st.sampled_from([None, "live", "cassette"]),
    request=st.none() | TEXT,
    recorded_at=st.none() | TEXT,
    error=st.none() | TEXT,
    max_tokens=COUNTS,
    pieces_s=st.lists(st.floats(0, 1e4), max_size=3).map(tuple),
    in_flight=COUNTS,
)


@given(RECORDS)
def test_record_survives_its_line(record: Record) -> None:
    """A record written as a line and read back is the same record, and its line is one line of ASCII."""
    line = record.to_json()
    assert line.isascii()
    assert "\n" not in line
    assert Record.from_json(line) == record


def test_record_has_the_documented_names() -> None:
    """The names that other programs read stand at the top of the line."""
    record = Record(Cell("format", "astronomy-03", "astronomy", "m", 2, 0.0, 0), "answered", reply=Reply("[]"))
    plain = json.loads(record.to_json())
    assert set(plain) == {
        "v", "eval", "case", "subject", "model", "repeat", "temperature", "shots", "state", "checks", "messages",
        "reply", "latency_s", "first_token_s", "source", "request", "recorded_at",
    }  # fmt: skip
    assert set(plain["reply"]) == {"text", "finish_reason", "model", "fingerprint", "usage"}


def test_cached_tokens_stand_only_where_the_server_said_so() -> None:
    """A record without them is read as before and written as before; 0 is something that the server said."""
    cell = Cell("format", "astronomy-03", "astronomy", "m")
    silent, none, some = (
        Record(cell, "answered", reply=Reply("[]", usage=Usage(9, 1, cached))) for cached in (None, 0, 7)
    )
    usages = [json.loads(record.to_json())["reply"]["usage"] for record in (silent, none, some)]
    assert usages[0] == {"prompt_tokens": 9, "completion_tokens": 1}
    assert [usage.get("cached_tokens") for usage in usages[1:]] == [0, 7]
    assert all(Record.from_json(record.to_json()) == record for record in (silent, none, some))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "not a record"),
        ("[]", "not a record"),
        ("{}", "not a record"),
        ('{"v": 99}', "newer than 1"),
        ('{"v": 1, "state": "fine"}', "unknown state 'fine'"),
    ],
)
def test_what_is_no_record_is_said(line: str, why: str) -> None:
    """A line that is no record, or of a later format, is refused with the reason."""
    with pytest.raises(RunError, match=why):
        Record.from_json(line)


def test_advisory_checks_are_never_missed() -> None:
    """A check that is only measured does not make an item miss, nor does one that could not be judged."""
    checks = (Check("a", False, advisory=True), Check("b", None), Check("c", False), Check("d", True))
    record = Record(Cell("e", "c", "s", "m"), "answered", checks)
    assert [check.name for check in record.missed] == ["c"]
