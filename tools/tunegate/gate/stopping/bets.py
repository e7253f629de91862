"""What is bet on one finding, case by case: a share between 0 and 1, and the threshold as such a share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tunegate.gate.evidence.known import Evidence, PValue
from tunegate.gate.evidence.scales import share_of
from tunegate.gate.policy import TIMES
from tunegate.gate.probes import Match, Probe
from tunegate.stats import AGREEMENT, EProcess, NotEnoughData, price_of_look, share_of_difference

_SMALL = 0.25


@dataclass(frozen=True)
class Look:
    """What was seen at a look, at a level that pays for all looks."""

    evidence: Evidence
    p_value: float
    """One-sided and valid at any time, of the direction that it tells most about."""


@dataclass
class Track:
    """One finding of one candidate, as far as cases have come."""

    probe: Probe
    holds: EProcess | None
    broken: EProcess | None
    """Both None where there is no bet, and looks are taken."""
    values: list[float] = field(default_factory=list)
    """From 0 to 1: what the tests bet on."""
    looks: int = 0
    looked_at: int = 0
    """Cases at the last look."""
    best: Look | None = None
    """The look that told most."""
    looked_p: list[PValue] = field(default_factory=lambda: [NotEnoughData("no case has come, or no look was due")] * 2)
    """Where there is no bet: p-values of holding and of being broken, with what looking costs."""

    @classmethod
    def of(cls, probe: Probe) -> Track:
        """Return the track of a probe before any case."""
        null = null_of(probe)
        if null is None:
            return cls(probe, None, None)
        above, below = EProcess(null, side="above"), EProcess(null, side="below")
        return cls(probe, below, above) if is_low_good(probe) else cls(probe, above, below)

    def bet(self, value: float) -> None:
        """Bet on one value."""
        self.values.append(value)
        for test in (self.holds, self.broken):
            if test is not None:
                test.update(value)

    def look(self, evidence: Evidence, *, price: float, cases: int) -> None:
        """Take in what was seen of so many cases; p-values are multiplied by what the look costs."""
        self.looks += 1
        self.looked_at = cases
        for number, p_value in enumerate((evidence.p_holds, evidence.p_broken)):
            if isinstance(p_value, NotEnoughData):
                continue
            paid, before = min(1.0, p_value * price), self.looked_p[number]
            self.looked_p[number] = paid if isinstance(before, NotEnoughData) else min(before, paid)
            if self.best is None or paid < self.best.p_value:
                self.best = Look(evidence, paid)

    def price(self) -> float:
        """Return what p-values of the next look cost: the sum of its inverse over all looks is 1."""
        return price_of_look(self.looks + 1)

    def p_values(self) -> tuple[PValue, PValue]:
        """Return the one-sided p-values, valid at any time, that the rule holds and that it is broken.

        Where both came to be small, the values have not one mean; the smaller one alone counts then.
        """
        holds, broken = self.looked_p
        if self.holds is not None and self.broken is not None and self.values:
            holds, broken = self.holds.p_value, self.broken.p_value
        if isinstance(holds, NotEnoughData) or isinstance(broken, NotEnoughData) or max(holds, broken) > _SMALL:
            return holds, broken
        return (holds, 1.0) if holds < broken else (1.0, broken)


def null_of(probe: Probe) -> float | None:
    """Return the threshold as a share that can be bet on; None for ratios."""
    rule = probe.rule
    match rule.kind:
        case "max_ratio":
            return None
        case "max" if probe.metric in TIMES:
            return rule.percentile
        case "min" | "max":
            return share_of(probe, rule.threshold, is_difference=False)
        case "not_worse_by":
            return share_of_difference(-share_of(probe, rule.threshold, is_difference=True))
        case "better_by":
            return share_of_difference(share_of(probe, rule.threshold, is_difference=True))


def is_low_good(probe: Probe) -> bool:
    """Say whether the rule holds where the share lies below its threshold."""
    return probe.rule.kind == "max" and probe.metric not in TIMES


def bet_of(probe: Probe, match: Match, case: str) -> float | None:
    """Return what a case adds to a finding, from 0 to 1; None where it adds nothing."""
    if probe.metric in TIMES:
        value = time_of(probe, match, case)
        return None if value is None else float(value <= probe.rule.threshold)
    mine, theirs = shares_of(probe, match, case)
    if mine is None or not probe.rule.needs_baseline:
        return mine
    return None if theirs is None else share_of_difference(mine - theirs)


def time_of(probe: Probe, match: Match, case: str) -> float | None:
    """Return the time of the first call of a case; None where it is not known."""
    mine, _ = match.sides(probe.eval)
    return mine.first_value(probe.metric, case) if case in mine.numbers else None


def shares_of(probe: Probe, match: Match, case: str) -> tuple[float | None, float | None]:
    """Return the share that each side passed of a case; None where a side adds nothing.

    Where the rule compares, both are None unless both were judged on the same question.
    """
    mine, theirs = (
        passed / judged if judged else None
        for passed, judged in (side.judged(probe.metric, case) for side in match.sides(probe.eval))
    )
    if not probe.rule.needs_baseline:
        return mine, None
    is_pair = mine is not None and theirs is not None and match.is_pair(probe.eval, case)
    if is_pair and probe.metric == AGREEMENT:
        is_pair = match.is_repeated_alike(probe.eval, case)
    return (mine, theirs) if is_pair else (None, None)


def raw_values(probe: Probe, match: Match, cases: Sequence[str]) -> list[float]:
    """Return the times that were bet on."""
    found = (time_of(probe, match, case) for case in cases)
    return [value for value in found if value is not None]
