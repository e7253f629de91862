"""The verdict on a terminal: a headline and a table for each candidate, and what it all comes to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tunegate.gate.verdict import Decision, Finding, Verdict
from tunegate.gate.wording import show_effect, show_estimate, show_value
from tunegate.report.verdict_words import (
    NOTHING_JUDGED,
    bound_of,
    evidence_of,
    is_quiet,
    outlook_of,
    printable,
    reasons_of,
    tell_all_coverage,
    tell_asked,
    tell_guards,
    versus,
)
from tunegate.stats import Interval, NotEnoughData

_WIDTH = 100
_SIGNS = {"min": ">=", "max": "<=", "not_worse_by": ">", "better_by": ">", "max_ratio": "<="}
_OUTCOMES = {"holds": "holds", "broken": "BROKEN", "undecided": "undecided"}


def render_verdict(verdict: Verdict) -> list[str]:
    """Return the lines of a verdict, 100 columns wide where the names allow it; the last one is its word and status."""
    lines: list[str] = []
    for decision in verdict.decisions:
        lines += [*_render_decision(decision, level=verdict.policy.level), ""]
    for warning in verdict.warnings:
        lines.append(f"warning: {printable(warning)}")
    if len(verdict.decisions) > 1:
        width = max(len(decision.word) for decision in verdict.decisions)
        lines += [f"{decision.word:{width}}  {printable(versus(decision))}" for decision in verdict.decisions]
    elif not verdict.decisions:
        lines.append(NOTHING_JUDGED)
    lines.append(f"verdict: {verdict.word}, exit status {verdict.exit_status}")
    return lines


def _render_decision(decision: Decision, *, level: float) -> Iterator[str]:
    yield f"{decision.word}  {printable(versus(decision))}"
    shown = [finding for finding in decision.findings if not is_quiet(finding)]
    if shown:
        yield from _render_table(shown, level=level)
    guards = len(decision.findings) - len(shown)
    if guards:
        yield f"  {tell_guards(guards)}"
    asked = tell_asked(decision)
    reasons = reasons_of(decision)
    # What is missing beyond the tolerance is a reason already.
    gaps = [] if any("have no score" in reason for reason in reasons) else tell_all_coverage(decision)
    for line in (*reasons, *gaps, *([asked] if asked else [])):
        yield f"  {printable(line)}"


def _render_table(findings: Sequence[Finding], *, level: float) -> Iterator[str]:
    """Yield the table; a name that would make it too wide stands on a line of its own above its numbers."""
    rows = [_figures(finding) for finding in findings]
    heads = ("candidate", "baseline", f"effect ({100 * level:g} % interval)", "threshold", "outcome")
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    names = [printable(finding.name) for finding in findings]
    room = _WIDTH - sum(widths) - 2 * (len(widths) + 1)
    first = max(len("rule"), *(len(name) for name in names if len(name) <= room), 0)
    yield f"  {'rule':{first}}  {_join(heads, widths)}"
    for finding, name, figures in zip(findings, names, rows, strict=True):
        if len(name) > first:
            yield f"  {name}"
        yield f"  {name if len(name) <= first else '':{first}}  {_join(figures, widths)}"
        for line in _explain(finding):
            yield f"      {printable(line)}"


def _figures(finding: Finding) -> tuple[str, ...]:
    sides = [
        show_value(side.estimate, finding) if isinstance(side, Interval) else "-"
        for side in (finding.candidate, finding.baseline)
    ]
    effect = finding.effect
    shown = "not known" if isinstance(effect, NotEnoughData) else show_estimate(effect, finding, is_effect=True)
    wanted = f"{_SIGNS[finding.kind]} {show_effect(bound_of(finding), finding).removesuffix(' points')}"
    if finding.percentile not in (None, 0.5):
        wanted = f"p{100 * finding.percentile:g} {wanted}"
    return (*sides, shown, wanted, _OUTCOMES[finding.outcome])


def _join(figures: Sequence[str], widths: Sequence[int]) -> str:
    """Return a row: the two sides stand to the right, as numbers do, the rest to the left."""
    cells = [
        f"{figure:>{width}}" if number < 2 else f"{figure:{width}}"
        for number, (figure, width) in enumerate(zip(figures, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def _explain(finding: Finding) -> Iterator[str]:
    """Yield what the row does not say: why something is not known or not shown, and what would decide."""
    if finding.outcome == "holds":
        return
    if isinstance(finding.effect, NotEnoughData) or _looks_clear(finding, finding.effect):
        yield finding.reason
    if finding.outcome == "broken":
        yield from evidence_of(finding)
    yield from outlook_of(finding)


def _looks_clear(finding: Finding, effect: Interval) -> bool:
    """Whether a reader of the row alone would take an undecided rule for a decided one."""
    bound = bound_of(finding)
    return finding.outcome == "undecided" and (effect.low > bound or effect.high < bound)
