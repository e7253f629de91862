"""What is asked of a study: each size's share, the curve through them, and what further examples would buy."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tunegate.curve.rows import Row
from tunegate.curve.studies import Study
from tunegate.stats import (
    CurvePoint,
    Interval,
    Measured,
    NotEnoughData,
    SaturatingCurve,
    VarianceParts,
    clustered_share,
    crossed_share,
    fit_curve,
    split_variance,
)
from tunegate.stats.curves import FARTHEST

Found = Interval | NotEnoughData
_STEPS = 48


@dataclass(frozen=True)
class Inquiry:
    """What somebody wants to know."""

    eval: str = "format"
    metric: str = "schema"
    counter: str | None = "answers"
    """A metric that is not meant to change, or must not fall; None asks for none."""
    target: float = 0.95
    """Share of the metric that is to be reached."""
    further: int = 500
    """Examples more than the largest training has."""
    level: float = 0.95
    """Of all intervals."""
    seed: int = 0
    """Of the resampling."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metric, and the counter metric where there is one."""
        return (self.metric,) if self.counter in (None, self.metric) else (self.metric, str(self.counter))


@dataclass(frozen=True)
class Score:
    """One training in one metric."""

    row: Row
    share: Found
    """Its interval is over cases alone."""


@dataclass(frozen=True)
class AtSize:
    """All trainings of one size in one metric."""

    examples: int
    scores: tuple[Score, ...]
    share: Found
    """Of all of them: over trainings and cases where there are several trainings, else over cases alone."""
    fitted: Found
    """Of the curve at this size."""
    parts: VarianceParts | NotEnoughData
    """Where the variance of a reply comes from; only of several trainings."""
    training_part: Found
    """Part of the variance of one training's share, in the study's cases, that is the training's. Its limits are those
    of the variance between trainings, beside which the rest of the variance is taken for known."""


@dataclass(frozen=True)
class MetricCurve:
    """The answers for one metric."""

    metric: str
    curve: SaturatingCurve | NotEnoughData
    sizes: tuple[AtSize, ...]
    failed: tuple[Score, ...]
    """Trainings that did not converge."""
    needed: Found
    """Examples from which on the target is reached."""
    whole_gain: Found
    """Share that the largest training has more than the base model, as measured: no curve has a say in it."""
    next_gain: Found
    """Share that the further examples buy from the largest training on."""


def ask_metric(study: Study, metric: str, inquiry: Inquiry) -> MetricCurve:
    """Fit one metric of a study and ask the curve.

    A training in which nothing of the metric was judged is no point of it.
    """
    judged = {row.name: study.judged(row, metric) for row in (*study.rows, *study.failed)}
    points = [CurvePoint(row.examples or 0, row.name, judged[row.name]) for row in study.rows]
    points = [point for point in points if point.judged]
    curve = fit_curve(points, seed=inquiry.seed, level=inquiry.level)
    level, most = inquiry.level, study.most_examples
    scores = {
        row.name: Score(row, clustered_share(judged[row.name], level=level)) for row in (*study.rows, *study.failed)
    }

    def ask(question: Callable[[SaturatingCurve], Found]) -> Found:
        return curve if isinstance(curve, NotEnoughData) else question(curve)

    sizes = []
    for examples in study.sizes:
        rows = [row for row in study.rows if (row.examples or 0) == examples]
        of_rows = [judged[row.name] for row in rows if isinstance(scores[row.name].share, Interval)]
        sizes.append(
            AtSize(
                examples,
                tuple(scores[row.name] for row in rows),
                share=crossed_share(of_rows, level=level),
                fitted=curve if isinstance(curve, NotEnoughData) else curve.value_at(examples, level=level),
                parts=(parts := _parts(study, rows, metric, inquiry=inquiry)),
                training_part=_training_part(parts, cases=len(study.cases)),
            )
        )
    return MetricCurve(
        metric,
        curve,
        tuple(sizes),
        failed=tuple(scores[row.name] for row in study.failed),
        needed=ask(lambda fitted: fitted.examples_for(inquiry.target, level=level)),
        whole_gain=_gain_of_all(sizes),
        next_gain=ask(lambda fitted: fitted.gain_of_next(inquiry.further, at=most, level=level)),
    )


def _gain_of_all(sizes: Sequence[AtSize]) -> Found:
    """Return the difference between the largest size and the base model, from the intervals of the two.

    Square-and-add: Newcombe (1998), "Interval Estimation for the Difference Between Independent Proportions",
    Statistics in Medicine 17:873-890, method 10; for any two intervals Zou and Donner (2008), Statistics in Medicine
    27:1693-1702.
    Cases that are hard for both make the difference better known than it says.
    """
    if not sizes or sizes[0].examples:
        return NotEnoughData("the base model was not asked")
    if len(sizes) < 2:
        return NotEnoughData("no training converged")
    base, largest = sizes[0].share, sizes[-1].share
    if isinstance(base, NotEnoughData):
        return NotEnoughData("of the base model nothing was judged")
    if isinstance(largest, NotEnoughData):
        return NotEnoughData("of the largest training nothing was judged")
    gain = largest.estimate - base.estimate
    down = math.hypot(largest.estimate - largest.low, base.high - base.estimate)
    up = math.hypot(largest.high - largest.estimate, base.estimate - base.low)
    low, high = max(gain - down, -1.0), min(gain + up, 1.0)
    return Interval(gain, low, high, largest.level, base.n + largest.n, clusters=largest.clusters)


def trace_curve(curve: MetricCurve, study: Study, inquiry: Inquiry) -> list[tuple[float, Interval]]:
    """Return the curve with its limits for drawing, by examples, up to the farthest that is asked.

    It begins at 0, or where the base model is no point of it, at the smallest training. It stands evenly in the
    logarithm of the examples, and has all sizes that were tried; empty where there is no curve.
    """
    fitted = curve.curve
    if isinstance(fitted, NotEnoughData):
        return []
    most = study.most_examples
    asked = most + inquiry.further
    needed = curve.needed.high if isinstance(curve.needed, Interval) else 0.0
    farthest = min(max(asked, needed), FARTHEST * most)
    first, last = math.log(min(size for size in study.sizes if size) / 1.5), math.log(farthest)
    steps = (math.exp(first + (last - first) * step / _STEPS) for step in range(_STEPS))
    places = sorted({0.0, *steps, *map(float, study.sizes), float(farthest)})
    found = ((examples, fitted.value_at(examples, level=inquiry.level)) for examples in places)
    return [(examples, value) for examples, value in found if isinstance(value, Interval)]


def _parts(study: Study, rows: list[Row], metric: str, *, inquiry: Inquiry) -> VarianceParts | NotEnoughData:
    if len(rows) < 2:
        return NotEnoughData("there is one training only")
    measured = [
        Measured(row.name, case, value)
        for row in rows
        for case, value in study.tallies[row.name].replies(metric, study.cases)
    ]
    return split_variance(measured, seed=inquiry.seed, level=inquiry.level)


def _training_part(parts: VarianceParts | NotEnoughData, *, cases: int) -> Found:
    if isinstance(parts, NotEnoughData):
        return parts
    mean, training = parts.of_mean(cases=cases), parts.training
    if isinstance(mean, NotEnoughData):
        return mean
    if isinstance(training, NotEnoughData):
        return training
    rest = mean.total - mean.training
    if not rest > 0:
        return NotEnoughData("trainings are all the variance that was seen")
    low, estimate, high = (part / (part + rest) for part in (training.low, training.estimate, training.high))
    return Interval(estimate, low, high, training.level, training.n, clusters=training.clusters)
