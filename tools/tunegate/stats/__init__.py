"""Estimates and how well they are known: pure functions of counts and values.

Unknown is a value here (`NotEnoughData`): never 0.0, never NaN, never an interval of width zero.

Shares are `wilson`, `exact` and, where answers come in batches or are repeated, `clustered_share`; two models on the
same cases are a `paired_difference`. Each p-value inverts the interval of the same data: it is below (1 - level) / 2
exactly where the interval of `level` leaves the null out. What leans on NumPy or SciPy imports them when called: a
replay that only shows shares does not wait for them.
"""

from __future__ import annotations

from tunegate.stats.betting import (
    ConfidenceSequence,
    EProcess,
    confidence_sequence,
    difference_of_share,
    log_e_values,
    share_of_difference,
)
from tunegate.stats.families import holm
from tunegate.stats.interval import Interval, NotEnoughData
from tunegate.stats.pairs import (
    Judged,
    mcnemar_exact,
    p_not_worse,
    p_worse,
    paired_difference,
    tango,
)
from tunegate.stats.percentiles import percentile
from tunegate.stats.plans import cases_needed, difference_variance, minimal_detectable_difference, share_variance
from tunegate.stats.resampling import bootstrap_difference, ratio_of_medians
from tunegate.stats.shares import clustered_share, exact, p_at_least, p_at_most, wilson

__all__ = [
    "ConfidenceSequence",
    "EProcess",
    "Interval",
    "Judged",
    "NotEnoughData",
    "bootstrap_difference",
    "cases_needed",
    "clustered_share",
    "confidence_sequence",
    "difference_of_share",
    "difference_variance",
    "exact",
    "holm",
    "log_e_values",
    "mcnemar_exact",
    "minimal_detectable_difference",
    "p_at_least",
    "p_at_most",
    "p_not_worse",
    "p_worse",
    "paired_difference",
    "percentile",
    "ratio_of_medians",
    "share_of_difference",
    "share_variance",
    "tango",
    "wilson",
]
