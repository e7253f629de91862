"""The public rules of JSONTestSuite (Seriot, "Parsing JSON is a Minefield"), offline."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tunegate.checks import read_json

LINES = (Path(__file__).parent / "json_test_suite" / "cases.jsonl").read_text("ascii").splitlines()
CASES = {case["name"]: case["text"] * case.get("times", 1) + case.get("end", "") for case in map(json.loads, LINES)}
REFUSED_BY_CHOICE = {
    "i_structure_500_nested_arrays.json",
    "i_structure_UTF-8_BOM_empty_object.json",
    # UTF-16 read as UTF-8 is full of NUL, which stands in no JSON outside of a string.
    "i_string_UTF-16LE_with_BOM.json",
    "i_string_utf16BE_no_BOM.json",
    "i_string_utf16LE_no_BOM.json",
}


def named(prefix: str) -> list[str]:
    """The names of the suite's files of one kind."""
    return [name for name in CASES if name.startswith(prefix)]


def test_the_suite_is_complete() -> None:
    """The suite is whole: 95 texts to accept, 188 to refuse (12 of them once not UTF-8), 35 open."""
    assert Counter(name[0] for name in CASES) == {"y": 95, "n": 188, "i": 35}
    assert sum("\ufffd" in CASES[name] for name in named("n_")) == 12


@pytest.mark.parametrize("name", named("y_"))
def test_what_must_be_accepted_is(name: str) -> None:
    """A text that RFC 8259 calls JSON is accepted."""
    found = read_json(CASES[name])
    assert found.valid, found.problem
    assert found.problem == ""


@pytest.mark.parametrize("name", named("n_"))
def test_what_must_be_refused_is(name: str) -> None:
    """A text that RFC 8259 does not call JSON is refused, with a reason of one short line."""
    found = read_json(CASES[name])
    assert not found.valid
    assert found.value is None
    assert 0 < len(found.problem) < 100
    assert found.problem.isprintable()


@pytest.mark.parametrize("name", named("i_"))
def test_what_is_open_is_decided_as_documented(name: str) -> None:
    """Where RFC 8259 leaves a choice, it is taken as the docstring of read_json says."""
    assert read_json(CASES[name]).valid == (name not in REFUSED_BY_CHOICE)


def test_only_the_keys_that_the_suite_repeats_are_told() -> None:
    """Of all accepted texts, the two with a key that stands twice name it."""
    told = {name for name in named("y_") if read_json(CASES[name]).repeated}
    assert told == {"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"}
