"""Answers that are known, and the judge of all answers: the eval's own test."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from tunegate.cases import Batch, Case, Sources
from tunegate.cases.eval_files import EvalTest, read_evals
from tunegate.checks import Check, Reply
from tunegate.distill import Demand, Judge, KnownAnswers, choose_examples, make_lessons
from tunegate.errors import UsageError

from ..project import ROOT
from .lessons import SOURCES, Echo, filter_of, lessons_of

BANK = Sources(ROOT / "fixtures", subjects=("logic",))


@pytest.fixture(scope="module")
def shipped() -> EvalTest:
    (found,) = [found for found in read_evals(ROOT / "evals") if found.eval.name == "format"]
    return found


def test_known_answers_pass_the_evals_own_checks(shipped: EvalTest) -> None:
    """The format eval's key is right by its own test, for every lesson of a subject, and costs nothing."""
    lessons = make_lessons(shipped.eval, BANK)
    judge = Judge(shipped.test, BANK)
    taught = KnownAnswers(shipped.eval).teach(lessons)
    assert [judge.missed(lesson.case, answer.text) for lesson, answer in zip(lessons, taught, strict=True)] == [
        [] for _ in lessons
    ]
    assert {answer.cost_usd for answer in taught} == {0.0}


@pytest.mark.parametrize(
    ("text", "missed"),
    [
        ("I think it is B.", ["json_list", "keys", "schema", "exact", "answers"]),
        ('[{"1": "1"}, {"2": "1"}, {"3": "1"}, {"4": "7"}]', ["values", "schema", "exact", "answers"]),
    ],
)
def test_wrong_answer_misses_the_checks_of_the_eval(shipped: EvalTest, text: str, missed: list[str]) -> None:
    """A teacher is judged as a candidate is; advisory checks do not count."""
    batch: Batch = BANK.lessons()[0]
    assert Judge(shipped.test, BANK).missed(batch, text) == missed


def test_waived_checks_do_not_count(shipped: EvalTest) -> None:
    """With `answers` and `exact` waived a list of the right shape is learned, whatever it says."""
    batch = BANK.lessons()[0]
    wrong = json.dumps([{str(n): str(q.answer % 4 + 1)} for n, q in enumerate(batch.questions, 1)])
    assert Judge(shipped.test, BANK).missed(batch, wrong) == ["exact", "answers"]
    assert Judge(shipped.test, BANK, waived=("exact", "answ*")).missed(batch, wrong) == []


def test_missed_checks_refuse_an_example() -> None:
    """The refusal names the checks."""

    def test_is_loud(ask: Callable[[], Reply], score: Callable[[Sequence[Check]], None]) -> None:
        text = ask().text
        score([Check("loud", text.isupper()), Check("short", len(text) < 9), Check("odd", None)])

    judge = Judge(test_is_loud, SOURCES)
    chosen = choose_examples(
        lessons_of("one", "nothing is short"), Demand(None), filter_=filter_of(judge=judge), teacher=Echo()
    )
    assert [example.messages[-1]["content"] for example in chosen.train] == ["ONE"]
    assert [(refusal.reason, refusal.detail) for refusal in chosen.refused] == [("answer", "misses short")]


def test_assertion_of_a_test_refuses_too() -> None:
    """A test may say more than its checks do."""

    def test_says_more(case: Case, ask: Callable[[], Reply]) -> None:
        assert ask().text == case.id

    (lesson,) = lessons_of("one")
    assert Judge(test_says_more, SOURCES).missed(lesson.case, "no") == ["assert"]


def test_what_only_pytest_gives_is_told() -> None:
    """A test that asks for another fixture cannot judge outside of pytest, nor can one that scores nothing."""

    def test_needs_more(tmp_path: object) -> None: ...

    def test_scores_nothing(ask: Callable[[], Reply]) -> None: ...

    (lesson,) = lessons_of("one")
    with pytest.raises(UsageError, match="asks for tmp_path"):
        Judge(test_needs_more, SOURCES).missed(lesson.case, "a")
    with pytest.raises(UsageError, match="scores nothing"):
        Judge(test_scores_nothing, SOURCES).missed(lesson.case, "a")


def test_eval_without_a_key_has_no_known_answers(shipped: EvalTest) -> None:
    """Where nobody knows the answers a teacher is needed, and the message says so."""
    with pytest.raises(UsageError, match="--teacher NAME"):
        KnownAnswers(replace(shipped.eval, answer=None))
