"""What the shipped evals ask is found with a word changed, and the bank's own training part is not lost to that."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from tunegate.cases import Batch, Sources
from tunegate.cases.eval_files import read_evals
from tunegate.cases.matrix import Matrix
from tunegate.distill import (
    Demand,
    Evaluation,
    Filter,
    KnownAnswers,
    choose_examples,
    count_reasons,
    eval_of_prompts,
    find_leaks,
    index_evaluation,
    make_lessons,
    parts_of,
    prompt_of_messages,
    render_lines,
)

from ..project import ROOT

SOURCES = Sources(ROOT / "fixtures", limit="all")
EVALS = {found.eval.name: found.eval for found in read_evals(ROOT / "evals")}
_LETTERS = re.compile(r"[^\W\d_]{2,}")
WORDS = 6


@dataclass(frozen=True)
class Asked:
    """What a shipped eval asks in a case."""

    name: str
    case: object
    text: str


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return index_evaluation(EVALS.values(), SOURCES, near=0.8)


def asked(name: str) -> Iterator[Asked]:
    for case in EVALS[name].cases(SOURCES):
        (message,) = [message for message in EVALS[name].prompt(case, SOURCES) if message["role"] == "user"]
        if len(message["content"].split()) >= WORDS:
            yield Asked(f"{name}[{case.id}]", case, message["content"])


def with_middle_word_replaced(text: str) -> str:
    """Replace the word of letters that is nearest to the middle."""
    middle = min(_LETTERS.finditer(text), key=lambda word: abs(word.start() + word.end() - len(text)))
    return f"{text[: middle.start()]}zebra{text[middle.end() :]}"


def share_refused(evaluation: Evaluation, texts: list[str]) -> float:
    prompts = [prompt_of_messages([{"role": "user", "content": text}]) for text in dict.fromkeys(texts)]
    lessons = make_lessons(eval_of_prompts("mine", prompts), SOURCES)
    return sum(evaluation.leak_of(lesson) is not None for lesson in lessons) / len(lessons)


@pytest.mark.parametrize("name", sorted(EVALS))
def test_prompt_of_an_eval_is_refused_word_for_word(evaluation: Evaluation, name: str) -> None:
    """What an eval sends is never learned: as a prompt, in a longer one, or as one turn of a chat."""
    texts = [one.text for one in asked(name)][:: 11 if name == "format" else 1]
    assert share_refused(evaluation, texts) == 1
    assert share_refused(evaluation, [f"Please help me.\n\n{text}\n\nThank you." for text in texts]) == 1
    chats = [
        prompt_of_messages(
            [
                {"role": "user", "content": text},
                {"role": "assistant", "content": "I see."},
                {"role": "user", "content": "Are you sure?"},
            ]
        )
        for text in texts
    ]
    lessons = make_lessons(eval_of_prompts("mine", chats), SOURCES)
    assert [lesson.id for lesson in lessons if evaluation.leak_of(lesson) is None] == []


@pytest.mark.parametrize("name", sorted(EVALS))
def test_prompt_with_its_middle_word_replaced_is_refused(evaluation: Evaluation, name: str) -> None:
    """Of the shipped cases of six words or more 95 in 100 at least are found with another word in their middle."""
    texts = [with_middle_word_replaced(one.text) for one in asked(name)]
    assert share_refused(evaluation, texts) >= 0.95


def test_batch_with_the_middle_words_replaced_is_refused(evaluation: Evaluation) -> None:
    """As lessons too, each batch is found with a word changed in each question; of single questions nine in ten."""
    batches: list[bool] = []
    single: list[bool] = []
    for one in asked("format"):
        assert isinstance(one.case, Batch)
        changed = [replace(question, text=with_middle_word_replaced(question.text)) for question in one.case.questions]
        parts = parts_of(replace(one.case, questions=tuple(changed)), ())
        found = [evaluation.index.find(part) is not None for part in parts]
        batches.append(any(found))
        single += [is_found for part, is_found in zip(parts, found, strict=True) if len(part.stem.split()) >= WORDS]
    assert sum(batches) / len(batches) >= 0.99
    assert sum(single) / len(single) >= 0.9


def test_train_part_loses_nothing_to_likeness(evaluation: Evaluation) -> None:
    """Of the bank's own batches for training only those are refused that share a fact, or nearly all runs of words.

    Questions of one make differ in the word that they ask after, and the bank is made of such questions. As text the
    batches lose no more. And comparing 8,800 questions with 4,500 texts takes seconds.
    """
    lessons = make_lessons(EVALS["format"], SOURCES)
    began = time.process_time()
    found = find_leaks(lessons, Demand(None), filter_=Filter(evaluation, None, 0.8))
    assert time.process_time() - began < 15
    assert count_reasons(found) == [("leak (near)", 3), ("leak (same answer)", 62)]
    assert share_refused(evaluation, [lesson.messages[-1]["content"] for lesson in lessons][::7]) < 0.01


def test_files_of_the_shipped_fine_tunes_are_made_again(evaluation: Evaluation) -> None:
    """The matrix names the digests of what its fine-tunes were trained on: the same command still gives these bytes."""
    rows = {row.examples: row.training for row in Matrix.load(ROOT / "fixtures/models.toml").models if row.training}
    named = {size: training.sha256 for size, training in rows.items() if size is not None}
    lessons = make_lessons(EVALS["format"], SOURCES)
    chosen = choose_examples(
        lessons,
        Demand(max(named), validation=10),
        filter_=Filter(evaluation, None, 0.8),
        teacher=KnownAnswers(EVALS["format"]),
    )
    made = {size: hashlib.sha256(render_lines(chosen.train[:size])).hexdigest() for size in named}
    assert made == named
    assert len(named) == 6
