"""The stability evals' own judgement, and what their case files may ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.cases import Sources
from tunegate.checks import Check, Reply, find_answer
from tunegate.checks.repetition import words_of

from ..project import load_eval

ROOT = Path(__file__).resolve().parents[2]
SOURCES = Sources(ROOT / "fixtures")


EVAL = load_eval("test_stability.py")
SPEECHES = {case.id: case for case in EVAL.speeches(SOURCES)}
QUESTIONS = {case.id: case for case in EVAL.questions(SOURCES)}
FORMAT_REPLY = '[{"1": "3"}, {"2": "1"}, {"3": "4"}, {"4": "2"}]'
LETTER = "Thank you for watering my plants while I was away. They look wonderful. I owe you a cake!"


def signs(text: str, *, case: str = "letter-t1", finish: str = "stop") -> dict[str, Check]:
    found: list[Check] = EVAL.signs(SPEECHES[case], Reply(text, finish_reason=finish))
    return {check.name: check for check in found}


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("\u200b \n", "not_empty"),
        ("Thank you so much. " * 12, "no_loop"),
        ("Thank you, мне очень нравится этот сад и цветы.", "expected_script"),
        ("Thank you for the plants. I am glad that you came and watered them every", "whole_end"),
        (FORMAT_REPLY, "plain"),
        (FORMAT_REPLY[:20], "plain"),
    ],
)
def test_reply_that_fell_apart_shows_its_sign(text: str, sign: str) -> None:
    """Each way of coming apart misses its own check, and with it `intact`, which names what was seen."""
    found = signs(text)
    assert found[sign].passed is False
    assert found["intact"].passed is False
    assert sign in found["intact"].got
    assert not found[sign].advisory


def test_good_reply_shows_no_sign() -> None:
    """A letter that ends is intact, with every sign looked at."""
    found = signs(LETTER)
    assert [check.name for check in found.values() if check.passed is False] == []
    assert list(found)[:2] == ["intact", "plain"]


def test_reply_that_was_cut_off_is_measured_and_not_missed() -> None:
    """At the eval's limit a long reply looks like an endless one, so the cut alone is no sign of falling apart."""
    found = signs(LETTER, finish="length")
    assert (found["no_runaway"].passed, found["no_runaway"].advisory) == (False, True)
    assert found["intact"].passed is True
    assert signs(f"{LETTER} {'Thank you so much. ' * 12}", finish="length")["intact"].passed is False


def test_prompt_may_allow_another_script() -> None:
    """What a prompt asks for in Greek letters is not foreign there, and is elsewhere."""
    text = "Το π είναι ο λόγος της περιφέρειας ενός κύκλου προς τη διάμετρό του."
    assert signs(text, case="pi-t0")["expected_script"].passed is True
    assert signs(text)["expected_script"].passed is False


def test_every_prompt_is_asked_at_both_temperatures() -> None:
    """A case is a prompt at a temperature, and its subject says which, so that a gate can hold either."""
    prompts = {case.prompt.id for case in SPEECHES.values()}
    assert set(SPEECHES) == {f"{prompt}-t{t}" for prompt in prompts for t in (0, 1)}
    assert {(case.subject, case.temperature) for case in SPEECHES.values()} == {
        ("temperature 0", 0), ("temperature 1", 1),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("case", "text", "knows", "plain"),
    [
        ("places-eiffel", "The Eiffel Tower is located in Paris, France.", True, True),
        ("places-eiffel", "It is in Lyon.", False, True),
        ("places-eiffel", '["Paris"]', True, False),
        ("numbers-two-six", "2 * 6 = 12", True, True),
        ("numbers-two-six", FORMAT_REPLY, False, False),
        ("people-moon", "NEIL ARMSTRONG", True, True),
        ("words-hot", "", False, True),
    ],
)
def test_question_is_answered_in_words(case: str, text: str, knows: bool, plain: bool) -> None:
    """What is known and whether it was said in words are two things, and both count."""
    found: list[Check] = EVAL.checks(QUESTIONS[case], text)
    assert [(check.name, check.passed, check.advisory) for check in found] == [
        ("knows", knows, False), ("plain", plain, False),
    ]  # fmt: skip


@given(st.text(st.characters()), st.sampled_from(["stop", "length", None]))
def test_any_text_is_judged(text: str, finish: str | None) -> None:
    """Whatever a model says, both evals come to their checks."""
    EVAL.signs(SPEECHES["pi-t0"], Reply(text, finish_reason=finish))
    EVAL.checks(QUESTIONS["words-hot"], text)


def bank_texts() -> Iterator[str]:
    for part in ("test", "train", "dev"):
        yield from (" ".join(words_of(question.text)) for question in SOURCES.bank.questions(part))


def test_no_question_gives_its_answer_away() -> None:
    """No accepted answer stands in its own question, nor in a reply to the format eval, whatever that says."""
    given = [case.id for case in QUESTIONS.values() if find_answer(case.text, case.answers)]
    assert given == []
    numbers = '[{"1": "1"}, {"2": "2"}, {"3": "3"}, {"4": "4"}]'
    assert [case.id for case in QUESTIONS.values() if find_answer(numbers, case.answers)] == []


def test_questions_are_none_of_the_bank() -> None:
    """What a fine-tune may have learned from the bank is no general knowledge."""
    bank = set(bank_texts())
    assert [case.id for case in QUESTIONS.values() if " ".join(words_of(case.text)) in bank] == []


def test_case_files_ask_enough() -> None:
    """Forty questions and twelve prompts, every one by a name and a text of its own."""
    assert (len(QUESTIONS), len(SPEECHES)) == (40, 24)
    assert len({case.text for case in QUESTIONS.values()}) == 40
    assert len({case.prompt.text for case in SPEECHES.values()}) == 12
