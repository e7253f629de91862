"""Percentiles and their limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import quantile_test

from tunegate.stats import NotEnoughData, p_percentile_above, p_percentile_below, percentile

from .known import known, number


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.95])
@pytest.mark.parametrize("n", [80, 81, 500])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_limits_agree_with_scipy(share: float, n: int, level: float) -> None:
    """The limits are those of SciPy's `quantile_test`, and the estimate is NumPy's percentile."""
    values = np.random.default_rng(n).lognormal(size=n)
    expected = quantile_test(values, p=share).confidence_interval(confidence_level=level)
    found = known(percentile(values.tolist(), share, level=level))
    assert (found.low, found.high) == (expected.low, expected.high)
    assert found.estimate == pytest.approx(float(np.quantile(values, share)), abs=1e-12)
    assert found.n == n


def test_a_small_sample_says_how_many_it_takes() -> None:
    """The p95 of 71 values has no upper limit at 95 percent; 72 have one, for 0.95^72 < 0.025 < 0.95^71."""
    wanted = "values are too few for the interval of a percentile: at least"
    assert percentile(range(71), 0.95) == NotEnoughData(f"71 {wanted} 72 are needed")
    assert known(percentile(range(72), 0.95)).high == 71
    assert percentile(range(5), 0.5) == NotEnoughData(f"5 {wanted} 6 are needed")


def test_equal_values_are_not_an_interval_without_width() -> None:
    """Times measured to the second may all be the same; that does not make them certain."""
    assert isinstance(percentile([1.0] * 100, 0.5), NotEnoughData)


def test_impossible_percentiles_are_refused() -> None:
    """The 100th percentile, 95 for 0.95, and values that are none are errors of the caller's."""
    for share in (0, 1, 95):
        with pytest.raises(ValueError, match="has no percentile"):
            percentile([1.0, 2.0], share)
    with pytest.raises(ValueError, match="finite"):
        percentile([1.0, float("nan")], 0.5)
    with pytest.raises(ValueError, match="level"):
        percentile([1.0, 2.0], 0.5, level=95)


def test_limits_cover_the_truth() -> None:
    """Intervals of the p95 of 150 latencies cover it in at least 95 percent of runs, less the simulation's error."""
    dice = np.random.default_rng(9)
    truth = float(np.exp(1.6448536269514722))
    runs = dice.lognormal(size=(1000, 150)).tolist()
    covered = sum(found.low <= truth <= found.high for found in (known(percentile(run, 0.95)) for run in runs))
    assert covered / len(runs) > 0.935


SECONDS = st.lists(st.sampled_from([0.5, 1.0, 1.5, 2.0, 2.5, 3.0]), min_size=1, max_size=150)


@given(SECONDS, st.sampled_from([0.05, 0.5, 0.9, 0.95]), st.floats(0, 4) | st.sampled_from([1.0, 2.0, 2.5]))
def test_p_values_agree_with_scipy(values: list[float], share: float, threshold: float) -> None:
    """Both p-values are those of SciPy's `quantile_test`, to nine digits, also where values are the threshold."""
    below = quantile_test(values, q=threshold, p=share, alternative="less").pvalue
    above = quantile_test(values, q=threshold, p=share, alternative="greater").pvalue
    assert number(p_percentile_below(values, share, threshold)) == pytest.approx(below, abs=1e-9)
    assert number(p_percentile_above(values, share, threshold)) == pytest.approx(above, abs=1e-9)


@given(SECONDS, st.sampled_from([0.1, 0.5, 0.95]), st.sampled_from([0.8, 0.95, 0.99]), st.floats(0, 4))
def test_p_values_and_limits_never_disagree(values: list[float], share: float, level: float, threshold: float) -> None:
    """A percentile is shown to lie below, or above, exactly where its interval does."""
    found, tail = percentile(values, share, level=level), (1 - level) / 2
    below, above = p_percentile_below(values, share, threshold), p_percentile_above(values, share, threshold)
    if isinstance(found, NotEnoughData):
        return
    assert (number(below) <= tail) == (found.high < threshold)
    assert (number(above) <= tail) == (found.low > threshold)


def test_too_few_values_show_nothing_of_a_percentile() -> None:
    """71 values below a threshold do not show that the p95 is, 72 do; and no value tells nothing."""
    assert number(p_percentile_below([1.0] * 71, 0.95, 2.0)) == pytest.approx(0.95**71)
    assert 0.95**72 < 0.025 < 0.95**71
    assert number(p_percentile_below([1.0] * 72, 0.95, 2.0)) < 0.025
    assert p_percentile_below([], 0.95, 2.0) == NotEnoughData("there are no values")
    assert p_percentile_above([], 0.95, 2.0) == NotEnoughData("there are no values")


def test_impossible_thresholds_are_refused() -> None:
    """A share of 95, a threshold that is no number and values that are none are errors of the caller's."""
    for test in (p_percentile_below, p_percentile_above):
        for share in (0, 1, 95):
            with pytest.raises(ValueError, match="has no percentile"):
                test([1.0, 2.0], share, 1.5)
        with pytest.raises(ValueError, match="finite"):
            test([1.0, 2.0], 0.5, math.nan)
        with pytest.raises(ValueError, match="finite"):
            test([1.0, math.inf], 0.5, 1.5)
