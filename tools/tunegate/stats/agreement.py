"""Do repeats of the same request come out alike?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field

from tunegate.stats.interval import Interval, NotEnoughData
from tunegate.stats.shares import Judged, clustered_share

Outcome = tuple[tuple[Hashable, bool], ...]
AGREEMENT = "agreement"
"""What the share is called among the metrics of a run."""


@dataclass
class RepeatAgreement:
    """In how many cases no repeat contradicts another; where no check was judged in two of them, a case is not judged.

    An outcome is what each check of a repeat came to, (check, passed) by (check, passed): two contradict each other
    where a check passed in one and failed in the other. What one of them does not say contradicts nothing.

    One case is one yes or no, however often it was repeated: of two models that are equally unsteady, the one that was
    asked more often agrees in fewer cases. Compare cases of which `repeats_of` is equal.
    """

    _said: dict[Hashable, Outcome] = field(default_factory=dict)
    """By case: what its repeats said of any check, the first that did."""
    _agrees: dict[Hashable, bool] = field(default_factory=dict)
    """Of the cases in which two repeats say something of one check."""
    _repeats: Counter[Hashable] = field(default_factory=Counter)
    """By case: how many said anything."""
    _known: dict[Outcome, Outcome] = field(default_factory=dict)
    """Thousands of cases share a few outcomes: each is kept once."""

    def add(self, case: Hashable, outcome: Outcome) -> None:
        """Take in what came of one repeat of a case, in whatever order they come."""
        if outcome:
            self._repeats[case] += 1
        before = self._said.get(case)
        if before is None:
            self._said[case] = self._known.setdefault(outcome, outcome)
            return
        agrees, is_shared = self._agrees.get(case, True), bool(outcome)
        if outcome != before:
            said = dict(before)
            is_shared = any(check in said for check, _ in outcome)
            agrees = agrees and all(said.setdefault(check, passed) == passed for check, passed in outcome)
            merged = tuple(said.items())
            self._said[case] = self._known.setdefault(merged, merged)
        if is_shared:
            self._agrees[case] = agrees

    def at(self, case: Hashable) -> Judged:
        """Return (1, 1) of a case whose repeats agree, (0, 1) where they do not, (0, 0) where no two are judged."""
        agrees = self._agrees.get(case)
        return (0.0, 0) if agrees is None else (float(agrees), 1)

    def repeats_of(self, case: Hashable) -> int:
        """Return in how many repeats of a case anything was judged."""
        return self._repeats.get(case, 0)

    @property
    def is_judged(self) -> bool:
        """Whether any case has two repeats that can be compared."""
        return bool(self._agrees)

    def share(self, *, level: float = 0.95) -> Interval | NotEnoughData:
        """Return the share of cases whose repeats agree, of those with two to compare, with its interval."""
        return clustered_share(map(self.at, self._agrees), level=level)
