"""The worst of a verdict as GitHub's workflow commands, which its pages show as annotations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from tunegate.gate.verdict import Decision, Finding, Verdict
from tunegate.report.verdict_words import count_of, printable, reasons_of, shown_excess, summary_of, tell_outlook

Command = Literal["error", "warning", "notice"]


def render_annotations(verdict: Verdict, *, most: int = 10) -> list[str]:
    """Return workflow commands: broken rules as errors, the worst first, what is undecided as warnings, then the word.

    GitHub shows ten of a kind in a step: of more than `most` the last says how many others there are.
    """
    broken = [(decision, finding) for decision in verdict.decisions for finding in _with("broken", decision)]
    broken.sort(key=lambda pair: -shown_excess(pair[1]))
    errors = [_command("error", title=_title(*pair), message=pair[1].reason) for pair in broken]
    warnings: list[str] = []
    for decision in verdict.decisions:
        if decision.word == "PROMOTE":
            continue
        warnings += [_command("warning", title=decision.candidate, message=told) for told in reasons_of(decision)]
        warnings += [
            _command("warning", title=_title(decision, finding), message=_undecided(finding))
            for finding in _with("undecided", decision)
        ]
    word = _command("notice", title="tunegate", message=f"{summary_of(verdict)} (exit status {verdict.exit_status})")
    return [*_limit(errors, command="error", most=most), *_limit(warnings, command="warning", most=most), word]


def _with(outcome: str, decision: Decision) -> list[Finding]:
    return [finding for finding in decision.findings if finding.outcome == outcome]


def _title(decision: Decision, finding: Finding) -> str:
    return f"{decision.candidate}: {finding.name}"


def _undecided(finding: Finding) -> str:
    outlook = tell_outlook(finding)
    return finding.reason if outlook is None else f"{finding.reason}; {outlook}"


def _limit(commands: Sequence[str], *, command: Command, most: int) -> list[str]:
    if len(commands) <= most:
        return list(commands)
    kept = max(0, most - 1)
    others = f"{count_of(len(commands) - kept, 'more finding')} like these: the summary of this job names them"
    return [*commands[:kept], _command(command, title="tunegate", message=others)]


def _command(command: Command, *, title: str, message: str) -> str:
    shown = _escape(printable(title)).replace(":", "%3A").replace(",", "%2C")
    return f"::{command} title={shown}::{_escape(message)}"


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
