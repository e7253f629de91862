"""The noise of a model against itself: how far two measurements of one model differ, and what margins that leaves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tunegate.errors import UsageError
from tunegate.gate.evidence.shares import count_flips
from tunegate.gate.measures import Contender
from tunegate.gate.policy import LATENCY
from tunegate.gate.probes import Match
from tunegate.gate.sheets import Column, Sheet
from tunegate.gate.verdict import Estimate, Flips
from tunegate.stats import Interval, Judged, NotEnoughData, count_gains, order_key, wilson
from tunegate.stats.interval import quantile_of

Source = Literal["runs", "repeats", "cases"]
"""What was held against what: two runs, the odd repeats against the even ones, or one half of the cases against the
other, which differ for being other cases too."""


@dataclass(frozen=True)
class Variance:
    """What one case contributes to the variance of a difference."""

    value: float
    is_bound: bool
    """Not known, and at most this."""


@dataclass(frozen=True)
class Floor:
    """How far below 0 the interval of a model that is as good as the baseline reaches, as a share."""

    at_least: float
    at_most: float
    """More than `at_least` where the variance is not known."""


@dataclass(frozen=True)
class MetricNoise:
    """How far one metric of one eval differs between two measurements of the same model."""

    eval: str
    metric: str
    source: Source
    cases: int
    repeats: float
    """Times that each side had asked each case: the harmonic mean of both."""
    flips: Flips | None
    """None where the sides had other cases."""
    difference: Estimate
    p_value: float | None
    """Two-sided, against the two measurements having the same share."""
    case_variance: float | NotEnoughData
    pairs_per_case: float = 1.0
    """Independent pairs of yes and no that a case is worth: 1, more where a case has several answers."""

    def variance(self, *, level: float = 0.95, repeats: float | None = None) -> Variance | NotEnoughData:
        """Return what one case of a gate contributes that asks each `repeats` times (None: as often as here)."""
        if not self.cases:
            return NotEnoughData("nothing was judged on both sides")
        if self.source == "cases":
            # Repeats do not lessen what is different between cases.
            return Variance(bounded_variance(self.case_variance, cases=self.cases, level=level).value, is_bound=True)
        flips = self.flips.gained + self.flips.lost if self.flips is not None else 0
        variance = bounded_variance(self.case_variance, cases=self.cases, flips=flips, level=level)
        scale = 1.0 if repeats is None else self.repeats / repeats
        return Variance(variance.value * scale, variance.is_bound)

    def floor(self, cases: int, *, level: float = 0.95, repeats: float | None = None) -> Floor | NotEnoughData:
        """Return the noise floor of a gate of `cases` cases.

        z sqrt(variance / cases), and not below the width that Tango's interval keeps where no case flips, z^2 / (cases
        + z^2). A rule whose margin is the floor passes an equal model in about one of two gates.
        """
        variance = self.variance(level=level, repeats=repeats)
        if isinstance(variance, NotEnoughData):
            return variance
        z = quantile_of(level)
        unflipped = z * z / (self.pairs_per_case * cases + z * z)
        at_most = max(z * math.sqrt(variance.value / cases), unflipped)
        return Floor(unflipped if variance.is_bound else at_most, at_most)

    def cases_for(self, margin: float, *, level: float = 0.95, repeats: float | None = None) -> int | NotEnoughData:
        """Return the cases that bring the floor down to `margin`, a share above 0 and below 1.

        Where the variance is not known, so many are enough.
        """
        variance = self.variance(level=level, repeats=repeats)
        if isinstance(variance, NotEnoughData):
            return variance
        z = quantile_of(level)
        unflipped = z * z * (1 - margin) / (margin * self.pairs_per_case)
        needed = max(variance.value * (z / margin) ** 2, unflipped)
        # A whole number that rounding has lifted by a hair stays what it is.
        return max(1, math.ceil(needed * (1 - 1e-12)))


@dataclass(frozen=True)
class Noise:
    """How far two measurements of one model differ, metric by metric."""

    model: str
    runs: tuple[str, ...]
    metrics: tuple[MetricNoise, ...]
    warnings: tuple[str, ...] = ()

    def of(self, eval_name: str, metric: str) -> MetricNoise | None:
        """Return the noise of a metric, None where it was not measured."""
        found = (one for one in self.metrics if (one.eval, one.metric) == (eval_name, metric))
        return next(found, None)


def bounded_variance(
    variance: float | NotEnoughData, *, cases: int, flips: int | None = None, level: float = 0.95
) -> Variance:
    """Return what one case contributes to the variance of a difference, or where that is not known, the most it can be.

    A case that flips contributes at most 1, so the most is the upper limit of the share of cases that flip (Wilson's);
    where `flips` is None the sides have other cases, and it is twice that of the rarer answer.

    Raises:
        ValueError: there are no cases.
    """
    if not isinstance(variance, NotEnoughData):
        return Variance(variance, is_bound=False)
    share = wilson(flips or 0, cases, level=level)
    if isinstance(share, NotEnoughData):
        raise ValueError("no cases have no variance")
    return Variance(share.high if flips is not None else min(0.5, 2 * share.high), is_bound=True)


def measure_noise(one: Contender, other: Contender | None = None, *, level: float = 0.95, seed: int = 0) -> Noise:
    """Return how far a model differs from itself: in two runs, or in one.

    Cases are paired by name, `one` less `other`. With one run, the odd repeats are held against the even ones; where
    nothing was repeated, the cases are split into two halves, seeded, which bounds the noise from above only.

    Raises:
        UsageError: the runs have no case in common, or both replay the same recordings.
    """
    if other is None:
        metrics = [noise for name, sheet in sorted(one.sheets.items()) for noise in _within(name, sheet, level, seed)]
        return _checked(Noise(one.model, (one.run,), tuple(metrics)))
    match = Match(one, other)
    _refuse_same_recordings(match)
    metrics = []
    for name in sorted(match.cases):
        mine, theirs = match.sides(name)
        repeats = _harmonic(mine.repeats, theirs.repeats)
        for metric in (metric for metric in mine.columns if metric in theirs.columns):
            pairs = [(mine.judged(metric, case), theirs.judged(metric, case)) for case in match.cases[name]]
            metrics.append(measure_difference(name, metric, pairs, source="runs", repeats=repeats, level=level))
    warnings = list(match.warnings())
    if one.model != other.model:
        warnings.insert(0, f"{one.model} is held against {other.model}: it is noise only if both are the same model")
    return _checked(Noise(one.model, (one.run, other.run), tuple(metrics), tuple(warnings)))


def _within(name: str, sheet: Sheet, level: float, seed: int) -> Iterator[MetricNoise]:
    if sheet.repeats < 2:
        for metric, column in sheet.columns.items():
            yield _unpaired(name, metric, _in_halves(name, sheet, column, seed=seed), level=level)
        return
    odd, even = (sheet.repeats + 1) // 2, sheet.repeats // 2
    numbers = [sheet.numbers[case] for case in sheet.cases]
    for metric, column in sheet.columns.items():
        if metric in sheet.even:
            pairs = [_halve(column.at(number), sheet.even[metric].at(number)) for number in numbers]
            yield measure_difference(name, metric, pairs, source="repeats", repeats=_harmonic(odd, even), level=level)


def measure_difference(
    eval_name: str, metric: str, pairs: Sequence[tuple[Judged, Judged]], *, source: Source, repeats: float, level: float
) -> MetricNoise:
    """Return how far two sides differ in a metric, from (one, other) by case; cases judged on one side do not count."""
    both = [(mine, theirs) for mine, theirs in pairs if mine[1] and theirs[1]]
    mine, theirs = [pair[0] for pair in both], [pair[1] for pair in both]
    gains = count_gains(mine, theirs)
    size = gains.size
    return MetricNoise(
        eval=eval_name,
        metric=metric,
        source=source,
        cases=gains.cases,
        repeats=repeats,
        flips=count_flips(mine, theirs),
        difference=gains.estimate(level),
        p_value=_two_sided(gains.p_above(0), gains.p_below(0)),
        case_variance=gains.case_variance,
        pairs_per_case=max(size.least, min(size.estimated, size.most)) / gains.cases if gains.cases else 1.0,
    )


def _unpaired(
    eval_name: str, metric: str, halves: tuple[Sequence[float], Sequence[float]], *, level: float
) -> MetricNoise:
    cases = sum(map(len, halves))
    unknown = NotEnoughData("two halves need two cases each" if cases else "nothing was judged")
    difference: Estimate = unknown
    variance: float | NotEnoughData = unknown
    p_value = None
    if min(map(len, halves)) >= 2:
        means = [math.fsum(half) / len(half) for half in halves]
        spreads = [
            math.fsum((share - mean) ** 2 for share in half) / (len(half) - 1)
            for half, mean in zip(halves, means, strict=True)
        ]
        error = math.sqrt(spreads[0] / len(halves[0]) + spreads[1] / len(halves[1]))
        variance = sum(spreads)
        if error > 0:
            z, found = quantile_of(level), means[0] - means[1]
            difference = Interval(found, max(-1.0, found - z * error), min(1.0, found + z * error), level, cases)
            p_value = math.erfc(abs(found) / error / math.sqrt(2))
        else:
            difference = variance = NotEnoughData("all cases of a half are the same")
    return MetricNoise(eval_name, metric, "cases", cases, 1.0, None, difference, p_value, variance)


def _in_halves(name: str, sheet: Sheet, column: Column, *, seed: int) -> tuple[Sequence[float], Sequence[float]]:
    """Return the shares of the cases in a seeded order, one by one to either side."""
    judged = [
        column.at(sheet.numbers[case]) for case in sorted(sheet.cases, key=lambda c: order_key(name, c, seed=seed))
    ]
    shares = [passed / answers for passed, answers in judged if answers]
    return shares[::2], shares[1::2]


def _halve(all_repeats: Judged, even: Judged) -> tuple[Judged, Judged]:
    return (all_repeats[0] - even[0], all_repeats[1] - even[1]), even


def _harmonic(one: int, other: int) -> float:
    """Return the repeats that both sides would have if their variances, of one over repeats each, were the same."""
    return 2 / (1 / max(1, one) + 1 / max(1, other))


def _two_sided(above: float | NotEnoughData, below: float | NotEnoughData) -> float | None:
    if isinstance(above, NotEnoughData) or isinstance(below, NotEnoughData):
        return None
    return min(1.0, 2 * min(above, below))


def _refuse_same_recordings(match: Match) -> None:
    """Look whether every call of both runs took the same time to the last digit: then it is the same call."""
    times: list[tuple[float | None, float | None]] = []
    for name, cases in match.cases.items():
        mine, theirs = match.sides(name)
        for case in cases:
            pair = mine.first_value(LATENCY, case), theirs.first_value(LATENCY, case)
            times += [pair] if None not in pair else []
    if len({mine for mine, _ in times}) > 1 and all(mine == theirs for mine, theirs in times):
        other = match.baseline.run if match.baseline is not None else ""
        raise UsageError(
            f"{match.candidate.run} and {other} replay the same recordings: every call took the same time to the last "
            "digit, and a recording has no noise\n"
            "  to measure it: ask again, recorded into another folder (-o tunegate_cassettes=FOLDER --record=all), or "
            "record with --repeat 2 and name one run"
        )


def _checked(noise: Noise) -> Noise:
    if not any(one.cases for one in noise.metrics):
        raise UsageError(
            f"nothing of {noise.model} can be held against itself in {' and '.join(noise.runs)}: no case was scored "
            "on both sides with the same question\n  two runs of the same model on the same cases are wanted, or one"
        )
    return noise
