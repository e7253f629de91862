"""What two texts have in common: all but case and spaces, or most of their runs of five words."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

from tunegate.cases import Batch, Question
from tunegate.distill.wording import words_of
from tunegate.errors import UsageError

RUN = 5
"""Words of a run. A text of fewer words is one run."""
NEAR = 0.8
"""Similarity from which two texts are near duplicates, where nobody says another."""

Kind = Literal["exact", "same answer", "near", "within"]

_SIMILAR_ENOUGH = 1e-9


@dataclass(frozen=True)
class Part:
    """A text that must not be learned where it is asked: a question with its options, or a whole prompt."""

    text: str
    name: str = ""
    """Which part of its case; empty for the whole."""
    fact: str = ""
    """The question and its right answer alone, where they are known; empty where not."""
    stem: str = ""
    """The question alone; empty of a prompt, as are the options and the right one."""
    options: tuple[str, ...] = ()
    """In normal form, sorted: the same ones in another order are the same question."""
    right: str = ""
    """The right option, in normal form."""


@dataclass(frozen=True)
class Match:
    """What a text was found to repeat."""

    kind: Kind
    name: str
    """Of the text that was there before."""
    similarity: float
    """0 to 1: share of the runs of both that both have, or of the words of what was there that need no change."""


def normal_form(text: str) -> str:
    """Return what is left of a text without case, compatibility forms (NFKC) and the width of its spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def runs_of(text: str) -> frozenset[str]:
    """Return the runs of five words of a text in normal form."""
    words = words_of(text)
    if len(words) <= RUN:
        return frozenset((" ".join(words),)) if words else frozenset()
    return frozenset(" ".join(words[start : start + RUN]) for start in range(len(words) - RUN + 1))


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    """Return Jaccard's similarity of two sets of runs; two empty sets have nothing in common."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared) if shared else 0.0


def parts_of(case: object, prompts: Sequence[str]) -> tuple[Part, ...]:
    """Return the parts of a case: the questions of a batch, else what its prompt says in the user's name.

    What an eval says before every case is no part: it would make all cases alike.
    """
    if isinstance(case, Batch):
        return tuple(_part_of(question, number) for number, question in enumerate(case.questions, 1))
    return (Part("\n".join(prompts)),)


def turns_of(chat: Sequence[tuple[str, str]]) -> tuple[Part, ...]:
    """Return every message of a chat, given as role and content, as a part, whoever speaks.

    In each of them may lie what must not be learned.
    """
    if [role for role, _ in chat] == ["user"]:
        return (Part(chat[0][1]),)
    return tuple(Part(content, name=f"message {number} ({role})") for number, (role, content) in enumerate(chat, 1))


class TextIndex:
    """Texts, and which of them another one repeats. Runs that are `common` to all say nothing.

    Exact, since a text of q runs that is similar to degree t shares at least t x q of them: so one of any
    q - ceil(t x q) + 1 of its runs leads there, and the rarest of them lead to few others.

    Raises:
        UsageError: the threshold is no share above 0.
    """

    def __init__(self, *, near: float = NEAR, common: frozenset[str] = frozenset()) -> None:
        if not 0 < near <= 1:
            raise UsageError(f"similarity of near duplicates: wanted a share above 0 and up to 1, found {near:g}")
        self._near = near
        self._common = common
        self._exact: dict[str, str] = {}
        self._facts: dict[str, str] = {}
        self._runs: list[frozenset[str]] = []
        self._names: list[str] = []
        self._having: defaultdict[str, list[int]] = defaultdict(list)

    def __len__(self) -> int:
        return len(self._names)

    def add(self, name: str, part: Part) -> None:
        """Remember a text under a name; a second copy of a text changes nothing."""
        text = normal_form(part.text)
        if part.fact:
            self._facts.setdefault(normal_form(part.fact), name)
        if text in self._exact:
            return
        self._exact[text] = name
        runs = runs_of(text) - self._common
        for run in runs:
            self._having[run].append(len(self._names))
        self._runs.append(runs)
        self._names.append(name)

    def add_whole(self, name: str, text: str) -> None:
        """Remember a text under a name, of which only a copy is found and nothing that is like it."""
        self._exact.setdefault(normal_form(text), name)

    def find(self, part: Part, *, facts: bool = True) -> Match | None:
        """Return what a text repeats, the likest first; with `facts` a right answer to the same question counts."""
        text = normal_form(part.text)
        if text in self._exact:
            return Match("exact", self._exact[text], 1.0)
        runs = runs_of(text) - self._common
        fact = normal_form(part.fact)
        if facts and fact and fact in self._facts:
            return Match("same answer", self._facts[fact], self._most_similar(runs, at_least=0.0)[0])
        likeness, place = self._most_similar(runs, at_least=self._near)
        return None if place is None else Match("near", self._names[place], round(likeness, 4))

    def _most_similar(self, runs: frozenset[str], *, at_least: float) -> tuple[float, int | None]:
        best: tuple[float, int | None] = (0.0, None)
        for place in self._candidates(runs, at_least=at_least):
            likeness = similarity(runs, self._runs[place])
            if likeness >= at_least - _SIMILAR_ENOUGH and likeness > best[0]:
                best = (likeness, place)
        return best

    def _candidates(self, runs: frozenset[str], *, at_least: float) -> Iterator[int]:
        rarest = sorted(runs, key=lambda run: (len(self._having.get(run, ())), run))
        leading = rarest[: len(runs) - ceil(at_least * len(runs) - _SIMILAR_ENOUGH) + 1]
        seen: set[int] = set()
        for run in leading:
            for place in self._having.get(run, ()):
                if place not in seen:
                    seen.add(place)
                    yield place


def _part_of(question: Question, number: int) -> Part:
    # Sorted: the same options in another order are the same question.
    options = tuple(sorted(normal_form(option) for option in question.options))
    right = question.options[question.answer - 1]
    return Part(
        text="\n".join((question.text, *options)),
        name=f"question {number}",
        fact=f"{question.text}\n{right}",
        stem=question.text,
        options=options,
        right=normal_form(right),
    )
