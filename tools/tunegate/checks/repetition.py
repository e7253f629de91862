"""How much of a text is said again."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WINDOW = 1_000
"""Characters that are compressed together. The more text, the better any prose compresses: a ratio has a meaning for a
length only, and Whisper's is for segments of half a minute of speech."""
# In scripts that are written without spaces every sign stands for a word.
_WORD = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]|\w+", re.DOTALL)


@dataclass(frozen=True)
class Loop:
    """A segment that stands several times in a row."""

    segment: str
    times: float
    """How often, the last one perhaps in part."""
    characters: int
    """Of all repetitions together, the first included."""


@dataclass(frozen=True)
class RepeatedPhrase:
    """The run of words that takes most of a text."""

    phrase: str
    times: int
    share: float
    """Of the words, that stand in one of its occurrences."""


def words_of(text: str) -> list[str]:
    """Return the words in small letters; in scripts without spaces, the signs."""
    return [word.lower() for word in _WORD.findall(text)]


def longest_loop(text: str, *, times: int) -> Loop | None:
    """Return the loop of at least `times` rounds, and of whatever period, that takes most characters; or None.

    For each period, how long the text agrees with itself moved by it; looked at in detail only where a look at every
    eighth of what is needed does not rule it out.
    """
    if len(text) < times:
        return None
    import numpy as np

    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    best, best_start, best_period = 0, 0, 1
    for period in range(1, len(codes) // times + 1):
        needed = max(best + 1, times * period) - period
        stride = max(1, needed // 8)
        coarse, _ = _longest_run(codes[period::stride] == codes[:-period:stride])
        if coarse < needed // stride:
            continue
        length, start = _longest_run(codes[period:] == codes[:-period])
        if length >= needed:
            best, best_start, best_period = length + period, start, period
    if not best:
        return None
    return Loop(text[best_start : best_start + best_period], best / best_period, best)


def _longest_run(equal: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the length and the start of the longest run of yes."""
    import numpy as np

    edges = np.concatenate(([-1], np.flatnonzero(~equal), [len(equal)]))
    lengths = np.diff(edges) - 1
    place = int(lengths.argmax())
    return int(lengths[place]), int(edges[place]) + 1


def top_phrase(text: str, *, length: int, times: int) -> RepeatedPhrase | None:
    """Return the phrase of `length` words that takes most of them, of those that stand at least `times`; or None.

    Occurrences that overlap are counted once where they do, so the share is never above 1.
    """
    words = words_of(text)
    places: dict[tuple[str, ...], list[int]] = {}
    for place in range(len(words) - length + 1):
        places.setdefault(tuple(words[place : place + length]), []).append(place)
    found = [
        RepeatedPhrase(" ".join(phrase), len(at), _covered(at, length=length) / len(words))
        for phrase, at in places.items()
        if len(at) >= times
    ]
    return max(found, key=lambda phrase: phrase.share, default=None)


def _covered(places: list[int], *, length: int) -> int:
    following = [*places[1:], places[-1] + length]
    return sum(min(length, after - place) for place, after in zip(places, following, strict=True))


def compression_ratio(text: str) -> float:
    """Return how many times smaller zlib makes the most repetitive stretch of `WINDOW` characters; 0 of no text.

    Characters over the bytes of zlib's default level. For ASCII it is the ratio of Whisper (Radford et al. 2022,
    "Robust Speech Recognition via Large-Scale Weak Supervision", arXiv:2212.04356, section 4.5); that counts bytes of
    UTF-8, of which other scripts have two or three a character: their prose would come close to its threshold.
    """
    if not text:
        return 0.0
    starts = range(0, max(1, len(text) - WINDOW // 2), WINDOW // 2)
    stretches = (text[start : start + WINDOW] for start in starts)
    return max(len(part) / len(zlib.compress(part.encode("utf-8", "surrogatepass"))) for part in stretches)
