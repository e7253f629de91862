"""Bootstrap intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import bootstrap

from tunegate.stats import NotEnoughData, bootstrap_difference, paired_difference, ratio_of_medians

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
