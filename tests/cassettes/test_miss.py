"""A miss says what was wanted, where it was looked for, and what is nearest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tunegate.cassettes import Cassette, Library
from tunegate.cassettes.miss import differences_of
from tunegate.exchanges import Request


def last_line(cassette: Cassette, request: Request, *, case: str = "sums-01", repeat: int = 1) -> str:
    return cassette.explain(request, case=case, repeat=repeat).splitlines()[2].strip()


def test_miss_reads_as_documented(tmp_path: Path, make_exchange: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eval, case, model and repeat; the file, relative to where one stands; the words that differ."""
    monkeypatch.chdir(tmp_path)
    cassette = Library(Path("cassettes")).cassette("format", "ft:gpt-3.5-turbo:acme::9x")
    cassette.add(make_exchange("Answer all.\nThere are four questions.", note={"case": "astronomy-03"}))
    wanted = make_exchange("Answer all.\nThere are 4 questions.").request
    assert cassette.explain(wanted, case="astronomy-03", repeat=1) == (
        "no recording for format[astronomy-03] of 'ft:gpt-3.5-turbo:acme::9x', repeat 1\n"
        "  looked in cassettes/format/ft%3Agpt-3.5-turbo%3Aacme%3A%3A9x.json\n"
        '  nearest recording differs in body: messages[0].content (line 2: "four" -> "4")'
    )


def test_nothing_recorded_is_said(cassette: Cassette, make_exchange: Any) -> None:
    """An empty or missing cassette has no nearest recording."""
    assert last_line(cassette, make_exchange().request) == "no recording at all"


def test_other_repeats_are_named(cassette: Cassette, make_exchange: Any) -> None:
    """A request that was recorded for other repeats says for which."""
    cassette.add(make_exchange(repeat=1))
    assert last_line(cassette, make_exchange().request, repeat=3) == "recorded for repeat 1 only"
    cassette.add(make_exchange(repeat=2))
    assert last_line(cassette, make_exchange().request, repeat=3) == "recorded for repeats 1, 2 only"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"temperature": 1}, "body: temperature (0 -> 1)"),
        ({"temperature": 0.0}, "body: temperature (0 -> 0.0)"),
        ({"seed": 7}, "body: seed (nothing -> 7)"),
        ({"model": "n"}, 'body: model ("m" -> "n")'),
        ({"messages": []}, 'body: messages[0] ({"role": "user", "content": "What is 2 … -> nothing)'),
        ({"seed": 7, "top_p": 1}, "body: seed (nothing -> 7), and 1 more place"),
    ],
)
def test_first_difference_of_the_body_is_shown(
    cassette: Cassette, make_exchange: Any, changes: dict[str, Any], expected: str
) -> None:
    """The place and both values, shortened; and how many more there are."""
    cassette.add(make_exchange())
    wanted = make_exchange(asked={**make_exchange().request.body, **changes}).request
    assert last_line(cassette, wanted) == f"nearest recording differs in {expected}"


def test_other_address_is_shown(cassette: Cassette, make_exchange: Any) -> None:
    """The same question asked elsewhere is a miss, and says so."""
    cassette.add(make_exchange(url="https://a.example/v1"))
    line = last_line(cassette, make_exchange(url="https://b.example/v1").request)
    assert line == 'nearest recording differs in url: ("https://a.example/v1" -> "https://b.example/v1")'


def test_same_case_comes_before_likeness(cassette: Cassette, make_exchange: Any) -> None:
    """The recording of the case that was asked is the one compared, however much of it changed."""
    cassette.add(make_exchange("Is it late?", note={"case": "wanted"}))
    cassette.add(make_exchange("What is the time in Rome?", note={"case": "other"}))
    line = last_line(cassette, make_exchange("What is the time in Oslo?").request, case="wanted")
    assert "of case" not in line
    line = last_line(cassette, make_exchange("What is the time in Oslo?").request, case="new")
    assert line.endswith('(of case other) differs in body: messages[0].content ("Rome?" -> "Oslo?")')


def test_nearest_is_found_among_many_of_like_length(cassette: Cassette, make_exchange: Any) -> None:
    """Without a case, a few samples of the text find the one recording that it nearly is."""
    for number in range(300):
        prompt = f"question {number:03}: " + f"{number * 7919 % 1000:03} and " * 20
        cassette.add(make_exchange(prompt, note={"case": f"c{number}"}))
    wanted = make_exchange("question 123: " + f"{123 * 7919 % 1000:03} and " * 20 + "so").request
    assert "(of case c123)" in last_line(cassette, wanted, case="new")


def test_long_values_are_cut_around_the_difference(cassette: Cassette, make_exchange: Any) -> None:
    """The line stays short, whatever the length of the values."""
    cassette.add(make_exchange("x" * 5000 + "a" + "y" * 5000))
    line = last_line(cassette, make_exchange("x" * 5000 + "b" + "y" * 5000).request)
    assert len(line) < 200
    assert "…xxxxxxxxxxxxxxxxxxxxayyy" in line
    assert "…xxxxxxxxxxxxxxxxxxxxbyyy" in line


def test_explanation_holds_no_secret(cassette: Cassette, make_exchange: Any) -> None:
    """A secret in the wanted request is neither shown nor called the difference."""
    key = "sk-" + "a1b2c3d4e5f6g7h8i9j0"
    cassette.add(make_exchange(f"use {key} now"))
    assert key not in cassette.explain(make_exchange(f"use {key} then").request, case="sums-01", repeat=1)
    line = last_line(cassette, make_exchange(f"use {key[:-1]}1 now").request)
    assert line == "nearest recording differs only in what was redacted"


def test_lines_that_one_side_lacks_are_named() -> None:
    """Text that only grew or shrank by lines says which line is missing."""
    short, long = Request("u", {"p": "a\nb"}), Request("u", {"p": "a\nb\nc"})
    assert [str(one) for one in differences_of(short, long)] == ['p (line 3: nothing -> "c")']
    assert [str(one) for one in differences_of(long, short)] == ['p (line 3: "c" -> nothing)']
