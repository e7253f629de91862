"""Did a training learn? Its loss says so before anybody pays for an eval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from tunegate.stats.interval import NotEnoughData

FIRST_STEPS = 5
"""Steps that stand for the model as it was. Few: a learning rate that is much too high is seen after one or two, and
a curve that falls again from where that has thrown it has not fallen."""
LAST_PART = 0.2
"""Share of the steps that stand for the end, at least `FIRST_STEPS`: with a batch of one example, the loss of a
single step says little."""
FEWEST_STEPS = 4 * FIRST_STEPS
"""Steps below which a fall is not told from chance: of three healthy trainings of ten steps each, the losses of one
fell from 1.09 to 1.03 only, which is less than examples differ. To leave such a training out would be to choose the
better ones."""
FALL_P = 0.05
"""One-sided p-value above which a curve did not fall. A training that learns anything at all falls by many of its
losses' standard deviations."""
FEWEST_SISTERS = 2
"""Other replicates that a run is held against."""
FAR_ABOVE = 3.5
"""Robust standard deviations above the sisters' median from which on an end counts as far: Iglewicz and Hoaglin
(1993), "How to Detect and Handle Outliers"."""
LEAST_GAP = 0.5
"""Share of its sisters' fall that a run must lack besides: sisters may agree so closely that their deviation is next to
nothing, and a few hundredths of the loss make no failed training."""
_LARGEST = 1e100
_NORMAL_MAD = 1.4826
"""Standard deviations of a normal distribution in one median absolute deviation."""


@dataclass(frozen=True)
class Convergence:
    """What a training's loss curve says."""

    replicate: str
    first_loss: float | None
    """Mean of the first steps; None where the curve holds a loss that is no number, or none at all."""
    final_loss: float | None
    """Mean of the last part."""
    fell: bool | NotEnoughData
    """The last part lies below the first steps."""
    beside_sisters: bool | NotEnoughData
    """It does not end far above the other replicates."""
    reason: str
    """Why it is not converged; empty where nothing speaks against it."""

    @property
    def converged(self) -> bool:
        """Nothing that could be judged speaks against it."""
        return not self.reason


def judge_convergence(losses_by_replicate: Mapping[str, Sequence[float]]) -> tuple[Convergence, ...]:
    """Judge the loss curves of trainings by one recipe, each by itself and against the others.

    Losses are those of training, one a step, in their order. A run did not converge where

    - a loss is infinite, no number, or so large that it might as well be; or
    - its last fifth does not lie below its first steps: Mann and Whitney's rank test (1947), one-sided at `FALL_P`,
      which asks nothing of the losses' distribution; or
    - its last fifth lies above its very first loss, by more than `FAR_ABOVE` robust standard deviations of that fifth
      (1.4826 times the median absolute deviation); or
    - its last fifth ends above the median of the other replicates' by more than `FAR_ABOVE` robust standard deviations
      of theirs, and by more than `LEAST_GAP` of the way that they fell in the median. Others that did not fall
      themselves are no measure and left out.

    With fewer than `FEWEST_SISTERS` such others, only the fall is judged.
    """
    alone = {name: _judge_fall(name, tuple(losses)) for name, losses in losses_by_replicate.items()}
    return tuple(
        _hold_against(run, [other for name, other in alone.items() if name != run.replicate and other.fell is True])
        for run in alone.values()
    )


def _judge_fall(name: str, losses: tuple[float, ...]) -> Convergence:
    unjudged = NotEnoughData("there are too few other replicates that learned")
    bad = next((step for step, loss in enumerate(losses, 1) if not abs(loss) < _LARGEST), None)
    if bad is not None:
        reason = f"the loss of step {bad} is {losses[bad - 1]}"
        return Convergence(name, None, None, fell=False, beside_sisters=False, reason=reason)
    if not losses:
        nothing = NotEnoughData("no loss was reported")
        return Convergence(name, None, None, fell=nothing, beside_sisters=nothing, reason="")
    late = losses[-max(FIRST_STEPS, math.ceil(LAST_PART * len(losses))) :]
    first, final = fmean(losses[:FIRST_STEPS]), fmean(late)
    if len(losses) < FEWEST_STEPS:
        few = NotEnoughData(f"{len(losses)} steps are too few to tell a fall: at least {FEWEST_STEPS} are needed")
        return Convergence(name, first, final, fell=few, beside_sisters=unjudged, reason="")
    reason = ""
    p = _p_of_fall(losses[:FIRST_STEPS], late)
    if p > FALL_P:
        reason = f"its loss did not fall: {first:.3g} at first, {final:.3g} in the end (p = {p:.2g})"
    elif final - losses[0] > FAR_ABOVE * _deviation(late):
        reason = f"its loss ends above where it began: {losses[0]:.3g} at first, {final:.3g} in the end"
    return Convergence(name, first, final, fell=not reason, beside_sisters=unjudged, reason=reason)


def _p_of_fall(early: Sequence[float], late: Sequence[float]) -> float:
    if min(*early, *late) == max(*early, *late):
        return 1.0
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(late, early, alternative="less").pvalue)


def _deviation(values: Sequence[float]) -> float:
    middle = median(values)
    return _NORMAL_MAD * median([abs(value - middle) for value in values])


def _hold_against(run: Convergence, sisters: Sequence[Convergence]) -> Convergence:
    ends = [sister.final_loss for sister in sisters if sister.final_loss is not None]
    falls = [s.first_loss - s.final_loss for s in sisters if s.first_loss is not None and s.final_loss is not None]
    if run.final_loss is None or len(ends) < FEWEST_SISTERS:
        return run
    middle = median(ends)
    gap = run.final_loss - middle
    beside = gap <= max(FAR_ABOVE * _deviation(ends), LEAST_GAP * median(falls))
    reason = run.reason
    if not beside:
        far = (
            f"its loss ends at {run.final_loss:.3g}, that of {len(ends)} other replicates at {middle:.3g} in the median"
        )
        reason = f"{reason}; {far}" if reason else far
    return Convergence(run.replicate, run.first_loss, run.final_loss, run.fell, beside_sisters=beside, reason=reason)
