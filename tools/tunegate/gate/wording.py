"""Findings in words: the unit of each number, and the sentence that says why."""

from __future__ import annotations

from dataclasses import replace

from tunegate.gate.policy import COST, RATING, RELATIVE, TIMES
from tunegate.gate.verdict import Estimate, Finding
from tunegate.stats import Interval, NotEnoughData


def show_value(value: float, finding: Finding) -> str:
    """Return a value of the finding's metric itself: `92.0 %`, `1.24 s`, `3.40`, `0.0012 USD`."""
    if finding.metric in TIMES:
        return f"{value:.3g} s"
    if finding.metric == COST:
        return f"{value:.3g} USD"
    return f"{value:.2f}" if finding.metric == RATING else f"{100 * value:.1f} %"


def show_effect(value: float, finding: Finding) -> str:
    """Return a value of what is held against the threshold: `-1.5 points`, `0.36 x`, or as `show_value`."""
    if finding.kind == "max_ratio":
        return f"{value:.3g} x"
    if finding.kind in RELATIVE:
        return f"{value:+.2f}" if finding.metric == RATING else f"{100 * value:+.1f} points"
    return show_value(value, finding)


def show_estimate(estimate: Estimate, finding: Finding, *, is_effect: bool) -> str:
    """Return an estimate with its interval, or why there is none."""
    if isinstance(estimate, NotEnoughData):
        return estimate.reason
    show = show_effect if is_effect else show_value
    low, high = show(estimate.low, finding), show(estimate.high, finding)
    return f"{show(estimate.estimate, finding)} ({_number(low)} to {_number(high)})"


def show_threshold(finding: Finding) -> str:
    """Return what the rule asks for: `at least 90.0 %`, `above -5.0 points`, `at most 0.8 x`."""
    match finding.kind:
        case "min":
            return f"at least {show_value(finding.threshold, finding)}"
        case "max":
            what = "" if finding.percentile in (None, 0.5) else f"p{100 * (finding.percentile or 0):g} "
            return f"{what}at most {show_value(finding.threshold, finding)}"
        case "not_worse_by":
            return f"above {show_effect(-finding.threshold, finding)}"
        case "better_by":
            return f"above {show_effect(finding.threshold, finding)}"
        case "max_ratio":
            return f"at most {show_effect(finding.threshold, finding)}"


def explain_finding(finding: Finding, *, tests: int) -> Finding:
    """Return the finding with its reason: a sentence with the effect, its interval and what was asked.

    `tests` is how many findings share the chance of an error with this one.
    """
    return replace(finding, reason=_reason(finding, tests=tests))


def _reason(finding: Finding, *, tests: int) -> str:
    effect = finding.effect
    if isinstance(effect, NotEnoughData):
        shown = f"{show_threshold(finding)} is asked; there is no interval: {effect.reason}"
    else:
        shown = f"{show_estimate(effect, finding, is_effect=True)}, {show_threshold(finding)} is asked"
    match finding.outcome:
        case "broken":
            return f"shown to be broken: {shown}"
        case "holds":
            return f"{'not shown to be broken' if finding.guard else 'shown to hold'}: {shown}"
        case "undecided" if isinstance(effect, NotEnoughData):
            return f"not known: {effect.reason}"
        case "undecided" if tests > 1 and _is_clear(effect, finding):
            return f"not shown for all {tests} findings of the family '{finding.family}' at once: {shown}"
        case "undecided":
            return f"not decided: {shown}"


def _is_clear(effect: Interval, finding: Finding) -> bool:
    """Whether the interval by itself lies on one side of the threshold."""
    threshold = -finding.threshold if finding.kind == "not_worse_by" else finding.threshold
    return effect.low > threshold or effect.high < threshold


def _number(shown: str) -> str:
    return shown.partition(" ")[0]
