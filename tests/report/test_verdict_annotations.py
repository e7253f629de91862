"""Annotations name the worst first, and nothing in a name can become a command."""

from __future__ import annotations

from tunegate.report import render_annotations

from .verdicts import broken, decision, difference, interval, undecided, unknown, verdict


def commands(lines: list[str]) -> list[str]:
    return [line.split()[0].strip(":") for line in lines]


def test_broken_is_an_error_undecided_a_warning_and_the_word_a_notice() -> None:
    """What holds is not annotated."""
    lines = render_annotations(verdict(decision(difference(), undecided(), broken(metric="exact"))))
    assert commands(lines) == ["error", "warning", "notice"]
    assert lines[0].startswith("::error title=ft%3Aours%3A not worse%3A format exact::shown to be broken")
    assert "about 340 more cases" in lines[1]
    assert lines[2] == "::notice title=tunegate::BLOCK: ft:ours against production (exit status 1)"


def test_worst_comes_first_across_units() -> None:
    """Order is by how much is shown to be lost at least: the near end of the interval, in parts of the scale."""
    mild = broken(metric="mild", effect=interval(-0.3, -0.5, -0.06))
    share = broken(metric="share", effect=interval(-0.2, -0.25, -0.15))
    slow = broken(metric="latency_s", kind="max_ratio", threshold=2.0, effect=interval(4, 3, 5))
    rating = broken(metric="rating", threshold=0.2, effect=interval(-2, -2.4, -1.4))
    lines = render_annotations(verdict(decision(mild, share), decision(slow, rating, candidate="ft:b")))
    metrics = [line.partition("title=")[2].partition("::")[0].split()[-1] for line in lines[:-1]]
    assert metrics == ["latency_s", "rating", "share", "mild"]


def test_missing_coverage_is_a_warning() -> None:
    """A verdict that is open for want of data says so although every rule holds."""
    holey = decision(difference(), word="INCONCLUSIVE", reasons=("ft:ours: 10 of 200 planned cells have no score",))
    lines = render_annotations(verdict(holey))
    assert commands(lines) == ["warning", "notice"]
    assert "10 of 200" in lines[0]
    assert render_annotations(verdict(decision(difference()))) == [
        "::notice title=tunegate::PROMOTE: ft:ours against production (exit status 0)"
    ]


def test_at_most_ten_of_a_kind() -> None:
    """The tenth says how many others there are, and where they stand."""
    many = [broken(metric=f"m{number}") for number in range(23)]
    open_ones = [unknown(metric=f"u{number}") for number in range(10)]
    lines = render_annotations(verdict(decision(*many, *open_ones)))
    assert commands(lines) == ["error"] * 10 + ["warning"] * 10 + ["notice"]
    assert "14 more findings" in lines[9]
    assert commands(render_annotations(verdict(decision(*many)), most=3)) == ["error"] * 3 + ["notice"]


def test_names_cannot_become_commands() -> None:
    """Percent signs, line ends, colons and commas are escaped as GitHub's runner reads them back."""
    bad = broken(rule="a\n::set-output name=x::y", reason="50 %\r\nlost")
    (line, _) = render_annotations(verdict(decision(bad, candidate="m,file=x")))
    assert line == (
        "::error title=m%2Cfile=x%3A a\\n%3A%3Aset-output name=x%3A%3Ay%3A format answers::50 %25%0D%0Alost"
    )
