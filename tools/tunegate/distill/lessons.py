"""What may become an example: a training case with the prompt that the student will see, before anybody answered."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tunegate.cases import Case, Eval, Message, Sources
from tunegate.cases.questions import hash_words
from tunegate.distill.texts import Part, TextIndex, parts_of
from tunegate.errors import UsageError


@dataclass(frozen=True)
class Lesson:
    """A training case, not yet answered."""

    case: Case
    messages: tuple[Message, ...]
    """The student's prompt: without worked examples, whatever a teacher sees."""
    parts: tuple[Part, ...]

    @property
    def id(self) -> str:
        """Of the case."""
        return self.case.id


@dataclass(frozen=True)
class Evaluation:
    """All that is ever asked: what a student learned there, it could not be examined in."""

    index: TextIndex
    evals: tuple[str, ...]
    parts: int
    digest: str
    """SHA-256 (hex) over the texts, whatever their order."""


def make_lessons(eval_: Eval, sources: Sources, *, system: str | None = None) -> list[Lesson]:
    """Return the lessons that an eval offers; `system` replaces the system message of its prompt.

    Raises:
        UsageError: the eval declares no training cases, or two have one id.
        CaseFileError: they cannot be read.
    """
    if eval_.training is None:
        raise UsageError(
            f"the eval '{eval_.name}' says nothing of training\n"
            "  to say it: @evaluates(..., training=FUNCTION), which returns the cases that a model may learn from"
        )
    bare = sources.with_shots(0)
    lessons: dict[str, Lesson] = {}
    for case in eval_.training(bare):
        messages = with_system(eval_.prompt(case, bare), system)
        lesson = Lesson(case, tuple(messages), parts_of(case, _said(messages)))
        known = lessons.setdefault(case.id, lesson)
        if known.messages != lesson.messages:
            raise UsageError(f"the eval '{eval_.name}' has two training cases called {case.id!r}")
    return list(lessons.values())


def index_evaluation(evals: Iterable[Eval], sources: Sources, *, near: float) -> Evaluation:
    """Return every text that the evals can ask, whatever a run's limit, seed and subjects are.

    Raises:
        CaseFileError: the cases of an eval cannot be read.
    """
    index = TextIndex(near=near)
    bare = sources.with_shots(0)
    asked: list[str] = []
    names: list[str] = []
    for eval_ in evals:
        names.append(eval_.name)
        for case in eval_.cases(bare):
            for part in parts_of(case, _said(eval_.prompt(case, bare))):
                index.add(f"{eval_.name}[{case.id}]" + (f" {part.name}" if part.name else ""), part)
                asked.append(part.text)
    digest = hashlib.sha256("\n".join(sorted(map(hash_words, asked))).encode("ascii")).hexdigest()
    return Evaluation(index, tuple(names), len(asked), digest)


def with_system(messages: Sequence[Message], system: str | None) -> list[Message]:
    """Return a chat with another system message; None leaves it as it is, an empty one leaves it out."""
    if system is None:
        return list(messages)
    rest = [message for message in messages if message["role"] != "system"]
    return [{"role": "system", "content": system}, *rest] if system else rest


def _said(messages: Sequence[Message]) -> list[str]:
    return [message["content"] for message in messages if message["role"] == "user"]
