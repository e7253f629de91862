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
    usage=st.builds(Usage, COUNTS, COUNTS),
    refusal=st.none() | TEXT,
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
