"""Ratios of means."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t
from statsmodels.regression.linear_model import WLS

from tunegate.stats import Interval, MeanRatio, NotEnoughData, ratio_of_means

from .known import known

COSTS = st.lists(
    st.tuples(st.just(0.0) | st.floats(1e-6, 100), st.just(0.0) | st.floats(1e-6, 100)), min_size=2, max_size=40
)


def ratio(found: MeanRatio | NotEnoughData) -> MeanRatio:
    """The ratio, where there must be one."""
    assert isinstance(found, MeanRatio), found
    return found


def sides(pairs: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Both sides of pairs."""
    return [a for a, _ in pairs], [b for _, b in pairs]


def test_variance_is_that_of_a_robust_regression() -> None:
    """Ratio and error are those of statsmodels' line through 0, weighted by 1 / b, robust (HC1), to nine digits."""
    dice = np.random.default_rng(3)
    b = dice.lognormal(size=80)
    a = 0.4 * b * dice.lognormal(0, 0.5, 80)
    fit = WLS(a, b, weights=1 / b).fit(cov_type="HC1")
    found = ratio(ratio_of_means(a.tolist(), b.tolist()))
    assert found.estimate == pytest.approx(fit.params[0], rel=1e-9)
    assert found.estimate * math.sqrt(found.variance) == pytest.approx(fit.bse[0], rel=1e-9)


def test_variance_is_that_of_the_published_example() -> None:
    """Davison and Hinkley (1997), ten cities in 1920 and 1930: a ratio of 1.520 with a variance of 0.0325 (over n)."""
    before = [138, 93, 61, 179, 48, 37, 29, 23, 30, 2]
    after = [143, 104, 69, 260, 75, 63, 50, 48, 111, 50]
    found = ratio(ratio_of_means(after, before))
    assert round(found.estimate, 3) == 1.520
    assert round(found.variance * found.estimate**2 * 9 / 10, 4) == 0.0325


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_limits_are_students_on_the_logarithm(level: float) -> None:
    """The limits are as many errors away on the logarithm as SciPy's quantile says, to a tenth of a percent."""
    dice = np.random.default_rng(4)
    a, b = dice.lognormal(size=(2, 60)).tolist()
    found = ratio(ratio_of_means(a, b))
    half = t.ppf((1 + level) / 2, 59) * math.sqrt(found.variance)
    limits = known(found.interval(level))
    assert math.log(limits.high / limits.estimate) == pytest.approx(half, rel=1e-3)
    assert math.log(limits.estimate / limits.low) == pytest.approx(half, rel=1e-3)


@given(COSTS, st.sampled_from([0.8, 0.95, 0.99]), st.floats(0.01, 100))
def test_p_values_and_intervals_never_disagree(
    pairs: list[tuple[float, float]], level: float, threshold: float
) -> None:
    """A ratio is shown to be less, or more, exactly where its interval is; the interval has a width."""
    found = ratio_of_means(*sides(pairs))
    if isinstance(found, NotEnoughData):
        assert not all(map(any, sides(pairs)))
        return
    below, above = found.p_below(threshold), found.p_above(threshold)
    assert 0 <= below <= 1
    assert 0 <= above <= 1
    limits, tail = found.interval(level), (1 - level) / 2
    if isinstance(limits, NotEnoughData):
        return
    assert 0 < limits.low < limits.estimate < limits.high
    if abs(math.log(threshold / limits.high)) > 1e-9:
        assert (below < tail) == (limits.high < threshold)
    if abs(math.log(threshold / limits.low)) > 1e-9:
        assert (above < tail) == (limits.low > threshold)


@given(COSTS, st.randoms(use_true_random=False))
def test_swapping_the_sides_inverts_the_interval(pairs: list[tuple[float, float]], dice: random.Random) -> None:
    """What is twice as dear as another is so with the other's limits inverted; the order of cases does not matter."""
    a, b = sides(pairs)
    there, back = ratio_of_means(a, b), ratio_of_means(b, a)
    shuffled = pairs[:]
    dice.shuffle(shuffled)
    assert ratio_of_means(*sides(shuffled)) == there
    if isinstance(there, NotEnoughData):
        assert back == there
        return
    limits, inverse = there.interval(0.95), ratio(back).interval(0.95)
    if isinstance(limits, Interval):
        inverted = (1 / known(inverse).high, 1 / known(inverse).low)
        assert (limits.low, limits.high) == pytest.approx(inverted, rel=1e-9)
    assert there.p_below(2.0) == pytest.approx(ratio(back).p_above(0.5), abs=1e-9)


@given(st.floats(0.01, 10), st.integers(2, 500), st.sampled_from([0.8, 0.95]))
def test_the_same_ratio_in_every_case_is_not_certain(price: float, cases: int, level: float) -> None:
    """Prices of the same tokens have one ratio in n cases: the limits are those that 2 / (1 - level) to 1 / n gives."""
    tokens = [100 + 7 * (case % 13) for case in range(cases)]
    found = ratio(ratio_of_means([price * count for count in tokens], [float(count) for count in tokens]))
    limits = known(found.interval(level))
    factor = (2 / (1 - level)) ** (1 / cases)
    assert limits.estimate == pytest.approx(price)
    assert (limits.low, limits.high) == pytest.approx((price / factor, price * factor), rel=1e-9)
    assert found.p_below(price * factor**2) == pytest.approx(((1 - level) / 2) ** 2, rel=1e-6)
    assert found.p_above(price * factor**2) == 1


def test_the_first_other_ratio_does_not_narrow_the_interval() -> None:
    """A hundred cases of one ratio are known no less than ninety-nine and another one."""
    tokens = [500.0] * 100
    same = known(ratio(ratio_of_means([0.4 * count for count in tokens], tokens)).interval(0.95))
    one_more_token = [200.0] * 99 + [200.4]
    other = known(ratio(ratio_of_means(one_more_token, tokens)).interval(0.95))
    assert other.high - other.low >= 0.999 * (same.high - same.low)


@pytest.mark.parametrize("cases", [30, 200])
@pytest.mark.parametrize("spread", [0.05, 0.5, 1.0])
def test_intervals_cover_the_truth(cases: int, spread: float) -> None:
    """Intervals of 95 percent cover a ratio of costs of 0.4 that often, or nearly so, in 1000 runs.

    91 percent is what is left at 30 cases where one in twenty is six times as dear as the middle one.
    """
    dice = np.random.default_rng(5)
    length = dice.lognormal(0, 0.7, (1000, cases))
    # Both noises have the same mean, so that the ratio of the means is 0.4.
    a = 0.4 * length * dice.lognormal(0, spread, length.shape)
    b = length * dice.lognormal(0, spread, length.shape)
    runs = zip(a.tolist(), b.tolist(), strict=True)
    intervals = [known(ratio(ratio_of_means(*run)).interval(0.95)) for run in runs]
    assert sum(found.low <= 0.4 <= found.high for found in intervals) / 1000 >= (
        0.89 if (cases, spread) == (30, 1.0) else 0.92
    )


def test_what_has_no_ratio_is_not_enough_data() -> None:
    """One case, or a side that costs nothing, has no ratio; two cases at a level next to 1 have no limits."""
    assert isinstance(ratio_of_means([], []), NotEnoughData)
    assert isinstance(ratio_of_means([1.0], [2.0]), NotEnoughData)
    assert isinstance(ratio_of_means([0.0, 0.0], [1.0, 2.0]), NotEnoughData)
    assert isinstance(ratio_of_means([1.0, 2.0], [0.0, 0.0]), NotEnoughData)
    assert isinstance(ratio(ratio_of_means([1.0, 20.0], [2.0, 1.0])).interval(1 - 1e-12), NotEnoughData)
    assert isinstance(ratio(ratio_of_means([0.0, 2.0], [1.0, 2.0])).interval(0.95), Interval)


def test_impossible_values_are_refused() -> None:
    """Negative and infinite costs, unequal pairs, ratios of 0 and a level of 95 are errors of the caller's."""
    for value in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="finite values from 0 on"):
            ratio_of_means([value, 1.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="no pairs"):
        ratio_of_means([1.0, 1.0], [1.0])
    found = ratio(ratio_of_means([1.0, 2.0], [1.0, 1.0]))
    for threshold in (0, -1, math.inf, math.nan):
        with pytest.raises(ValueError, match="cannot be tested"):
            found.p_below(threshold)
        with pytest.raises(ValueError, match="cannot be tested"):
            found.p_above(threshold)
    with pytest.raises(ValueError, match="level"):
        found.interval(95)
