"""Amounts of money are written in one way."""

from __future__ import annotations

import pytest

from tunegate.cost import dollars


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (0.0, "$0.00"),
        (0.00001, "$0.00001"),
        (0.00001234, "$0.0000123"),
        (0.0337, "$0.0337"),
        (0.05, "$0.05"),
        (0.09996, "$0.10"),
        (0.5, "$0.50"),
        (0.999, "$1.00"),
        (1234.5, "$1,234.50"),
        (-0.0121, "-$0.0121"),
        (-3.0, "-$3.00"),
    ],
)
def test_amounts_are_readable(usd: float, text: str) -> None:
    """Cents where they say something, three digits where they would say nothing, and never an exponent."""
    assert dollars(usd) == text
