"""What every way to show a verdict says in the same words."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tunegate.gate.policy import RATING
from tunegate.gate.verdict import Coverage, Decision, Estimate, Finding, Verdict
from tunegate.gate.wording import show_effect, show_estimate, show_value
from tunegate.stats import Interval, NotEnoughData

SEVERITY = {"BLOCK": 0, "INCONCLUSIVE": 1, "PROMOTE": 2}
NOTHING_JUDGED = "no candidate was judged"
_SMALLEST_P = 0.0005
_RATING_SPAN = 4


def printable(text: str, *, most: int | None = None) -> str:
    """Return `text` on one line, other control characters visible, cut after `most` characters."""
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return shown if most is None or len(shown) <= most else f"{shown[: most - 1]}…"


def versus(decision: Decision) -> str:
    """Return `ft:a against production`, or the candidate alone where nothing is compared."""
    return decision.candidate if decision.baseline is None else f"{decision.candidate} against {decision.baseline}"


def is_quiet(finding: Finding) -> bool:
    """Whether a count is enough to say of it: a guard that is not broken."""
    return finding.guard and finding.outcome == "holds"


def count_of(number: int, noun: str) -> str:
    """Return `1 guard` or `1,203 guards`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def tell_guards(number: int) -> str:
    """Return `17 guards hold`."""
    return f"{count_of(number, 'guard')} {'is' if number == 1 else 'are'} not shown to be broken"


def show_side(estimate: Estimate | None, finding: Finding) -> str:
    """Return what one side is estimated at; a dash where that is not known or not asked."""
    return show_value(estimate.estimate, finding) if isinstance(estimate, Interval) else "-"


def show_p(p_value: float) -> str:
    """Return `p = 0.008`, or `p < 0.001`."""
    return f"p = {p_value:.3f}" if p_value >= _SMALLEST_P else "p < 0.001"


def bound_of(finding: Finding) -> float:
    """Return the value of the effect at which the rule would change sides."""
    return -finding.threshold if finding.kind == "not_worse_by" else finding.threshold


def shown_excess(finding: Finding) -> float:
    """Return by how much the rule is broken at least: from the threshold to the near end of the interval.

    In parts of the scale, so that rules of different units can be put in order: 1 is a whole share, the span of
    ratings, or the threshold of a time or a ratio.
    """
    effect, bound = finding.effect, bound_of(finding)
    if isinstance(effect, NotEnoughData):
        return 0.0
    excess = effect.low - bound if finding.kind in {"max", "max_ratio"} else bound - effect.high
    if finding.metric == RATING:
        return excess / _RATING_SPAN
    is_share = finding.kind != "max_ratio" and show_value(1, finding).endswith("%")
    return excess if is_share or not bound else excess / abs(bound)


def evidence_of(finding: Finding) -> Iterator[str]:
    """Yield what the conclusion rests on beside the effect: tests, flipped cases, the bootstrap."""
    p_value = finding.p_broken if finding.outcome == "broken" else finding.p_holds
    if p_value is not None:
        yield f"{count_of(finding.clusters, 'case')}, {show_p(p_value)} (adjusted for the family '{finding.family}')"
    if finding.flips is not None:
        test = "" if finding.flips.p_value is None else f" (exact McNemar: {show_p(finding.flips.p_value)})"
        yield f"gained {count_of(finding.flips.gained, 'case')}, lost {finding.flips.lost:,}{test}"
    if finding.resampled is not None:
        yield f"by the bootstrap: {show_estimate(finding.resampled, finding, is_effect=True)}"


def outlook_of(finding: Finding) -> Iterator[str]:
    """Yield what it would take to decide, as far as that can be said."""
    outlook = finding.outlook
    if outlook is None:
        if finding.outcome == "undecided" and isinstance(finding.effect, Interval):
            yield "how many cases would decide is not known: those that are there hardly differ"
        return
    if outlook.cases_needed is None:
        yield "no number of cases would decide, if it is as it looks: it lies on the threshold"
    else:
        more = _rounded_up(max(1, outlook.cases_needed - finding.clusters))
        yield f"about {count_of(more, 'more case')} would decide, if it is as it looks"
    if outlook.detectable is not None:
        distance = _distance(outlook.detectable, finding)
        yield f"{count_of(finding.clusters, 'case')} decide at {distance} or more from the threshold"


def tell_outlook(finding: Finding) -> str | None:
    """Return `outlook_of` in one sentence; None where nothing can be said."""
    return "; ".join(outlook_of(finding)) or None


def tell_coverage(coverage: Coverage, *, model: str) -> str | None:
    """Return how much of a plan was scored; None where all of it was."""
    if coverage.not_run is None:
        return f"{model}: {coverage.scored:,} scored, and how many were planned is not known"
    if coverage.scored >= coverage.planned > 0:
        return None
    counts = {"errors": coverage.errors, "lost": coverage.lost, "not run": coverage.not_run}
    missing = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    return f"{model}: {coverage.scored:,} of {coverage.planned:,} planned were scored{missing and f' ({missing})'}"


def tell_all_coverage(decision: Decision) -> list[str]:
    """Return what is missing on either side."""
    told = [tell_coverage(decision.coverage, model=decision.candidate)]
    if decision.baseline_coverage is not None:
        told.append(tell_coverage(decision.baseline_coverage, model=decision.baseline or "baseline"))
    return [line for line in told if line is not None]


def tell_asked(decision: Decision) -> str | None:
    """Return after how many cases asking stopped, where it went on until all was decided."""
    if decision.cases_used is None:
        return None
    of_all = "" if decision.cases_planned is None else f" of {decision.cases_planned:,}"
    return f"asked until decided: {decision.cases_used:,}{of_all} cases were used"


def reasons_of(decision: Decision) -> list[str]:
    """Return the reasons that no line of the table gives already."""
    in_table = {f"{finding.outcome}: {finding.name}" for finding in decision.findings}
    return [reason for reason in decision.reasons if reason not in in_table]


def summary_of(verdict: Verdict) -> str:
    """Return `BLOCK: of 3 candidates 1 BLOCK, 2 PROMOTE`, or with one candidate what is said of it."""
    if len(verdict.decisions) == 1:
        return f"{verdict.word}: {versus(verdict.decisions[0])}"
    if not verdict.decisions:
        return f"{verdict.word}: {NOTHING_JUDGED}"
    words = [decision.word for decision in verdict.decisions]
    counts = ", ".join(f"{words.count(word):,} {word}" for word in SEVERITY if word in words)
    return f"{verdict.word}: of {count_of(len(words), 'candidate')} {counts}"


def _distance(value: float, finding: Finding) -> str:
    shown = show_effect(value, finding).removeprefix("+")
    return f"{shown.removesuffix(' %')} points" if shown.endswith(" %") else shown


def _rounded_up(number: int) -> int:
    """Return the next number with two digits before its zeros."""
    step: int = 10 ** max(0, len(str(number)) - 2)
    return math.ceil(number / step) * step
