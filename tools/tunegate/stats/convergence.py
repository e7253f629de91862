"""Did a training learn? Its loss says so before anybody pays for an eval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import NormalDist, fmean, median, stdev

from tunegate.stats.interval import NotEnoughData

FIRST_STEPS = 5
"""Steps that a curve's beginning is described by, and over which a median is taken where one loss says little."""
LAST_PART = 0.2
"""Share of the steps that stand for the end, at least `FIRST_STEPS`: with a batch of one example, the loss of a
single step says little."""
FALL_P = 0.05
"""One-sided p-value of Kendall's test up to which a curve fell. Above it nothing is known: examples differ, and a few
dozen steps of a training that works well may show no fall."""
RISE_P = 0.001
"""The same for a rise. Strict, since it speaks against a training."""
THROWN_P = 0.05
"""P-value, corrected for the places looked at, up to which a curve was thrown up from where it began."""
FEWEST_TO_BE_THROWN = 2 * FIRST_STEPS
FEWEST_SISTERS = 2
"""Other replicates that a run is held against."""
FAR_ABOVE = 3.5
"""Standard deviations above the sisters' median from which on an end counts as far: Iglewicz and Hoaglin (1993), "How
to Detect and Handle Outliers"."""
LEAST_GAP_OF_FALL, LEAST_GAP_OF_LOSS = 0.1, 0.05
"""Shares of its sisters' fall, and of the loss that they end at, that a run must lack besides: two or three may agree
so closely by chance that their deviation is next to nothing."""
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
    """True where a fall is shown, False where the contrary is."""
    beside_sisters: bool | NotEnoughData
    """It does not end far above the other replicates."""
    reason: str
    """Why it is not converged; empty where nothing speaks against it."""

    @property
    def converged(self) -> bool:
        """Nothing that could be judged speaks against it."""
        return not self.reason


@dataclass(frozen=True)
class _End:
    """Where a curve ends, with the standard error of that."""

    loss: float
    error: float


def judge_convergence(
    losses_by_replicate: Mapping[str, Sequence[float]],
    *,
    valid_losses: Mapping[str, Mapping[int, float]] | None = None,
    epochs: int | None = None,
) -> tuple[Convergence, ...]:
    """Judge the loss curves of trainings by one recipe, each by itself and against the others.

    Losses are those of training, one a step, in their order; `valid_losses` those of the same validation examples, by
    replicate and step; `epochs` how often each example was seen. A run is converged until something speaks against it:

    - a loss is infinite, no number, or so large that it might as well be; or
    - it was thrown up and did not come back: its last fifth lies above its very first loss, which is the untrained
      model's, and so does more than chance would bring about at `THROWN_P`, see `_why_thrown`; or
    - it rose: Kendall's rank correlation of loss and step (1938) is positive, one-sided at `RISE_P`; or
    - no fall is shown, and the mean of the last epoch is not below that of the first, which saw the same examples; or
    - no fall is shown, and the validation loss does not end below where it stood in the first steps; or
    - it ends above the median of the other replicates' ends, see `_hold_against`: in validation loss where all have it,
      else in training loss. Others against which something speaks already are no measure and left out, and with fewer
      than `FEWEST_SISTERS` such others nothing is said.

    A fall is shown by the same correlation, negative at `FALL_P`.
    """
    valid = {name: _valid_curve((valid_losses or {}).get(name, {})) for name in losses_by_replicate}
    alone = {
        name: _judge_alone(name, tuple(losses), valid=valid[name], epochs=epochs)
        for name, losses in losses_by_replicate.items()
    }
    training = {name: _end_of(losses_by_replicate[name]) for name, run in alone.items() if run.final_loss is not None}
    validation = {name: _end_of(list(valid[name].values())) for name in training if valid[name]}
    sound = [run for run in alone.values() if run.converged]
    return tuple(
        _hold_against(run, [other for other in sound if other is not run], training=training, validation=validation)
        for run in alone.values()
    )


def _valid_curve(losses: Mapping[int, float]) -> dict[int, float]:
    return {step: losses[step] for step in sorted(losses) if abs(losses[step]) < _LARGEST}


def _judge_alone(
    name: str, losses: tuple[float, ...], *, valid: Mapping[int, float], epochs: int | None
) -> Convergence:
    bad = next((step for step, loss in enumerate(losses, 1) if not abs(loss) < _LARGEST), None)
    if bad is not None:
        reason = f"the loss of step {bad} is {losses[bad - 1]}"
        return Convergence(name, None, None, fell=False, beside_sisters=False, reason=reason)
    if not losses:
        nothing = NotEnoughData("no loss was reported")
        return Convergence(name, None, None, fell=nothing, beside_sisters=nothing, reason="")
    first, final = fmean(losses[: _part(losses, least=1)]), fmean(_late(losses))
    p_fall, p_rise = _p_of_trend(losses)
    has_fallen = p_fall <= FALL_P
    reason = _why_thrown(losses) or (_why_risen(losses) if p_rise <= RISE_P else "")
    if not reason and not has_fallen:
        reason = _why_no_better(losses, epochs=epochs) or _why_validation_no_better(valid)
    fell: bool | NotEnoughData = not reason
    if not reason and not has_fallen:
        fell = NotEnoughData(f"in {len(losses)} steps no fall can be told from chance")
    unjudged = NotEnoughData("there are too few other replicates to hold it against")
    return Convergence(name, first, final, fell=fell, beside_sisters=unjudged, reason=reason)


def _part(losses: Sequence[float], *, least: int) -> int:
    """Return how many steps stand for an end of a curve: `FIRST_STEPS`, and never more than half of all."""
    return max(1, min(FIRST_STEPS, len(losses) // 2), least)


def _late(losses: Sequence[float]) -> Sequence[float]:
    return losses[-_part(losses, least=math.ceil(LAST_PART * len(losses))) :]


def _end_of(losses: Sequence[float]) -> _End:
    late = _late(losses)
    return _End(fmean(late), stdev(late) / math.sqrt(len(late)) if len(late) > 1 else 0.0)


def _p_of_trend(losses: Sequence[float]) -> tuple[float, float]:
    """Return the one-sided p-values of a fall and of a rise."""
    if min(losses) == max(losses):
        return 1.0, 1.0
    from scipy.stats import kendalltau

    steps = range(len(losses))
    fall, rise = (float(kendalltau(steps, losses, alternative=side).pvalue) for side in ("less", "greater"))
    return fall, rise


def _why_thrown(losses: Sequence[float]) -> str:
    """Say that a curve ends above where it began, and that this is no chance: either

    - the median of some `FIRST_STEPS` steps in a row lies above the first loss by more than the steps' deviation
      allows, with Bonferroni's correction for the places where they may stand, on the scale of roots; or
    - one to `FIRST_STEPS` losses at the beginning lie too low among all, see `_p_of_low_start`.
    """
    start, final = losses[0], fmean(_late(losses))
    if len(losses) < FEWEST_TO_BE_THROWN or final <= start:
        return ""
    # Roots: the higher a loss is, the more it varies from example to example.
    roots = [math.sqrt(max(0.0, loss)) for loss in losses]
    peaks = [median(roots[at : at + FIRST_STEPS]) for at in range(len(roots) - FIRST_STEPS + 1)]
    # A median's variance is up to pi/2 that of a mean.
    error = _step_deviation(roots) * math.sqrt(1 + math.pi / 2 / FIRST_STEPS)
    is_high = max(peaks) - roots[0] > NormalDist().inv_cdf(1 - THROWN_P / len(peaks)) * error
    if not is_high and _p_of_low_start(losses) > THROWN_P:
        return ""
    return f"its loss did not fall: {start:.3g} at first, up to {max(peaks) ** 2:.3g}, {final:.3g} in the end"


def _p_of_low_start(losses: Sequence[float]) -> float:
    """Return how likely it is, if the order of the losses says nothing, that the first few lie as low among all as the
    highest of them does; corrected for how many those few may be.
    """
    ways = []
    for count in range(1, FIRST_STEPS + 1):
        highest = max(losses[:count])
        rank = sum(loss <= highest for loss in losses)
        ways.append(math.comb(rank, count) / math.comb(len(losses), count))
    return min(ways) * len(ways)


def _step_deviation(losses: Sequence[float]) -> float:
    """Return the standard deviation of one step from the differences of neighbours, whatever the curve does.

    Their mean: a median would miss how far losses reach that are seldom high.
    """
    return fmean(abs(after - before) for before, after in pairwise(losses)) * math.sqrt(math.pi) / 2


def _why_risen(losses: Sequence[float]) -> str:
    return (
        f"its loss rose: {fmean(losses[: _part(losses, least=1)]):.3g} at first, {fmean(_late(losses)):.3g} in the end"
    )


def _why_no_better(losses: Sequence[float], *, epochs: int | None) -> str:
    if not epochs or epochs == 1 or len(losses) % epochs:
        return ""
    length = len(losses) // epochs
    first, last = fmean(losses[:length]), fmean(losses[-length:])
    if last < first:
        return ""
    return f"its loss did not fall: {first:.3g} in the first epoch, {last:.3g} on the same examples in the last"


def _why_validation_no_better(valid: Mapping[int, float]) -> str:
    begun = [loss for step, loss in valid.items() if step <= FIRST_STEPS]
    if not begun or len(begun) == len(valid):
        return ""
    start, end = begun[0], fmean(_late(list(valid.values())))
    return "" if end < start else f"its validation loss did not fall: {start:.3g} at first, {end:.3g} in the end"


def _hold_against(
    run: Convergence,
    sisters: Sequence[Convergence],
    *,
    training: Mapping[str, _End],
    validation: Mapping[str, _End],
) -> Convergence:
    """Say whether a run ends far above its sisters: by more than each of

    - `FAR_ABOVE` robust standard deviations of their ends (1.4826 times the median absolute deviation);
    - `FAR_ABOVE` standard errors of the difference, from how much the steps of the sisters' ends vary: a run that
      failed may vary by anything;
    - `LEAST_GAP_OF_FALL` of the way that they fell in the median, and `LEAST_GAP_OF_LOSS` of where they ended.
    """
    names = [sister.replicate for sister in sisters if sister.replicate in training]
    if run.replicate not in training or len(names) < FEWEST_SISTERS:
        return run
    has_validation = all(name in validation for name in (run.replicate, *names))
    ends = validation if has_validation else training
    theirs = [ends[name].loss for name in names]
    middle, mine = median(theirs), ends[run.replicate].loss
    error = math.sqrt(fmean(ends[name].error ** 2 for name in names) * (1 + 1 / len(names)))
    falls = [s.first_loss - s.final_loss for s in sisters if s.first_loss is not None and s.final_loss is not None]
    is_beside = mine - middle <= max(
        FAR_ABOVE * _deviation(theirs),
        FAR_ABOVE * error,
        LEAST_GAP_OF_FALL * median(falls),
        LEAST_GAP_OF_LOSS * abs(middle),
    )
    if is_beside:
        return replace(run, beside_sisters=True)
    far = (
        f"its {'validation ' if has_validation else ''}loss ends at {mine:.3g}, "
        f"that of {len(names)} other replicates at {middle:.3g} in the median"
    )
    return replace(run, beside_sisters=False, reason=f"{run.reason}; {far}" if run.reason else far)


def _deviation(values: Sequence[float]) -> float:
    middle = median(values)
    return _NORMAL_MAD * median([abs(value - middle) for value in values])
