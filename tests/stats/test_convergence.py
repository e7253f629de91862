"""Whether a training learned."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.stats import Convergence, NotEnoughData, judge_convergence


def losses(*, start: float = 2.0, end: float = 0.2, steps: int = 100, noise: float = 0.2, seed: int = 1) -> list[float]:
    """A curve that falls by a power of e, each step's loss noisy by a share of itself."""
    dice = np.random.default_rng(seed)
    way = np.exp(-np.arange(steps) / (steps / 5))
    return ((end + (start - end) * way) * dice.lognormal(0, noise, steps)).tolist()


def alone(curve: list[float]) -> Convergence:
    (found,) = judge_convergence({"1": curve})
    return found


def test_a_training_that_learns_is_converged() -> None:
    """Three curves that fall to about the same loss are converged, each with nothing to say."""
    found = judge_convergence({str(seed): losses(seed=seed) for seed in (1, 2, 3)})
    assert [(run.replicate, run.converged, run.fell, run.beside_sisters, run.reason) for run in found] == [
        (name, True, True, True, "") for name in "123"
    ]
    assert all(run.final_loss is not None and run.final_loss < 0.3 for run in found)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_not_converged(bad: float) -> None:
    """One infinite or undefined loss ends it, and the reason names the step."""
    curve = losses()
    curve[41] = bad
    found = alone(curve)
    assert not found.converged
    assert found.reason == f"the loss of step 42 is {bad}"
    assert found.final_loss is None


def test_a_level_curve_did_not_fall() -> None:
    """Noise around one loss is no fall, neither is a rise, nor a loss that never changes."""
    dice = np.random.default_rng(4)
    for curve in (dice.lognormal(0.7, 0.3, 100).tolist(), losses(start=0.5, end=2.0), [1.5] * 50):
        found = alone(curve)
        assert found.fell is False
        assert "did not fall" in found.reason


def test_noise_is_seldom_taken_for_a_fall() -> None:
    """Of curves without any fall about one in twenty passes, as the test's level says."""
    dice = np.random.default_rng(5)
    fell = sum(alone(dice.lognormal(0, 0.5, 40).tolist()).fell is True for _ in range(300))
    assert fell / 300 < 0.09


@pytest.mark.parametrize(("steps", "noise", "least"), [(10, 0.1, 49), (10, 0.3, 45), (30, 0.3, 50), (300, 0.3, 50)])
def test_a_fall_is_seldom_missed(steps: int, noise: float, least: int) -> None:
    """A loss that falls to a tenth is mostly seen after ten noisy steps already, and always after thirty."""
    found = [alone(losses(steps=steps, noise=noise, seed=seed)) for seed in range(50)]
    assert sum(run.converged for run in found) >= least


@pytest.mark.parametrize("thrown_at", [1, 2, 4])
def test_a_curve_that_was_thrown_up_has_not_converged(thrown_at: int) -> None:
    """A learning rate that throws the loss from 2 to 10, whence it falls to 6, is not taken for learning."""
    dice = np.random.default_rng(6)
    after = losses(start=10.0, end=6.0, steps=200, noise=0.1)
    found = alone([*dice.lognormal(0.7, 0.1, thrown_at).tolist(), *after])
    assert not found.converged


def test_a_run_far_above_its_sisters_is_not_converged() -> None:
    """It fell, but much less than the others of its recipe: the reason says both ends."""
    curves = {str(seed): losses(seed=seed) for seed in (1, 2, 3)} | {"4": losses(start=3.0, end=1.5, seed=4)}
    found = judge_convergence(curves)
    assert [run.converged for run in found] == [True, True, True, False]
    assert found[3].fell is True
    assert found[3].beside_sisters is False
    assert "3 other replicates" in found[3].reason


def test_sisters_that_agree_closely_do_not_flag_each_other() -> None:
    """A few hundredths of the loss make no failed training, however close the others are."""
    curves = {str(seed): losses(seed=1) for seed in (1, 2, 3)} | {"4": losses(end=0.24, seed=1)}
    assert all(run.converged for run in judge_convergence(curves))


def test_a_failed_sister_is_no_measure() -> None:
    """Of three runs two of which failed, the third is judged by its fall alone."""
    found = judge_convergence({"1": losses(), "2": [math.nan] * 20, "3": [2.0] * 20})
    assert [run.converged for run in found] == [True, False, False]
    assert isinstance(found[0].beside_sisters, NotEnoughData)


def test_one_replicate_is_judged_by_its_fall() -> None:
    """Without sisters that part is not known; with nine steps or none, the fall is not either."""
    assert isinstance(alone(losses()).beside_sisters, NotEnoughData)
    for curve in (losses(steps=9), []):
        found = alone(curve)
        assert isinstance(found.fell, NotEnoughData)
        assert found.converged
    assert alone([]).final_loss is None


@given(st.dictionaries(st.text(max_size=3), st.lists(st.floats(), max_size=30), max_size=4))
def test_any_losses_are_judged(curves: dict[str, list[float]]) -> None:
    """Every replicate gets its judgement, in order, whatever was reported."""
    found = judge_convergence(curves)
    assert [run.replicate for run in found] == list(curves)
    assert all(run.converged == (not run.reason) for run in found)
