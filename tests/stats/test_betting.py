"""Evidence that may be looked at after every case."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from tunegate.stats import (
    ConfidenceSequence,
    EProcess,
    NotEnoughData,
    always_valid_p_values,
    confidence_sequence,
    difference_of_share,
    log_e_values,
    share_of_difference,
)

from .known import known

VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=60)


@given(VALUES, st.floats(0.05, 0.95), st.sampled_from(["above", "below"]))
def test_one_by_one_and_all_at_once_agree(values: list[float], null: float, side: str) -> None:
    """The incremental test and the vectorised one give the same e-values, to nine digits."""
    test = EProcess(null, side=side)  # type: ignore[arg-type]
    logs = log_e_values([values, values], null=null, side=side)  # type: ignore[arg-type]
    for value, expected in zip(values, logs[1].tolist(), strict=True):
        test.update(value)
        assert test.log_capital == pytest.approx(expected, abs=1e-9)
    assert test.p_value == pytest.approx(math.exp(-max(0.0, float(logs[1].max()))), abs=1e-9)


@given(st.floats(0.05, 0.95))
def test_capital_is_not_expected_to_grow_under_the_null(null: float) -> None:
    """Over all outcomes of ten yes or no with the null's chance, the mean capital is 1, to nine digits."""
    outcomes = np.array(np.meshgrid(*[[0.0, 1.0]] * 10)).reshape(10, -1).T
    chances = np.prod(np.where(outcomes == 1, null, 1 - null), axis=1)
    for side in ("above", "below"):
        capital = np.exp(log_e_values(outcomes, null=null, side=side))  # type: ignore[arg-type]
        assert chances @ capital == pytest.approx(np.ones(10), abs=1e-9)


def reference_limits(values: list[float], means: list[float], *, alpha: float) -> tuple[float, float]:
    """The hedged capital process as the paper writes it, one candidate mean at a time: those never refuted."""
    kept = []
    for mean in means:
        more = less = 1.0
        refuted = False
        total, squares = 0.5, 0.25
        for time, value in enumerate(values, 1):
            bet = math.sqrt(2 * math.log(2 / alpha) / ((squares / time) * time * math.log(1 + time)))
            more *= 1 + min(bet, 0.5 / mean) * (value - mean)
            less *= 1 - min(bet, 0.5 / (1 - mean)) * (value - mean)
            refuted = refuted or max(more / 2, less / 2) >= 1 / alpha
            total += value
            squares += (value - total / (time + 1)) ** 2
        if not refuted:
            kept.append(mean)
    return min(kept), max(kept)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_sequence_is_the_papers_hedged_capital(share: float) -> None:
    """The interval is made of the means that the paper's process does not refute, one step of the grid wider."""
    values = np.random.default_rng(int(100 * share)).binomial(4, share, 150) / 4
    sequence = ConfidenceSequence(level=0.95, steps=100)
    for value in values.tolist():
        sequence.update(value)
    low, high = reference_limits(values.tolist(), [step / 100 for step in range(1, 100)], alpha=0.05)
    assert sequence.low == pytest.approx(low - 0.01)
    assert sequence.high == pytest.approx(high + 0.01)


def test_sequence_narrows_and_never_widens() -> None:
    """Each interval lies within the one before, holds the truth here, and has a width."""
    values = (np.random.default_rng(3).random(800) < 0.9).astype(float).tolist()
    intervals = confidence_sequence(values)
    for before, after in pairwise(intervals):
        assert before.low <= after.low < after.high <= before.high
        assert after.low <= after.estimate <= after.high
    assert intervals[-1].low < 0.9 < intervals[-1].high
    assert intervals[-1].high - intervals[-1].low < 0.1
    assert intervals[-1].n == 800


def test_thresholds_are_shown_by_the_interval() -> None:
    """A mean is shown to be above what the interval lies above, and below what it lies below; at first neither."""
    sequence = ConfidenceSequence()
    assert sequence.interval == NotEnoughData("nothing was judged")
    assert not sequence.is_above(0)
    assert not sequence.is_below(1)
    for _ in range(300):
        sequence.update(1.0)
    interval = known(sequence.interval)
    assert interval.low > 0.9
    assert sequence.is_above(0.9)
    assert not sequence.is_below(0.999)
    assert not sequence.is_below(1)


def test_values_that_contradict_themselves_leave_an_interval() -> None:
    """A model that changes half-way has no one mean: the interval keeps a width and its order."""
    sequence = ConfidenceSequence()
    for value in [1.0] * 500 + [0.0] * 5000:
        sequence.update(value)
    interval = known(sequence.interval)
    assert interval.low < interval.high
    assert interval.low <= interval.estimate <= interval.high


def test_levels_hold_under_peeking() -> None:
    """Looking after each of 500 cases, a true null is refuted in at most 5 percent of runs, and the truth missed."""
    dice = np.random.default_rng(12)
    values = dice.binomial(4, 0.9, (2000, 500)) / 4
    for side in ("above", "below"):
        ever = log_e_values(values, null=0.9, side=side).max(axis=1) >= math.log(20)  # type: ignore[arg-type]
        assert ever.mean() <= 0.06
    missed = 0
    for run in values[:100].tolist():
        sequence = ConfidenceSequence(steps=200)
        for value in run:
            sequence.update(value)
        missed += not sequence.low <= 0.9 <= sequence.high
    assert missed <= 10


def test_a_clear_difference_is_shown_early() -> None:
    """Nine in ten against a null of one in two takes fewer than 40 cases, either way round."""
    above, below = EProcess(0.5), EProcess(0.5, side="below")
    values = [1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0] * 4
    for value in values:
        above.update(value)
        below.update(1 - value)
    assert above.is_shown(0.025)
    assert above.log_capital == pytest.approx(below.log_capital)
    assert not EProcess(0.5).is_shown(0.025)


@given(st.floats(-1, 1))
def test_differences_come_back(difference: float) -> None:
    """A difference of -1 to 1 is a share of 0 to 1, and back."""
    assert 0 <= share_of_difference(difference) <= 1
    assert difference_of_share(share_of_difference(difference)) == pytest.approx(difference, abs=1e-15)


def test_impossible_values_are_refused() -> None:
    """What does not lie within 0 and 1 cannot be bet on: a difference must be brought there first."""
    with pytest.raises(ValueError, match="cannot be bet on"):
        EProcess(0.5).update(-0.1)
    with pytest.raises(ValueError, match="cannot be bet on"):
        ConfidenceSequence().update(math.nan)
    with pytest.raises(ValueError, match="from 0 to 1"):
        log_e_values([0.5, 1.5], null=0.5)
    for null in (0, 1, 95):
        with pytest.raises(ValueError, match="cannot be tested"):
            EProcess(null)
        with pytest.raises(ValueError, match="cannot be tested"):
            log_e_values([0.5], null=null)
    with pytest.raises(ValueError, match="level"):
        ConfidenceSequence(level=95)


@pytest.mark.parametrize("margin", [-0.1, 0.0, 0.01, 0.05, 0.3])
def test_margins_between_models_hold_their_level(margin: float) -> None:
    """Differences of batches of four can be bet on at any margin: worse by just that is refuted in at most 5 percent.

    Half of the questions the candidate answers as the baseline does.
    """
    dice = np.random.default_rng(31)
    before = dice.binomial(4, 0.75, (1000, 300))
    kept, kept_wrong = dice.binomial(before, 0.5), dice.binomial(4 - before, 0.5)
    after = kept + dice.binomial(4 - kept - kept_wrong, 0.75 - 2 * margin)
    shares = share_of_difference((after - before) / 4)
    null = share_of_difference(-margin)
    for side in ("above", "below"):
        ever = log_e_values(shares, null=null, side=side).max(axis=1) >= math.log(20)  # type: ignore[arg-type]
        assert ever.mean() <= 0.06


@pytest.mark.parametrize("margin", [0.02, 0.1, 0.5, 0.95])
def test_a_model_that_never_differs_is_shown_to_be_no_worse(margin: float) -> None:
    """Equal answers show "not worse" sooner or later at every margin, and never "worse"; wider margins sooner."""
    null = share_of_difference(-margin)
    holds, broken = EProcess(null), EProcess(null, side="below")
    cases = 0
    while not holds.is_shown(0.025):
        cases += 1
        holds.update(share_of_difference(0.0))
        broken.update(share_of_difference(0.0))
    assert cases <= 12 / margin + 10
    assert broken.p_value == 1


def test_alpha_is_spent_over_the_looks() -> None:
    """By hand: 0.01 at the first look is 0.01645; 0.001 at the second 0.00658; what was shown stays shown."""
    found = always_valid_p_values([0.01, 0.001, 0.9])
    assert found == pytest.approx((0.01 * math.pi**2 / 6, 0.004 * math.pi**2 / 6, 0.004 * math.pi**2 / 6))
    assert always_valid_p_values([0.9, 0.4]) == (1.0, 1.0)
    assert always_valid_p_values([]) == ()
    for p in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="no p-value"):
            always_valid_p_values([0.5, p])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_looking_often_never_costs_more_than_alpha(p_values: list[float]) -> None:
    """A look is only taken for a finding within its part of alpha, and the parts of all looks are at most alpha."""
    alpha = 0.05
    found = always_valid_p_values(p_values)
    parts = [6 * alpha / (math.pi * look) ** 2 for look in range(1, len(p_values) + 1)]
    assert sum(parts) < alpha
    shown = [
        any(p <= part for p, part in zip(p_values[:look], parts, strict=False)) for look in range(1, len(parts) + 1)
    ]
    assert [p <= alpha for p in found] == shown
    assert list(found) == sorted(found, reverse=True)


def test_levels_hold_at_doubling_looks() -> None:
    """A mean of 0 looked at after 50, 100, ... 3200 values is refuted in at most 5 percent of 2000 runs."""
    dice = np.random.default_rng(33)
    sums = np.cumsum(dice.standard_normal((2000, 3200)), axis=1)
    looks = [50 * 2**look for look in range(7)]
    p_values = norm.sf(sums[:, [look - 1 for look in looks]] / np.sqrt(looks))
    refuted = [always_valid_p_values(run)[-1] <= 0.05 for run in p_values.tolist()]
    assert 0.01 < np.mean(refuted) <= 0.05
    assert np.mean(p_values.min(axis=1) <= 0.05) > 0.1
