"""Which text repeats another, and how it is found among many."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.cases import Batch, Question
from tunegate.distill import Part, TextIndex, normal_form, parts_of, runs_of, similarity
from tunegate.errors import UsageError

TEN = "the quick brown fox jumps over the lazy sleeping dog"


def index_of(*texts: str, near: float = 0.8) -> TextIndex:
    index = TextIndex(near=near)
    for number, text in enumerate(texts):
        index.add(f"text {number}", Part(text))
    return index


@pytest.mark.parametrize("copy", ["  The QUICK brown\nfox ", "the quick brown ｆｏｘ", "the quick brown\u00a0fox"])
def test_case_width_and_spaces_make_no_other_text(copy: str) -> None:
    """A copy in capitals, in wide letters or with other spaces is exact."""
    found = index_of("the quick brown fox").find(Part(copy))
    assert found is not None
    assert (found.kind, found.name, found.similarity) == ("exact", "text 0", 1.0)


@pytest.mark.parametrize(
    ("one", "other"), [("What is 5 + 3?", "What is 5 - 3?"), ("x < 2", "x > 2"), ("1.5 m", "15 m")]
)
def test_signs_make_another_text(one: str, other: str) -> None:
    """Sums that differ in a sign alone are not the same."""
    found = index_of(one, near=1.0).find(Part(other))
    assert found is None


def test_similarity_is_jaccards_of_runs_of_five_words() -> None:
    """Ten words have six runs; another last word leaves five of seven, worked out by hand."""
    assert len(runs_of(TEN)) == 6
    assert similarity(runs_of(TEN), runs_of(TEN.replace("dog", "cat"))) == pytest.approx(5 / 7)
    assert similarity(runs_of(""), runs_of("")) == 0.0


def test_near_begins_at_the_threshold() -> None:
    """5 of 7 runs are near from 5/7 on and not above it."""
    other = Part(TEN.replace("dog", "cat"))
    found = index_of(TEN, near=5 / 7).find(other)
    assert found is not None
    assert (found.kind, found.similarity) == ("near", pytest.approx(0.7143))
    assert index_of(TEN, near=0.72).find(other) is None


def test_the_likest_is_named() -> None:
    """Of several near texts the nearest is told."""
    far, close = TEN.replace("lazy sleeping dog", "lazy old cat"), TEN.replace("dog", "cat")
    found = index_of(far, close, near=0.2).find(Part(TEN))
    assert found is not None
    assert found.name == "text 1"


def test_text_without_spaces_is_compared_by_characters() -> None:
    """A Chinese sentence with one other character at its end is near."""
    found = index_of("今天的天气非常好我们去公园散步吧", near=0.8).find(Part("今天的天气非常好我们去公园散步啊"))
    assert found is not None
    assert found.kind == "near"


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=14), max_size=12), st.sampled_from([0.2, 0.5, 0.8, 1.0]))
def test_index_finds_what_comparing_all_pairs_finds(drawn: list[list[str]], near: float) -> None:
    """The few runs that are looked up lose nothing: the best similarity is that of all pairs."""
    *known, asked = [" ".join(words) for words in [*drawn, ["a", "b", "c", "d", "e", "f", "a"]]]
    found = index_of(*known, near=near).find(Part(asked))
    most = max((similarity(runs_of(normal_form(text)), runs_of(normal_form(asked))) for text in known), default=0.0)
    exact = any(normal_form(text) == normal_form(asked) for text in known)
    if exact:
        assert found is not None
        assert found.kind == "exact"
    elif most >= near:
        assert found is not None
        assert found.similarity == pytest.approx(most, abs=1e-4)
    else:
        assert found is None


def question(text: str, *options: str, answer: int = 1) -> Question:
    a, b, c, d = options
    return Question(text, (a, b, c, d), answer, "sums")


def part_of(*questions: Question) -> Part:
    return parts_of(Batch("x-01", "x", questions), ())[-1]


def test_shuffled_options_are_the_same_question() -> None:
    """A question is found again whatever the order of its options."""
    index = TextIndex()
    index.add("first", part_of(question("Which is red?", "rose", "sky", "grass", "coal")))
    found = index.find(part_of(question("Which is red?", "coal", "grass", "sky", "rose", answer=4)))
    assert found is not None
    assert found.kind == "exact"


def test_right_answer_to_the_same_question_is_found_behind_other_options() -> None:
    """Other wrong options hide no fact; a question of the same words with another answer is another."""
    index = TextIndex()
    index.add("first", part_of(question("Which is red?", "rose", "sky", "grass", "coal")))
    same = part_of(question("Which is red?", "snow", "rose", "sea", "sand", answer=2))
    found = index.find(same)
    assert found is not None
    assert (found.kind, found.name) == ("same answer", "first")
    assert index.find(same, facts=False) is None
    assert index.find(part_of(question("Which is red?", "snow", "blood", "sea", "sand", answer=2))) is None


def test_one_near_copy_is_found_among_many_texts() -> None:
    """Thousands of questions that share their phrases hide no copy, and none is taken for another."""
    chance = random.Random(1)
    words = [f"word{number}" for number in range(3000)]

    def write() -> str:
        return "Which of the following statements is true of " + " ".join(chance.choices(words, k=20))

    asked = [write() for _ in range(3_500)]
    index = index_of(*asked)
    learned = [write() for _ in range(2_000)]
    learned[17] = asked[2_500].replace("Which", "What")
    found = [number for number, text in enumerate(learned) if index.find(Part(text)) is not None]
    assert found == [17]


@pytest.mark.parametrize("near", [0.0, -0.1, 1.1])
def test_threshold_is_a_share(near: float) -> None:
    """A similarity outside of 0 to 1 is refused."""
    with pytest.raises(UsageError, match="wanted a share"):
        TextIndex(near=near)
