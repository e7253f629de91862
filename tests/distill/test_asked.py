"""What of all that the evals ask a text repeats."""

from __future__ import annotations

import pytest

from tunegate.cases import Batch, Question
from tunegate.distill import AskedTexts, Match, Part, parts_of
from tunegate.distill.asked import common_runs
from tunegate.errors import UsageError

PLANETS = ("Mercury", "Venus", "Mars", "Jupiter")
SUN = "Which planet is closest to the Sun?"


def question(text: str, *options: str, answer: int = 1) -> Part:
    a, b, c, d = options
    return parts_of(Batch("x-01", "x", (Question(text, (a, b, c, d), answer, "x"),)), ())[0]


def asked(*parts: Part | str, common: frozenset[str] = frozenset()) -> AskedTexts:
    texts = AskedTexts(common=common)
    for number, part in enumerate(parts):
        texts.add(f"eval[{number}]", Part(part) if isinstance(part, str) else part)
    return texts


def kind(found: Match | None) -> str | None:
    return found.kind if found else None


@pytest.mark.parametrize(
    "stem",
    [
        "Which planet is nearest to the Sun?",
        "Which planet is the closest to the Sun?",
        "Which planet is closest to Sun?",
    ],
)
def test_question_with_one_changed_word_is_found(stem: str) -> None:
    """A word replaced, put in or left out makes no other question, whatever the order of the options."""
    found = asked(question(SUN, *PLANETS)).find(question(stem, *PLANETS[::-1], answer=4))
    assert kind(found) == "near"


def test_near_question_is_found_behind_other_options() -> None:
    """Other wrong options hide a question with a changed word as little as one without; another answer does."""
    texts = asked(question(SUN, *PLANETS))
    near = "Which planet is nearest to the Sun?"
    assert kind(texts.find(question(near, "Mercury", "Pluto", "Earth", "Saturn"))) == "near"
    assert texts.find(question(near, "Venus", "Pluto", "Earth", "Saturn")) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is 17 + 25 in all, please?", "What is 17 + 26 in all, please?"),
        ("What is 17 + 25 in all, please?", "What is 17 - 25 in all, please?"),
        ("How many of p and q are true if p is?", "How many of p and q are true if q is?"),
        ("How to cook rice?", "How to boil rice?"),
    ],
)
def test_number_sign_or_one_word_of_few_makes_another_text(one: str, other: str) -> None:
    """What differs in a number, a sign or a letter is another question, and so is a short one with another word."""
    options = ("41", "42", "43", "44")
    assert asked(question(one, *options)).find(question(other, *options)) is None
    assert asked(one).find(Part(other)) is None


def test_what_questions_of_one_make_differ_in_tells_them_apart() -> None:
    """Where another text of the evals has another word, a lesson with a third one is a question of its own."""
    parts = ("Africa", "Asia", "Europe", "Oceania")
    stem = "In which part of the world is {}?"
    nigeria, jordan = (question(stem.format(name), *parts, answer=at) for name, at in (("Nigeria", 1), ("Jordan", 2)))
    lesotho = question(stem.format("Lesotho"), *parts)
    assert kind(asked(nigeria).find(lesotho)) == "near"
    assert asked(nigeria, jordan).find(lesotho) is None
    changed = question("In which part of our world is Nigeria?", *parts)
    assert kind(asked(nigeria, jordan).find(changed)) == "near"


ASKED = f"{SUN}\n1. Mercury\n2. Venus\n3. Mars\n4. Jupiter"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Question 1: {ASKED}\n\nQuestion 2: Which is red?\n1. snow\n2. blood\n3. sea\n4. sand", "within"),
        (f"{SUN}\n1. Ceres\n2. Eris\n3. Earth\n4. Pluto\n{ASKED}", "within"),
        (f"{SUN} (a) Jupiter (b) Mars (c) Venus (d) Mercury", "within"),
        (f"{SUN} Mercury, Venus, Mars or Jupiter?", "within"),
        (ASKED.replace("closest", "nearest"), "near"),
        (SUN, "within"),
        (f"Hi! {SUN} Please say it in one word.", "within"),
        (f"{SUN}\n1. Ceres\n2. Eris\n3. Earth\n4. Pluto", None),
        ("Which planet is closest to the Moon?", "near"),
        ("Mercury is closest to the Sun. Which is next, and why is it hotter there than on Mercury?", None),
    ],
)
def test_question_is_found_in_text(text: str, expected: str | None) -> None:
    """With its options behind it, however they are numbered, or bare; a question with other options is another."""
    assert kind(asked(question(SUN, *PLANETS)).find(Part(text))) == expected


def test_stem_of_several_questions_is_none_by_itself() -> None:
    """Where the evals ask the same words for different answers, the options decide."""
    texts = asked(
        question("Which of these is a mammal?", "dog", "frog", "fish", "crow"),
        question("Which of these is a mammal?", "bat", "bee", "owl", "eel"),
    )
    assert texts.find(Part("Which of these is a mammal?")) is None
    assert kind(texts.find(Part("Which of these is a mammal? eel, owl, bee, bat"))) == "within"
    assert texts.find(Part("Which of these is a mammal? eel, owl, bee, cat")) is None


def test_prompt_is_found_within_a_lesson() -> None:
    """A prompt that lies in a longer text is found, word for word or with a word changed in its midst."""
    texts = asked("Explain to a child in two sentences why it gets dark at night.")
    around = "You are a teacher. {} Be kind, and use short words."
    for changed in ("why", "how"):
        text = around.format("Explain to a child in two sentences why it gets dark at night.".replace("why", changed))
        assert kind(texts.find(Part(text))) == ("within" if changed == "why" else "near")
    assert texts.find(Part(around.format("Explain to a child in two sentences how rain is made."))) is None


def test_end_of_a_prompt_is_no_changed_word() -> None:
    """A text that begins like a short prompt and goes on to something else is another one."""
    texts = asked("What is the largest ocean there is?")
    assert texts.find(Part("What is the largest ocean there was on Mars, and how deep was it, and when?")) is None


def test_question_of_a_batch_may_hold_a_prompt() -> None:
    """What one eval asks as a prompt must not be learned as a question with options either."""
    texts = asked("Which gas in the air do people need to breathe?")
    found = texts.find(question("Which gas in the air do people need to breathe?", "oxygen", "helium", "neon", "argon"))
    assert kind(found) == "within"


def test_few_words_are_looked_for_in_no_other_text() -> None:
    """A greeting that an eval asks makes no leak of each chat that begins with it; by itself it is one."""
    texts = asked("How are you?")
    assert texts.find(Part("Hello. How are you? I have lost my key.")) is None
    assert kind(texts.find(Part("how are  you?"))) == "exact"


PREAMBLE = (
    "You get a letter from a customer of our shop. Answer it in the name of the shop, politely and in three lines.\n\n"
)
LETTERS = ("The soup that I bought is cold.", "My parcel has not come yet.", "I want my money back at once.")


def test_what_an_eval_always_says_is_no_leak() -> None:
    """Lessons that share an eval's preamble are its own training part; what it asks behind that is found."""
    prompts = [PREAMBLE + letter for letter in LETTERS]
    texts = asked(*prompts, common=common_runs(prompts))
    assert texts.find(Part(PREAMBLE + "The lamp that you sent is broken.")) is None
    assert kind(texts.find(Part("Customer: my parcel has not come yet. Agent:"))) == "within"
    assert kind(texts.find(Part(PREAMBLE + "The soup which I bought is cold."))) == "near"


def test_common_runs_take_three_texts_and_more_than_half() -> None:
    """Two prompts that are alike share no way of speaking, and copies of one prompt are one."""
    prompts = [PREAMBLE + letter for letter in LETTERS]
    assert common_runs(prompts)
    assert not common_runs([prompts[0], prompts[1], prompts[1].upper()])
    assert not common_runs([*prompts, *(f"{word} is another letter of its own" for word in ("one", "two", "three"))])


def test_likest_text_is_named() -> None:
    """Of several that a lesson is near to the nearest is told."""
    one, two = "Describe a rainy day in a small town", "Describe a rainy day in a large town by the sea"
    found = asked(two, one).find(Part("Describe a rainy day in a small town"))
    assert found == Match("exact", "eval[1]", 1.0)


@pytest.mark.parametrize("near", [0.0, 1.1])
def test_threshold_is_a_share(near: float) -> None:
    """A similarity outside of 0 to 1 is refused."""
    with pytest.raises(UsageError, match="wanted a share"):
        AskedTexts(near=near)


def test_nothing_is_near_at_a_threshold_of_one() -> None:
    """With 1 every word must be there."""
    texts = AskedTexts(near=1.0)
    texts.add("eval[0]", question(SUN, *PLANETS))
    assert texts.find(question("Which planet is nearest to the Sun?", *PLANETS)) is None
    assert kind(texts.find(Part(ASKED))) == "within"
