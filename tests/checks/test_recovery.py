"""What a forgiving caller would have made of a text that is not JSON."""

from __future__ import annotations

import json
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.checks import MAX_DEPTH, read_json, recover_json

ANSWER = '[{"1": "3"}, {"2": "1"}]'
PROSE = st.text(st.characters(exclude_characters='[]{}`"'), max_size=40)


@given(st.text() | st.text('[]{}",:\\ \n1`e-tru\x00\ufeff'))
def test_no_text_crashes_recovery(text: str) -> None:
    """Of any text at all, what is recovered is JSON, and JSON itself is recovered as it is."""
    found = recover_json(text)
    assert found is None or found.valid
    if read_json(text).valid:
        assert found == read_json(text)


@pytest.mark.parametrize(
    "text",
    [
        ANSWER,
        f"\ufeff{ANSWER}",
        f" \u00a0\ufeff\u2003{ANSWER}\u200a",
        f"```json\n{ANSWER}\n```",
        f"```JSON\r\n{ANSWER}\r\n```",
        f"```\n{ANSWER}```",
        f"```json\n{ANSWER}",
        f"```python\n{ANSWER}\n```",
        f"```json {ANSWER} ```",
        f"Sure! Here it is:\n\n```json\n{ANSWER}\n```\nAnything else?",
        f"Here is the list [as you asked]: {ANSWER}. Bye [1].",
        f'The "answers are: {ANSWER}',
        f'[ "one": {ANSWER}',
        f"[[[{ANSWER}",
        f"{ANSWER}]]]",
        f'{{"a": {ANSWER}',
        f"[1, 2 {ANSWER}",
        f"{ANSWER}\n\n{ANSWER}",
        f'[1 "{ANSWER}',
    ],
)
def test_what_stands_around_the_answer_is_taken_away(text: str) -> None:
    """Byte order mark, whitespace, code fence and prose around a list leave the list."""
    found = recover_json(text)
    assert found is not None
    assert found.value == json.loads(ANSWER)


@pytest.mark.parametrize("text", ["", "no list", "[1,]", "{'a': 1}", "[1, 2", "[" * 1000, '["[1]', "```json\n```"])
def test_nothing_is_repaired(text: str) -> None:
    """Trailing commas, single quotes and missing brackets stay errors."""
    assert recover_json(text) in (None, read_json("[1]"))
    assert recover_json("[1,]") is None


def test_a_fenced_value_goes_before_a_longer_one_in_the_prose() -> None:
    """What a fence holds is what was meant, even if it is no list and the prose has one."""
    found = recover_json("Not [1, 2, 3, 4, 5] but\n```json\n42\n```")
    assert found is not None
    assert found.value == 42


def test_the_longest_wins_and_of_equals_the_first() -> None:
    """Of several lists in the prose the longest is taken, the first of those as long."""
    found = recover_json("see [1], then [2, 3] or [4, 5]")
    assert found is not None
    assert found.value == [2, 3]


def test_repeated_keys_are_told_of_what_was_recovered() -> None:
    """What is recovered is read as strictly as a whole text."""
    found = recover_json('so: {"a": 1, "a": 2}')
    assert found is not None
    assert found.repeated == ("a",)


@given(before=PROSE, after=PROSE, value=st.lists(st.dictionaries(st.text(), st.integers() | st.text())))
def test_any_list_is_found_in_any_prose(before: str, after: str, value: list[object]) -> None:
    """A list within prose that has no brackets, quotation marks or fences is found whole."""
    found = recover_json(f"x{before}{json.dumps(value)}{after}")
    assert found is not None
    assert found.value == value


@given(st.text('[]{}",:\\ 1', max_size=30))
def test_no_longer_json_stands_in_the_text(text: str) -> None:
    """In text without quotation marks, no list or object is longer than the one found."""
    plain = text.replace('"', "")
    found = recover_json(f"x{plain}")
    spans = (plain[start:end] for start in range(len(plain)) for end in range(start + 1, len(plain) + 1))
    longest = max((span for span in spans if span[0] in "[{" and read_json(span).valid), key=len, default=None)
    assert (found and found.value) == (longest and json.loads(longest))


def test_an_object_too_deep_is_given_up_and_its_inside_kept() -> None:
    """Of nesting beyond the limit the largest part within the limit is found."""
    found = recover_json("so " + "[" * (MAX_DEPTH + 5) + "]" * (MAX_DEPTH + 5))
    assert found is not None
    assert found == read_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)


HOSTILE = {
    "brackets": "[",
    "nested objects": '[{"":',
    "mixed brackets": "[{",
    "misfit strings": '[1 "[ ',
    "strings never closed": '["\\"',
    "broken escapes": '["\\x',
    "strings side by side": '"[',
    "numbers": "[1,",
    "fences": "```",
    "closed pairs": "[] ",
    "deep pairs": "[" * 90 + "]" * 90,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_with_the_length_only(name: str) -> None:
    """Eight times the text takes about eight times as long, and not sixty-four."""
    short, long = (HOSTILE[name] * (size // len(HOSTILE[name])) for size in (8_000, 64_000))
    assert fastest(long) < 24 * fastest(short) + 0.01


def fastest(text: str) -> float:
    """The fastest of three recoveries, in seconds of the processor."""
    times = []
    for _ in range(3):
        start = process_time()
        recover_json(text)
        times.append(process_time() - start)
    return min(times)
