"""Which lessons become examples."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.distill import Chosen, Demand, Example, choose_examples, count_reasons, find_leaks
from tunegate.errors import UsageError

from .lessons import Echo, filter_of, lessons_of, many_lessons


def choose(demand: Demand, *, of: int = 60, teacher: Echo | None = None) -> Chosen:
    return choose_examples(many_lessons(of), demand, filter_=filter_of(), teacher=teacher or Echo())


def ids(examples: Sequence[Example]) -> list[str]:
    return [example.id for example in examples]


@given(
    small=st.integers(1, 20),
    more=st.integers(0, 20),
    validation=st.integers(0, 10),
    seed=st.integers(0, 3),
    bad=st.sets(st.integers(0, 59), max_size=10),
)
def test_each_size_is_the_beginning_of_the_next(
    small: int, more: int, validation: int, seed: int, bad: set[int]
) -> None:
    """The 50 of n=50 are the first 50 of n=100, and the validation set is the same, whatever answers are refused."""

    def teacher() -> Echo:
        return Echo(lambda text: "truncated" if int(text.split()[3]) in bad else "")

    one = choose(Demand(small, validation, seed), teacher=teacher())
    other = choose(Demand(small + more, validation, seed), teacher=teacher())
    assert one.train == other.train[:small]
    assert one.validation == other.validation
    assert not {*ids(one.validation)} & {*ids(other.train)}


def test_order_is_not_that_of_the_lessons() -> None:
    """A seed of its own decides which lessons come first, and the lessons' own order does not."""
    lessons = many_lessons(60)
    asked = [
        ids(choose_examples(given, Demand(10, seed=seed), filter_=filter_of(), teacher=Echo()).train)
        for given, seed in ((lessons, 0), (lessons[::-1], 0), (lessons, 1))
    ]
    assert asked[0] == asked[1]
    assert asked[0] != asked[2]


def test_what_stands_in_the_evaluation_is_refused_by_name() -> None:
    """Exact and near copies are left out, and told with what they repeat."""
    long = "my parcel was due on Monday and nobody has told me where it is now"
    lessons = lessons_of("where is my parcel", long, "the soup is cold")
    asked = ("Where is my  PARCEL", long.replace("now", "today"))
    chosen = choose_examples(lessons, Demand(None), filter_=filter_of(*asked), teacher=Echo())
    assert [example.messages[0]["content"] for example in chosen.train] == ["the soup is cold"]
    told = {refusal.match.kind: refusal.detail for refusal in chosen.refused if refusal.match}
    assert told == {"exact": "stands in eval[0]", "near": "is 93% like eval[1]"}
    assert count_reasons(chosen.refused) == [("leak (exact)", 1), ("leak (near)", 1)]


def test_leaks_are_told_where_too_few_others_are_left() -> None:
    """Whether enough lessons remain is another question: what stands in an eval is found before it is asked."""
    asked = ("where is my parcel", "the soup is cold")
    for texts, wanted in ((asked, Demand(None)), ((*asked, "other"), Demand(5, validation=2))):
        found = find_leaks(lessons_of(*texts), wanted, filter_=filter_of(*asked))
        assert [refusal.reason for refusal in found] == ["leak", "leak"]
    assert find_leaks(lessons_of("other"), Demand(5), filter_=filter_of(*asked)) == []


def test_lesson_that_repeats_an_earlier_one_is_refused() -> None:
    """Of two near lessons one is learned, and the other names it."""
    long = "my parcel was due on Monday and nobody has told me where it is now"
    chosen = choose_examples(
        lessons_of(long, long.replace("now", "today"), "other"), Demand(None), filter_=filter_of(), teacher=Echo()
    )
    assert len(chosen.train) == 2
    (refusal,) = chosen.refused
    assert refusal.reason == "duplicate"
    assert any(example.id in refusal.detail for example in chosen.train)


def test_validation_repeats_nothing_that_is_trained_on() -> None:
    """Near lessons never stand on both sides of the split."""
    base = "a sentence of some length that is about the number {} and so on and so forth until it ends with {}"
    lessons = lessons_of(*(base.format(number, end) for number in range(20) for end in ("this", "that")))
    chosen = choose_examples(lessons, Demand(10, validation=5), filter_=filter_of(near=0.7), teacher=Echo())
    numbers = [
        {example.messages[0]["content"].split()[10] for example in part} for part in (chosen.train, chosen.validation)
    ]
    assert not numbers[0] & numbers[1]
    assert [len(part) for part in numbers] == [10, 5]


def test_refused_answers_are_replaced_from_behind() -> None:
    """Where answers are refused further lessons are asked, and only as many as are needed."""
    teacher = Echo(lambda text: "truncated" if int(text.split()[3]) % 3 == 0 else "")
    chosen = choose(Demand(20), teacher=teacher)
    refused = [refusal for refusal in chosen.refused if refusal.reason == "answer"]
    assert len(chosen.train) == 20
    assert len(teacher.asked) == 20 + len(refused)
    assert {refusal.detail for refusal in refused} == {"truncated"}
    assert chosen.teaching_usd == pytest.approx(0.01 * len(teacher.asked))


def test_asking_again_has_an_end() -> None:
    """A teacher that never answers well is asked `spare` times more and no further; the message says what to do."""
    teacher = Echo(lambda _: "refused")
    with pytest.raises(UsageError, match="--spare N") as problem:
        choose(Demand(10, spare=2), teacher=teacher)
    assert len(teacher.asked) == 12
    assert "found 0 and 0" in str(problem.value)
    assert "12 answer" in str(problem.value)


@pytest.mark.parametrize("demand", [Demand(61), Demand(56, validation=5), Demand(None, least=61)])
def test_too_few_lessons_are_told(demand: Demand) -> None:
    """More than there is cannot be had; nothing is made up, and nothing says that more should be tried."""
    with pytest.raises(UsageError, match="examples, found") as problem:
        choose(demand)
    assert "--spare" not in str(problem.value)


@pytest.mark.parametrize("text", ["", " \n", "a\0b", "\ud800"])
def test_answers_that_no_file_can_carry_are_refused(text: str) -> None:
    """Empty text, NUL and half a surrogate pair are never learned."""
    teacher = Echo(text=lambda said: "fine" if said == "one" else text, cost_usd=None)
    chosen = choose_examples(lessons_of("one", "two"), Demand(None), filter_=filter_of(), teacher=teacher)
    assert [example.messages[-1]["content"] for example in chosen.train] == ["fine"]
    assert chosen.teaching_usd is None


def test_tokens_are_estimated_where_nobody_counted() -> None:
    """An example's tokens are those of the whole chat: 3 bytes a token and 16 for each message."""
    (example,) = choose_examples(lessons_of("abcdef"), Demand(1), filter_=filter_of(), teacher=Echo()).train
    assert (example.tokens, example.is_counted) == (12 // 3 + 2 * 16, False)
