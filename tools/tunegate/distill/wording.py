"""How many words have to be changed to make one text of another, and which."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# Scripts without spaces between words count by the character.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
# Signs such as + and < are words, since sums differ by them; what only punctuates is none.
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+|[^\w\s.,;:!?'\"()\[\]]")

Words = tuple[str, ...]


@dataclass(frozen=True)
class Edit:
    """A word of a text that another text leaves out or replaces; or one that it puts before that place."""

    place: int
    """From 0; the text's length where a word is put behind it."""
    word: str | None
    """None where the other text puts a word in."""
    other: str | None
    """None where the other text leaves the word out."""


@dataclass(frozen=True)
class Alignment:
    """A text laid over another one, or over a stretch of it, with as few edits as possible."""

    edits: tuple[Edit, ...]
    end: int
    """Place behind the stretch, in the other text."""


def words_of(text: str) -> Words:
    """Return the words of a text in normal form, signs among them; in scripts without spaces, the characters."""
    return tuple(_WORD.findall(text))


def is_fixed(word: str | None) -> bool:
    """Say whether another word in this place asks for something else: a number, a sign, a letter by itself."""
    return word is not None and (not word.isalpha() or (len(word) == 1 and word.isascii() and word != "a"))


def align_whole(text: Words, other: Words, *, at_most: int) -> Alignment | None:
    """Lay a text over the whole of another; None where that takes more than `at_most` edits."""
    if abs(len(text) - len(other)) > at_most:
        return None
    start, shorter = 0, min(len(text), len(other))
    # Questions of one make differ in a few words: what is the same at both ends needs no table.
    while start < shorter and text[start] == other[start]:
        start += 1
    end = 0
    while end < shorter - start and text[-1 - end] == other[-1 - end]:
        end += 1
    found = _align(text[start : len(text) - end], other[start : len(other) - end], at_most=at_most, is_whole=True)
    return None if found is None else _moved(found, text=start, other=start)


def align_within(text: Words, other: Words, *, at_most: int) -> Alignment | None:
    """Lay a text over the stretch of another that is likest to it; None where that takes more than `at_most` edits."""
    best: Alignment | None = None
    for start, end in _stretches(text, other, at_most=at_most):
        allowed = at_most if best is None else len(best.edits) - 1
        if allowed < 0:
            break
        found = _align(text, other[start:end], at_most=allowed, is_whole=False)
        if found is not None:
            best = _moved(found, text=0, other=start)
    return best


def _stretches(text: Words, other: Words, *, at_most: int) -> Iterator[tuple[int, int]]:
    """Yield where a text may lie: of its `at_most` + 1 pieces one at least stands there unchanged."""
    seen: set[tuple[int, int]] = set()
    size, count = len(text), at_most + 1
    for number in range(count):
        start, end = size * number // count, size * (number + 1) // count
        piece = text[start:end]
        for place in places_of(piece, other):
            stretch = (max(0, place - start - at_most), min(len(other), place - start + size + at_most))
            if stretch not in seen:
                seen.add(stretch)
                yield stretch


def places_of(piece: Words, words: Words) -> Iterator[int]:
    """Yield where a piece stands in a text, word for word."""
    if not piece:
        return
    place = -1
    while True:
        try:
            place = words.index(piece[0], place + 1)
        except ValueError:
            return
        if words[place : place + len(piece)] == piece:
            yield place


def _align(text: Words, other: Words, *, at_most: int, is_whole: bool) -> Alignment | None:
    """Return the alignment of least edits (Sellers 1980, "The Theory and Computation of Evolutionary Distances")."""
    first = range(len(other) + 1) if is_whole else [0] * (len(other) + 1)
    table: list[Sequence[int]] = [first]
    for number, word in enumerate(text, 1):
        above, row = table[-1], [number]
        for column, there in enumerate(other):
            changed = above[column] if word == there else 1 + min(above[column], above[column + 1], row[column])
            row.append(changed)
        if min(row) > at_most:
            return None
        table.append(row)
    last = table[-1]
    end = len(other) if is_whole else min(range(len(last)), key=lambda column: (last[column], -column))
    if last[end] > at_most:
        return None
    return Alignment(tuple(_trace(table, text, other, end=end, is_whole=is_whole)), end)


def _trace(table: Sequence[Sequence[int]], text: Words, other: Words, *, end: int, is_whole: bool) -> Iterator[Edit]:
    row, column = len(text), end
    while row or (column and is_whole):
        here = table[row][column]
        if row and column and text[row - 1] == other[column - 1]:
            row, column = row - 1, column - 1
        elif row and column and here == table[row - 1][column - 1] + 1:
            yield Edit(row - 1, text[row - 1], other[column - 1])
            row, column = row - 1, column - 1
        elif row and here == table[row - 1][column] + 1:
            yield Edit(row - 1, text[row - 1], None)
            row -= 1
        else:
            yield Edit(row, None, other[column - 1])
            column -= 1


def _moved(found: Alignment, *, text: int, other: int) -> Alignment:
    edits = tuple(Edit(edit.place + text, edit.word, edit.other) for edit in found.edits)
    return Alignment(edits, found.end + other)
