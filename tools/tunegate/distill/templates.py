"""Which words of a text its like have others for: what questions of one make differ in is what they ask after.

"In which part of the world is Lesotho?" is no copy of the same question about Nigeria, although one word in eight is
another; "Which planet is nearest to the Sun?" is one of "Which planet is closest to the Sun?".
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from tunegate.distill.wording import Edit, Words, align_whole, is_fixed

LOOSE = 1 / 3
"""Share of its words in which a text may differ from another one of its make."""
_EPSILON = 1e-9
_NUMBER = "\u207f"
"""Stands for any number or sign; a letter, so that it may be missing as a word may."""


def allowance(size: int, share: float) -> int:
    """Return how many of `size` words a share of them is, rounded down."""
    return int(share * size + _EPSILON)


class WordIndex:
    """Texts, and which of them have nearly all of their words among some others.

    Exact: where at most k words of a text are missing, one of any k + 1 is there; the rarest lead to few others.
    """

    def __init__(self, texts: Sequence[Words], *, share: float) -> None:
        self._bags = [frozenset(text) for text in texts]
        self._fixed = [frozenset(filter(is_fixed, bag)) for bag in self._bags]
        self._missing = [allowance(len(text), share) for text in texts]
        self._having: defaultdict[str, list[int]] = defaultdict(list)
        counts = Counter(word for bag in self._bags for word in bag)

        def rarity(word: str) -> tuple[int, str]:
            return counts[word], word

        for place, (bag, fixed) in enumerate(zip(self._bags, self._fixed, strict=True)):
            leading = sorted(bag, key=rarity)[: self._missing[place] + 1]
            # A number must be there whatever else is missing.
            if fixed and counts[min(fixed, key=rarity)] < sum(counts[word] for word in leading):
                leading = [min(fixed, key=rarity)]
            for word in leading:
                self._having[word].append(place)

    def likely(self, words: Words) -> Iterator[int]:
        """Yield the places of the texts of which all numbers and signs, and nearly all words, are among these."""
        there = frozenset(words)
        seen: set[int] = set()
        for word in there:
            for place in self._having.get(word, ()):
                if place in seen:
                    continue
                seen.add(place)
                if self._fixed[place] <= there and len(self._bags[place] - there) <= self._missing[place]:
                    yield place


@dataclass(frozen=True)
class Slots:
    """Where texts of one make differ."""

    words: frozenset[int]
    """Places of words that others leave out, or have another for."""
    gaps: frozenset[int]
    """Places before which others put a word in."""

    def hold(self, edit: Edit) -> bool:
        """Say whether an edit changes what is asked after."""
        return edit.place in (self.gaps if edit.word is None else self.words)


class Templates:
    """Finds the slots of texts among many. Numbers and signs are all the same here: they always tell texts apart."""

    def __init__(self, texts: Sequence[Words]) -> None:
        self._makes = list(dict.fromkeys(map(_make_of, texts)))
        self._index = cache(lambda share: WordIndex(self._makes, share=share))
        self._slots = cache(self._find_slots)

    def slots_of(self, text: Words, *, share: float) -> Slots:
        """Return the slots of a text, by the others that differ from it in that share of their words at most."""
        return self._slots(_make_of(text), share)

    def _find_slots(self, make: Words, share: float) -> Slots:
        words: set[int] = set()
        gaps: set[int] = set()
        for place in self._index(share).likely(make):
            other = self._makes[place]
            most = max(1, allowance(max(len(make), len(other)), share))
            found = align_whole(make, other, at_most=most)
            for edit in found.edits if found is not None else ():
                (gaps if edit.word is None else words).add(edit.place)
        return Slots(frozenset(words), frozenset(gaps))


def _make_of(text: Words) -> Words:
    return tuple(_NUMBER if is_fixed(word) else word for word in text)
