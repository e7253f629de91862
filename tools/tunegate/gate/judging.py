"""From a run and a baseline to the verdict: evidence for every probe, one correction for all of them, a word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tunegate.cost import Price
from tunegate.gate.evidence.known import Evidence, PValue, Setting
from tunegate.gate.evidence.weighing import weigh
from tunegate.gate.measures import Contender
from tunegate.gate.policy import TIMES, Policy
from tunegate.gate.probes import Match, Probe, expand
from tunegate.gate.verdict import Coverage, Decision, Finding, Outcome, Outlook, Verdict, Word
from tunegate.gate.wording import explain_finding
from tunegate.stats import NotEnoughData, cases_needed, holm, minimal_detectable_difference

MOST_CASES = 10_000_000
"""A need of more cases than this is told as none: the effect lies on the threshold."""


@dataclass(frozen=True)
class FamilySize:
    """Findings of a family that share the chance of an error, in either direction."""

    holds: int = 0
    """All but guards."""
    broken: int = 0


@dataclass(frozen=True)
class Weighed:
    """A probe of a candidate with its evidence, and with p-values that know of all others of its family."""

    probe: Probe
    evidence: Evidence
    family: FamilySize = FamilySize()
    p_holds: float | None = None
    p_broken: float | None = None

    def outcome(self, level: float) -> Outcome:
        """Return what is shown: a p-value below 1 - level is an interval of that level on one side of the threshold."""
        if self.p_broken is not None and self.p_broken < 1 - level:
            return "broken"
        is_shown = self.p_holds is not None and self.p_holds < 1 - level
        return "holds" if is_shown or self.probe.rule.guard else "undecided"

    @property
    def tests(self) -> int:
        """How many tests share the chance of an error in the direction in which the evidence points."""
        p_holds, p_broken = self.evidence.p_holds, self.evidence.p_broken
        is_good = isinstance(p_broken, NotEnoughData) or (not isinstance(p_holds, NotEnoughData) and p_holds < p_broken)
        return max(1, self.family.holds if is_good else self.family.broken)


def judge(
    candidates: Sequence[Contender],
    *,
    baseline: Contender | None,
    policy: Policy,
    prices: Mapping[str, Price | None] | None = None,
) -> Verdict:
    """Return the verdict on all candidates; `prices` are by model and needed by rules on cost alone.

    Each finding has two one-sided tests, that the rule holds and that it is broken. P-values are doubled, so that
    `policy.level` is that of the two-sided interval, and adjusted by Holm within a family over rules, subjects and
    candidates, for each of the two directions; a guard is tested for being broken only.
    """
    matches = [Match(candidate, baseline, policy.allow_other_prompts) for candidate in candidates]
    expansions = [expand(policy, match) for match in matches]
    sizes = size_families(probe for expansion in expansions for probe in expansion.probes)
    setting = Setting(
        level=policy.level,
        seed=policy.seed,
        prices=prices or {},
        shares={family: count.broken for family, count in sizes.items()},
    )
    weighed = [
        [Weighed(probe, weigh(probe, match, setting)) for probe in expansion.probes]
        for match, expansion in zip(matches, expansions, strict=True)
    ]
    adjusted = adjust([finding for findings in weighed for finding in findings])
    decisions: list[Decision] = []
    for match, findings in zip(matches, weighed, strict=True):
        mine, adjusted = adjusted[: len(findings)], adjusted[len(findings) :]
        decisions.append(decide(match, mine, policy=policy))
    told = [warning for expansion in expansions for warning in expansion.warnings]
    told += [warning for decision in decisions for warning in blind_guards(decision)]
    told += [warning for match in matches for warning in match.warnings()]
    return Verdict(
        candidate_run=candidates[0].run if candidates else "",
        baseline_run=baseline.run if baseline is not None and baseline.run != candidates[0].run else None,
        policy=policy,
        decisions=tuple(decisions),
        warnings=tuple(dict.fromkeys(told)),
    )


def size_families(probes: Iterable[Probe]) -> dict[str, FamilySize]:
    """Return by family how many findings share the chance of an error."""
    found: dict[str, FamilySize] = {}
    for probe in probes:
        before = found.get(probe.rule.family, FamilySize())
        found[probe.rule.family] = FamilySize(before.holds + (not probe.rule.guard), before.broken + 1)
    return found


def adjust(weighed: Sequence[Weighed]) -> list[Weighed]:
    """Return the findings, in the order given, with p-values that are doubled and adjusted within their families."""
    sizes = size_families(finding.probe for finding in weighed)
    holds: dict[int, float] = {}
    broken: dict[int, float] = {}
    for family in sizes:
        mine = [number for number, finding in enumerate(weighed) if finding.probe.rule.family == family]
        wanted = [number for number in mine if not weighed[number].probe.rule.guard]
        holds |= zip(wanted, holm([_doubled(weighed[number].evidence.p_holds) for number in wanted]), strict=True)
        broken |= zip(mine, holm([_doubled(weighed[number].evidence.p_broken) for number in mine]), strict=True)
    return [
        Weighed(
            probe=finding.probe,
            evidence=finding.evidence,
            family=sizes[finding.probe.rule.family],
            p_holds=None if isinstance(finding.evidence.p_holds, NotEnoughData) else holds.get(number),
            p_broken=None if isinstance(finding.evidence.p_broken, NotEnoughData) else broken[number],
        )
        for number, finding in enumerate(weighed)
    ]


def conclude(weighed: Weighed, *, policy: Policy) -> Finding:
    """Return what a rule says, with its reason."""
    rule, evidence = weighed.probe.rule, weighed.evidence
    outcome = weighed.outcome(policy.level)
    finding = Finding(
        rule=rule.name,
        eval=weighed.probe.eval,
        metric=weighed.probe.metric,
        subject=weighed.probe.subject,
        kind=rule.kind,
        threshold=rule.threshold,
        percentile=rule.percentile if weighed.probe.metric in TIMES and rule.kind == "max" else None,
        guard=rule.guard,
        family=rule.family,
        outcome=outcome,
        reason="",
        candidate=evidence.candidate,
        baseline=evidence.baseline,
        effect=evidence.effect,
        p_holds=weighed.p_holds,
        p_broken=weighed.p_broken,
        clusters=evidence.clusters,
        flips=evidence.flips,
        resampled=evidence.resampled,
        outlook=_outlook(weighed, policy=policy) if outcome == "undecided" else None,
    )
    return explain_finding(finding, tests=weighed.tests)


def word_of(findings: Sequence[Weighed], *, level: float) -> Word:
    """Return what the evidence on one candidate comes to: guards alone, or nothing at all, show nothing."""
    outcomes = [finding.outcome(level) for finding in findings]
    if "broken" in outcomes:
        return "BLOCK"
    is_shown = "undecided" not in outcomes and not all(finding.probe.rule.guard for finding in findings)
    return "PROMOTE" if is_shown else "INCONCLUSIVE"


def decide(match: Match, weighed: Sequence[Weighed], *, policy: Policy) -> Decision:
    """Return the word on one candidate: a broken rule blocks, anything not known leaves it open."""
    baseline = match.baseline
    findings = [conclude(finding, policy=policy) for finding in weighed]
    is_compared = baseline is not None and any(finding.probe.rule.needs_baseline for finding in weighed)
    missing = list(_missing(match.candidate, policy=policy))
    if baseline is not None and is_compared:
        missing += _missing(baseline, policy=policy)
    word = word_of(weighed, level=policy.level)
    reasons = [
        *(f"broken: {finding.name}" for finding in findings if finding.outcome == "broken"),
        *missing,
        *(f"undecided: {finding.name}" for finding in findings if finding.outcome == "undecided"),
    ]
    if not findings:
        reasons.append("no rule was applied")
    elif all(finding.guard for finding in findings):
        reasons.append("nothing had to be shown: all rules are guards")
    return Decision(
        candidate=match.candidate.model,
        baseline=baseline.model if baseline is not None else None,
        word="INCONCLUSIVE" if word == "PROMOTE" and missing else word,
        reasons=tuple(reasons) or (f"all {len(findings)} findings hold",),
        findings=tuple(findings),
        coverage=match.candidate.coverage,
        baseline_coverage=baseline.coverage if baseline is not None and is_compared else None,
    )


def blind_guards(decision: Decision) -> list[str]:
    """Name the guards that had nothing to look at: a guard that sees nothing holds, and should not do so unheard."""
    blind: dict[tuple[str, str, str], list[tuple[Finding, NotEnoughData]]] = {}
    for finding in decision.findings:
        if finding.guard and not finding.clusters and isinstance(finding.effect, NotEnoughData):
            blind.setdefault((finding.rule, finding.eval, finding.metric), []).append((finding, finding.effect))
    return [
        f"the guard {found[0][0].name} of {decision.candidate} saw nothing: {found[0][1].reason}"
        + (f"; nor did it in {len(found) - 1} other subjects" if len(found) > 1 else "")
        for found in blind.values()
    ]


def _missing(contender: Contender, *, policy: Policy) -> list[str]:
    """Say why what was scored does not stand for the plan, if so."""
    coverage = contender.coverage
    if coverage.not_run is None:
        return [f"{contender.model}: the run ended before it could say how many cells it had planned"]
    if not coverage.planned:
        return [f"{contender.model}: nothing was run"]
    if coverage.missing_share <= policy.tolerance:
        return []
    unscored = f"{coverage.planned - coverage.scored} of {coverage.planned} planned cells have no score"
    return [f"{contender.model}: {unscored} ({_counts(coverage)}), tolerated are {100 * policy.tolerance:g} %"]


def _counts(coverage: Coverage) -> str:
    counts = {"errors": coverage.errors, "lost": coverage.lost, "not run": coverage.not_run}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def _outlook(weighed: Weighed, *, policy: Policy) -> Outlook | None:
    """Say what would decide, at a level that lets every test of the family be decided (Bonferroni's)."""
    spread, evidence = weighed.evidence.spread, weighed.evidence
    if spread is None or not evidence.clusters or not spread.variance > 0:
        return None
    level = 1 - (1 - policy.level) / weighed.tests
    null_variance = spread.null_variance or spread.variance
    needed: int | None = None
    if spread.distance:
        needed = cases_needed(spread.distance, variance=spread.variance, null_variance=null_variance, level=level)
    detectable = minimal_detectable_difference(
        evidence.clusters, variance=spread.variance, null_variance=null_variance, level=level
    )
    return Outlook(
        detectable=detectable * evidence.scale if evidence.scale else None,
        # What is there was not enough, whatever the formula says.
        cases_needed=max(needed, evidence.clusters + 1) if needed is not None and needed <= MOST_CASES else None,
    )


def _doubled(p_value: PValue) -> float:
    return 1.0 if isinstance(p_value, NotEnoughData) else min(1.0, 2 * p_value)
