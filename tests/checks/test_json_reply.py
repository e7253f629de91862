"""A reply's text judged by the shape that was asked for."""

from __future__ import annotations

import json
import random
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.checks import JsonReply, Shape, judge_json

ROOT = Path(__file__).resolve().parents[2]
SHAPE = Shape(json.loads((ROOT / "fixtures" / "schemas" / "answer_list.json").read_text("utf-8")))
OPTIONS = st.sampled_from(["1", "2", "3", "4"])


def spell_string(text: str, *, dice: random.Random) -> str:
    """One of the spellings JSON has for a string."""
    hexes = ("\\u{:04x}", "\\u{:04X}")
    return '"' + "".join(c if dice.random() < 0.5 else dice.choice(hexes).format(ord(c)) for c in text) + '"'


def spell_answer(answer: list[dict[str, str]], *, dice: random.Random) -> str:
    """One of the spellings JSON has for a list of objects of strings."""
    tokens: list[str] = []
    for item in answer:
        (key, value), *_ = item.items()
        tokens += [",", "{", spell_string(key, dice=dice), ":", spell_string(value, dice=dice), "}"]
    gaps = ("".join(dice.choices(" \t\r\n", k=dice.randrange(3))) for _ in range(len(tokens) + 2))
    return "".join(gap + token for gap, token in zip(gaps, ["[", *tokens[1:], "]", ""], strict=False))


@given(st.tuples(OPTIONS, OPTIONS, OPTIONS, OPTIONS), st.integers())
def test_every_spelling_of_a_right_answer_fits(options: tuple[str, ...], seed: int) -> None:
    """Whitespace of RFC 8259 anywhere, and escapes of any character in either case, change nothing."""
    answer = [{str(number): option} for number, option in enumerate(options, start=1)]
    reply = judge_json(spell_answer(answer, dice=random.Random(seed)), SHAPE)
    assert reply.json.value == answer
    assert reply.fits
    assert reply.recoverable
    assert reply.root_ok
    assert (reply.problems, reply.keys_problems, reply.values_problems) == ((), (), ())


@given(
    st.text()
    | st.text('[]{}",:\\ \n1234`x\ufeff\ud800')
    | st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(OPTIONS, inner)
    ).map(json.dumps)
)
def test_no_text_crashes_the_judge(text: str) -> None:
    """Any text at all is judged, and what fits has nothing wrong with it."""
    reply = judge_json(text, SHAPE)
    sound = reply.root_ok and not reply.keys_problems and not reply.values_problems
    assert reply.fits == sound
    assert reply.recoverable or not reply.fits


def verdict(reply: JsonReply) -> tuple[bool, bool, bool, bool]:
    """Root, keys, values, recoverable."""
    return reply.root_ok, not reply.keys_problems, not reply.values_problems, reply.recoverable


FITTING = '[{"1":"3"},{"2":"1"},{"3":"4"},{"4":"2"}]'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (FITTING, (True, True, True, True)),
        (f"```json\n{FITTING}\n```", (False, True, True, True)),
        (f"The answers are {FITTING}.", (False, True, True, True)),
        (FITTING[:-1] + ",]", (False, True, True, False)),
        ("I cannot say.", (False, True, True, False)),
        ('{"1":"3"}', (False, True, True, False)),
        (FITTING.replace('"4":', '"5":'), (True, False, True, False)),
        (FITTING.replace('"2":"1"', '"2":"1","2":"1"'), (True, False, True, False)),
        (FITTING.replace(',{"4":"2"}', ""), (True, False, True, False)),
        (FITTING.replace('{"2":"1"}', '"1"'), (True, False, True, False)),
        (FITTING.replace('"1"}', '"5"}'), (True, True, False, False)),
        (FITTING.replace('"1"}', "1}"), (True, True, False, False)),
        (FITTING.replace('"1"}', '{"a":1}}'), (True, True, False, False)),
        (FITTING.replace('"1"}', '"5"}').replace('"3":', '"x":'), (True, False, False, False)),
    ],
)
def test_what_is_wrong_is_held_apart(text: str, expected: tuple[bool, ...]) -> None:
    """A reply fails as no JSON list, by its keys or by its values, each on its own."""
    assert verdict(judge_json(text, SHAPE)) == expected


def test_a_repeated_key_is_told_with_the_keys() -> None:
    """A key that stands twice is a problem of the keys even where its last value is right."""
    reply = judge_json(FITTING.replace('"2":"1"', '"2":"9","2":"1"'), SHAPE)
    assert [problem.text for problem in reply.keys_problems] == ["key '2' stands twice in an object"]
    assert not reply.fits


@pytest.mark.parametrize("text", ["[" * 100_000, "[" * 100_000 + "]" * 100_000, "9" * 1_000_000, '["\ud800"]'])
def test_hostile_replies_are_judged_quickly(text: str) -> None:
    """A reply made to exhaust stack or time is judged in less than a second, recovery included."""
    start = process_time()
    reply = judge_json(text, SHAPE)
    assert process_time() - start < 1
    assert not reply.fits


def test_a_team_may_ask_for_another_shape() -> None:
    """Nothing but the schema says what is asked for: here an answer with a reason beside it."""
    schema: dict[str, Any] = {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["answer", "reason"],
            "properties": {"answer": {"enum": ["a", "b"]}},
        },
    }
    shape = Shape(schema)
    assert verdict(judge_json('[{"answer": "a", "reason": ""}]', shape)) == (True, True, True, True)
    assert verdict(judge_json('[{"answer": "c", "reason": ""}]', shape)) == (True, True, False, False)
    assert verdict(judge_json('[{"answer": "a"}]', shape)) == (True, False, True, False)
