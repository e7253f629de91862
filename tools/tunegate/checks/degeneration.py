"""Has a reply fallen apart: loops, foreign letters, a torn end, no end, nothing at all.

Measures of the text alone, so that they mean the same for any eval. Each gives a check; an eval takes those that fit
what it asks for, for a table of numbers may rightly repeat itself, and a translation changes its script.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection
from functools import lru_cache

from tunegate.checks.repetition import compression_ratio, longest_loop, top_phrase, words_of
from tunegate.records import Check, Reply

LOOP_TIMES = 4
"""Rounds in a row: three are rhetoric ("no, no, no")."""
LOOP_CHARACTERS = 32
"""Characters of all rounds below which a loop is an ornament: "ha ha ha ha", "------"."""
LOOP_SHARE = 0.2
"""Share of the text that a loop takes at least: a rule under a heading does not."""
PHRASE_WORDS = 4
PHRASE_TIMES = 3
"""Occurrences: something said twice, as question and answer, is no fault."""
PHRASE_SHARE = 0.16
"""Share of the text in its most frequent four words; Rae et al. (2021), "Scaling Language Models: Methods, Analysis &
Insights from Training Gopher", arXiv:2112.11446, table A1, there of characters."""
PHRASE_LEAST_WORDS = 50
"""Words below which three occurrences of four words are a large share of any text; also that paper's shortest text."""
MOST_COMPRESSED = 2.4
"""Whisper's threshold, see `compression_ratio`. Plain English prose has 1.6 to 2.1."""
FOREIGN_SHARE = 0.05
"""Share of letters in other scripts: a name or a unit in the original is usual, a sentence is not."""
FOREIGN_LETTERS = 2
"""Letters in other scripts that are never too many: a sign such as π or Ω in a short reply."""
RUNAWAY_TIMES = 3.0
"""Times the usual length. Lengths of good replies to one prompt hardly differ by more than a factor of two."""
OPEN_LINE_WORDS = 8
"""Words of a last line from which on it is a sentence and no signature, heading or item."""
LONE_LINE_WORDS = 12
"""Words of a reply of one line from which on it is a sentence and no answer in a few words."""

_KANA = frozenset({"HIRAGANA", "KATAKANA"})
_NO_SCRIPT = frozenset(
    {"MODIFIER", "MATHEMATICAL", "FEMININE", "MASCULINE", "MICRO", "OHM", "KELVIN", "ANGSTROM", "SCRIPT"}
)
_WIDTHS = frozenset({"FULLWIDTH", "HALFWIDTH"})
_SENTENCE_ENDS = frozenset(".!?…。！？｡؟۔।॥։።᠃။")
# No quotation marks: what opens in one language closes in another. A face and a ruled line are no torn ends.
_HANGING = re.compile(r"(?<![:;=])(?<![:;=]['-])[(\[{（「『【〈《„]$|[,–—、，]$|(?<![-*_])-$")
_SENTENCE_END_INSIDE = re.compile(r"[.!?…][\"'”’»)\]]*\s|[。！？]")
_TORN = "\ufffd\u200d"
_ITEM = re.compile(r"[-*•–#>|]|\d+[.)]")


def degeneration_checks(
    reply: Reply,
    *,
    prompt: str,
    scripts: Collection[str] = (),
    usual_words: int | None = None,
    most_words: int | None = None,
) -> list[Check]:
    """Return every check of this module, in the order of their names below; see each function."""
    return [
        check_empty(reply.text),
        check_loop(reply.text),
        check_phrase(reply.text),
        check_compression(reply.text),
        check_script(reply.text, prompt=prompt, scripts=scripts),
        check_end(reply),
        check_length(reply, usual_words=usual_words, most_words=most_words),
    ]


def check_empty(text: str) -> Check:
    """Check `not_empty`: the text holds something that can be seen.

    Whitespace, control and format characters (Unicode's C and Z, such as a zero-width space) cannot.
    """
    seen = sum(unicodedata.category(sign)[0] not in "CZ" for sign in text)
    return Check("not_empty", seen > 0, expected="something to read", got=_count(seen, "visible character"))


def check_loop(text: str) -> Check:
    """Check `no_loop`: no segment, of whatever length, stands again and again in a row.

    A loop has at least `LOOP_TIMES` rounds, `LOOP_CHARACTERS` characters and `LOOP_SHARE` of the text.
    """
    loop = longest_loop(text, times=LOOP_TIMES)
    expected = f"no loop of {LOOP_TIMES} rounds in {LOOP_SHARE:.0%} of the text"
    if loop is None:
        return Check("no_loop", passed=True, expected=expected, got="none")
    share = loop.characters / len(text)
    passed = loop.characters < LOOP_CHARACTERS or share < LOOP_SHARE
    return Check("no_loop", passed, expected, f"{_quote(loop.segment)} {loop.times:.1f} times, {share:.0%} of the text")


def check_phrase(text: str) -> Check:
    """Check `no_favourite_phrase`: no four words take more than `PHRASE_SHARE` of the text, wherever they stand.

    Not judged of texts of fewer than `PHRASE_LEAST_WORDS` words.
    """
    expected = f"no {PHRASE_WORDS} words in {PHRASE_SHARE:.0%} of the text"
    words = len(words_of(text))
    if words < PHRASE_LEAST_WORDS:
        return Check("no_favourite_phrase", None, expected, f"only {_count(words, 'word')}")
    top = top_phrase(text, length=PHRASE_WORDS, times=PHRASE_TIMES)
    if top is None:
        return Check("no_favourite_phrase", passed=True, expected=expected, got=f"none {PHRASE_TIMES} times")
    got = f"{_quote(top.phrase)} {top.times} times, {top.share:.0%} of the text"
    return Check("no_favourite_phrase", top.share <= PHRASE_SHARE, expected, got)


def check_compression(text: str) -> Check:
    """Check `compresses_like_prose`: no stretch is compressed more than `MOST_COMPRESSED` times.

    It sees repetitions that are not literal: "Item 1 is good. Item 2 is good." Tables and numbered lists too.
    """
    ratio = compression_ratio(text)
    return Check(
        "compresses_like_prose", ratio <= MOST_COMPRESSED, f"at most {MOST_COMPRESSED:g} times", f"{ratio:.2f} times"
    )


def check_script(text: str, *, prompt: str, scripts: Collection[str] = ()) -> Check:
    """Check `expected_script`: letters are of the prompt's scripts, or of `scripts`, such as "GREEK".

    Scripts are the first words of Unicode's names of letters. Kana bring Han characters (CJK) with them. Up to
    `FOREIGN_LETTERS` letters, or `FOREIGN_SHARE` of them, may be of others. Not judged where the reply has no
    letters, or nothing says which are expected.
    """
    expected = {name.upper() for name in scripts} | set(_scripts_of(prompt))
    if expected & _KANA:
        expected |= _KANA | {"CJK"}
    found = _scripts_of(text)
    letters = sum(found.values())
    wanted = ", ".join(sorted(expected)) or "any script"
    if not expected or not letters:
        return Check("expected_script", None, wanted, "no letters" if not letters else "nothing to compare with")
    foreign = Counter({script: times for script, times in found.items() if script not in expected})
    share = foreign.total() / letters
    most = ", ".join(script for script, _ in foreign.most_common(3))
    got = f"{share:.0%} of {_count(letters, 'letter')} elsewhere" + (f": {most}" if most else "")
    passed = foreign.total() <= FOREIGN_LETTERS or share <= FOREIGN_SHARE
    return Check("expected_script", passed, wanted, got)


def check_end(reply: Reply) -> Check:
    """Check `whole_end`: a reply that the model ended itself does not end within a word or a sentence.

    It does where its last character is half a one (U+FFFD, a joiner, half a surrogate pair), a comma, a dash or an
    opening bracket, where a code fence is left open, or where a text that writes in sentences stops without the end of
    one. That is where the last line has at least `OPEN_LINE_WORDS` words, ends in a letter, and is no item, heading,
    address or file name; and a sentence ends before that in the line, or some line of so many words precedes it; and
    all such lines are whole sentences. A reply of one line writes in sentences, too, where it has at least
    `LONE_LINE_WORDS` words and begins with a capital letter, and the model said that it was done ("stop").

    Whether a word is whole cannot be told without a dictionary of its language, neither the last one nor any other:
    "I ow you a ca." ends in a full stop, and passes. Nothing is judged of an empty reply, or one that was cut off by
    its limit (`finish_reason` "length").
    """
    text = reply.text.rstrip()
    expected = "the end of a sentence"
    if reply.finish_reason == "length" or not text:
        return Check("whole_end", None, expected, "cut off by its limit" if text else "nothing")
    last = text[-1]
    torn = last in _TORN or _HANGING.search(text) or unicodedata.category(last) == "Cs" or text.count("```") % 2 == 1
    passed = not (torn or _stops_within_sentence(text, is_done=reply.finish_reason == "stop"))
    return Check("whole_end", passed, expected, f"ends in {_quote(text[-24:])}")


def check_length(reply: Reply, *, usual_words: int | None = None, most_words: int | None = None) -> Check:
    """Check `no_runaway`: the model came to an end, and in time.

    A reply runs away that its limit cut off (`finish_reason` "length"), that has more than `most_words`, as a prompt or
    a scenario may say, or more than `RUNAWAY_TIMES` times `usual_words`, those of a baseline's reply or of several in
    the median. Not judged where nothing of that is known.
    """
    words = len(words_of(reply.text))
    limits = [float(most_words)] if most_words is not None else []
    if usual_words:
        limits.append(RUNAWAY_TIMES * usual_words)
    got = _count(words, "word")
    expected = f"an end, after at most {min(limits):g} words" if limits else "an end"
    if reply.finish_reason == "length":
        return Check("no_runaway", passed=False, expected=expected, got=f"cut off by its limit after {got}")
    if not limits and reply.finish_reason is None:
        return Check("no_runaway", None, expected, f"{got}, and no finish_reason")
    return Check("no_runaway", not limits or words <= min(limits), expected, got)


def _stops_within_sentence(text: str, *, is_done: bool) -> bool:
    *before, last = (line.strip() for line in text.splitlines() if line.strip())
    if not last[-1].isalpha() or _ITEM.match(last):
        return False
    if any(mark in last.split()[-1] for mark in "./@_\\"):
        return False
    if len(words_of(last)) < OPEN_LINE_WORDS:
        return False
    inside = _SENTENCE_END_INSIDE.search(last)
    prose = [line for line in before if len(words_of(line)) >= OPEN_LINE_WORDS and not _ITEM.match(line)]
    is_lone = (
        is_done and not before and len(words_of(last)) >= LONE_LINE_WORDS and last.lstrip("\"'“‘«(*_")[:1].isupper()
    )
    return (inside is not None or bool(prose) or is_lone) and all(
        line.rstrip("\"'”’»)]*_ ")[-1:] in _SENTENCE_ENDS for line in prose
    )


def _scripts_of(text: str) -> Counter[str]:
    scripts: Counter[str] = Counter()
    for letter, times in Counter(text).items():
        script = _script_of(letter)
        if script:
            scripts[script] += times
    return scripts


@lru_cache(maxsize=4096)
def _script_of(sign: str) -> str | None:
    """Return the script of a letter; None of what is none, or belongs to every script."""
    if unicodedata.category(sign) not in {"Lu", "Ll", "Lt", "Lo"}:
        return None
    name = unicodedata.name(sign, "")
    words = [word for word in name.replace("-", " ").split() if word not in _WIDTHS]
    return None if not words or words[0] in _NO_SCRIPT else words[0]


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _quote(text: str) -> str:
    return ascii(text if len(text) <= 40 else f"{text[:37]}...")
