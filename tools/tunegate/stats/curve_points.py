"""What a curve is fitted to: trainings, and the base model, with what they achieved."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from tunegate.stats.shares import Judged


@dataclass(frozen=True)
class CurvePoint:
    """One training, or the base model, and what it achieved."""

    examples: int
    """It was trained on; 0 is the base model."""
    replicate: Hashable
    """Which of the trainings with so many examples."""
    cases: Sequence[Judged]
    """(passed, judged) of each case, in the same order at every point; (0, 0) where nothing was judged."""

    @property
    def judged(self) -> int:
        """Members of all cases."""
        return sum(judged for _, judged in self.cases)

    @property
    def share(self) -> float:
        """Passed over judged."""
        return math.fsum(passed for passed, _ in self.cases) / self.judged


def refuse_impossible(points: Sequence[CurvePoint]) -> None:
    """Look whether points can be meant.

    Raises:
        ValueError: a point has negative examples, nothing judged or more passed than judged, has other cases than
            the first, or a training stands twice.
    """
    seen: set[tuple[int, Hashable]] = set()
    for point in points:
        name = f"the point of {point.examples} examples, replicate {point.replicate}"
        if point.examples < 0:
            raise ValueError(f"{name}: there are no negative numbers of examples")
        if len(point.cases) != len(points[0].cases):
            raise ValueError(f"{name} has {len(point.cases)} cases, the first point {len(points[0].cases)}")
        if not all(0 <= passed <= judged for passed, judged in point.cases):
            raise ValueError(f"{name} is no share: in a case the passed are not from 0 to the judged")
        if not point.judged:
            raise ValueError(f"{name}: nothing was judged")
        if (point.examples, point.replicate) in seen:
            raise ValueError(f"{name} stands twice")
        seen.add((point.examples, point.replicate))
