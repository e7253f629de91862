"""Made-up runs whose truth is known, and what the estimators need of them, thousands at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunegate.stats.pairs import Gains
from tunegate.stats.shares import ClusterCounts

BATCH = 4
"""Questions in one request."""
ALIKE = 0.7
"""Share of questions that are answered alike in all repeats."""
NOISE = 0.1
"""Share of answers that a repeat turns round, on either side of a pair."""


@dataclass(frozen=True)
class ShareCell:
    """One model: `questions` in batches, the true share, and how much answers of a batch are correlated."""

    questions: int
    share: float
    correlation: float
    repeats: int

    def __str__(self) -> str:
        return f"n={self.questions}, share {self.share:g}, correlation {self.correlation:g}, {self.repeats} repeats"

    @property
    def is_core(self) -> bool:
        """Where coverage must be close to the level, and not only fair."""
        return self.questions >= 200 and 0.1 <= self.share <= 0.9

    def draw(self, runs: int, dice: np.random.Generator) -> Iterator[ClusterCounts]:
        """Yield the counts of so many runs: beta-binomial batches, questions alike in all repeats or in none."""
        batches = -(-self.questions // BATCH)
        shares = _shares(self.share, self.correlation, (runs, batches), dice)
        size = BATCH * self.repeats
        if self.repeats == 1:
            passed = dice.binomial(BATCH, shares)
        else:
            alike = dice.binomial(BATCH, ALIKE, shares.shape)
            passed = self.repeats * dice.binomial(alike, shares)
            passed += dice.binomial(self.repeats * (BATCH - alike), shares)
        totals, squares = passed.sum(1).tolist(), (passed * passed).sum(1).tolist()
        for total, square in zip(totals, squares, strict=True):
            yield ClusterCounts(batches, batches * size, total, batches * size * size, square, total * size)


@dataclass(frozen=True)
class PairCell:
    """Two models on the same questions, in batches of `batch`."""

    questions: int
    share: float
    """Of the baseline, before the noise of repeats."""
    difference: float
    correlation: float
    agreement: float
    """Share of questions on which the candidate answers as the baseline did, whatever it would have said."""
    repeats: int
    batch: int = BATCH

    def __str__(self) -> str:
        return (
            f"n={self.questions}, share {self.share:g}, difference {self.difference:+g}, correlation"
            f" {self.correlation:g}, agreement {self.agreement:g}, {self.repeats} repeats, batches of {self.batch}"
        )

    @property
    def fresh_share(self) -> float:
        """Of the candidate, where it does not answer as the baseline did."""
        return self.share + self.difference / (1 - self.agreement)

    @property
    def is_possible(self) -> bool:
        """Whether such models exist."""
        return 0 < self.fresh_share < 1

    @property
    def is_core(self) -> bool:
        """Where coverage must be close to the level, and not only fair."""
        return self.questions >= 200 and 0.1 <= self.share <= 0.9 and 0.1 <= self.share + self.difference <= 0.9

    @property
    def truth(self) -> float:
        """The difference that an endless run would show."""
        return self.difference * (1 if self.repeats == 1 else 1 - 2 * NOISE)

    def differences(self, runs: int, dice: np.random.Generator) -> NDArray[np.float64]:
        """Return the differences of the cases: runs x batches."""
        shape = (runs, -(-self.questions // self.batch))
        before = dice.binomial(self.batch, _shares(self.share, self.correlation, shape, dice))
        fresh = _shares(self.fresh_share, self.correlation, shape, dice)
        lost = dice.binomial(before, (1 - self.agreement) * (1 - fresh))
        gained = dice.binomial(self.batch - before, (1 - self.agreement) * fresh)
        sides = [before - lost + gained, before]
        if self.repeats > 1:
            sides = [self._repeat(side, dice) for side in sides]
        differences: NDArray[np.float64] = (sides[0] - sides[1]) / (self.batch * self.repeats)
        return differences

    def _repeat(self, passed: NDArray[np.int64], dice: np.random.Generator) -> NDArray[np.int64]:
        kept = dice.binomial(self.repeats * passed, 1 - NOISE)
        turned: NDArray[np.int64] = kept + dice.binomial(self.repeats * (self.batch - passed), NOISE)
        return turned

    def draw(self, runs: int, dice: np.random.Generator) -> Iterator[Gains]:
        """Yield what the estimators need of so many runs."""
        yield from gains_of(self.differences(runs, dice), answers=self.batch * self.repeats)


def gains_of(differences: NDArray[np.float64], *, answers: int) -> Iterator[Gains]:
    """Yield, row by row, what `count_gains` makes of cases with so many answers each."""
    cases = differences.shape[1]
    gain = np.maximum(differences, 0).mean(1)
    loss = np.maximum(-differences, 0).mean(1)
    variance = differences.var(1, ddof=1) / cases
    for row in zip(gain.tolist(), loss.tolist(), variance.tolist(), strict=True):
        yield Gains(cases, cases, *row, least=float(cases), most=float(cases * answers))


def _shares(share: float, correlation: float, shape: tuple[int, int], dice: np.random.Generator) -> NDArray[np.float64]:
    """Return a share for each batch, beta distributed so that answers of a batch are so much correlated."""
    if correlation == 0:
        return np.full(shape, share)
    strength = (1 - correlation) / correlation
    return dice.beta(share * strength, (1 - share) * strength, shape)
