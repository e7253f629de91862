"""Times and costs: percentiles, and ratios to the baseline."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import replace
from statistics import NormalDist

from tunegate.gate.evidence.known import Evidence, Setting, Spread, know_nothing
from tunegate.gate.policy import COST
from tunegate.gate.probes import Match, Probe
from tunegate.gate.verdict import Estimate
from tunegate.stats import (
    MeanRatio,
    NotEnoughData,
    ResampledRatio,
    bootstrap_ratio_of_medians,
    p_percentile_above,
    p_percentile_below,
    percentile,
    ratio_of_means,
)


def weigh_time(probe: Probe, match: Match, setting: Setting) -> Evidence:
    """Hold a percentile of a time against its limit."""
    sheet, _ = match.sides(probe.eval)
    share, threshold = probe.rule.percentile, probe.rule.threshold
    # Of the first time each case was asked: calls that do not know of each other.
    first = (sheet.first_value(probe.metric, case) for case in match.cases_of(probe))
    values = [value for value in first if value is not None]
    if not values:
        return know_nothing(probe, f"no {probe.metric} is on record")
    effect = percentile(values, share, level=setting.level)
    below = sum(value <= threshold for value in values)
    if isinstance(effect, NotEnoughData):
        longer = f"{len(values) - below} of {len(values)} calls took longer than {threshold:g} s"
        effect = NotEnoughData(f"{longer}; {effect.reason}")
    return Evidence(
        candidate=effect,
        baseline=None,
        effect=effect,
        p_holds=p_percentile_below(values, share, threshold),
        p_broken=p_percentile_above(values, share, threshold),
        clusters=len(values),
        spread=Spread(below / len(values) - share, share * (1 - share)),
        # A distance between shares of calls says nothing in seconds.
        scale=0.0,
    )


def weigh_ratio(probe: Probe, match: Match, setting: Setting) -> Evidence:
    """Hold the ratio of two medians of a time, or of two mean costs, against its limit."""
    found = _pair_values(probe, match, setting)
    if isinstance(found, NotEnoughData):
        return know_nothing(probe, found.reason)
    a, b, strata = found
    ratio: MeanRatio | ResampledRatio | NotEnoughData
    if probe.metric == COST:
        ratio = ratio_of_means(a, b)
    else:
        resamples = setting.resamples(probe.rule.family)
        ratio = bootstrap_ratio_of_medians(a, b, seed=setting.seed, strata=strata, resamples=resamples)
    if isinstance(ratio, NotEnoughData):
        return replace(know_nothing(probe, ratio.reason), clusters=len(a))
    threshold = probe.rule.threshold
    effect = ratio.interval(setting.level)
    return Evidence(
        candidate=_middle(a, probe, level=setting.level),
        baseline=_middle(b, probe, level=setting.level),
        effect=effect,
        p_holds=ratio.p_below(threshold),
        p_broken=ratio.p_above(threshold),
        clusters=len(a),
        spread=_spread_of_ratio(effect, threshold, level=setting.level),
        scale=0.0,
    )


def _pair_values(
    probe: Probe, match: Match, setting: Setting
) -> tuple[list[float], list[float], list[Hashable]] | NotEnoughData:
    """Return what each case took on either side, where both are known, and under which condition."""
    models = (match.candidate.model, match.baseline.model if match.baseline else "")
    prices = [setting.prices.get(model) for model in models]
    if probe.metric == COST and (unknown := [m for m, p in zip(models, prices, strict=True) if not (p and p.live)]):
        return NotEnoughData(f"what {' and '.join(unknown)} costs is not known: add a row to fixtures/prices.toml")
    sides = zip(match.sides(probe.eval), prices, strict=True)
    ours, others = (sheet.values(probe.metric, price=price) for sheet, price in sides)
    cases = [case for case in match.cases_of(probe) if case in ours and case in others]
    a, b = [ours[case] for case in cases], [others[case] for case in cases]
    if not cases:
        return NotEnoughData(f"no {probe.metric} is on record for both sides")
    if probe.metric == COST and not (sum(a) > 0 and sum(b) > 0):
        return NotEnoughData("calls that cost nothing have no ratio")
    if probe.metric != COST and min(*a, *b) <= 0:
        return NotEnoughData(f"a {probe.metric} of 0 is on record, and has no ratio")
    sheet, _ = match.sides(probe.eval)
    return a, b, [sheet.strata[sheet.numbers[case]] for case in cases]


def _spread_of_ratio(effect: Estimate, threshold: float, *, level: float) -> Spread | None:
    """Return the spread on the logarithm, from the width of the interval."""
    if isinstance(effect, NotEnoughData) or not effect.low > 0:
        return None
    error = math.log(effect.high / effect.low) / 2 / NormalDist().inv_cdf((1 + level) / 2)
    return Spread(math.log(effect.estimate / threshold), error * error * effect.n) if error > 0 else None


def _middle(values: Sequence[float], probe: Probe, *, level: float) -> Estimate:
    if probe.metric != COST:
        return percentile(values, 0.5, level=level)
    mean = ratio_of_means(values, [1.0] * len(values))
    return mean if isinstance(mean, NotEnoughData) else mean.interval(level)
