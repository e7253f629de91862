"""Replies that have fallen apart, and those that have not."""

from __future__ import annotations

import math
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.checks import (
    Check,
    Reply,
    check_compression,
    check_empty,
    check_end,
    check_length,
    check_loop,
    check_phrase,
    check_script,
    degeneration_checks,
)
from tunegate.checks.repetition import compression_ratio, longest_loop, top_phrase

PROSE = (
    "Thank you for writing to us about the delayed parcel. I have looked into your order and found that it left our "
    "warehouse on Tuesday, but the carrier could not reach you at the address given. They will try again tomorrow "
    "between nine and noon. If nobody is at home, a neighbour may accept it for you; please leave a note on the door. "
    "Should it not arrive by Friday, reply to this message and we will send another one at no cost, or refund the "
    "full price to the card you paid with. I am sorry for the trouble, and hope that the gift still comes in time."
)
ANY_TEXT = st.text(st.characters(codec=None), max_size=300) | st.text("ab .\n\ufffd\ud800", max_size=300)
DISTINCT = "".join(map(chr, range(0x4E00, 0x4E00 + 2000)))


@given(ANY_TEXT, ANY_TEXT, st.sampled_from([None, "stop", "length"]), st.none() | st.integers(0, 9))
def test_no_text_crashes_a_check(text: str, prompt: str, finish: str | None, words: int | None) -> None:
    """Any Unicode at all, lone surrogates too, is judged by every check, and said in ASCII."""
    found = degeneration_checks(Reply(text, finish), prompt=prompt, usual_words=words, most_words=words)
    assert len({check.name for check in found}) == 7
    assert all(check.got.isascii() for check in found)


def test_prose_passes_every_check() -> None:
    """A usual reply in any of several languages and scripts has none of the faults."""
    russian = "Спасибо за письмо. Посылка покинула склад во вторник, но курьер не застал вас дома. Он придёт завтра."
    chinese = "感谢您的来信。包裹已于星期二离开仓库，但快递员没有找到您的地址。明天上午会再次派送，请留意电话。"
    for text in (PROSE, russian, chinese):
        missed = [
            c for c in degeneration_checks(Reply(text, "stop"), prompt=text[:30], usual_words=90) if c.passed is False
        ]
        assert missed == []


@given(st.permutations(DISTINCT[:200]), st.integers(0, 200))
def test_a_text_without_repeats_has_no_loop(signs: list[str], size: int) -> None:
    """Where no sign stands twice nothing is repeated, by any of the measures."""
    text = "".join(signs[:size])
    assert check_loop(text).passed is True
    assert check_phrase(text).passed is not False
    assert check_compression(text).passed is True


@given(st.data(), st.integers(1, 80), st.integers(4, 12), st.integers(0, 100), st.integers(0, 100))
def test_a_planted_loop_of_any_period_is_found(
    data: st.DataObject, period: int, times: int, before: int, after: int
) -> None:
    """Four rounds of any segment, anywhere, fail where they are long enough and a large enough part of the text."""
    segment = "".join(data.draw(st.permutations(DISTINCT[:period])))
    text = DISTINCT[500 : 500 + before] + segment * times + DISTINCT[1000 : 1000 + after]
    loop = longest_loop(text, times=4)
    assert loop is not None
    assert (loop.segment, loop.times, loop.characters) == (segment, times, period * times)
    long = period * times >= 32 and period * times >= 0.2 * len(text)
    assert check_loop(text).passed is not long


@given(st.text("ab", max_size=60))
def test_loops_are_those_of_a_plain_search(text: str) -> None:
    """Skipping periods that cannot win changes nothing: the longest loop is that of trying every place and period."""
    longest = 0
    for period in range(1, len(text) // 4 + 1):
        for start in range(len(text)):
            end = start + period
            while end < len(text) and text[end] == text[end - period]:
                end += 1
            if end - start >= 4 * period:
                longest = max(longest, end - start)
    found = longest_loop(text, times=4)
    assert (found.characters if found else 0) == longest


@pytest.mark.parametrize("text", ["", "ha ha ha ha!", "No, no, no.", "Title\n" + "-" * 40 + "\n" + PROSE])
def test_ornaments_are_no_loops(text: str) -> None:
    """A laugh, threefold emphasis and a rule under a heading are no faults."""
    assert check_loop(text).passed is True


def test_a_loop_says_what_is_repeated() -> None:
    """The check shows the segment, how often, and how much of the text it takes."""
    assert check_loop("Well. " + "I am sorry. " * 20) == Check(
        "no_loop", False, "no loop of 4 rounds in 20% of the text", "'. I am sorry' 20.2 times, 98% of the text"
    )


def test_a_favourite_phrase_is_found_wherever_it_stands() -> None:
    """Four words that return between others fail, although nothing stands in a row."""
    names = [f"thing{index}" for index in range(20)]
    text = " ".join(f"as an assistant I {name} {index}" for index, name in enumerate(names))
    assert check_loop(text).passed is True
    assert check_phrase(text).passed is False
    top = top_phrase(text, length=4, times=3)
    assert top is not None
    assert (top.phrase, top.times) == ("as an assistant i", 20)
    assert top.share == pytest.approx(80 / 120)


@given(st.lists(st.sampled_from("abc"), max_size=60))
def test_a_phrase_never_takes_more_than_the_text(words: list[str]) -> None:
    """Occurrences that overlap are counted once."""
    top = top_phrase(" ".join(words), length=4, times=2)
    assert top is None or 0 < top.share <= 1


def test_short_texts_have_no_favourite_phrase() -> None:
    """Of fewer than fifty words the phrase is not judged."""
    assert check_phrase("the same old words " * 12).passed is None
    assert check_phrase("the same old words " * 13).passed is False


def test_compression_agrees_with_whisper() -> None:
    """Of ASCII up to a window's length the ratio is Whisper's own: bytes over zlib's bytes."""
    assert compression_ratio(PROSE) == len(PROSE.encode()) / len(zlib.compress(PROSE.encode()))


def test_what_is_repeated_with_changes_compresses_too_well() -> None:
    """A list that counts on fails; prose before and after does not hide it."""
    counting = " ".join(f"Item {index} is very good and I like it." for index in range(60))
    assert check_loop(counting).passed is True
    for text in (
        counting,
        PROSE + counting,
        PROSE + counting + PROSE,
        "".join(f"Пункт {i} хорош. " for i in range(90)),
    ):
        assert check_compression(text).passed is False


@pytest.mark.parametrize(
    ("prompt", "scripts", "text", "passed"),
    [
        ("Where is my parcel?", (), PROSE, True),
        ("Where is my parcel?", (), "The angle is π, or 180 °, at 5 Ω.", True),
        ("Where is my parcel?", (), "Your parcel 包裹已经在路上了 is coming", False),
        ("Where is my parcel?", (), "Ваша посылка в пути.", False),
        ("Translate into Russian.", ("Cyrillic",), "Ваша посылка в пути.", True),
        ("Где посылка?", (), "Ваша посылка в пути.", True),
        ("荷物はどこですか", (), "荷物は明日届きます。カスタマーサービス", True),
        ("Where is it?", (), "Ｆｕｌｌ ｗｉｄｔｈ", True),
        ("Where is it?", (), "12345 !!", None),
        ("12 + 30?", (), "forty-two", None),
    ],
)
def test_letters_are_of_the_prompts_scripts(
    prompt: str, scripts: tuple[str, ...], text: str, passed: bool | None
) -> None:
    """Letters of other scripts fail from a few on; without letters on either side nothing is judged."""
    assert check_script(text, prompt=prompt, scripts=scripts).passed is passed


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        (PROSE, True),
        ("Paris", True),
        ("The second option", True),
        ('[{"1": "3"}]', True),
        ("Thank you for your patience!\n\nKind regards,\nYour customer care team", True),
        ("Thanks!\n\nJohn", True),
        ("I am happy to help you.\n\nSincerely, Dr. Anna Schmidt", True),
        ("I am sorry to hear that :(", True),
        ("That was all.\n---", True),
        ("Er sagt: „Gut.“", True),
        ("int main() {\n    return 0;\n}\nint x;", True),
        ("You will need these:\n- a screwdriver\n- a very long piece of string that does not break at all", True),
        ("It is all described on our site. See https://example.org/returns", True),
        ("We are happy to help! 😀", True),
        ("He said: “It works.”", True),
        ("包裹明天到。", True),
        ("", None),
        (PROSE[:-20], False),
        ("It left on Tuesday. The carrier will try ag", False),
        (PROSE + "\n\nIf there is anything else that we can do for you please", False),
        ("The carrier will try again tomorrow between nine and noon if nobody is at", False),
        ("“The carrier will try again tomorrow between nine and noon if nobody is at", False),
        ("The third of the four options is right", True),
        ("flour and eggs and milk and sugar and a pinch of salt and butter", True),
        ("Thank you for writing,", False),
        ("There are two ways (", False),
        ("It costs 5 \ufffd", False),
        ("half a sign \ud83d", False),
        ("```python\nprint(1)", False),
    ],
)
def test_a_torn_end_is_seen(text: str, passed: bool | None) -> None:
    """A reply that ends within a sentence fails; short answers, signatures, items and addresses do not."""
    assert check_end(Reply(text, "stop")).passed is passed


def test_a_lone_line_is_torn_only_where_the_model_was_done() -> None:
    """Where nothing says that the model ended it itself, a line without a full stop may go on elsewhere."""
    line = "The carrier will try again tomorrow between nine and noon if nobody is at"
    assert [check_end(Reply(line, finish)).passed for finish in ("stop", "length", None)] == [False, None, True]


def test_cut_words_are_not_seen() -> None:
    """A limit that the docs name: without a dictionary a reply of torn words in whole sentences shows no sign."""
    torn = "Than you fo wateri my plan. They loo wonder. I ow you a ca."
    found = degeneration_checks(Reply(torn, "stop"), prompt="Write a letter to a neighbour.")
    assert [check.name for check in found if check.passed is False] == []


def test_the_limit_tears_and_not_the_model() -> None:
    """Where the limit cut the reply off, its end is not judged: the length is."""
    cut = Reply(PROSE[:-20], "length")
    assert check_end(cut).passed is None
    assert check_length(cut).passed is False


@pytest.mark.parametrize(
    ("words", "finish", "usual", "most", "passed"),
    [
        (30, "stop", 10, None, True),
        (31, "stop", 10, None, False),
        (31, "stop", None, 40, True),
        (41, "stop", 20, 40, False),
        (5, "length", 10, 40, False),
        (5, "stop", None, None, True),
        (5, None, None, None, None),
        (5, "stop", 0, None, True),
    ],
)
def test_a_runaway_is_held_against_what_is_usual(
    words: int, finish: str | None, usual: int | None, most: int | None, passed: bool | None
) -> None:
    """More than three times the usual words, more than were allowed, or no end at all fail."""
    reply = Reply("word " * words, finish)
    assert check_length(reply, usual_words=usual, most_words=most).passed is passed


@pytest.mark.parametrize(
    ("text", "passed"), [("", False), (" \n\t", False), ("\u200b\ufeff\u00a0", False), ("0", True)]
)
def test_what_cannot_be_seen_is_empty(text: str, passed: bool) -> None:
    """Whitespace and zero-width characters are no reply."""
    assert check_empty(text).passed is passed


def test_long_texts_are_judged_quickly() -> None:
    """A loop in twenty thousand characters is found without comparing all of them for every period."""
    loop = longest_loop(PROSE * 2 + DISTINCT + "so it is, " * 1500 + PROSE, times=4)
    assert loop is not None
    assert math.isclose(loop.times, 1500, abs_tol=1)
