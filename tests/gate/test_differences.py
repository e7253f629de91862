"""The first place where two values differ."""

from __future__ import annotations

import copy

from hypothesis import given
from hypothesis import strategies as st

from tunegate.gate.keeping.differences import SHOWN, Difference, first_difference

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_equal_values_differ_nowhere(value: object) -> None:
    """A value and its copy have no difference, whatever they hold."""
    assert first_difference(value, copy.deepcopy(value)) is None


@given(JSON, JSON)
def test_difference_is_found_from_both_sides(one: object, other: object) -> None:
    """Where one value differs from another, the other differs from the one, at a place that both name."""
    there, back = first_difference(one, other), first_difference(other, one)
    assert (there is None) == (back is None)


def test_place_is_named_as_one_would_write_it() -> None:
    """Fields are joined by dots, items have their number, and both values are shown."""
    found = first_difference({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}, {"b": 3}]})
    assert found == Difference("a[1].b", "2", "3")


def test_missing_and_additional_are_differences() -> None:
    """What one side lacks is `nothing` there; the order of fields does not count."""
    assert first_difference({"a": 1}, {}) == Difference("a", "1", "nothing")
    assert first_difference([1], [1, 2]) == Difference("[1]", "nothing", "2")
    assert first_difference({"a": 1, "b": 2}, {"b": 2, "a": 1}) is None


def test_numbers_and_truth_are_kept_apart() -> None:
    """1, 1.0 and true are written differently, so they are different."""
    assert first_difference(1, 1.0) is not None
    assert first_difference(1, True) is not None


def test_long_texts_are_shown_where_they_part() -> None:
    """Of a long prompt the place is shown at which it was changed."""
    text = "x" * 5000
    found = first_difference(f"{text} four {text}", f"{text} five {text}")
    assert found is not None
    assert "four" in found.wanted
    assert "five" in found.found
    assert len(found.wanted) <= SHOWN + 3
