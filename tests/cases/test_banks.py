"""Batches: stable ids, samples that grow, worked examples."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.cases import Bank, Batch, Question, read_bank
from tunegate.cases.banks import Reading, Sheet
from tunegate.errors import CaseFileError, UsageError

subjects = st.sampled_from(["astronomy", "botany"])
# Few different questions, so that copies, also with another answer, are many.
# No filter: it would leave only the short lists.
questions = st.builds(
    Question,
    text=st.sampled_from(["Why?", "Who?", "\u00e9\u6f22\n\x00\ud800 "]),
    options=st.sampled_from([("a", "b", "c", "d"), ("d", "c", "b", "b")]),
    answer=st.integers(1, 4),
    subject=subjects,
)
plenty = st.builds(
    lambda found, times, more: [*found * times, *invented(more)],
    st.lists(questions, max_size=12),
    st.integers(1, 6),
    st.integers(9, 40),
)


def invented(count: int) -> list[Question]:
    return [Question(f"{n}?", ("a", "b", "c", "d"), 1, "law") for n in range(count)]


def bank_of(found: list[Question], *, part: str = "test") -> Bank:
    return Bank("invented", [Sheet("invented.csv", part, lambda: Reading(found, "0" * 64))])


def by_id(batches: list[Batch]) -> dict[str, Batch]:
    return {batch.id: batch for batch in batches}


@given(plenty, st.integers(1, 20), st.integers(), st.integers(1, 5))
def test_batch_is_the_same_under_any_limit_and_seed(found: list[Question], limit: int, seed: int, of: int) -> None:
    """What a batch contains depends on the bank, never on limit or seed."""
    everything = by_id(bank_of(found).batches(of=of))
    for batch in bank_of(found).batches(of=of, limit=limit, seed=seed):
        assert batch == everything[batch.id]


@given(plenty, st.randoms(use_true_random=False))
def test_order_of_the_file_does_not_matter(found: list[Question], chance: random.Random) -> None:
    """The same questions in another order give the same batches, and the bank the same digest."""
    shuffled = list(found)
    chance.shuffle(shuffled)
    assert bank_of(shuffled).batches() == bank_of(found).batches()
    assert bank_of(shuffled).digest == bank_of(found).digest


@given(plenty, st.integers(1, 20), st.integers(0, 20), st.integers())
def test_larger_limit_contains_the_smaller(found: list[Question], limit: int, more: int, seed: int) -> None:
    """Asking for more adds batches and takes none away."""
    bank = bank_of(found)
    small = bank.batches(limit=limit, seed=seed)
    large = bank.batches(limit=limit + more, seed=seed)
    assert set(by_id(small)) <= set(by_id(large))
    assert len(small) == min(limit, len(bank.batches()))


@given(plenty, st.integers(1, 5))
def test_batch_asks_no_question_twice(found: list[Question], of: int) -> None:
    """Copies of a question never meet in one batch, and no question is asked more often than it is there."""
    bank = bank_of(found)
    batches = bank.batches(of=of)
    for batch in batches:
        assert len({(question.text, question.options) for question in batch.questions}) == of
        assert {question.subject for question in batch.questions} == {batch.subject}
    asked = [question for batch in batches for question in batch.questions]
    assert all(asked.count(question) <= found.count(question) for question in set(asked))
    assert len(asked) + sum(bank.leftovers(of=of).values()) == len(found)
    assert len(by_id(batches)) == len(batches)


@given(plenty, st.integers(0, 2), st.integers())
def test_fewer_worked_examples_begin_the_more(found: list[Question], count: int, seed: int) -> None:
    """The first two of three worked batches are the two."""
    bank = bank_of(found, part="dev")
    assert bank.solved(count, of=3, seed=seed) == bank.solved(3, of=3, seed=seed)[:count]


def test_corrected_key_moves_no_question() -> None:
    """Correcting an answer leaves every batch with its questions: only the answer changes."""
    found = invented(20)
    corrected = [Question(q.text, q.options, 2, q.subject) if q.text == "7?" else q for q in found]
    texts = [[q.text for q in batch.questions] for batch in bank_of(found).batches()]
    assert [[q.text for q in batch.questions] for batch in bank_of(corrected).batches()] == texts
    assert bank_of(corrected).digest != bank_of(found).digest


def test_known_batch_stays_what_it_was() -> None:
    """The cut is a promise to recordings: this batch has had these questions since the first version."""
    found = invented(12)
    batches = bank_of(found).batches()
    assert [batch.id for batch in batches] == ["law-01", "law-02", "law-03"]
    assert [question.text for question in batches[0].questions] == ["6?", "5?", "8?", "7?"]
    assert [batch.id for batch in bank_of(found).batches(limit=1, seed=7)] == ["law-03"]


def test_numbers_have_the_width_of_the_last(folder: Path) -> None:
    """Ids sort as text in the order of their numbers: two digits at least, as many as the last one needs."""
    assert [batch.id for batch in read_bank(folder).batches(subjects=["astronomy"])] == [
        "astronomy-01",
        "astronomy-02",
        "astronomy-03",
    ]
    many = invented(100)
    ids = [batch.id for batch in bank_of(many).batches(of=1)]
    assert (ids[0], ids[-1]) == ("law-001", "law-100")
    assert ids == sorted(ids)


def test_leftovers_are_counted(folder: Path) -> None:
    """Questions that fill no batch are not asked, and the bank says how many they are."""
    assert read_bank(folder).leftovers() == {"astronomy": 1, "botany": 0, "high_school_physics": 1}


def test_subjects_are_globs(folder: Path) -> None:
    """A subject is chosen by name or by glob, and its batches are those of the whole bank."""
    bank = read_bank(folder)
    chosen = bank.batches(subjects=["*physics", "botany"])
    assert {batch.subject for batch in chosen} == {"botany", "high_school_physics"}
    assert set(chosen) <= set(bank.batches())


def test_unknown_subject_names_the_nearest(folder: Path) -> None:
    """A typing error is told what exists, the nearest first."""
    with pytest.raises(UsageError, match=r"no subject matches 'botanny'.*\n  there are: botany, astronomy"):
        read_bank(folder).batches(subjects=["botanny"])


def test_limit_must_ask_something(folder: Path) -> None:
    """A limit of none would be a run that proves nothing."""
    with pytest.raises(UsageError, match="wanted at least 1, found 0"):
        read_bank(folder).batches(limit=0)


def test_worked_examples_mix_subjects(folder: Path) -> None:
    """A worked batch has as many subjects as the dev part can give, and nothing from the test part."""
    bank = read_bank(folder)
    first, second, third = bank.solved(3)
    assert [batch.id for batch in (first, second, third)] == ["solved-01", "solved-02", "solved-03"]
    assert all(len({question.subject for question in batch.questions}) == 3 for batch in (first, second, third))
    assert all("sample" in question.text for batch in bank.solved(3) for question in batch.questions)


def test_copies_wait_for_the_next_example() -> None:
    """A question that two subjects share is shown twice, in two worked batches, and none is lost for it."""
    shared = [Question(q.text, q.options, q.answer, subject) for q in invented(4) for subject in ("law", "ethics")]
    for batch in bank_of(shared, part="dev").solved(2):
        assert len({question.text for question in batch.questions}) == 4


def test_too_many_worked_examples_are_refused(folder: Path) -> None:
    """Fifteen dev questions are three worked examples of four, not four."""
    with pytest.raises(CaseFileError, match="wanted 16 questions for 4 worked examples of 4, found enough for 3"):
        read_bank(folder).solved(4)


def test_missing_part_says_which_there_are(folder: Path) -> None:
    """A bank without the part asked for says what it has."""
    with pytest.raises(CaseFileError, match="wanted a train part, found test, dev"):
        read_bank(folder).batches(part="train")


def test_too_few_questions_for_a_batch_are_refused() -> None:
    """An eval without a single case would pass unseen."""
    bank = bank_of([Question("Why?", ("a", "b", "c", "d"), 1, "law")] * 9)
    with pytest.raises(CaseFileError, match="at least 4 different questions of one subject, to fill a batch"):
        bank.batches()


def test_only_the_part_asked_for_is_read(folder: Path) -> None:
    """A broken dev file harms nobody who shows no worked example."""
    (folder / "dev" / "botany_dev.csv").write_bytes(b"\xff")
    bank = read_bank(folder)
    assert bank.batches()
    assert set(bank.files) == {f"test/{name}_test.csv" for name in ("astronomy", "botany", "high_school_physics")}
    with pytest.raises(CaseFileError, match=r"botany_dev\.csv, line 1"):
        bank.solved(1)
