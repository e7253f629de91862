"""What comes of a distillation, and of its steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tunegate.cli.distill_materials import Subject
from tunegate.distill import BreakEven, Chosen, Evaluation, Lesson, Made, Refusal, Taught, Written


@dataclass(frozen=True)
class Done:
    """A training set that was written."""

    chosen: Chosen
    written: Written
    made: Made
    evaluation: Evaluation
    break_even: BreakEven | None


@dataclass(frozen=True)
class Leaks:
    """Lessons that stand in an eval, where --strict wants none."""

    found: tuple[Refusal, ...]
    so_far: str
    """What was not done because of them."""


@dataclass(frozen=True)
class Augmentation:
    """A subject, and what was paid for making it larger."""

    subject: Subject
    cost_usd: float | None


@dataclass(frozen=True)
class Noting:
    """Answers nothing and keeps what it was asked."""

    lessons: list[Lesson]

    def teach(self, lessons: Sequence[Lesson]) -> list[Taught]:
        """Return an empty answer for each lesson."""
        self.lessons.extend(lessons)
        return [Taught("") for _ in lessons]
