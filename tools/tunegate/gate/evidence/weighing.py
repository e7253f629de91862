"""The way from a probe to its evidence."""

from __future__ import annotations

from tunegate.gate.evidence.amounts import weigh_ratio, weigh_time
from tunegate.gate.evidence.known import Evidence, Setting, explain_absence, know_nothing
from tunegate.gate.evidence.shares import weigh_difference, weigh_share
from tunegate.gate.policy import TIMES
from tunegate.gate.probes import Match, Probe


def weigh(probe: Probe, match: Match, setting: Setting) -> Evidence:
    """Return what the data say of a probe."""
    cases = match.cases_of(probe)
    if not cases:
        return know_nothing(probe, explain_absence(probe, match))
    if probe.rule.kind == "max_ratio":
        return weigh_ratio(probe, match, setting)
    if probe.metric in TIMES:
        return weigh_time(probe, match, setting)
    return (weigh_difference if probe.rule.needs_baseline else weigh_share)(probe, match, setting)
