"""Bootstrap intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap, kstest

from tunegate.stats import (
    NotEnoughData,
    ResampledRatio,
    bootstrap_difference,
    bootstrap_ratio_of_medians,
    paired_difference,
    ratio_of_medians,
)

from .known import known


def drawn(seed: int, cases: int = 150) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Two models on the same batches of four."""
    dice = np.random.default_rng(seed)
    shares = dice.beta(4, 2, cases)
    candidate, baseline = ([(int(k), 4) for k in dice.binomial(4, shares)] for _ in range(2))
    return candidate, baseline


def test_bootstrap_agrees_with_scipy() -> None:
    """Without clusters it is SciPy's BCa interval of the mean difference, to nine digits for the same numbers."""
    candidate, baseline = drawn(1)
    differences = np.array([a / 4 - b / 4 for (a, _), (b, _) in zip(candidate, baseline, strict=True)])
    dice = np.random.default_rng(5)
    expected = bootstrap((differences,), np.mean, n_resamples=2000, method="BCa", rng=dice).confidence_interval
    found = known(bootstrap_difference(candidate, baseline, seed=5, resamples=2000))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert (found.n, found.clusters) == (150, 150)


def test_bootstrap_agrees_with_the_formula() -> None:
    """Two ways to the same interval: limits are within a tenth of its width of `paired_difference`."""
    candidate, baseline = drawn(2, cases=300)
    documents = [case // 5 for case in range(300)]
    for clusters in (None, documents):
        formula = known(paired_difference(candidate, baseline, clusters=clusters))
        resampled = known(bootstrap_difference(candidate, baseline, seed=1, clusters=clusters, resamples=2000))
        width = formula.high - formula.low
        assert resampled.estimate == pytest.approx(formula.estimate)
        assert (resampled.low, resampled.high) == pytest.approx((formula.low, formula.high), abs=0.1 * width)


def test_the_same_seed_gives_the_same_interval() -> None:
    """A verdict can be computed again; another seed gives another interval."""
    candidate, baseline = drawn(3)
    first, again, other = (bootstrap_difference(candidate, baseline, seed=s, resamples=500) for s in (1, 1, 2))
    assert first == again != other
    times = np.random.default_rng(1).lognormal(size=(2, 50)).tolist()
    ratios = [ratio_of_medians(*times, seed=s, resamples=500) for s in (1, 1, 2)]
    assert ratios[0] == ratios[1] != ratios[2]


def test_what_cannot_be_resampled_is_not_enough_data() -> None:
    """Few cases, or cases that all differ by the same, give no interval: certainly none without width."""
    assert isinstance(bootstrap_difference([(1, 1)] * 7, [(0, 1)] * 7, seed=1), NotEnoughData)
    assert isinstance(bootstrap_difference([(1, 1)] * 70, [(1, 1)] * 70, seed=1), NotEnoughData)
    assert isinstance(ratio_of_medians([1.0] * 7, [2.0] * 70, seed=1), NotEnoughData)
    assert isinstance(ratio_of_medians([1.0] * 70, [2.0] * 70, seed=1), NotEnoughData)


def test_ratio_of_medians_agrees_with_scipy() -> None:
    """Unpaired it is SciPy's percentile interval of the same ratio, within the chance of resampling."""
    dice = np.random.default_rng(4)
    a, b = dice.lognormal(0.2, 0.5, 200), dice.lognormal(0.0, 0.5, 150)

    def ratio(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        return np.median(x, axis=axis) / np.median(y, axis=axis)

    expected = bootstrap(
        (a, b), ratio, method="percentile", vectorized=True, n_resamples=5000, rng=np.random.default_rng(1)
    ).confidence_interval
    found = known(ratio_of_medians(a.tolist(), b.tolist(), seed=1, resamples=5000))
    width = found.high - found.low
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.05 * width)
    assert found.estimate == pytest.approx(float(np.median(a) / np.median(b)))


def test_pairs_know_more_than_two_samples() -> None:
    """Where slow cases are slow for both models, pairing narrows the interval of the ratio."""
    dice = np.random.default_rng(6)
    length = dice.lognormal(0, 1, 200)
    a, b = (length * dice.lognormal(0, 0.1, 200) for _ in range(2))
    paired = known(ratio_of_medians(a.tolist(), b.tolist(), seed=1, paired=True, resamples=1000))
    apart = known(ratio_of_medians(a.tolist(), b.tolist(), seed=1, resamples=1000))
    assert paired.high - paired.low < 0.7 * (apart.high - apart.low)


@pytest.mark.parametrize("paired", [False, True])
def test_ratio_intervals_cover_the_truth(paired: bool) -> None:
    """Intervals of 95 percent cover a ratio of 1.2 that often, within what 300 runs can tell."""
    dice = np.random.default_rng(8)
    covered = 0
    for run in range(300):
        length = dice.lognormal(0, 0.4, 60)
        noise = dice.lognormal(0, 0.3, (2, 60))
        sides = (1.2 * length * noise[0], (length if paired else dice.lognormal(0, 0.4, 60)) * noise[1])
        found = known(ratio_of_medians(*(side.tolist() for side in sides), seed=run, paired=paired, resamples=400))
        covered += found.low <= 1.2 <= found.high
    assert 0.915 < covered / 300 < 0.99


def test_impossible_values_are_refused() -> None:
    """A latency of zero, unequal pairs and a level of 95 are errors of the caller's."""
    for values in ([0.0] * 9, [-1.0] * 9, [math.nan] * 9, [math.inf] * 9):
        with pytest.raises(ValueError, match="positive"):
            ratio_of_medians(values, [1.0] * 9, seed=1)
    with pytest.raises(ValueError, match="no pairs"):
        ratio_of_medians([1.0] * 9, [1.0] * 8, seed=1, paired=True)
    with pytest.raises(ValueError, match="level"):
        ratio_of_medians([1.0] * 9, [1.0] * 9, seed=1, level=95)
    with pytest.raises(ValueError, match="level"):
        bootstrap_difference([(1, 1)] * 9, [(1, 1)] * 9, seed=1, level=95)
    with pytest.raises(ValueError, match="zip"):
        bootstrap_difference([(1, 1)] * 9, [(1, 1)] * 8, seed=1)


def resampled(found: ResampledRatio | NotEnoughData) -> ResampledRatio:
    """The ratio, where there must be one."""
    assert isinstance(found, ResampledRatio), found
    return found


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=400),
    st.integers(1, 30),
    st.integers(1, 31),
    st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99]),
)
def test_p_values_and_limits_never_disagree(ratios: list[int], estimate: int, threshold: int, level: float) -> None:
    """A ratio is shown to be less, or more, exactly where its interval is, also where resamples are the threshold."""
    found = ResampledRatio(float(estimate), tuple(map(float, sorted(ratios))), 100)
    below, above = found.p_below(threshold), found.p_above(threshold)
    assert 1 / (len(ratios) + 1) <= below <= 1
    assert 1 / (len(ratios) + 1) <= above <= 1
    limits, tail = found.interval(level), (1 - level) / 2
    if isinstance(limits, NotEnoughData):
        return
    assert limits.low <= limits.estimate <= limits.high
    assert limits.low < limits.high
    assert (below < tail) == (limits.high < threshold)
    assert (above < tail) == (limits.low > threshold)


def test_p_values_count_resamples() -> None:
    """Of 1999 resamples 39 at or beyond a threshold are a p-value of 40 in 2000; none are 1 in 2000."""
    found = ResampledRatio(1000.0, tuple(map(float, range(1, 2000))), 100)
    assert found.p_above(39) == found.p_below(1961) == 40 / 2000
    assert found.p_above(0.5) == found.p_below(2000) == 1 / 2000
    assert found.p_above(1000) == pytest.approx(0.5, abs=0.001)
    limits = known(found.interval(0.96))
    assert (limits.low, limits.high) == pytest.approx((40, 1960), abs=1)


def test_few_resamples_have_no_limits_at_a_high_level() -> None:
    """38 resamples can show no p-value below 0.025, so there are no limits of 95 percent; 40 have some."""
    assert isinstance(ResampledRatio(20.0, tuple(map(float, range(38))), 100).interval(0.95), NotEnoughData)
    limits = known(ResampledRatio(20.0, tuple(map(float, range(40))), 100).interval(0.95))
    assert (limits.low, limits.high) == (0, 39)


@pytest.mark.parametrize("n", [8, 9, 60, 61])
def test_medians_drawn_by_rank_are_those_of_resamples(n: int) -> None:
    """Against a side that hardly varies, the ratios have the distribution of NumPy's medians of whole resamples."""
    values = np.random.default_rng(n).lognormal(size=n)
    still = (1 + 1e-12 * np.arange(n)).tolist()
    found = resampled(bootstrap_ratio_of_medians(values.tolist(), still, seed=1, resamples=20_000))
    dice = np.random.default_rng(2)
    expected = np.median(values[dice.integers(n, size=(20_000, n))], axis=1)
    # Rounded, so that what is the same value is one.
    assert kstest(np.round(found.ratios, 6), np.round(expected, 6)).statistic < 0.02


@pytest.mark.parametrize("n", [8, 9, 60, 61])
def test_medians_drawn_in_pairs_are_those_of_resamples(n: int) -> None:
    """The ratios have the distribution of those of NumPy's medians, both of the same resample."""
    dice = np.random.default_rng(n)
    length = dice.lognormal(0, 1, n)
    a, b = (length * dice.lognormal(0, 0.3, n) for _ in range(2))
    found = resampled(bootstrap_ratio_of_medians(a.tolist(), b.tolist(), seed=1, paired=True, resamples=20_000))
    drawn = dice.integers(n, size=(20_000, n))
    expected = np.median(a[drawn], axis=1) / np.median(b[drawn], axis=1)
    assert kstest(np.round(found.ratios, 9), np.round(expected, 9)).statistic < 0.02
    assert found.estimate == pytest.approx(float(np.median(a) / np.median(b)))


def test_many_pairs_are_drawn_apart_and_never_know_too_much() -> None:
    """Beyond 5,000 pairs the interval is wider than what drawing them together gives."""
    dice = np.random.default_rng(6)
    length = dice.lognormal(0, 0.5, 5001)
    a, b = (length * dice.lognormal(0, 0.2, 5001) for _ in range(2))
    together = known(ratio_of_medians(a[:-1].tolist(), b[:-1].tolist(), seed=1, paired=True, resamples=999))
    apart = known(ratio_of_medians(a.tolist(), b.tolist(), seed=1, paired=True, resamples=999))
    assert apart.high - apart.low > 1.2 * (together.high - together.low)


def test_unpaired_and_paired_ratios_are_of_the_same_medians() -> None:
    """How resamples are drawn does not change what is estimated; n is that of the smaller side."""
    a, b = np.random.default_rng(1).lognormal(size=(2, 40)).tolist()
    apart = resampled(bootstrap_ratio_of_medians(a, b[:30], seed=1))
    assert (apart.n, len(apart.ratios)) == (30, 1999)
    paired = resampled(bootstrap_ratio_of_medians(a, b, seed=1, paired=True))
    unpaired = resampled(bootstrap_ratio_of_medians(a, b, seed=1))
    assert paired.estimate == unpaired.estimate


def test_strata_have_one_say_each() -> None:
    """The ratio over strata is the geometric mean of theirs, however many pairs each has, and not the middle one's."""
    dice = np.random.default_rng(3)
    sizes, ratios = (40, 10, 10), (1.2, 2.0, 4.0)
    bottom = np.concatenate([10.0**place * dice.lognormal(0, 0.02, size) for place, size in enumerate(sizes)])
    strata = np.repeat(np.arange(3), sizes)
    top = bottom * np.repeat(ratios, sizes) * dice.lognormal(0, 0.02, len(bottom))
    found = bootstrap_ratio_of_medians(top.tolist(), bottom.tolist(), seed=1, strata=strata.tolist())
    assert isinstance(found, ResampledRatio)
    truth = float(np.prod(ratios)) ** (1 / 3)
    assert found.estimate == pytest.approx(truth, rel=0.02)
    interval = known(found.interval(0.95))
    assert interval.low < truth < interval.high < 1.05 * interval.low


def test_one_stratum_is_none() -> None:
    """Where all pairs are of one stratum, nothing changes, to the last digit."""
    a, b = np.random.default_rng(4).lognormal(0, 0.3, (2, 20)).tolist()
    plain = bootstrap_ratio_of_medians(a, b, seed=1, paired=True)
    assert plain == bootstrap_ratio_of_medians(a, b, seed=1, strata=["64 tokens"] * 20)


def test_thin_stratum_has_no_interval() -> None:
    """A stratum of three pairs is too few: its resamples know too little of it."""
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    found = bootstrap_ratio_of_medians(values, values[::-1], seed=1, strata=[8] * 5 + [32] * 3)
    assert isinstance(found, NotEnoughData)
    assert "one of 2 strata has 3 pairs" in found.reason


@pytest.mark.parametrize(("each", "strata"), [(4, 2), (5, 5), (8, 2)])
def test_intervals_over_strata_cover_the_truth(each: int, strata: int) -> None:
    """Few pairs in each of several strata: intervals of 95 percent cover a ratio of 1.5 nearly that often, or more."""
    dice = np.random.default_rng(9)
    labels = np.repeat(np.arange(strata), each)
    covered = 0
    for run in range(300):
        prompt = np.exp(labels + dice.normal(0, 0.05, len(labels)))
        a, b = prompt * np.exp(dice.normal(0, 0.05, (2, len(labels))))
        found = bootstrap_ratio_of_medians(
            (1.5 * a).tolist(), b.tolist(), seed=run, strata=labels.tolist(), resamples=400
        )
        assert isinstance(found, ResampledRatio)
        interval = known(found.interval(0.95))
        covered += interval.low <= 1.5 <= interval.high
    assert covered / 300 > 0.905
