"""How many cases it takes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.power import normal_sample_size_one_tail

from tunegate.stats import (
    NotEnoughData,
    cases_needed,
    difference_variance,
    minimal_detectable_difference,
    p_not_worse,
    share_variance,
)

from .known import number


@given(st.floats(0.001, 0.5), st.floats(0.001, 1), st.floats(0.001, 1), st.floats(0.5, 0.99))
def test_plans_agree_with_statsmodels(difference: float, variance: float, null: float, power: float) -> None:
    """The number of cases is statsmodels' for a one-sided normal test, rounded up."""
    expected = normal_sample_size_one_tail(
        difference, power, 0.025, std_null=math.sqrt(null), std_alternative=math.sqrt(variance)
    )
    found = cases_needed(difference, variance=variance, null_variance=null, power=power)
    assert found == pytest.approx(math.ceil(expected * (1 - 1e-12)), abs=1 if expected > 1e6 else 0)


def test_plans_agree_with_the_published_example() -> None:
    """Miller (2024), section 5: a variance of 1/9 and a difference of 3 points need 969 questions at 80 % power."""
    assert cases_needed(0.03, variance=1 / 9) == 969
    assert minimal_detectable_difference(969, variance=1 / 9) == pytest.approx(0.03, abs=2e-6)


@given(st.integers(1, 10**6), st.floats(0.0001, 1), st.floats(0.0001, 1), st.floats(0.8, 0.99))
def test_plans_are_inverses(cases: int, variance: float, null: float, level: float) -> None:
    """The difference that some cases can show needs as many cases."""
    difference = minimal_detectable_difference(cases, variance=variance, null_variance=null, level=level)
    assert cases_needed(difference, variance=variance, null_variance=null, level=level) == cases


def test_a_plan_keeps_its_promise() -> None:
    """An equal candidate is shown to be not worse by the margin in 80 percent of runs of the planned size."""
    dice = np.random.default_rng(2)

    def sides(cases: int) -> list[list[tuple[int, int]]]:
        shares = dice.beta(6, 2, cases)
        return [[(k, 4) for k in dice.binomial(4, shares).tolist()] for _ in range(2)]

    variance = number(difference_variance(*sides(20_000)))
    cases = cases_needed(0.05, variance=variance)
    shown = sum(number(p_not_worse(*sides(cases), margin=0.05)) < 0.025 for _ in range(600))
    assert shown / 600 == pytest.approx(0.8, abs=0.05)


def test_variances_are_those_of_the_estimates() -> None:
    """Independent answers have the binomial variance, and batches that stand or fall as a whole that of one answer."""
    answers = [(1, 1)] * 75 + [(0, 1)] * 25
    assert number(share_variance(answers)) == pytest.approx(0.75 * 0.25)
    assert number(share_variance(answers, at=0.9)) == pytest.approx(0.9 * 0.1)
    whole = [(4 * good, 4) for good, _ in answers]
    assert number(share_variance(whole)) == pytest.approx(0.75 * 0.25, rel=0.02)
    candidate, baseline = [(1, 1)] * 10, [(1, 1)] * 5 + [(0, 1)] * 5
    assert number(difference_variance(candidate, baseline)) == pytest.approx(0.25 * 10 / 9)


def test_variance_of_nothing_is_not_enough_data() -> None:
    """One case, or cases that never differ, tell no variance."""
    assert isinstance(difference_variance([(1, 1)], [(0, 1)]), NotEnoughData)
    assert isinstance(difference_variance([(1, 1)] * 9, [(0, 1)] * 9), NotEnoughData)
    assert isinstance(share_variance([(3, 4)]), NotEnoughData)
    assert isinstance(share_variance([(4, 4)] * 9), NotEnoughData)
    assert number(share_variance([(4, 4)] * 9, at=0.9)) > 0


def test_impossible_plans_are_refused() -> None:
    """No cases, no difference, no variance and a power of 80 are errors of the caller's."""
    with pytest.raises(ValueError, match="difference of 0"):
        cases_needed(0, variance=1)
    with pytest.raises(ValueError, match="0 cases"):
        minimal_detectable_difference(0, variance=1)
    with pytest.raises(ValueError, match="variances"):
        cases_needed(0.1, variance=0)
    with pytest.raises(ValueError, match="power"):
        cases_needed(0.1, variance=1, power=80)
    with pytest.raises(ValueError, match="has no variance"):
        share_variance([(3, 4)] * 9, at=1)
