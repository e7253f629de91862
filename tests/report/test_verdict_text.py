"""The verdict on a terminal says what is known, what is not, and what it would take."""

from __future__ import annotations

from dataclasses import replace

from tunegate.gate.policy import DEFAULT
from tunegate.gate.verdict import Coverage, Outlook
from tunegate.report import render_verdict

from .verdicts import broken, decision, difference, guard, interval, undecided, unknown, verdict


def line_with(lines: list[str], words: str) -> str:
    (line,) = [line for line in lines if words in line]
    return line


def below(lines: list[str], words: str) -> str:
    """Return what stands under the line with these words, further in than a row."""
    start = lines.index(line_with(lines, words)) + 1
    under: list[str] = []
    for line in lines[start:]:
        if not line.startswith("      "):
            break
        under.append(line.strip())
    return "\n".join(under)


def test_last_line_is_word_and_status() -> None:
    """Each word with its own status, and INCONCLUSIVE with the one that the policy gives it."""
    assert render_verdict(verdict(decision(difference())))[-1] == "verdict: PROMOTE, exit status 0"
    assert render_verdict(verdict(decision(broken())))[-1] == "verdict: BLOCK, exit status 1"
    assert render_verdict(verdict(decision(undecided())))[-1] == "verdict: INCONCLUSIVE, exit status 10"
    lenient = replace(DEFAULT, on_inconclusive="pass")
    assert render_verdict(verdict(decision(undecided()), policy=lenient))[-1] == "verdict: INCONCLUSIVE, exit status 0"


def test_row_has_both_sides_effect_and_threshold() -> None:
    """A share is a percent, a difference of shares signed points, and the threshold says which way."""
    lines = render_verdict(verdict(decision(difference())))
    assert lines[0] == "PROMOTE  ft:ours against production"
    heads = line_with(lines, "effect (")
    row = line_with(lines, "not worse: format answers")
    assert " ".join(row.split()) == "not worse: format answers 91.5 % 92.0 % -0.5 points (-2.0 to +1.0) > -5.0 holds"
    for head, figure in (("effect (", "-0.5 points"), ("threshold", "> -5.0"), ("outcome", "holds")):
        assert heads.index(head) == row.index(figure)


def test_each_kind_has_its_unit() -> None:
    """Ratios are times as much, times are seconds, ratings are points of their scale."""
    ratio = difference(
        rule="speed",
        metric="latency_s",
        kind="max_ratio",
        threshold=0.8,
        candidate=interval(1.24, 1.1, 1.3),
        baseline=interval(3.4, 3.2, 3.6),
        effect=interval(0.365, 0.31, 0.44),
    )
    slow = difference(
        rule="tail",
        metric="first_token_s",
        kind="max",
        threshold=2,
        percentile=0.95,
        baseline=None,
        effect=interval(1.25, 1.1, 1.5),
    )
    liked = difference(
        rule="liked", metric="rating", kind="better_by", threshold=0.1, effect=interval(0.254, 0.15, 0.35)
    )
    lines = render_verdict(verdict(decision(ratio, slow, liked)))
    speed = line_with(lines, "speed:").split()
    assert " ".join(speed[3:]) == "1.24 s 3.4 s 0.365 x (0.31 to 0.44) <= 0.8 x holds"
    assert "1.25 s (1.1 to 1.5)" in line_with(lines, "tail:")
    assert "  p95 <= 2 s" in line_with(lines, "tail:")
    assert "+0.25 (+0.15 to +0.35)" in line_with(lines, "liked:")
    assert "> +0.10" in line_with(lines, "liked:")


def test_guards_that_hold_are_one_line() -> None:
    """Seventeen guards that hold are counted; the one that is broken has its row."""
    guards = [guard(f"s{number}") for number in range(17)]
    lines = render_verdict(
        verdict(decision(difference(), *guards, broken(rule="no subject", subject="law", guard=True)))
    )
    assert "  17 guards are not shown to be broken" in lines
    assert len([line for line in lines if "no subject" in line]) == 1
    assert "BROKEN" in lines[lines.index("  no subject: format answers [law]") + 1]
    assert "  1 guard is not shown to be broken" in render_verdict(verdict(decision(guard("s"))))


def test_undecided_rule_says_what_would_decide() -> None:
    """The number of further cases is rounded up to two digits, and what these cases can show stands beside it."""
    lines = render_verdict(verdict(decision(undecided())))
    assert below(lines, "not worse: format answers") == (
        "about 340 more cases would decide, if it is as it looks\n"
        "200 cases decide at 7.0 points or more from the threshold"
    )
    on_it = undecided(outlook=Outlook(detectable=None, cases_needed=None))
    assert "no number of cases" in below(render_verdict(verdict(decision(on_it))), "not worse: format answers")
    nearly = undecided(outlook=Outlook(detectable=None, cases_needed=201))
    assert "about 1 more case would" in below(render_verdict(verdict(decision(nearly))), "not worse: format answers")


def test_broken_rule_shows_its_evidence() -> None:
    """Its p-value has three digits, or is said to be below 0.001; flipped cases are counted both ways."""
    under = below(render_verdict(verdict(decision(broken()))), "not worse: format answers")
    assert "p = 0.008" in under
    assert "gained 3 cases, lost 27 (exact McNemar: p < 0.001)" in under


def test_what_is_not_known_says_why() -> None:
    """Without an estimate there is no number in the row, and the reason stands below it."""
    lines = render_verdict(verdict(decision(unknown())))
    row = line_with(lines, "not worse: format tone")
    assert " ".join(row.split()[4:]) == "- - not known > -5.0 undecided"
    assert below(lines, "not worse: format tone") == "not known: no check is called 'tone'"


def test_interval_clear_of_the_threshold_and_yet_undecided_is_explained() -> None:
    """Where many rules share an error budget, a row may look decided: then its reason stands below it."""
    clear = undecided(effect=interval(-0.01, -0.04, 0.02), reason="not shown for all 40 findings at once", outlook=None)
    assert "all 40 findings" in below(render_verdict(verdict(decision(clear))), "not worse: format answers")
    assert "not decided" not in "".join(render_verdict(verdict(decision(undecided()))))


def test_missing_coverage_is_shown() -> None:
    """What of the plan has no score stands there for either side, and nothing where all has."""
    holey = decision(difference(), coverage=Coverage(200, 190, errors=6, lost=4, not_run=0))
    assert "  ft:ours: 190 of 200 planned were scored (6 errors, 4 lost)" in render_verdict(verdict(holey))
    ended = decision(difference(), baseline_coverage=Coverage(0, 7, errors=0, lost=0, not_run=None))
    assert "  production: 7 scored, and how many were planned is not known" in render_verdict(verdict(ended))
    assert "planned" not in "".join(render_verdict(verdict(decision(difference()))))


def test_reasons_are_not_said_twice() -> None:
    """A reason that only names an undecided row is left out, any other is shown."""
    one = undecided()
    told = decision(one, reasons=("ft:ours: 10 of 200 have no score", f"undecided: {one.name}"))
    text = "\n".join(render_verdict(verdict(told)))
    assert "10 of 200" in text
    assert "undecided: not worse" not in text


def test_many_candidates_end_in_a_list() -> None:
    """With more than one candidate the words stand together before the last line."""
    lines = render_verdict(verdict(*(decision(difference(), candidate=f"ft:{name}") for name in "abc")))
    assert lines[-4:-1] == [f"PROMOTE  ft:{name} against production" for name in "abc"]


def test_table_is_at_most_100_columns_wide() -> None:
    """A long name stands above its row, so that the numbers stay in their columns."""
    long = difference(rule="answers of all the sciences, law and history together", subject="international_law")
    lines = render_verdict(verdict(decision(difference(), long, broken(), undecided(), unknown())))
    assert max(map(len, lines)) <= 100
    name = lines.index(f"  {long.name}")
    assert lines[name + 1].lstrip().startswith("91.5 %")


def test_name_cannot_move_the_cursor() -> None:
    """Control characters and line ends in names are shown, not obeyed."""
    lines = render_verdict(verdict(decision(difference(rule="a\nb\x1b[2J"), candidate="m\r\n::error::x")))
    assert lines[0] == "PROMOTE  m\\r\\n::error::x against production"
    assert not any(char in line for line in lines for char in "\n\r\x1b")


def test_verdict_on_nobody_says_so() -> None:
    """Without a candidate nothing may be promoted."""
    assert render_verdict(verdict()) == ["no candidate was judged", "verdict: INCONCLUSIVE, exit status 10"]


def test_warnings_and_early_stop_are_shown() -> None:
    """A policy's warning stands there, and of how many cases a decision was made."""
    early = decision(difference(), cases_used=120, cases_planned=1000)
    lines = render_verdict(verdict(early, warnings=("the margin is below the noise",)))
    assert "warning: the margin is below the noise" in lines
    assert "  asked until decided: 120 of 1,000 cases were used" in lines
