"""Is a text JSON, by the letter of RFC 8259?"""

from __future__ import annotations

import json
import math
import sys
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.checks import MAX_DEPTH, JsonText, read_json

TEXTS = st.text() | st.text(st.characters(categories=["Cs", "Cc", "Ll", "Nd"])) | st.text('[]{}",:\\ \n1eE-+.tu')
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
HOSTILE = {
    "brackets opened": "[" * 100_000,
    "brackets opened and closed": "[" * 100_000 + "]" * 100_000,
    "objects opened": '[{"":' * 50_000,
    "brackets side by side": "[" + "[]," * 30_000 + "[]]",
    "brackets in a string": '["' + "[" * 500_000 + '"]',
    "digits": "1" * 1_000_000,
    "negative digits": "[-" + "9" * 1_000_000 + "]",
    "digits after the point": "0." + "1" * 1_000_000,
    "digits of the exponent": "1e" + "9" * 1_000_000,
    "huge exponent": "1e999999",
    "escapes in a string": '["' + "\\[" * 100_000,
    "quotation marks": '"' * 200_001,
    "backslashes": '"' + "\\" * 200_001,
    "NUL": "\0" * 100_000,
    "half a pair": '["\ud800", "\\ud800"]',
    "strings never closed": '["' * 100_000,
}


@given(TEXTS)
def test_no_text_crashes_the_reader(text: str) -> None:
    """Any text at all is either JSON or has a problem that one can read."""
    found = read_json(text)
    assert found.valid is (found.problem == "")
    assert found.problem.isprintable()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_read_at_once(name: str) -> None:
    """A text made to exhaust stack or time is judged in less than a tenth of a second."""
    assert min(seconds_to_read(HOSTILE[name]) for _ in range(3)) < 0.1


def seconds_to_read(text: str) -> float:
    """How long one reading takes the processor, whatever else the machine is busy with."""
    start = process_time()
    read_json(text)
    return process_time() - start


@given(VALUES, st.sampled_from([None, 0, 3, "\t"]), st.booleans())
def test_whatever_is_written_as_json_is_read_back(value: object, indent: int | str | None, ascii_only: bool) -> None:
    """What json.dumps writes without NaN is JSON, and read back equal."""
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only, allow_nan=False)
    assert read_json(text) == JsonText(value, valid=True)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty"),
        (" \r\n\t", "empty"),
        ("\ufeff[]", "starts with a byte order mark"),
        ("```json\n[]\n```", "starts with a code fence"),
        ("Sure! Here: []", "starts with 'Sure! Here: []', as no JSON does"),
        ("[] is it", "text after the JSON: 'is it'"),
        ("[1, NaN]", "NaN is not JSON"),
        ("-Infinity", "-Infinity is not JSON"),
        ("[1,", "ends too early"),
        ('{"a" 1}', "expecting ':' delimiter at line 1 column 6"),
        ("[\n'a']", "expecting value at line 2 column 1"),
        ('["a\tb"]', "invalid control character at line 1 column 4"),
        ("[1 // one\n]", "expecting ',' delimiter at line 1 column 4"),
        ("\u00a0[]", "starts with '\\xa0[]', as no JSON does"),
        ("[1,\u20282]", "expecting value at line 1 column 4"),
        ("[" * 101 + "]" * 101, "nested more than 100 deep"),
    ],
)
def test_a_refusal_names_its_reason(text: str, problem: str) -> None:
    """What is not JSON is refused with the reason, in few words."""
    assert read_json(text) == JsonText(None, valid=False, problem=problem)


def test_nesting_is_read_down_to_the_limit_and_no_further() -> None:
    """MAX_DEPTH levels are read; brackets in strings or side by side are no levels."""
    assert read_json("[" * MAX_DEPTH + "]" * MAX_DEPTH).valid
    assert not read_json("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)).valid
    assert read_json(json.dumps(["\\" + '"[{' * 200])).valid
    assert read_json(json.dumps([[]] * 200)).valid


def test_the_limit_of_nesting_does_not_depend_on_the_caller() -> None:
    """Deep in a stack, as under pytest, the same depth is read."""

    def read_from(depth: int) -> JsonText:
        return read_from(depth - 1) if depth else read_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)

    assert read_from(sys.getrecursionlimit() // 2).valid


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("9" * 4300, 10**4300 - 1),
        ("9" * 4301, math.inf),
        ("-" + "9" * 4301, -math.inf),
        ("1e999999", math.inf),
        ("1e-999999", 0.0),
        ("123456789012345678901234567890", 123456789012345678901234567890),
    ],
    ids=["4300 digits", "4301 digits", "4301 negative digits", "too large", "too small", "30 digits"],
)
def test_numbers_of_any_size_are_numbers(text: str, value: float) -> None:
    """Integers of up to 4300 digits are exact, other numbers the nearest double."""
    found = read_json(text)
    assert found.valid
    assert found.value == value


def test_the_process_may_set_a_lower_limit_of_digits() -> None:
    """Where Python is told to convert fewer digits, a longer integer is a double and no crash."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    try:
        assert read_json("1" * 641) == JsonText(math.inf, valid=True)
    finally:
        sys.set_int_max_str_digits(limit)


def test_repeated_keys_are_named_once_each() -> None:
    """A key that stands twice in one object is named, one that stands in two objects is not."""
    found = read_json('[{"1": 1, "2": 2, "1": 3, "1": 4, "\\u0032": 5}, {"3": {"2": 1, "b": 2, "b": 2}}]')
    assert found.value == [{"1": 4, "2": 5}, {"3": {"2": 1, "b": 2}}]
    assert sorted(found.repeated) == ["1", "2", "b"]
    assert read_json('[{"1": 1}, {"1": 2}]').repeated == ()


@pytest.mark.parametrize("text", ['"\ud800"', '"\\ud800"', '"\\uD800"'])
def test_half_a_surrogate_pair_is_kept(text: str) -> None:
    """Half of a surrogate pair in a string, raw or escaped, is accepted and kept."""
    assert read_json(text) == JsonText("\ud800", valid=True)
