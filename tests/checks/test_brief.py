"""What a report says of a JSON value."""

from __future__ import annotations

import pytest

from tunegate.checks import brief, kind_of


@pytest.mark.parametrize(
    ("value", "kind"),
    [({}, "an object"), ([], "a list"), ("", "a string"), (True, "a boolean"), (None, "null"), (1, "a number"),
     (1.5, "a number")],
)  # fmt: skip
def test_kinds_have_json_names(value: object, kind: str) -> None:
    """A boolean is no number, and None is null."""
    assert kind_of(value) == kind


def test_long_values_are_cut() -> None:
    """A list of a million items does not fill a record."""
    assert brief([{"1": "3"}]) == '[{"1": "3"}]'
    assert len(brief([0] * 1_000_000)) == 200
