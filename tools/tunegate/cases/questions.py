"""Questions and batches, and how questions are put into an order of their own and cut into groups."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """A question with four options, in the order in which they are asked, and the number of the right one."""

    text: str
    options: tuple[str, str, str, str]
    answer: int
    """1 to 4."""
    subject: str

    @property
    def letter(self) -> str:
        """The right option as MMLU writes it, `A` to `D`."""
        return "ABCD"[self.answer - 1]


@dataclass(frozen=True)
class Batch:
    """Questions that are asked in one request."""

    id: str
    subject: str
    questions: tuple[Question, ...]


def order_questions(questions: Iterable[Question], *, salt: object = "") -> list[tuple[int, str, Question]]:
    """Order questions by what they say, whatever order they came in; second copies come after all first ones.

    The answer does not count: whoever corrects a key must not thereby shuffle every batch of the subject.
    """
    seen: Counter[str] = Counter()
    ordered = []
    for question in sorted(questions, key=lambda question: (question.answer, question.subject)):
        content = hash_words(salt, question.text, *question.options)
        ordered.append((seen[content], content, question))
        seen[content] += 1
    return sorted(ordered, key=lambda place: place[:2])


def mix_subjects(questions: Iterable[Question], *, seed: int) -> list[tuple[int, str, Question]]:
    """Order questions in rounds of one from each subject."""
    rounds: Counter[str] = Counter()
    mixed = []
    for _, content, question in order_questions(questions, salt=seed):
        mixed.append((rounds[question.subject], content, question))
        rounds[question.subject] += 1
    return sorted(mixed, key=lambda place: place[:2])


def cut_groups(ordered: Sequence[tuple[int, str, Question]], *, of: int) -> list[tuple[Question, ...]]:
    """Cut into groups of `of` different questions: a copy waits for a later group, the rest is left over."""
    groups: list[tuple[Question, ...]] = []
    rest = deque((content, question) for _, content, question in ordered)
    while True:
        group: dict[str, Question] = {}
        copies = []
        while rest and len(group) < of:
            content, question = rest.popleft()
            if content in group:
                copies.append((content, question))
            else:
                group[content] = question
        if len(group) < of:
            return groups
        groups.append(tuple(group.values()))
        rest.extendleft(reversed(copies))


def hash_words(*words: object) -> str:
    """Return one SHA-256 (hex) of several words, wherever one ends and the next begins."""
    return hashlib.sha256(json.dumps(words).encode("ascii")).hexdigest()
