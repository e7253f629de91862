"""How many words make one text of another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.distill.wording import Edit, Words, align_whole, align_within, is_fixed, words_of

FEW = st.lists(st.sampled_from("abc"), max_size=7).map(tuple)


def distance(one: Words, other: Words) -> int:
    """Levenshtein's distance by its definition, over words."""
    if not one or not other:
        return len(one) + len(other)
    changed = distance(one[1:], other[1:]) + (one[0] != other[0])
    return min(changed, distance(one[1:], other) + 1, distance(one, other[1:]) + 1)


def apply(edits: tuple[Edit, ...], text: Words) -> Words:
    """Make the edits, from behind so that places hold."""
    words = list(text)
    for edit in sorted(edits, key=lambda edit: (edit.place, edit.word is not None), reverse=True):
        if edit.word is None:
            words.insert(edit.place, edit.other or "")
        elif edit.other is None:
            del words[edit.place]
        else:
            words[edit.place] = edit.other
    return tuple(words)


@given(FEW, FEW)
def test_whole_alignment_has_levenshteins_distance(one: Words, other: Words) -> None:
    """The number of edits is that of the definition, and they name the words that change."""
    found = align_whole(one, other, at_most=20)
    assert found is not None
    assert len(found.edits) == distance(one, other)
    assert all(edit.word is None or one[edit.place] == edit.word for edit in found.edits)


@given(FEW.filter(lambda text: len(text) > 3), FEW, st.integers(0, 2))
def test_stretch_is_the_likest_of_all(text: Words, other: Words, at_most: int) -> None:
    """Looking only where a piece stands unchanged finds what comparing with every stretch finds."""
    stretches = [other[start:end] for start in range(len(other) + 1) for end in range(start, len(other) + 1)]
    least = min(distance(text, stretch) for stretch in stretches)
    found = align_within(text, other, at_most=at_most)
    assert (None if found is None else len(found.edits)) == (least if least <= at_most else None)


def test_edits_tell_what_was_changed() -> None:
    """A word replaced, one put in and one left out, each at its place; and where the stretch ends."""
    text = words_of("which planet is closest to the sun")
    found = align_within(text, words_of("tell me which planet is nearest to our own sun please"), at_most=3)
    assert found is not None
    assert {(edit.place, edit.word, edit.other) for edit in found.edits} >= {(3, "closest", "nearest")}
    assert (len(found.edits), found.end) == (3, 10)
    whole = align_whole(("a", "b", "c"), ("a", "x", "b"), at_most=2)
    assert whole is not None
    assert apply(whole.edits, ("a", "b", "c")) == ("a", "x", "b")


@pytest.mark.parametrize(
    ("word", "fixed"),
    [("17", True), ("+", True), ("x2", True), ("p", True), ("a", False), ("not", False), ("天", False)],
)
def test_numbers_signs_and_letters_are_fixed(word: str, fixed: bool) -> None:
    """Another number, sign or single letter asks for something else; a sign of a script without spaces is a word."""
    assert is_fixed(word) is fixed
