"""Where the variance of a metric comes from."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunegate.stats import MeanVariance, Measured, NotEnoughData, VarianceParts, split_variance

from .known import known


def parts(measured: list[Measured], *, seed: int = 1) -> VarianceParts:
    """The split, where there must be one."""
    found = split_variance(measured, seed=seed, resamples=199)
    assert isinstance(found, VarianceParts), found
    return found


def mean_of(found: VarianceParts, *, trainings: int = 1, cases: int, repeats: int = 1) -> MeanVariance:
    """The variance of a mean, where it must be known."""
    mean = found.of_mean(trainings=trainings, cases=cases, repeats=repeats)
    assert isinstance(mean, MeanVariance), mean
    return mean


def replies(trainings: int, cases: int, repeats: int, *, missing: float = 0.0, seed: int = 1) -> list[Measured]:
    """Replies whose components have standard deviations of 0.1, 0.3, 0.2 and 0.25."""
    dice = np.random.default_rng(seed)
    shape = (trainings, cases, repeats)
    values = dice.normal(0, 0.1, (trainings, 1, 1)) + dice.normal(0, 0.3, (1, cases, 1))
    values = values + dice.normal(0, 0.2, (trainings, cases, 1)) + dice.normal(0, 0.25, shape)
    kept = np.argwhere(dice.random(shape) >= missing)
    return [Measured(int(t), int(c), float(values[t, c, r])) for t, c, r in kept]


def test_equal_counts_give_the_analysis_of_variance() -> None:
    """With as many repeats everywhere, components are the differences of the mean squares of the textbook's table."""
    trainings, cases, repeats = 4, 12, 3
    measured = replies(trainings, cases, repeats)
    table = np.array([one.value for one in measured]).reshape(trainings, cases, repeats)
    cells, mean = table.mean(2), table.mean()
    by_training, by_case = table.mean((1, 2)), table.mean((0, 2))
    ms_training = cases * repeats * ((by_training - mean) ** 2).sum() / (trainings - 1)
    ms_case = trainings * repeats * ((by_case - mean) ** 2).sum() / (cases - 1)
    both = cells - by_training[:, None] - by_case[None, :] + mean
    ms_both = repeats * (both**2).sum() / ((trainings - 1) * (cases - 1))
    ms_repeat = ((table - cells[..., None]) ** 2).sum() / (trainings * cases * (repeats - 1))
    found = parts(measured)
    assert known(found.repeat).estimate == pytest.approx(ms_repeat)
    assert known(found.training_by_case).estimate == pytest.approx(max(0, (ms_both - ms_repeat) / repeats))
    assert known(found.case).estimate == pytest.approx((ms_case - ms_both) / (trainings * repeats))
    assert known(found.training).estimate == pytest.approx(max(0, (ms_training - ms_both) / (cases * repeats)))


def test_moments_are_right_on_average_with_unequal_counts() -> None:
    """With three replies in ten missing, the means over many runs are the components."""
    found = [parts(replies(6, 40, 3, missing=0.3, seed=seed)) for seed in range(60)]
    for name, truth in (("case", 0.09), ("training_by_case", 0.04), ("repeat", 0.0625)):
        assert np.mean([known(getattr(one, name)).estimate for one in found]) == pytest.approx(truth, rel=0.1)
    assert np.mean([known(one.training).estimate for one in found]) == pytest.approx(0.01, rel=0.35)


def test_a_negative_component_is_nothing_and_said() -> None:
    """Where trainings agree more closely than their replies let them, their variance is 0, named, and has a width."""
    measured = [Measured(training, case, float((training + case) % 2)) for training in range(2) for case in range(40)]
    found = parts(measured)
    assert "training" in found.negative
    training = known(found.training)
    assert training.low == training.estimate == 0 < training.high


def test_the_variance_of_a_mean_says_what_to_buy() -> None:
    """More of one thing divides what depends on it, and nothing else."""
    found = parts(replies(3, 60, 2))
    one, more_cases, more_repeats, more_trainings = (
        mean_of(found, cases=100),
        mean_of(found, cases=200),
        mean_of(found, cases=100, repeats=2),
        mean_of(found, cases=100, trainings=2),
    )
    assert (more_cases.training, more_cases.case) == (one.training, pytest.approx(one.case / 2))
    assert (more_repeats.case, more_repeats.repeat) == (one.case, pytest.approx(one.repeat / 2))
    assert (more_trainings.case, more_trainings.training) == (one.case, pytest.approx(one.training / 2))
    shares = one.shares
    assert isinstance(shares, MeanVariance)
    assert shares.total == pytest.approx(1)
    with pytest.raises(ValueError, match="no mean"):
        found.of_mean(cases=0)


def test_the_mean_of_a_run_varies_as_its_parts_say() -> None:
    """Runs drawn anew, trainings and cases too, have means whose variance is the sum of the components."""
    means = [np.mean([one.value for one in replies(2, 25, 2, seed=seed)]) for seed in range(1500)]
    expected = 0.01 / 2 + 0.09 / 25 + 0.04 / 50 + 0.0625 / 100
    assert np.var(means) == pytest.approx(expected, rel=0.12)


def test_what_a_layout_cannot_tell_is_not_enough_data() -> None:
    """One training, no repeats, other cases for each training, or hardly any cases: that part is unknown, and no 0."""
    one = parts(replies(1, 20, 2))
    assert isinstance(one.training, NotEnoughData)
    assert isinstance(one.training_by_case, NotEnoughData)
    once = parts(replies(3, 20, 1))
    assert isinstance(once.repeat, NotEnoughData)
    assert known(once.training_by_case).estimate > 0.04
    apart = parts([Measured(case % 2, case, float(case % 3)) for case in range(30)])
    assert isinstance(apart.training, NotEnoughData)
    assert isinstance(parts(replies(3, 5, 2)).case, NotEnoughData)
    assert isinstance(split_variance([Measured(1, 1, 0.0)] * 9, seed=1), NotEnoughData)
    assert isinstance(split_variance([], seed=1), NotEnoughData)
    level = parts([Measured(training, case, 1.0) for training in range(3) for case in range(20)])
    assert isinstance(level.training, NotEnoughData)
    assert isinstance(mean_of(level, cases=20).shares, NotEnoughData)


def test_an_unknown_part_leaves_the_shares_unknown() -> None:
    """Five cases say how trainings differ and not how cases do: training's part is unknown then, and not all of it."""
    few = parts(replies(3, 5, 2))
    assert not isinstance(few.training, NotEnoughData)
    assert few.of_mean(cases=5) == NotEnoughData("case: 5 cases are too few to resample: at least 8 are needed")
    assert parts(replies(1, 20, 2)).of_mean(cases=20) == NotEnoughData("training: there is one training only")


def test_a_part_of_which_none_was_seen_is_nothing() -> None:
    """Where only trainings differ, all of the variance is theirs; without repeats, theirs is in another part."""
    apart = parts([Measured(training, case, float(training)) for training in range(3) for case in range(20)])
    assert apart.case == apart.training_by_case == NotEnoughData("no variance was seen")
    shares = mean_of(apart, cases=20).shares
    assert isinstance(shares, MeanVariance)
    assert shares.training == pytest.approx(1)
    once = mean_of(parts(replies(3, 40, 1)), cases=40).shares
    assert isinstance(once, MeanVariance)
    assert 0 < once.training_by_case < 1
    assert once.repeat == 0


def test_impossible_values_are_refused() -> None:
    """A value that is no number and a level of 95 are errors of the caller's."""
    measured = replies(2, 10, 1)
    with pytest.raises(ValueError, match="finite"):
        split_variance([*measured, Measured(1, 1, math.nan)], seed=1)
    with pytest.raises(ValueError, match="level"):
        split_variance(measured, seed=1, level=95)


def test_the_same_seed_gives_the_same_limits() -> None:
    """A table can be made again."""
    measured = replies(3, 30, 2)
    first, again, other = (parts(measured, seed=seed).case for seed in (1, 1, 2))
    assert first == again != other


@settings(max_examples=60)
@given(
    st.lists(st.builds(Measured, st.integers(0, 3), st.integers(0, 9), st.sampled_from([0.0, 0.25, 1.0])), max_size=60)
)
def test_any_layout_is_split_or_said_to_be_too_small(measured: list[Measured]) -> None:
    """Whatever is missing, components are from 0 on, within their limits, with a width."""
    found = split_variance(measured, seed=1, resamples=39)
    if isinstance(found, NotEnoughData):
        return
    for part in (found.training, found.case, found.training_by_case, found.repeat):
        if not isinstance(part, NotEnoughData):
            assert 0 <= part.low <= part.estimate <= part.high < math.inf
            assert part.low < part.high
