"""What clustered members are worth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, t

from tunegate.stats.effective import EffectiveSize, normal_of_student, student_of_normal


@given(st.floats(0, 8), st.integers(1, 10_000))
def test_student_and_normal_are_inverses(z: float, df: int) -> None:
    """There and back is the same to nine digits."""
    assert normal_of_student(student_of_normal(z, df=df), df=df) == pytest.approx(z, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("df", "within"), [(2, 0.05), (5, 0.003), (10, 0.0005), (50, 0.00005), (2000, 0.000001)])
@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_student_quantiles_are_near_the_exact_ones(df: int, within: float, level: float) -> None:
    """Wallace's approximation is within 0.05 percent of SciPy's quantile from 10 degrees of freedom on."""
    z = norm.ppf((1 + level) / 2)
    assert student_of_normal(z, df=df) == pytest.approx(t.ppf((1 + level) / 2, df), rel=within)


@given(st.floats(0.01, 1e4), st.floats(1, 50), st.floats(50, 500), st.integers(0, 60), st.floats(0.1, 5))
def test_size_lies_between_clusters_and_members(estimated: float, least: float, most: float, df: int, z: float) -> None:
    """It is never fewer than the clusters nor more than the members; one cluster tells nothing of its members."""
    size = EffectiveSize(estimated, least, most, df)
    assert least <= size.at(z) <= most
    if df == 0:
        assert size.at(z) == least


def test_p_values_are_halves_at_the_null() -> None:
    """No distance from the null is even odds, and the same distance either way is mirrored."""
    size = EffectiveSize(80.0, 50.0, 200.0, 49)
    assert size.one_sided_p(0.0) == 0.5
    assert size.one_sided_p(0.2) + size.one_sided_p(-0.2) == pytest.approx(1)
