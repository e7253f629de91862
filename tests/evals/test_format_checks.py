"""The format eval's own judgement: what passes, what misses, and that nothing crashes it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.cases import Batch, Question, Sources
from tunegate.checks import Check, Shape

from ..project import load_eval

ROOT = Path(__file__).resolve().parents[2]
KEYS = ["3", "1", "4", "2"]
BATCH = Batch(
    "sums-01", "sums", tuple(Question(f"q{n}", ("a", "b", "c", "d"), int(key), "sums") for n, key in enumerate(KEYS))
)
RIGHT = [{"1": "3"}, {"2": "1"}, {"3": "4"}, {"4": "2"}]


EVAL = load_eval("test_format.py")
SHAPE = Shape(Sources(ROOT / "fixtures").schema("answer_list"))


Judged = dict[str, bool | list[bool | None] | None]


def judge(text: str) -> Judged:
    found: list[Check] = EVAL.checks(BATCH, text, SHAPE)
    assert [check.name for check in found] == [
        "json_list", "keys", "values", "schema", "exact", "answers", "answers", "answers", "answers", "recoverable",
    ]  # fmt: skip
    plain: Judged = {check.name: check.passed for check in found if check.name != "answers"}
    plain["answers"] = [check.passed for check in found if check.name == "answers"]
    return plain


T, F = True, False
ALL, NO = [T, T, T, T], [F, F, F, F]


@pytest.mark.parametrize(
    ("text", "json_list", "keys", "values", "exact", "answers", "recoverable"),
    [
        (json.dumps(RIGHT), T, T, T, T, ALL, T),
        ('[{"1":"3"},{"2":"1"},{"3":"4"},{"4":"1"}]', T, T, T, F, [T, T, T, F], T),
        ('[{"1":"3"},{"2":"1"},{"3":"4"}]', T, F, None, F, [T, T, T, F], F),
        ('[{"2":"1"},{"1":"3"},{"3":"4"},{"4":"2"}]', T, F, None, F, [F, F, T, T], F),
        ('[{"1":"3"},{"2":"1"},{"3":"4"},{"4":"5"}]', T, T, F, F, [T, T, T, F], F),
        ('[{"1":3},{"2":1},{"3":4},{"4":2}]', T, T, F, F, NO, F),
        ('[{"1":"3","1":"3"},{"2":"1"},{"3":"4"},{"4":"2"}]', T, F, None, F, ALL, F),
        (json.dumps([*RIGHT, {"5": "1"}]), T, F, None, F, ALL, F),
        ('{"1":"3","2":"1","3":"4","4":"2"}', F, F, None, F, NO, F),
        (f"```json\n{json.dumps(RIGHT)}\n```", F, F, None, F, NO, T),
        (f"Sure! {json.dumps(RIGHT)} I hope this helps.", F, F, None, F, NO, T),
        (f"\ufeff{json.dumps(RIGHT)}", F, F, None, F, NO, T),
        ("[NaN]", F, F, None, F, NO, F),
        ("", F, F, None, F, NO, F),
        ("null", F, F, None, F, NO, F),
        ("[]", T, F, None, F, NO, F),
        ("[" * 100_000, F, F, None, F, NO, F),
        ("[" + "9" * 100_000 + "]", T, F, None, F, NO, F),
        ('["\\ud800"]', T, F, None, F, NO, F),
        ("\ud800", F, F, None, F, NO, F),
        (json.dumps(RIGHT)[:-1], F, F, None, F, NO, F),
    ],
    ids=range(21),
)
def test_metrics_say_what_is_wrong(  # noqa: PLR0917  # one argument a column of the table above
    text: str,
    json_list: bool,
    keys: bool,
    values: bool | None,
    exact: bool,
    answers: list[bool],
    recoverable: bool,
) -> None:
    """Each kind of wrong reply misses exactly the metrics that it should."""
    assert judge(text) == {
        "json_list": json_list,
        "keys": keys,
        "values": values,
        "schema": json_list and keys and bool(values),
        "exact": exact,
        "answers": answers,
        "recoverable": recoverable,
    }


@given(st.text(st.characters()))
def test_any_text_is_judged(text: str) -> None:
    """Whatever a model says, judging it gives ten checks."""
    judge(text)


@given(st.lists(st.sampled_from("1234"), min_size=4, max_size=4), st.data())
def test_any_spelling_of_a_valid_answer_passes(choices: list[str], data: st.DataObject) -> None:
    """Spaces between tokens and escapes in strings are JSON's freedom, not the model's mistake."""
    space = st.text(" \t\r\n", max_size=3)

    def spell(text: str) -> str:
        return "".join(data.draw(st.sampled_from([c, f"\\u{ord(c):04x}", f"\\u{ord(c):04X}"])) for c in text)

    def token(text: str) -> str:
        return f"{data.draw(space)}{text}{data.draw(space)}"

    items = [
        token("{") + token(f'"{spell(str(number))}"') + ":" + token(f'"{spell(choice)}"') + token("}")
        for number, choice in enumerate(choices, 1)
    ]
    judged = judge(token("[") + ",".join(items) + token("]"))
    assert judged["schema"] is True
    assert judged["exact"] is (choices == KEYS)
    assert judged["answers"] == [choice == key for choice, key in zip(choices, KEYS, strict=True)]


def test_shots_are_turns_before_the_same_question() -> None:
    """A long prompt asks the same last message, so that its answers can be compared."""
    sources = Sources(ROOT / "fixtures")
    plain, long = (EVAL.prompt(BATCH, sources.with_shots(shots)) for shots in (0, 3))
    assert len(long) == len(plain) + 6
    assert (long[0], long[-1]) == (plain[0], plain[-1])
    assert [message["role"] for message in long[1:-1]] == ["user", "assistant"] * 3
    for message in long[2:-1:2]:
        assert not SHAPE.problems(json.loads(message["content"]))
