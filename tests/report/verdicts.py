"""Verdicts to be shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tunegate.gate.policy import DEFAULT, Policy
from tunegate.gate.verdict import Coverage, Decision, Finding, Flips, Outlook, Verdict, Word
from tunegate.stats import Interval, NotEnoughData

ALL = Coverage(planned=200, scored=200, errors=0, lost=0, not_run=0)


def interval(estimate: float, low: float, high: float) -> Interval:
    return Interval(estimate, low, high, level=0.95, n=200, clusters=200)


def difference(**changes: Any) -> Finding:
    """A rule `not worse by 5 points` that holds, unless told otherwise."""
    finding = Finding(
        rule="not worse",
        eval="format",
        metric="answers",
        subject=None,
        kind="not_worse_by",
        threshold=0.05,
        percentile=None,
        guard=False,
        family="all",
        outcome="holds",
        reason="shown to hold: -0.5 points (-2.0 to +1.0), above -5.0 points is asked",
        candidate=interval(0.915, 0.87, 0.95),
        baseline=interval(0.92, 0.88, 0.95),
        effect=interval(-0.005, -0.02, 0.01),
        p_holds=0.0001,
        p_broken=1.0,
        clusters=200,
        flips=Flips(3, 4, 1.0),
        resampled=interval(-0.005, -0.019, 0.011),
    )
    return replace(finding, **changes)


def broken(**changes: Any) -> Finding:
    """A drop by 12 points."""
    return difference(
        **{
            "outcome": "broken",
            "reason": "shown to be broken: -12.0 points (-16.0 to -8.0), above -5.0 points is asked",
            "candidate": interval(0.8, 0.75, 0.85),
            "effect": interval(-0.12, -0.16, -0.08),
            "p_holds": 1.0,
            "p_broken": 0.0077,
            "flips": Flips(3, 27, 0.00001),
            **changes,
        }
    )


def undecided(**changes: Any) -> Finding:
    """A drop by 3 points, which 200 cases do not tell from one by 5."""
    return difference(
        **{
            "outcome": "undecided",
            "reason": "not decided: -3.0 points (-6.5 to +0.5), above -5.0 points is asked",
            "effect": interval(-0.03, -0.065, 0.005),
            "p_holds": 0.26,
            "outlook": Outlook(detectable=0.07, cases_needed=537),
            **changes,
        }
    )


def unknown(**changes: Any) -> Finding:
    """A rule on what was never judged."""
    nothing = NotEnoughData("no check is called 'tone'")
    return undecided(
        **{
            "metric": "tone",
            "reason": f"not known: {nothing.reason}",
            "candidate": nothing,
            "baseline": nothing,
            "effect": nothing,
            "p_holds": None,
            "p_broken": None,
            "flips": None,
            "resampled": None,
            "outlook": None,
            **changes,
        }
    )


def guard(subject: str, **changes: Any) -> Finding:
    """A guard of one subject, which holds."""
    return difference(**{"rule": "no subject", "subject": subject, "guard": True, "p_holds": None, **changes})


def decision(*findings: Finding, candidate: str = "ft:ours", **changes: Any) -> Decision:
    """What these findings come to."""
    outcomes = {finding.outcome for finding in findings}
    word: Word = "BLOCK" if "broken" in outcomes else "INCONCLUSIVE" if "undecided" in outcomes else "PROMOTE"
    reasons = tuple(f"{finding.outcome}: {finding.name}" for finding in findings if finding.outcome != "holds")
    made = Decision(
        candidate=candidate,
        baseline="production",
        word=word,
        reasons=reasons or (f"all {len(findings)} findings hold",),
        findings=findings,
        coverage=ALL,
        baseline_coverage=ALL,
    )
    return replace(made, **changes)


def verdict(*decisions: Decision, policy: Policy = DEFAULT, **changes: Any) -> Verdict:
    """A verdict under the default policy."""
    return replace(Verdict("tuesday", "monday", policy, decisions), **changes)
