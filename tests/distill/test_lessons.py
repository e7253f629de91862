"""Lessons of an eval, and all that evals ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tunegate.cases import Eval, Message, Sources
from tunegate.cases.eval_files import EvalTest, read_evals
from tunegate.distill import (
    eval_of_prompts,
    index_evaluation,
    make_lessons,
    parts_of,
    prompt_of_messages,
    with_system,
)
from tunegate.errors import UsageError

from ..project import ROOT


@dataclass(frozen=True)
class Letter:
    id: str
    text: str
    subject: str = "letters"


def ask(letter: Letter, _: Sources) -> list[Message]:
    return [{"role": "system", "content": "Be kind."}, {"role": "user", "content": letter.text}]


def eval_of(*letters: Letter, training: Sequence[Letter] | None = None) -> Eval:
    return Eval(
        "letters",
        cases=lambda _: letters,
        prompt=ask,
        training=None if training is None else lambda _: training,
    )


@pytest.fixture(scope="module")
def shipped() -> EvalTest:
    (found,) = [found for found in read_evals(ROOT / "evals") if found.eval.name == "format"]
    return found


def test_shipped_training_part_is_asked_without_worked_examples(shipped: EvalTest) -> None:
    """A lesson is the prompt that the student will see: with `--shots` for others, it has none."""
    lessons = make_lessons(shipped.eval, Sources(ROOT / "fixtures", shots=3, subjects=("logic",)))
    assert {lesson.case.subject for lesson in lessons} == {"logic"}
    assert all([message["role"] for message in lesson.messages] == ["system", "user"] for lesson in lessons)
    assert all(len(lesson.parts) == 4 for lesson in lessons)


def test_evaluation_is_everything_that_can_be_asked(shipped: EvalTest) -> None:
    """Whatever limit an eval has of its own, every question of the test part is compared."""
    sources = Sources(ROOT / "fixtures", limit="all")
    evaluation = index_evaluation([shipped.eval], sources, near=0.8)
    assert evaluation.parts == len(sources.bank.test)
    found = evaluation.index.find(parts_of(sources.bank.batches()[-1], ())[3])
    assert found is not None
    assert (found.kind, found.name[:7]) == ("exact", "format[")


def test_other_evals_are_compared_by_what_the_user_says() -> None:
    """The instruction before every case is no reason to take two cases for one."""
    evaluation = index_evaluation([eval_of(Letter("a", "the soup is cold"))], Sources(Path("x"), limit="all"), near=0.5)
    soup, parcel = make_lessons(
        eval_of(training=[Letter("t1", "The soup is cold"), Letter("t2", "my parcel is late")]), Sources(Path("x"))
    )
    found = evaluation.index.find(soup.parts[0])
    assert found is not None
    assert found.name == "letters[a]"
    assert evaluation.index.find(parcel.parts[0]) is None


def chat(*said: str) -> list[Message]:
    return [{"role": "user", "content": text} for text in said]


def test_each_turn_of_a_lesson_is_looked_at() -> None:
    """A question of an eval is no less learned in the second turn of a chat, or in its system message."""
    letter = "the soup that I was brought is cold"
    evaluation = index_evaluation([eval_of(Letter("a", letter))], Sources(Path("x"), limit="all"), near=0.8)
    prompts = [prompt_of_messages(chat("Hello", letter)), prompt_of_messages(chat("Hello", "my parcel is late"))]
    leaking, other = make_lessons(eval_of_prompts("mine", prompts), Sources(Path("x")))
    told = evaluation.leak_of(leaking)
    assert told is not None
    assert told[1].name == "letters[a]"
    assert evaluation.leak_of(other) is None
    (taught,) = make_lessons(eval_of_prompts("mine", prompts[1:]), Sources(Path("x")), system=f"Say no to: {letter}")
    told = evaluation.leak_of(taught)
    assert told is not None
    assert told[0] == "message 1 (system)"


def test_each_turn_of_an_eval_is_asked() -> None:
    """Where an eval has the user speak twice, both are found; but not what every case of it begins with."""
    rules = "Play a guest of the hotel and complain about what I tell you"
    letters = [Letter(name, f"{name} of the room is broken and I am angry") for name in ("lamp", "bed", "door")]
    evals = Eval("talks", cases=lambda _: letters, prompt=lambda letter, _: chat(rules, letter.text))
    evaluation = index_evaluation([evals], Sources(Path("x"), limit="all"), near=0.8)
    own = make_lessons(
        Eval("talks", cases=lambda _: [], prompt=lambda letter, _: chat(rules, letter.text), training=lambda _: [
            Letter("t1", "the breakfast was cold, and nobody came to take it away"), letters[0],
        ]),
        Sources(Path("x")),
    )  # fmt: skip
    assert [evaluation.leak_of(lesson) is None for lesson in own] == [True, False]
    alone = make_lessons(eval_of_prompts("mine", [prompt_of_messages(chat(letters[0].text))]), Sources(Path("x")))
    assert evaluation.leak_of(alone[0]) is not None


def test_whole_batch_is_refused_as_text(shipped: EvalTest) -> None:
    """What the format eval sends is found in a file of prompts, and not only its single questions."""
    sources = Sources(ROOT / "fixtures", limit="all")
    evaluation = index_evaluation([shipped.eval], sources, near=0.8)
    batch = sources.bank.batches()[0]
    said = shipped.eval.prompt(batch, sources)[-1]["content"]
    (lesson,) = make_lessons(eval_of_prompts("mine", [prompt_of_messages(chat(said))]), sources)
    told = evaluation.leak_of(lesson)
    assert told is not None
    assert (told[1].kind, told[1].name) == ("exact", f"format[{batch.id}]")


def test_evaluation_has_one_digest_whatever_its_order() -> None:
    """The digest tells whether a training set was compared with what is asked today."""
    letters = [Letter("a", "one"), Letter("b", "two")]
    digests = {
        index_evaluation([eval_of(*asked)], Sources(Path("x"), limit="all"), near=0.8).digest
        for asked in (letters, letters[::-1])
    }
    other = index_evaluation([eval_of(letters[0])], Sources(Path("x"), limit="all"), near=0.8).digest
    assert len(digests) == 1
    assert other not in digests


def test_system_message_is_replaced_left_out_or_left() -> None:
    """A text replaces it, an empty one removes it, None leaves it."""
    messages = ask(Letter("a", "hello"), Sources(Path("x")))
    assert with_system(messages, None) == messages
    assert with_system(messages, "")[0]["role"] == "user"
    assert with_system(messages, "Be rude.") == [{"role": "system", "content": "Be rude."}, messages[1]]
    (lesson,) = make_lessons(eval_of(training=[Letter("t", "hello")]), Sources(Path("x")), system="Be rude.")
    assert lesson.messages[0]["content"] == "Be rude."


def test_eval_without_training_cases_says_how_to_declare_them() -> None:
    """Not every eval offers lessons."""
    with pytest.raises(UsageError, match="training=FUNCTION"):
        make_lessons(eval_of(), Sources(Path("x")))


def test_two_cases_of_one_name_are_refused() -> None:
    """Recordings and nested sizes go by the id."""
    with pytest.raises(UsageError, match="two training cases called 't'"):
        make_lessons(eval_of(training=[Letter("t", "one"), Letter("t", "two")]), Sources(Path("x")))
