"""What a candidate must show: rules, and what holds for all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, get_args

from tunegate.exchanges import canonical_json
from tunegate.stats import AGREEMENT

Kind = Literal["min", "max", "not_worse_by", "better_by", "max_ratio"]
KINDS: tuple[Kind, ...] = get_args(Kind)
RELATIVE: frozenset[Kind] = frozenset({"not_worse_by", "better_by", "max_ratio"})
"""Rules of these kinds need a baseline."""

OnInconclusive = Literal["stop", "block", "pass"]

LATENCY, FIRST_TOKEN, COST, RATING = "latency_s", "first_token_s", "cost_usd", "rating"
TIMES = frozenset({LATENCY, FIRST_TOKEN})
MEASURES: Mapping[str, frozenset[Kind]] = {
    LATENCY: frozenset({"max", "max_ratio"}),
    FIRST_TOKEN: frozenset({"max", "max_ratio"}),
    COST: frozenset({"max_ratio"}),
    RATING: frozenset({"min", "not_worse_by", "better_by"}),
    AGREEMENT: frozenset({"min", "not_worse_by", "better_by"}),
}
"""Metrics that no check has made, and the kinds of rules there are for each. All others are shares of checks."""
SHARE_KINDS: frozenset[Kind] = frozenset({"min", "max", "not_worse_by", "better_by"})
LOWEST_RATING, HIGHEST_RATING = 1, 5


@dataclass(frozen=True)
class Rule:
    """One thing to be shown of each candidate.

    `eval` and `metric` may be globs: then the rule stands for each eval and each check that they match.
    """

    name: str
    kind: Kind
    threshold: float
    """A share, a margin between shares, a ratio to the baseline, seconds, or points of a rating."""
    eval: str = "*"
    metric: str = "*"
    percentile: float = 0.5
    """Of `max` on a time: which share of calls must stay below it."""
    per_subject: bool = False
    """Looked at in each subject by itself."""
    guard: bool = False
    """It need not be shown to hold, and blocks where it is shown to be broken."""
    family: str = "all"
    """Rules of one family share the chance of a false finding, over all candidates."""

    @property
    def needs_baseline(self) -> bool:
        """Whether the rule compares."""
        return self.kind in RELATIVE


@dataclass(frozen=True)
class Policy:
    """The rules of a gate."""

    rules: tuple[Rule, ...]
    level: float = 0.95
    """Of every interval: a rule holds, or is broken, where its interval lies on one side of the threshold."""
    on_inconclusive: OnInconclusive = "stop"
    """`stop` has an exit status of its own, `block` that of BLOCK, `pass` that of PROMOTE."""
    tolerance: float = 0.0
    """Share of planned cells without a score up to which the rest still counts."""
    seed: int = 0
    """Of resampling, and of the order in which cases are asked until everything is decided."""
    allow_other_prompts: bool = False
    """Pair cases by their name although the two sides were asked different questions under it."""
    origin: str = "the default policy"

    @property
    def needs_baseline(self) -> bool:
        """Whether any rule compares."""
        return any(rule.needs_baseline for rule in self.rules)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of what the policy says; where it was read, comments and layout do not count."""
        return hashlib.sha256(canonical_json(self.to_plain()).encode("ascii")).hexdigest()

    def to_plain(self) -> dict[str, Any]:
        """Return the policy as JSON has it, without its origin."""
        plain = asdict(self)
        del plain["origin"]
        plain["rules"] = [dict(rule) for rule in plain["rules"]]
        return plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], *, origin: str) -> Policy:
        """Read back what `to_plain` returned."""
        rules = tuple(Rule(**rule) for rule in plain["rules"])
        return cls(**{**plain, "rules": rules, "origin": origin})


DEFAULT = Policy(rules=(Rule(name="not worse", kind="not_worse_by", threshold=0.05),))
"""Used where no policy is there: every check of every eval, not worse than the baseline by 5 points or more."""
