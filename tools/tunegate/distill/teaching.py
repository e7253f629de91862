"""Who answers the lessons, and who judges the answers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Protocol

from tunegate.cases import Case, Eval, Sources
from tunegate.checks import Check, Reply, Shape
from tunegate.distill.lessons import Lesson
from tunegate.errors import UsageError


@dataclass(frozen=True)
class Taught:
    """The answer to a lesson."""

    text: str
    problem: str = ""
    """Why the answer cannot be learned from, such as `truncated`; empty where it can."""
    tokens: int | None = None
    """Of prompt and answer as the teacher's server counted them; None where it did not, or saw another prompt."""
    cost_usd: float | None = None
    """What the answer cost; None where nobody knows."""


class Teacher(Protocol):
    """Answers lessons."""

    def teach(self, lessons: Sequence[Lesson]) -> Sequence[Taught]:
        """Return an answer for each lesson, in their order."""


@dataclass(frozen=True)
class KnownAnswers:
    """The eval's own key in the place of a teacher; it costs nothing."""

    eval: Eval

    def __post_init__(self) -> None:
        if self.eval.answer is None:
            raise UsageError(
                f"'{self.eval.name}' knows no answers\n"
                '  an eval says them: @evaluates(..., answer=FUNCTION); a line of a file of prompts: "answer": "..."\n'
                "  to have them written: --teacher NAME"
            )

    def teach(self, lessons: Sequence[Lesson]) -> list[Taught]:
        """Return the answer that the eval knows for each lesson."""
        assert self.eval.answer is not None, "looked at when it was made"  # noqa: S101  # narrows the type
        return [Taught(self.eval.answer(lesson.case), cost_usd=0.0) for lesson in lessons]


@dataclass(frozen=True)
class Judge:
    """Judges answers by the test of an eval, as it judges a model's replies.

    The test is called as pytest would call it, with the fixtures that tunegate offers: `case`, `ask`, `score` and
    `schema`.
    """

    test: Callable[..., Any] | None
    """None judges nothing: a file of prompts has no checks."""
    sources: Sources
    waived: tuple[str, ...] = ()
    """Globs of checks that an answer may miss."""
    _schema: Callable[[str], Shape] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_schema", lru_cache(maxsize=None)(lambda name: Shape(self.sources.schema(name))))

    def missed(self, case: Case, text: str) -> list[str]:
        """Return the names of the checks that an answer misses and that count, each once, in their order.

        Raises:
            UsageError: the test needs what only pytest has, or scores nothing.
        """
        if self.test is None:
            return []
        scored: list[Check] = []
        offered: Mapping[str, object] = {
            "case": case,
            "ask": lambda: Reply(text, finish_reason="stop"),
            "score": scored.extend,
            "schema": self._schema,
        }
        wanted = inspect.signature(self.test).parameters
        strange = [name for name in wanted if name not in offered]
        if strange:
            raise UsageError(
                f"{self.test.__name__} asks for {', '.join(strange)}, which only pytest can give\n"
                f"  outside of it there are: {', '.join(offered)}"
            )
        try:
            self.test(**{name: offered[name] for name in wanted})
        except AssertionError:
            # A test may say more than its checks do.
            return ["assert"]
        if not scored:
            raise UsageError(f"{self.test.__name__} scores nothing, so no answer can be judged by it")
        failed = dict.fromkeys(check.name for check in scored if check.passed is False and not check.advisory)
        return [name for name in failed if not any(fnmatchcase(name, glob) for glob in self.waived)]


def defect_of(text: str) -> str:
    """Say why a text cannot be learned from, whatever it was asked for; nothing where it can."""
    if not text.strip():
        return "empty"
    if "\0" in text:
        return "holds a NUL character"
    return "" if _is_encodable(text) else "holds half a surrogate pair"


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
