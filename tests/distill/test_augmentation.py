"""More prompts like those of a file."""

from __future__ import annotations

import json

import pytest

from tunegate.distill import Taught, augmenting_eval, prompt_of_messages, read_variants

from .lessons import SOURCES

SEED = prompt_of_messages(
    [{"role": "system", "content": "Be rude."}, {"role": "user", "content": "The soup is cold."}], answer="So?"
)


def test_variants_take_the_place_of_the_last_thing_said() -> None:
    """A variant keeps what stands before it, and not the answer of its seed."""
    made = read_variants([SEED], [Taught(json.dumps(["The tea is cold.", "The bed is hard."]))], count=2)
    assert [prompt.messages[-1]["content"] for prompt in made.prompts] == ["The tea is cold.", "The bed is hard."]
    assert {prompt.messages[0]["content"] for prompt in made.prompts} == {"Be rude."}
    assert {prompt.answer for prompt in made.prompts} == {None}
    assert len({prompt.id for prompt in (SEED, *made.prompts)}) == 3


@pytest.mark.parametrize(
    ("reply", "count"),
    [
        (Taught('Here:\n```json\n["a", "b"]\n```'), 2),
        (Taught('["a", "b", "c", "d"]'), 3),
        (Taught('["a", 2, "", null]'), 1),
        (Taught("1. a\n2. b"), 0),
        (Taught('{"a": "b"}'), 0),
        (Taught('["a", "b"]', problem="truncated"), 0),
    ],
)
def test_only_a_list_of_texts_is_read(reply: Taught, count: int) -> None:
    """What stands around the list is passed over; more than was asked for is not taken; nothing is repaired."""
    made = read_variants([SEED], [reply], count=3)
    assert len(made.prompts) == count
    assert made.unusable == (count == 0)


def test_teacher_is_asked_for_so_many() -> None:
    """The request says how many, shows what the user said, and leaves room for them."""
    eval_ = augmenting_eval("letters-augment", [SEED], count=7)
    system, user = eval_.prompt(SEED, SOURCES)
    assert "Write 7 new prompts" in system["content"]
    assert user["content"] == "The soup is cold."
    assert eval_.max_tokens == 7 * 128
