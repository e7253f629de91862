"""Lessons and teachers for tests: real ones, with prompts that are made up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tunegate.cases import Sources
from tunegate.distill import (
    AskedTexts,
    Evaluation,
    Filter,
    Judge,
    Lesson,
    Part,
    Taught,
    eval_of_prompts,
    make_lessons,
    prompt_of_messages,
)

SOURCES = Sources(Path("fixtures"))


def lessons_of(*texts: str) -> list[Lesson]:
    """Return a lesson for each text."""
    prompts = [prompt_of_messages([{"role": "user", "content": text}]) for text in texts]
    return make_lessons(eval_of_prompts("prompts", prompts), SOURCES)


def many_lessons(count: int) -> list[Lesson]:
    """Return lessons of which none is like another."""
    return lessons_of(*(f"tell me of {number} things" for number in range(count)))


def filter_of(*asked: str, near: float = 0.8, judge: Judge | None = None) -> Filter:
    """Return a filter whose evaluation asks these texts, as `eval[0]`, `eval[1]` ..."""
    index = AskedTexts(near=near)
    for number, text in enumerate(asked):
        index.add(f"eval[{number}]", Part(text))
    return Filter(Evaluation(index, ("eval",), len(asked), "d"), judge or Judge(None, SOURCES), near)


def said(lesson: Lesson) -> str:
    """Return what the user says in a lesson."""
    return lesson.messages[-1]["content"]


@dataclass
class Echo:
    """Answers with `text` of what it was asked, at a cent each; keeps what it was asked."""

    problem: Callable[[str], str] = lambda _: ""
    text: Callable[[str], str] = str.upper
    cost_usd: float | None = 0.01
    asked: list[str] = field(default_factory=list)

    def teach(self, lessons: Sequence[Lesson]) -> list[Taught]:
        """Answer lessons."""
        self.asked += map(said, lessons)
        return [
            Taught(self.text(said(lesson)), problem=self.problem(said(lesson)), cost_usd=self.cost_usd)
            for lesson in lessons
        ]
