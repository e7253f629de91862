"""What is known of one finding, what all findings have in common, and why nothing is known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tunegate.cost import Price
from tunegate.gate.policy import RATING
from tunegate.gate.probes import Match, Probe
from tunegate.gate.sheets import Sheet
from tunegate.gate.verdict import Estimate, Flips
from tunegate.stats import AGREEMENT, NotEnoughData

FEWEST_RESAMPLES, MOST_RESAMPLES = 1_999, 99_999

PValue = float | NotEnoughData


@dataclass(frozen=True)
class Setting:
    """What all probes of a gate have in common."""

    level: float
    seed: int
    prices: Mapping[str, Price | None]
    """By model; missing where nobody asked for it."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """By family: among how many tests the chance of an error is shared; 1 where it is missing."""
    is_whole: bool = True
    """All cases are there at once: what may not be looked at again and again is made too."""

    def resamples(self, family: str) -> int:
        """Return how many resamples it takes so that a p-value can be small enough, with some to spare.

        It is never below 1 / (1 + resamples), and doubled and adjusted must be below 1 - level.
        """
        wanted = math.ceil(4 * self.shares.get(family, 1.0) / (1 - self.level)) - 1
        return min(max(wanted, FEWEST_RESAMPLES), MOST_RESAMPLES)


@dataclass(frozen=True)
class Spread:
    """How far the effect lies from the threshold, and what one case contributes to its variance."""

    distance: float
    variance: float
    null_variance: float | None = None


@dataclass(frozen=True)
class Evidence:
    """What is known of a probe; p-values are one-sided and not adjusted."""

    candidate: Estimate
    baseline: Estimate | None
    effect: Estimate
    p_holds: PValue
    p_broken: PValue
    clusters: int = 0
    """Cases that count."""
    flips: Flips | None = None
    resampled: Estimate | None = None
    spread: Spread | None = None
    scale: float = 1.0
    """What a unit of the spread is in the unit of the threshold; 0 where it is none."""


def know_nothing(probe: Probe, reason: str) -> Evidence:
    """Return the evidence of a probe of which nothing can be said."""
    nothing = NotEnoughData(reason)
    return Evidence(
        candidate=nothing,
        baseline=nothing if probe.rule.needs_baseline else None,
        effect=nothing,
        p_holds=nothing,
        p_broken=nothing,
    )


def explain_absence(probe: Probe, match: Match) -> str:
    """Say why there is no case for a probe."""
    mine, theirs = match.sides(probe.eval)
    if not mine.numbers:
        there = ", ".join(sorted(name for name, sheet in match.candidate.sheets.items() if sheet.numbers))
        return (
            f"{match.candidate.model} has no scored record of the eval '{probe.eval}', it has {there or 'none at all'}"
        )
    if probe.rule.needs_baseline and match.baseline is None:
        return "there is no baseline"
    if probe.rule.needs_baseline and not theirs.numbers:
        return f"the baseline has no scored record of the eval '{probe.eval}'"
    if probe.metric == AGREEMENT and probe.rule.needs_baseline:
        pairs = [case for case in match.cases[probe.eval] if probe.subject in (None, mine.subject_of(case))]
        if pairs:
            return _explain_unlike_repeats(probe, match, pairs)
    if probe.subject is not None:
        return f"no case of the subject '{probe.subject}' was scored{_on_both(probe)}"
    return f"no case was scored{_on_both(probe)}"


def explain_unjudged(probe: Probe, match: Match) -> str:
    """Say why there are cases, and nothing judged."""
    if probe.metric == RATING:
        return "ratings.jsonl has no rating of it"
    if probe.metric == AGREEMENT:
        return _explain_unrepeated(probe, match)
    there = match.checks(probe.eval)
    if probe.metric not in there:
        return f"no check is called '{probe.metric}', there are {', '.join(there) or 'none'}"
    if probe.rule.needs_baseline:
        for model, sheet in zip(("the candidate", "the baseline"), match.sides(probe.eval), strict=True):
            if probe.metric not in sheet.columns:
                return f"{model} has no check '{probe.metric}'"
    return "the premise of the check never held"


def _explain_unrepeated(probe: Probe, match: Match) -> str:
    sides = [("the candidate", match.sides(probe.eval)[0]), ("the baseline", match.sides(probe.eval)[1])]
    single = [model for model, sheet in sides[: 1 + probe.rule.needs_baseline] if not sheet.agreement.is_judged]
    if not single:
        return "no case has two repeats with checks that count"
    return f"{' and '.join(single)} answered no case twice, and agreement needs --repeat 2 or more"


def _explain_unlike_repeats(probe: Probe, match: Match, cases: Sequence[str]) -> str:
    sides = match.sides(probe.eval)
    if not all(sheet.agreement.is_judged for sheet in sides):
        return _explain_unrepeated(probe, match)
    mine, theirs = (_tell_repeats(sheet, cases) for sheet in sides)
    return (
        f"no case has as many repeats on both sides ({mine} of the candidate, {theirs} of the baseline), and more of "
        "them find more disagreement: give both the same --repeat"
    )


def _tell_repeats(sheet: Sheet, cases: Sequence[str]) -> str:
    least, most = (pick(map(sheet.agreement.repeats_of, cases)) for pick in (min, max))
    return f"{least}" if least == most else f"{least} to {most}"


def _on_both(probe: Probe) -> str:
    return " on both sides with the same question" if probe.rule.needs_baseline else ""
