"""Whether a training learned."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.stats import Convergence, NotEnoughData, judge_convergence


def losses(*, start: float = 2.0, end: float = 0.2, steps: int = 100, noise: float = 0.2, seed: int = 1) -> list[float]:
    """A curve that falls by a power of e, each step's loss noisy by a share of itself."""
    chance = np.random.default_rng(seed)
    way = np.exp(-np.arange(steps) / (steps / 5))
    return ((end + (start - end) * way) * chance.lognormal(0, noise, steps)).tolist()


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


def dice(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def falling(start: float, end: float, *, spread: float, steps: int, chance: np.random.Generator) -> list[float]:
    """A healthy curve of one example a step: its loss falls, and examples differ by `spread` whatever the step."""
    way = np.exp(-np.arange(steps) / (steps / 5))
    return np.maximum(0.01, end + (start - end) * way + chance.normal(0, spread, steps)).tolist()


def share_flagged(make: Callable[[np.random.Generator], list[float]], *, times: int = 200) -> float:
    chance = dice(11)
    return sum(not alone(make(chance)).converged for _ in range(times)) / times


@pytest.mark.parametrize(
    ("start", "end", "spread", "steps"),
    [(2.0, 1.6, 0.5, 100), (2.0, 1.7, 0.4, 150), (2.0, 1.5, 0.5, 300), (2.0, 1.6, 0.5, 600), (1.1, 0.99, 0.12, 10)],
)
def test_healthy_trainings_are_seldom_flagged(start: float, end: float, spread: float, steps: int) -> None:
    """Of trainings that learn a little, examples differing by more than that, less than one in twenty is flagged."""
    assert share_flagged(lambda chance: falling(start, end, spread=spread, steps=steps, chance=chance)) <= 0.05


@pytest.mark.parametrize("steps", [20, 100])
def test_losses_that_are_seldom_high_are_seldom_flagged(steps: int) -> None:
    """Neither are trainings whose examples differ by factors."""
    assert share_flagged(lambda chance: (1.6 * chance.lognormal(0, 0.8, steps)).tolist()) <= 0.05


DIVERGED = (1.025, 0.605, 3.828, 3.246, 3.835, 3.066, 2.426, 3.761, 7.628, 8.379, 6.941, 4.862, 3.097, 4.038, 2.492,
            3.268, 2.665, 1.386, 1.319, 1.368)  # fmt: skip
"""The losses of a training of 20 examples at 250 times the rate of its recipe."""


@pytest.mark.parametrize(
    "make",
    [
        lambda chance: [*DIVERGED[:2], *chance.permutation(DIVERGED[2:])],
        lambda chance: [*chance.normal(1.1, 0.12, 2), *chance.choice(DIVERGED[2:], 48)],
        lambda chance: list(np.array(DIVERGED) * chance.lognormal(0, 0.2, 20)),
    ],
    ids=["in another order", "longer", "other examples"],
)
def test_trainings_that_diverge_are_mostly_flagged(make: Callable[[np.random.Generator], list[float]]) -> None:
    """Of trainings like one that did diverge, at least 19 in 20 are."""
    assert not alone(list(DIVERGED)).converged
    assert share_flagged(make) >= 0.95


def test_plateau_above_the_start_is_mostly_flagged() -> None:
    """Thrown from 1.03 to 8, and back to 1.5 only: at least 19 in 20, although most of the curve falls."""

    def make(chance: np.random.Generator) -> list[float]:
        return [chance.normal(1.03, 0.2), *falling(8.0, 1.5, spread=0.2, steps=100, chance=chance)]

    assert share_flagged(make) >= 0.95


def test_curve_that_comes_back_from_a_peak_is_converged() -> None:
    """Thrown up at first, and in the end well below where it began: it has learned."""
    assert alone([2.0, *falling(8.0, 0.5, spread=0.1, steps=100, chance=dice(3))]).converged


@pytest.mark.parametrize("steps", [10, 13, 100])
def test_rise_is_flagged(steps: int) -> None:
    """A loss that rises is not converged, however few steps there are."""
    found = alone(losses(start=2.0, end=8.0, steps=steps))
    assert found.fell is False
    assert found.reason.startswith("its loss")


def test_nothing_is_said_of_a_level_curve() -> None:
    """Noise around one loss shows neither a fall nor harm: not judged, and not flagged."""
    for curve in (dice(4).lognormal(0.7, 0.3, 100).tolist(), [1.5] * 50):
        found = alone(curve)
        assert isinstance(found.fell, NotEnoughData)
        assert found.converged


def test_noise_is_seldom_taken_for_a_fall() -> None:
    """Of curves without any fall about one in twenty passes, as the test's level says."""
    chance = dice(5)
    fell = sum(alone(chance.lognormal(0, 0.5, 40).tolist()).fell is True for _ in range(300))
    assert fell / 300 < 0.09


@pytest.mark.parametrize(("steps", "noise", "least"), [(10, 0.1, 50), (10, 0.3, 48), (30, 0.3, 50), (300, 0.3, 50)])
def test_a_fall_is_seldom_missed(steps: int, noise: float, least: int) -> None:
    """A loss that falls to a tenth is mostly seen after ten noisy steps already, and always after thirty."""
    found = [alone(losses(steps=steps, noise=noise, seed=seed)) for seed in range(50)]
    assert sum(run.fell is True and run.converged for run in found) >= least


def test_same_examples_are_compared_across_epochs() -> None:
    """Examples differ by more than a training learns, but not from themselves: an epoch is held against the first."""
    first = dice(10).normal(2.0, 0.5, 20)

    def judge(change: float) -> Convergence:
        (found,) = judge_convergence({"1": [*first, *(first[::-1] + change)]}, epochs=2)
        return found

    assert "on the same examples in the last" in judge(0.05).reason
    assert judge(-0.05).converged


def test_validation_loss_that_does_not_fall_speaks_against_a_training() -> None:
    """Where it was measured at the beginning too, and nothing shows that the training losses fell."""
    level = dice(9).normal(2.0, 0.3, 40).tolist()
    for end, converged in ((1.9, True), (2.1, False)):
        (found,) = judge_convergence({"1": level}, valid_losses={"1": {1: 2.0, 20: 2.05, 40: end}})
        assert found.converged is converged
    (found,) = judge_convergence({"1": level}, valid_losses={"1": {40: 2.1}})
    assert found.converged


@pytest.mark.parametrize("thrown_at", [1, 2, 4])
def test_a_curve_that_was_thrown_up_has_not_converged(thrown_at: int) -> None:
    """A learning rate that throws the loss from 2 to 10, whence it falls to 6, is not taken for learning."""
    after = losses(start=10.0, end=6.0, steps=200, noise=0.1)
    found = alone([*dice(6).lognormal(0.7, 0.1, thrown_at).tolist(), *after])
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


SHIPPED = Path(__file__).resolve().parents[2] / "reports" / "finetunes" / "reproduction"


def shipped(examples: int) -> tuple[dict[str, list[float]], dict[str, dict[int, float]]]:
    """Return the training and validation losses of the replicates of a size by seed, by the one recipe."""
    kept = [json.loads(path.read_text()) for path in sorted(SHIPPED.glob(f"n{examples}-s*.json"))]
    kept = [one for one in kept if one["hyperparameters"]["learning_rate_multiplier"] == 0.4]
    return (
        {str(one["seed"]): [step["train_loss"] for step in one["steps"]] for one in kept},
        {str(one["seed"]): {s["step"]: s["valid_loss"] for s in one["steps"] if "valid_loss" in s} for one in kept},
    )


@pytest.mark.parametrize("examples", [10, 20, 50, 100])
def test_replicates_that_learned_are_converged(examples: int) -> None:
    """The trainings of the reproduction stand beside each other, by their validation losses and without them."""
    curves, valid = shipped(examples)
    assert len(curves) == 3
    for known in ({}, valid):
        assert [(run.converged, run.beside_sisters) for run in judge_convergence(curves, valid_losses=known)] == [
            (True, True)
        ] * 3


@pytest.mark.parametrize("end", [0.4, 0.5, 0.6, 0.65, 0.7, 0.75])
def test_replicate_that_stalls_is_flagged(end: float) -> None:
    """Of 100 examples, ends of 0.28 to 0.30: one that stops at 0.40 gives the answers of a much smaller training."""
    curves, _ = shipped(100)
    stalled = [1.14 + (loss - 1.14) * (1.14 - end) / (1.14 - 0.285) for loss in curves["1"]]
    *others, last = judge_convergence({"2": curves["2"], "3": curves["3"], "stalled": stalled})
    assert all(run.converged for run in others)
    assert last.beside_sisters is False
    assert last.reason.startswith("its loss ends at")


def test_validation_losses_tell_a_stalled_replicate() -> None:
    """They are of the same examples: 1.36 beside 0.78 is seen even where the training losses look alike."""
    curves, valid = shipped(20)
    found = judge_convergence(curves, valid_losses={**valid, "1": {20: 1.357527}})
    assert [run.converged for run in found] == [False, True, True]
    assert found[0].reason.startswith("its validation loss ends at 1.36, that of 2 other replicates at 0.777")


def test_ten_steps_are_held_against_sisters() -> None:
    """Few steps show no fall, and yet an end at 1.6 beside two at 1.0 is no accident."""
    chance = dice(12)
    curves = {str(run): falling(1.1, 1.0, spread=0.05, steps=10, chance=chance) for run in range(3)}
    found = judge_convergence({**curves, "bad": falling(1.7, 1.6, spread=0.05, steps=10, chance=chance)})
    assert [run.converged for run in found] == [True, True, True, False]


@pytest.mark.parametrize(
    ("start", "end", "spread", "steps"), [(1.14, 0.29, 0.05, 100), (1.1, 0.83, 0.1, 20), (2.0, 1.6, 0.5, 100)]
)
@pytest.mark.parametrize("seeds_differ", [0.0, 0.05])
def test_three_sound_replicates_are_seldom_flagged(
    start: float, end: float, spread: float, steps: int, seeds_differ: float
) -> None:
    """Each has two sisters only: of healthy replicates whose ends differ by up to 5 % of their fall, one in twenty at
    most.
    """
    chance = dice(13)
    flagged = 0
    for _ in range(60):
        ends = end + (start - end) * seeds_differ * chance.normal(0, 1, 3)
        curves = {str(one): falling(start, one, spread=spread, steps=steps, chance=chance) for one in ends}
        flagged += sum(not run.converged for run in judge_convergence(curves))
    assert flagged / 180 <= 0.06


def test_a_failed_sister_is_no_measure() -> None:
    """Of three runs two of which failed, the third is judged by itself alone."""
    found = judge_convergence({"1": losses(), "2": [math.nan] * 20, "3": losses(start=2.0, end=8.0)})
    assert [run.converged for run in found] == [True, False, False]
    assert isinstance(found[0].beside_sisters, NotEnoughData)


def test_one_replicate_is_judged_by_itself() -> None:
    """Without sisters that part is not known; with three steps or none, the fall is not either."""
    assert isinstance(alone(losses()).beside_sisters, NotEnoughData)
    for curve in (losses(steps=3), []):
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
