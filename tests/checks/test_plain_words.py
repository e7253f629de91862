"""An answer in plain words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.checks import check_plain, find_answer


@pytest.mark.parametrize(
    ("text", "answers", "found"),
    [
        ("The opposite of hot is cold.", ("cool", "cold"), "cold"),
        ("COLD", ("cold",), "cold"),
        ("It is colder.", ("cold",), None),
        ("**cold**, _cold_", ("cold",), "cold"),
        ("sao\n  paulo!", ("São Paulo",), "São Paulo"),
        ("A nai\u0308ve cafe\u0301", ("naïve",), "naïve"),
        ("New York City", ("New York",), "New York"),
        ("New Yorkers", ("New York",), None),
        ("It has 7 days.", ("7", "seven"), "7"),
        ("Seven.", ("7", "seven"), "seven"),
        ("17 days, or 7.5, or 0,7, or 70", ("7",), None),
        ("2 * 6 = 12\n", ("12",), "12"),
        ("CO2 and CO₂", ("CO2",), "CO2"),
        ("x7", ("7",), None),
        ("Water boils at 100ºC.", ("100",), "100"),
        ("100 °C, 100°C or 100℃", ("100",), "100"),
        ("3ª", ("3",), "3"),
        ("10² is 100", ("102",), None),
        ("10² or 2^10", ("10",), None),
        ("10²", ("10²", "2"), "10²"),
        ("7½", ("7", "71"), None),
        ("5 m²", ("5",), "5"),
        ("a.b", ("a?b",), None),
        ("STRASSE", ("Straße",), "Straße"),
        ("", ("cold",), None),
    ],
)
def test_answer_is_found_as_whole_words(text: str, answers: tuple[str, ...], found: str | None) -> None:
    """An accepted answer counts where it stands as whole words, whatever its case and accents, and nowhere else."""
    assert find_answer(text, answers) == found


@given(st.text(), st.text(min_size=1))
def test_any_text_may_be_asked_for(text: str, answer: str) -> None:
    """No text and no answer is a mistake in a pattern; a text that stands between spaces says itself."""
    find_answer(text, [answer])
    assert find_answer(f"{text} yes {text}", ["yes"]) == "yes"


@pytest.mark.parametrize(
    ("text", "is_plain"),
    [
        ("Paris is the capital.", True),
        ("[Your Name]", True),
        ("[1] See below.", True),
        ("{name} is missing", True),
        ('He said: [{"1": "3"}]', True),
        ("7", True),
        ('"Paris"', True),
        ("", True),
        ('[{"1": "3"}, {"2": "1"}]', False),
        ('\ufeff [{"1": "3"}, {"2": "1"', False),
        ('["Paris"]', False),
        ('["Par', False),
        ("[3, 1, 4, 2]", False),
        ("[]", False),
        ('{"capital": "Paris"}', False),
        ('{ "capital', False),
        ("{}", False),
        ('```json\n[{"1": "3"}]\n```', False),
        ('```\n{"a', False),
        ("```python\nprint(1)\n```", True),
    ],
)
def test_json_is_no_plain_answer(text: str, is_plain: bool) -> None:
    """A reply that is a JSON list or object, whole or cut off, is told from words that have brackets in them."""
    assert check_plain(text).passed is is_plain


@given(st.text())
def test_any_text_is_judged(text: str) -> None:
    """Whatever a model says, the check comes to yes or no."""
    assert check_plain(text).passed in {True, False}
