"""Several tests at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from tunegate.stats import holm


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_holm_agrees_with_statsmodels(p_values: list[float]) -> None:
    """The adjusted p-values are its, in the order given, to nine digits."""
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1].tolist(), abs=1e-9)


def test_holm_works_as_in_the_textbook() -> None:
    """0.01, 0.04, 0.03 and 0.005 are 0.03, 0.06, 0.06 and 0.02 in a family of four (by hand)."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))


def test_no_test_needs_no_correction() -> None:
    """An empty family is empty, and one test is as it was."""
    assert holm([]) == ()
    assert holm([0.04]) == (0.04,)


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_impossible_p_values_are_refused(p: float) -> None:
    """What is no probability is an error of the caller's."""
    with pytest.raises(ValueError, match="is no p-value"):
        holm([0.5, p])
