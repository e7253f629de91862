"""What may become an example: a training case with the prompt that the student will see, before anybody answered."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tunegate.cases import Batch, Case, Eval, Message, Sources
from tunegate.cases.questions import hash_words
from tunegate.distill.asked import AskedTexts, common_runs
from tunegate.distill.texts import Match, Part, parts_of, turns_of
from tunegate.errors import UsageError


@dataclass(frozen=True)
class Lesson:
    """A training case, not yet answered."""

    case: Case
    messages: tuple[Message, ...]
    """The student's prompt: without worked examples, whatever a teacher sees."""
    parts: tuple[Part, ...]
    """What makes it another lesson than others."""
    turns: tuple[Part, ...] = ()
    """What else it says, in which a text of the evals may lie."""

    @property
    def id(self) -> str:
        """Of the case."""
        return self.case.id


@dataclass(frozen=True)
class Evaluation:
    """All that is ever asked: what a student learned there, it could not be examined in."""

    index: AskedTexts
    evals: tuple[str, ...]
    parts: int
    digest: str
    """SHA-256 (hex) over the texts, whatever their order."""

    def leak_of(self, lesson: Lesson) -> tuple[str, Match] | None:
        """Return the part of a lesson that repeats what is asked, and what that is; None where none does."""
        return self.first_leak((*lesson.turns, *lesson.parts))

    def first_leak(self, parts: Iterable[Part]) -> tuple[str, Match] | None:
        """Return the name of the first part that repeats what is asked, and what that is; None where none does."""
        seen: set[str] = set()
        for part in parts:
            # All that the user says may be one message.
            if part.text in seen:
                continue
            seen.add(part.text)
            match = self.index.find(part)
            if match is not None:
                return part.name, match
        return None


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
        # The questions of a batch are its parts: what stands around them is said before every one.
        turns = (
            () if isinstance(case, Batch) else turns_of([(message["role"], message["content"]) for message in messages])
        )
        lesson = Lesson(case, tuple(messages), parts_of(case, _said(messages)), turns)
        known = lessons.setdefault(case.id, lesson)
        if known.messages != lesson.messages:
            raise UsageError(f"the eval '{eval_.name}' has two training cases called {case.id!r}")
    return list(lessons.values())


def index_evaluation(evals: Iterable[Eval], sources: Sources, *, near: float) -> Evaluation:
    """Return every text that the evals can ask, whatever a run's limit, seed and subjects are.

    Raises:
        CaseFileError: the cases of an eval cannot be read.
    """
    found = [_Asked.by(eval_, sources.with_shots(0)) for eval_ in evals]
    asked = [named for one in found for named in one.parts]
    index = AskedTexts(near=near, common=frozenset().union(*(one.common for one in found)))
    for name, part in (*asked, *(named for one in found for named in one.turns)):
        index.add(name, part)
    for name, text in (named for one in found for named in one.batches):
        index.add_whole(name, text)
    digest = hashlib.sha256("\n".join(sorted(hash_words(part.text) for _, part in asked)).encode("ascii")).hexdigest()
    return Evaluation(index, tuple(one.eval for one in found), len(asked), digest)


@dataclass(frozen=True)
class _Asked:
    """What one eval asks, by the names of its cases."""

    eval: str
    parts: list[tuple[str, Part]]
    turns: list[tuple[str, Part]]
    """Of prompts in which the user speaks more than once: what no other prompt of the eval says."""
    batches: list[tuple[str, str]]
    """The prompts of whole batches."""
    common: frozenset[str]
    """Runs of words that most prompts have, other than batches."""

    @classmethod
    def by(cls, eval_: Eval, sources: Sources) -> _Asked:
        parts: list[tuple[str, Part]] = []
        prompts: dict[str, tuple[str, list[str]]] = {}
        batches: list[tuple[str, str]] = []
        for case in eval_.cases(sources):
            name, said = f"{eval_.name}[{case.id}]", _said(eval_.prompt(case, sources))
            parts += [(f"{name} {part.name}".rstrip(), part) for part in parts_of(case, said)]
            if isinstance(case, Batch):
                batches.append((name, "\n".join(said)))
            else:
                prompts.setdefault("\n".join(said), (name, said))
        times = Counter(turn for _, said in prompts.values() for turn in set(said))
        turns = [
            (name, Part(turn)) for name, said in prompts.values() if len(said) > 1 for turn in said if times[turn] == 1
        ]
        return cls(eval_.name, parts, turns, batches, common_runs(prompts))


def with_system(messages: Sequence[Message], system: str | None) -> list[Message]:
    """Return a chat with another system message; None leaves it as it is, an empty one leaves it out."""
    if system is None:
        return list(messages)
    rest = [message for message in messages if message["role"] != "system"]
    return [{"role": "system", "content": system}, *rest] if system else rest


def _said(messages: Sequence[Message]) -> list[str]:
    return [message["content"] for message in messages if message["role"] == "user"]
