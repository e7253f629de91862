"""Which lessons become examples, in an order of which every size takes the beginning.

Lessons stand in the order of a hash of seed and id: training examples are taken from its front, validation examples
from its back. What is refused is passed over. So the 50 examples of n=50 are the first 50 of n=100, and what a
larger training set adds never moves the validation set.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tunegate.cases import Message
from tunegate.cases.questions import hash_words
from tunegate.cost import estimate_tokens
from tunegate.distill.lessons import Evaluation, Lesson
from tunegate.distill.teaching import Judge, Taught, Teacher, defect_of
from tunegate.distill.texts import Match, TextIndex
from tunegate.errors import UsageError

Reason = Literal["leak", "duplicate", "answer"]


@dataclass(frozen=True)
class Example:
    """A prompt with the answer to learn."""

    id: str
    subject: str
    messages: tuple[Message, ...]
    """The last one is the answer."""
    tokens: int
    is_counted: bool
    """Whether a server counted the tokens; they are an estimate otherwise."""
    cost_usd: float | None
    """What the answer cost; None where nobody knows."""


@dataclass(frozen=True)
class Refusal:
    """A lesson that became no example, and why."""

    id: str
    reason: Reason
    detail: str
    """What it repeats, or what its answer misses."""
    match: Match | None = None
    """What it repeats; None where its answer is the reason."""


@dataclass(frozen=True)
class Demand:
    """How many examples are wanted."""

    train: int | None
    """None is all there are, and at least `least`."""
    validation: int = 0
    seed: int = 0
    spare: int | None = None
    """Lessons that may be tried beyond those wanted where answers are refused; None is any number."""
    least: int = 1


@dataclass(frozen=True)
class Chosen:
    """Examples in their order, and what was refused on the way."""

    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    refused: tuple[Refusal, ...]
    looked_at: int
    """Lessons that were looked at: those behind the last example were not."""
    teaching_usd: float | None = 0.0
    """What all answers cost, refused ones among them; None where that of some is not known."""
    is_exhausted: bool = False
    """Whether no lesson is left to be looked at."""


@dataclass(frozen=True)
class Filter:
    """What keeps a lesson from becoming an example."""

    evaluation: Evaluation
    judge: Judge | None
    """None takes every answer."""
    near: float


def choose_examples(lessons: Iterable[Lesson], demand: Demand, *, filter_: Filter, teacher: Teacher) -> Chosen:
    """Return the examples that are wanted, as far as lessons and answers allow.

    Raises:
        UsageError: there are fewer than wanted.
        TunegateError: the teacher cannot answer.
    """
    chosen = _choose(lessons, demand, filter_=filter_, teacher=teacher)
    if len(chosen.validation) < demand.validation or len(chosen.train) < (demand.train or demand.least):
        raise UsageError(_too_few(chosen, demand))
    return chosen


def find_leaks(lessons: Iterable[Lesson], demand: Demand, *, filter_: Filter) -> list[Refusal]:
    """Return the lessons that stand in an eval, of those that are looked at where every answer is right.

    Whether there are enough others does not matter: a leak is told before that.
    """
    chosen = _choose(lessons, demand, filter_=replace(filter_, judge=None), teacher=_Silent())
    return leaks_among(chosen.refused)


def leaks_among(refused: Iterable[Refusal]) -> list[Refusal]:
    """Return those that were refused because they stand in an eval."""
    return [refusal for refusal in refused if refusal.reason == "leak"]


def _choose(lessons: Iterable[Lesson], demand: Demand, *, filter_: Filter, teacher: Teacher) -> Chosen:
    walk = _Walk(lessons, seed=demand.seed, filter_=filter_, teacher=teacher)
    # First: it must not depend on the number of training examples.
    validation = walk.take(demand.validation, from_back=True, spare=demand.spare)
    train = walk.take(demand.train, from_back=False, spare=demand.spare)
    return Chosen(
        tuple(train),
        tuple(validation),
        tuple(walk.refused),
        walk.looked_at,
        walk.teaching_usd,
        is_exhausted=walk.is_exhausted,
    )


class _Silent:
    """Answers nothing."""

    def teach(self, lessons: Sequence[Lesson]) -> list[Taught]:
        """Return an empty answer for each lesson."""
        return [Taught("") for _ in lessons]


class _Walk:
    def __init__(self, lessons: Iterable[Lesson], *, seed: int, filter_: Filter, teacher: Teacher) -> None:
        self._queue = deque(sorted(lessons, key=lambda lesson: hash_words(seed, lesson.id)))
        self._filter = filter_
        self._teacher = teacher
        self._seen = TextIndex(near=filter_.near)
        self.refused: list[Refusal] = []
        self.looked_at = 0
        self.teaching_usd: float | None = 0.0

    @property
    def is_exhausted(self) -> bool:
        return not self._queue

    def take(self, wanted: int | None, *, from_back: bool, spare: int | None) -> list[Example]:
        wanted = len(self._queue) if wanted is None else wanted
        left = wanted + len(self._queue) if spare is None else wanted + spare
        pop: Callable[[], Lesson] = self._queue.pop if from_back else self._queue.popleft
        examples: list[Example] = []
        while len(examples) < wanted:
            lessons = self._screen(pop, count=min(wanted - len(examples), left))
            if not lessons:
                break
            left -= len(lessons)
            for lesson, taught in zip(lessons, self._teacher.teach(lessons), strict=True):
                self.teaching_usd = plus(self.teaching_usd, taught.cost_usd)
                problem = self._problem_of(lesson, taught)
                if problem:
                    self.refused.append(Refusal(lesson.id, "answer", problem))
                else:
                    examples.append(_example_of(lesson, taught))
        return examples

    def _screen(self, pop: Callable[[], Lesson], *, count: int) -> list[Lesson]:
        passed: list[Lesson] = []
        while self._queue and len(passed) < count:
            lesson = pop()
            self.looked_at += 1
            refusal = self._refusal_of(lesson)
            if refusal is not None:
                self.refused.append(refusal)
                continue
            for part in lesson.parts:
                self._seen.add(f"{lesson.id} {part.name}".rstrip(), part)
            passed.append(lesson)
        return passed

    def _refusal_of(self, lesson: Lesson) -> Refusal | None:
        leak = self._filter.evaluation.leak_of(lesson)
        if leak is not None:
            part_name, repeated = leak
            return Refusal(lesson.id, "leak", tell_match(part_name, repeated), repeated)
        for part in lesson.parts:
            # A fact may be learned from more than one question, so only likeness counts here.
            match = self._seen.find(part, facts=False)
            if match is not None:
                return Refusal(lesson.id, "duplicate", tell_match(part.name, match), match)
        return None

    def _problem_of(self, lesson: Lesson, taught: Taught) -> str:
        if taught.problem or self._filter.judge is None:
            return taught.problem
        defect = defect_of(taught.text)
        if defect:
            return defect
        missed = self._filter.judge.missed(lesson.case, taught.text)
        return f"misses {', '.join(missed)}" if missed else ""


def _example_of(lesson: Lesson, taught: Taught) -> Example:
    messages: tuple[Message, ...] = (*lesson.messages, {"role": "assistant", "content": taught.text})
    tokens = taught.tokens
    if tokens is None:
        size = sum(len(message["content"].encode("utf-8", "surrogatepass")) for message in messages)
        tokens = estimate_tokens(size, messages=len(messages))
    return Example(
        id=lesson.id,
        subject=lesson.case.subject,
        messages=messages,
        tokens=tokens,
        is_counted=taught.tokens is not None,
        cost_usd=taught.cost_usd,
    )


def tell_match(part: str, match: Match) -> str:
    """Say what a part of a lesson repeats."""
    where = f"its {part} " if part else ""
    if match.kind == "exact":
        return f"{where}stands in {match.name}"
    if match.kind == "same answer":
        return f"{where}has question and right answer of {match.name}"
    if match.kind == "within":
        return f"{where}holds {match.name}"
    return f"{where}is {match.similarity:.0%} like {match.name}"


def _too_few(chosen: Chosen, demand: Demand) -> str:
    wanted = f"at least {demand.least:,}" if demand.train is None else f"{demand.train:,}"
    counts = count_reasons(chosen.refused)
    refused = ", ".join(f"{count:,} {reason}" for reason, count in counts) or "none"
    found = f"{len(chosen.train):,} and {len(chosen.validation):,}"
    lines = [
        f"wanted {wanted} training and {demand.validation:,} validation examples, found {found}",
        f"  lessons looked at: {chosen.looked_at:,}; refused: {refused}",
    ]
    lines += [f"  {refusal.id}: {refusal.reason}, {refusal.detail}" for refusal in chosen.refused[:5]]
    if not chosen.is_exhausted:
        lines.append("  to try more lessons where answers are refused: --spare N")
    return "\n".join(lines)


def plus(known: float | None, more: float | None) -> float | None:
    """Add two amounts; what is unknown stays unknown."""
    return None if known is None or more is None else known + more


def count_reasons(refused: Sequence[Refusal]) -> list[tuple[str, int]]:
    """Return how often each reason stands, such as `leak (near)`, in the order of the words."""
    counts: dict[str, int] = {}
    for refusal in refused:
        reason = f"{refusal.reason} ({refusal.match.kind})" if refusal.match else refusal.reason
        counts[reason] = counts.get(reason, 0) + 1
    return sorted(counts.items())
