"""The verdict and its evidence: what was concluded of each candidate, rule by rule, and from what.

`verdict.json` holds exactly this; the format is documented in docs/verdict.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tunegate.gate.policy import Kind, OnInconclusive, Policy
from tunegate.stats import Interval, NotEnoughData

FORMAT = 1
"""Version of verdict.json: it grows when a reader of the old format would misread the new one."""

Word = Literal["PROMOTE", "BLOCK", "INCONCLUSIVE"]
Outcome = Literal["holds", "broken", "undecided"]
Estimate = Interval | NotEnoughData

EXIT_STATUS: Mapping[Word, int] = {"PROMOTE": 0, "BLOCK": 1, "INCONCLUSIVE": 10}
_STATUS_OF_INCONCLUSIVE: Mapping[OnInconclusive, int] = {"stop": 10, "block": 1, "pass": 0}


@dataclass(frozen=True)
class Flips:
    """Cases that one side passed wholly or in a larger part than the other, and the test of their split."""

    gained: int
    lost: int
    p_value: float | None
    """Exact McNemar, two-sided; None where no case changed or a case is more than a yes or no."""


@dataclass(frozen=True)
class Outlook:
    """What it would take to know."""

    detectable: float | None
    """Distance from the threshold that as many cases as there are would show with a chance of 80 %."""
    cases_needed: int | None
    """Cases, these included, that would decide with a chance of 80 % if the truth is as estimated; None if none."""


@dataclass(frozen=True)
class Finding:
    """What one rule says of one candidate: in one eval, on one metric, in one subject or in all (None)."""

    rule: str
    eval: str
    metric: str
    subject: str | None
    kind: Kind
    threshold: float
    percentile: float | None
    """Of a `max` on a time, None elsewhere."""
    guard: bool
    family: str
    outcome: Outcome
    reason: str
    """Why, in one sentence for people."""
    candidate: Estimate
    baseline: Estimate | None
    """None where the rule does not compare."""
    effect: Estimate
    """What is held against the threshold, with its interval: a share, a difference, a ratio, seconds."""
    p_holds: float | None
    """Two-sided p-value against the rule being broken, adjusted for its family; None where nothing can be said."""
    p_broken: float | None
    """Two-sided p-value against the rule holding, adjusted likewise."""
    clusters: int
    """Cases that count."""
    flips: Flips | None = None
    resampled: Estimate | None = None
    """The effect's interval by a cluster bootstrap, to be held against the other; None where it was not made."""
    outlook: Outlook | None = None
    """Of an undecided rule."""

    @property
    def name(self) -> str:
        """What the rule is called here: `not worse: format answers [history]`."""
        place = f"{self.rule}: {self.eval} {self.metric}"
        return place if self.subject is None else f"{place} [{self.subject}]"


@dataclass(frozen=True)
class Coverage:
    """What of a model's plan was scored."""

    planned: int
    scored: int
    errors: int
    lost: int
    not_run: int | None
    """None where the run ended before it could say so."""

    @property
    def missing_share(self) -> float:
        """Share of the plan without a score; all of it where the plan is not known."""
        if self.not_run is None or not self.planned:
            return 1.0
        return (self.planned - self.scored) / self.planned


@dataclass(frozen=True)
class Decision:
    """What was concluded of one candidate."""

    candidate: str
    baseline: str | None
    word: Word
    reasons: tuple[str, ...]
    """Why it is not PROMOTE, or what it rests on; a sentence each."""
    findings: tuple[Finding, ...]
    coverage: Coverage
    baseline_coverage: Coverage | None
    cases_used: int | None = None
    """Asked until decided: the cases, in the seeded order, that the decision was made from; None elsewhere."""
    cases_planned: int | None = None


@dataclass(frozen=True)
class Verdict:
    """What was concluded of all candidates of a run."""

    candidate_run: str
    baseline_run: str | None
    """None where candidate and baseline stand in one run, or nothing is compared."""
    policy: Policy
    decisions: tuple[Decision, ...]
    warnings: tuple[str, ...] = ()
    certificate: Mapping[str, Any] | None = None
    """Digests of all that it was made from; None until it is certified."""
    accepted: Mapping[str, Any] | None = None
    """Why and when it was accepted; None until then."""

    @property
    def word(self) -> Word:
        """The worst of all candidates': PROMOTE where each may be promoted."""
        words = {decision.word for decision in self.decisions}
        if "BLOCK" in words:
            return "BLOCK"
        return "PROMOTE" if words == {"PROMOTE"} else "INCONCLUSIVE"

    @property
    def exit_status(self) -> int:
        """What tells a machine the same; what INCONCLUSIVE does is the policy's, but what did not run never passes."""
        word = self.word
        if word != "INCONCLUSIVE" or (self.policy.on_inconclusive == "pass" and not self.is_whole):
            return EXIT_STATUS[word]
        return _STATUS_OF_INCONCLUSIVE[self.policy.on_inconclusive]

    @property
    def is_whole(self) -> bool:
        """Whether as much of every plan has a score as the policy wants, and every rule but a guard found any."""
        coverages = [decision.coverage for decision in self.decisions]
        coverages += [decision.baseline_coverage for decision in self.decisions if decision.baseline_coverage]
        return (
            all(coverage.missing_share <= self.policy.tolerance for coverage in coverages)
            and all(finding.clusters for one in self.decisions for finding in one.findings if not finding.guard)
            and all(decision.findings for decision in self.decisions)
            and bool(self.decisions)
        )
