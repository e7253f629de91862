"""All that the evals ask, and what of it a text repeats: the same, with a few words changed, or as a part of it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import floor

from tunegate.distill.templates import LOOSE, Templates, WordIndex, allowance
from tunegate.distill.texts import NEAR, RUN, Kind, Match, Part, TextIndex, normal_form, runs_of
from tunegate.distill.wording import Alignment, Words, align_whole, align_within, is_fixed, places_of, words_of

LEAST = 4
"""Words of a text that is looked for within others: fewer are said anywhere."""
_PLIABLE = 6
"""Words from which on a text is found with some of them changed: of fewer, one is often the one that matters."""
_COMMON = 3
"""Texts of an eval that make what more than half of them say its way of speaking, and not what it asks."""
_SLACK = 8
"""Words beside the options behind a question: their numbers, and an introduction."""
_BARE = 0.5
"""Share of a text that a question takes at least where it is asked without its options."""
_OPTIONS = 4
"""Lines behind the first from which on a text is taken to offer options, if it numbers none."""
# As `1.`, `(b)` or `C)`: they are no words of an option, and may be those of another one.
_NUMBERING = re.compile(r"(?m)^\s*\(?[A-Da-d1-4][.):]\s+|(?<=\s)\(?[A-Da-d1-4]\)\s+")


@dataclass(frozen=True)
class _Entry:
    name: str
    words: Words
    part: Part
    is_pliable: bool
    """Whether it is found with a few words changed."""


def common_runs(texts: Iterable[str]) -> frozenset[str]:
    """Return the runs of five words that more than half of an eval's different texts have, where three do."""
    different = {normal_form(text) for text in texts}
    counts = Counter(run for text in different for run in runs_of(text))
    least = max(_COMMON, floor(len(different) / 2) + 1)
    return frozenset(run for run, count in counts.items() if count >= least)


class AskedTexts:
    """What the evals ask: questions with their options, and prompts.

    A text repeats a question that asks the same in nearly the same words, with the same right answer; it repeats a
    prompt that lies in it, word for word or with a few words changed. A number or a sign is never changed, nor a
    word for which another text of the evals has another one; see `Templates`.

    Raises:
        UsageError: the threshold is no share above 0.
    """

    def __init__(self, *, near: float = NEAR, common: frozenset[str] = frozenset()) -> None:
        self._copies = TextIndex(near=near, common=common)
        self._changed = 1 - near
        self._common = common
        self._entries: list[_Entry] = []
        self._answered: defaultdict[str, list[_Entry]] = defaultdict(list)
        self._rights: defaultdict[Words, set[str]] = defaultdict(set)
        self._known: set[tuple[Words, tuple[str, ...]]] = set()
        self._made: tuple[WordIndex, Templates] | None = None

    def add(self, name: str, part: Part) -> None:
        """Remember a text under a name."""
        self._copies.add(name, part)
        whole = _plain_words(part.stem or part.text)
        own = whole if part.options else _without(whole, self._common)
        # What is left may be the one word that is asked after: then all of it must be there.
        is_pliable = own == whole or len(own) >= LEAST
        entry = _Entry(name, own if is_pliable else whole, part, is_pliable)
        self._rights[entry.words].add(part.right)
        if part.options:
            self._answered[part.right].append(entry)
        key = (entry.words, part.options)
        if own and len(entry.words) >= LEAST and key not in self._known:
            self._known.add(key)
            self._entries.append(entry)
            self._made = None

    def add_whole(self, name: str, text: str) -> None:
        """Remember a prompt whose parts are looked for by themselves: only all of it is a copy."""
        self._copies.add_whole(name, text)

    def find(self, part: Part) -> Match | None:
        """Return what a text repeats, the likest first."""
        copy = self._copies.find(part)
        if copy is not None and copy.kind != "near":
            return copy
        found = [*([copy] if copy else []), *self._like(part), *self._within(part)]
        return max(found, key=lambda match: match.similarity, default=None)

    def _like(self, part: Part) -> Iterator[Match]:
        """Yield the questions that ask a question in nearly the same words."""
        if not part.options:
            return
        words = _plain_words(part.stem)
        for entry in self._answered.get(part.right, ()):
            found = align_whole(entry.words, words, at_most=self._most_edits(entry))
            # Behind other options, words alone say that it is the same: then they must say it more clearly.
            share = self._changed if entry.part.options == part.options else LOOSE
            if found is not None and not self._asks_another(entry, found, share=share):
                yield _match(entry, found, unchanged="same answer")

    def _within(self, part: Part) -> Iterator[Match]:
        """Yield what lies in a text."""
        whole = _plain_words(part.stem or part.text)
        own = _without(whole, self._common)
        offers = len(_NUMBERING.findall(part.text)) > 1 or part.text.count("\n") >= _OPTIONS
        for place in self._index.likely(whole):
            entry = self._entries[place]
            if part.options and entry.part.options:
                continue
            words = own if entry.is_pliable and not entry.part.options else whole
            if entry.part.options and not _may_ask(entry, words, offers=offers):
                continue
            most = self._most_edits(entry)
            found = align_within(entry.words, words, at_most=most)
            if found is not None and _is_cut(entry, found):
                # It would have to end otherwise than it does: then only the whole text can be a changed copy.
                found = align_whole(entry.words, words, at_most=most)
            if found is None:
                continue
            is_whole = not entry.part.options or _offers_its_options(entry, found, words)
            if not is_whole and (offers or not self._is_bare(entry, words)):
                continue
            if not self._asks_another(entry, found, share=self._changed if is_whole else LOOSE):
                yield _match(entry, found, unchanged="within")

    def _is_bare(self, entry: _Entry, words: Words) -> bool:
        """Say whether a text is hardly more than a question, which has one answer whatever its options are."""
        return len(self._rights[entry.words]) == 1 and len(entry.words) >= _BARE * len(words)

    def _most_edits(self, entry: _Entry) -> int:
        size = len(entry.words)
        return allowance(size, self._changed) if entry.is_pliable and size >= _PLIABLE else 0

    def _asks_another(self, entry: _Entry, found: Alignment, *, share: float) -> bool:
        if not found.edits:
            return False
        if any(is_fixed(edit.word) or is_fixed(edit.other) for edit in found.edits):
            return True
        slots = self._templates.slots_of(entry.words, share=share)
        return any(map(slots.hold, found.edits))

    @property
    def _index(self) -> WordIndex:
        return self._indexes[0]

    @property
    def _templates(self) -> Templates:
        return self._indexes[1]

    @property
    def _indexes(self) -> tuple[WordIndex, Templates]:
        if self._made is None:
            texts = [entry.words for entry in self._entries]
            self._made = WordIndex(texts, share=self._changed), Templates(texts)
        return self._made


def _match(entry: _Entry, found: Alignment, *, unchanged: Kind) -> Match:
    likeness = 1 - len(found.edits) / len(entry.words)
    return Match("near" if found.edits else unchanged, entry.name, round(likeness, 4))


def _is_cut(entry: _Entry, found: Alignment) -> bool:
    return any(edit.place in (0, len(entry.words) - 1, len(entry.words)) for edit in found.edits)


def _offers_its_options(entry: _Entry, found: Alignment, words: Words) -> bool:
    """Say whether a question has all of its options behind it, wherever in a text it stands."""
    options = [words_of(option) for option in entry.part.options]
    room = sum(map(len, options)) + _SLACK
    ends = [place + len(entry.words) for place in places_of(entry.words, words)] or [found.end]
    return any(
        all(not option or next(places_of(option, words[end : end + room]), None) is not None for option in options)
        for end in ends
    )


def _plain_words(text: str) -> Words:
    return words_of(normal_form(_NUMBERING.sub(" ", text)))


def _without(words: Words, common: frozenset[str]) -> Words:
    """Return the words that stand in no run that all say."""
    if not common:
        return words
    said: set[int] = set()
    for start in range(max(0, len(words) - RUN + 1)):
        if " ".join(words[start : start + RUN]) in common:
            said.update(range(start, start + RUN))
    return tuple(word for place, word in enumerate(words) if place not in said)


def _may_ask(entry: _Entry, words: Words, *, offers: bool) -> bool:
    """Say whether it is worth laying a question over a text: its options are there, or it takes most of the text."""
    if not offers and len(entry.words) >= _BARE * len(words):
        return True
    there = frozenset(words)
    return all(there.issuperset(words_of(option)) for option in entry.part.options)
