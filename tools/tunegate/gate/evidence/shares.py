"""Shares and paired differences between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tunegate.gate.evidence.known import Evidence, Setting, Spread, explain_unjudged, know_nothing
from tunegate.gate.evidence.scales import scale_of, share_of, unscaled
from tunegate.gate.probes import Match, Probe
from tunegate.gate.verdict import Flips
from tunegate.stats import Judged, NotEnoughData, bootstrap_difference, count_clusters, count_gains, mcnemar_exact

LARGEST_RESAMPLED = 2_000
"""Cases up to which the cluster bootstrap is made: beyond, it agrees with the interval beside it and takes long."""
RESAMPLED = 999
"""Resamples of that bootstrap: it is held against the other interval by eye."""

_ROUNDING = 1e-9


def weigh_share(probe: Probe, match: Match, setting: Setting) -> Evidence:
    """Hold a share of what was judged against its limit."""
    sheet, _ = match.sides(probe.eval)
    counts = count_clusters(sheet.judged_of(probe.metric, match.cases_of(probe)))
    null = share_of(probe, probe.rule.threshold, is_difference=False)
    estimate = counts.estimate(setting.level)
    if isinstance(estimate, NotEnoughData):
        return know_nothing(probe, f"nothing was judged: {explain_unjudged(probe, match)}")
    above, below = counts.p_above(null), counts.p_below(null)
    is_minimum = probe.rule.kind == "min"
    variance, null_variance = counts.cluster_variance(), counts.cluster_variance(at=null)
    spread = None
    if not isinstance(null_variance, NotEnoughData):
        own = null_variance if isinstance(variance, NotEnoughData) else variance
        spread = Spread(estimate.estimate - null, own, null_variance)
    shown = unscaled(probe, estimate, is_difference=False)
    return Evidence(
        candidate=shown,
        baseline=None,
        effect=shown,
        p_holds=above if is_minimum else below,
        p_broken=below if is_minimum else above,
        clusters=counts.clusters,
        spread=spread,
        scale=scale_of(probe),
    )


def weigh_difference(probe: Probe, match: Match, setting: Setting) -> Evidence:
    """Hold the difference of two shares, paired by case, against its margin."""
    mine, theirs = match.sides(probe.eval)
    cases = match.cases_of(probe)
    pairs = zip(mine.judged_of(probe.metric, cases), theirs.judged_of(probe.metric, cases), strict=True)
    both = [pair for pair in pairs if pair[0][1] and pair[1][1]]
    candidate, baseline = [pair[0] for pair in both], [pair[1] for pair in both]
    gains = count_gains(candidate, baseline)
    effect = gains.estimate(setting.level)
    if isinstance(effect, NotEnoughData):
        return know_nothing(probe, f"no case was judged on both sides: {explain_unjudged(probe, match)}")
    threshold = share_of(probe, probe.rule.threshold, is_difference=True)
    null = threshold if probe.rule.kind == "better_by" else -threshold
    variance = gains.case_variance
    resampled = None
    if setting.is_whole and not probe.rule.guard and len(both) <= LARGEST_RESAMPLED:
        resampled = bootstrap_difference(
            candidate, baseline, seed=setting.seed, level=setting.level, resamples=RESAMPLED
        )
        resampled = unscaled(probe, resampled, is_difference=True)
    return Evidence(
        candidate=unscaled(probe, count_clusters(candidate).estimate(setting.level), is_difference=False),
        baseline=unscaled(probe, count_clusters(baseline).estimate(setting.level), is_difference=False),
        effect=unscaled(probe, effect, is_difference=True),
        p_holds=gains.p_above(null),
        p_broken=gains.p_below(null),
        clusters=gains.cases,
        flips=count_flips(candidate, baseline),
        resampled=resampled,
        spread=None if isinstance(variance, NotEnoughData) else Spread(effect.estimate - null, variance),
        scale=scale_of(probe),
    )


def count_flips(candidate: Sequence[Judged], baseline: Sequence[Judged]) -> Flips:
    """Count the cases in which the sides differ."""
    gained = lost = 0
    is_binary = True
    # Many cases, few kinds of them.
    for ((good, judged), (base_good, base_judged)), cases in Counter(zip(candidate, baseline, strict=True)).items():
        is_binary = is_binary and judged == base_judged == 1 and {good, base_good} <= {0.0, 1.0}
        change = good * base_judged - base_good * judged
        gained += cases * (change > _ROUNDING)
        lost += cases * (change < -_ROUNDING)
    p_value = mcnemar_exact(gained, lost) if is_binary else None
    return Flips(gained, lost, None if isinstance(p_value, NotEnoughData) else p_value)
