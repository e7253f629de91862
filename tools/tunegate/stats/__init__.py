"""Estimates and how well they are known: pure functions of counts and values.

Unknown is a value here (`NotEnoughData`): never 0.0, never NaN, never an interval of width zero.

Shares are `wilson`, `exact` and, where answers come in batches or are repeated, `clustered_share`; `crossed_share` is
over several trainings; `RepeatAgreement` is of cases whose repeats came out alike. Two models on the same cases are a
`paired_difference`, a `ratio_of_medians` or a `ratio_of_means`. Each p-value inverts the interval of the same data:
it is below (1 - level) / 2 exactly where the interval of `level` leaves the null out. To ask several things of the
same cases, count them once (`count_clusters`, `count_gains`) and ask the counts. How much data a fine-tune needs is
`fit_curve`, what its noise is made of `split_variance`, whether it learned at all `judge_convergence`. What leans on
NumPy or SciPy imports them when called: a replay that only shows shares does not wait for them.
"""

from __future__ import annotations

from tunegate.stats.agreement import AGREEMENT, RepeatAgreement
from tunegate.stats.betting import (
    ConfidenceSequence,
    EProcess,
    always_valid_p_values,
    confidence_sequence,
    difference_of_share,
    log_e_values,
    price_of_look,
    share_of_difference,
)
from tunegate.stats.convergence import Convergence, judge_convergence
from tunegate.stats.crossed import crossed_share
from tunegate.stats.curve_points import CurvePoint
from tunegate.stats.curve_shape import CurveShape
from tunegate.stats.curves import SaturatingCurve, fit_curve
from tunegate.stats.families import holm
from tunegate.stats.interval import Interval, NotEnoughData
from tunegate.stats.median_ratios import ResampledRatio, bootstrap_ratio_of_medians, ratio_of_medians
from tunegate.stats.ordering import order_key
from tunegate.stats.pace import Pace, fit_pace, ratio_at
from tunegate.stats.pairs import (
    Gains,
    count_gains,
    mcnemar_exact,
    p_not_worse,
    p_worse,
    paired_difference,
    tango,
)
from tunegate.stats.percentiles import p_percentile_above, p_percentile_below, percentile
from tunegate.stats.plans import cases_needed, difference_variance, minimal_detectable_difference, share_variance
from tunegate.stats.ratios import MeanRatio, ratio_of_means
from tunegate.stats.resampling import bootstrap_difference
from tunegate.stats.shares import (
    ClusterCounts,
    Judged,
    clustered_share,
    count_clusters,
    exact,
    p_at_least,
    p_at_most,
    wilson,
)
from tunegate.stats.variance_parts import MeanVariance, Measured, VarianceParts, split_variance

__all__ = [
    "AGREEMENT",
    "ClusterCounts",
    "ConfidenceSequence",
    "Convergence",
    "CurvePoint",
    "CurveShape",
    "EProcess",
    "Gains",
    "Interval",
    "Judged",
    "MeanRatio",
    "MeanVariance",
    "Measured",
    "NotEnoughData",
    "Pace",
    "RepeatAgreement",
    "ResampledRatio",
    "SaturatingCurve",
    "VarianceParts",
    "always_valid_p_values",
    "bootstrap_difference",
    "bootstrap_ratio_of_medians",
    "cases_needed",
    "clustered_share",
    "confidence_sequence",
    "count_clusters",
    "count_gains",
    "crossed_share",
    "difference_of_share",
    "difference_variance",
    "exact",
    "fit_curve",
    "fit_pace",
    "holm",
    "judge_convergence",
    "log_e_values",
    "mcnemar_exact",
    "minimal_detectable_difference",
    "order_key",
    "p_at_least",
    "p_at_most",
    "p_not_worse",
    "p_percentile_above",
    "p_percentile_below",
    "p_worse",
    "paired_difference",
    "percentile",
    "price_of_look",
    "ratio_at",
    "ratio_of_means",
    "ratio_of_medians",
    "share_of_difference",
    "share_variance",
    "split_variance",
    "tango",
    "wilson",
]
