"""The verdict as Markdown can be found again, is short enough, and shows names as they are."""

from __future__ import annotations

import re
from dataclasses import replace

from tunegate.gate.policy import DEFAULT
from tunegate.report import render_markdown

from .verdicts import broken, decision, difference, guard, undecided, unknown, verdict


def rows_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("| <code>")]


def test_first_lines_are_for_machines() -> None:
    """The comment is found by its first line; the second has the word and the status."""
    lines = render_markdown(verdict(decision(undecided()))).splitlines()
    assert lines[:2] == ["<!-- tunegate-verdict -->", "<!-- verdict: INCONCLUSIVE, exit status: 10 -->"]


def test_headline_has_a_mark_and_the_word() -> None:
    """Words differ in shape and not in colour alone."""
    heads = [render_markdown(verdict(decision(one))).splitlines()[2] for one in (difference(), broken(), undecided())]
    assert heads == [
        f"## {mark} {word}: <code>ft:ours</code> against <code>production</code>"
        for mark, word in (("✅", "PROMOTE"), ("❌", "BLOCK"), ("⚠️", "INCONCLUSIVE"))
    ]


def test_rules_are_open_guards_and_evidence_folded() -> None:
    """Rules stand in a table, guards that hold and p-values under a summary each; a broken guard is a row."""
    text = render_markdown(verdict(decision(difference(), guard("law"), guard("art"), broken(guard=True, subject="x"))))
    shown, _, folded = text.partition("<details><summary>Evidence</summary>")
    assert len(rows_of(shown)) == 2
    assert "| 91.5 % | 92.0 % | -0.5 points (-2.0 to +1.0) | above -5.0 points | ✅ holds |" in shown
    assert "❌ broken" in shown
    evidence, _, guards = folded.partition("<details><summary>2 guards are not shown to be broken</summary>")
    assert "p = 0.008" in evidence
    assert "lost 27" in evidence
    assert len(rows_of(guards)) == 2
    assert text.count("<details>") == text.count("</details>") == 2


def test_what_it_would_take_is_open() -> None:
    """An undecided rule says what would decide, before anything that is folded."""
    text = render_markdown(verdict(decision(undecided(), unknown())))
    assert "about 340 more cases would decide" in text.partition("<details>")[0]
    assert "not known: no check is called 'tone'" in text.partition("<details>")[0]


def test_last_line_says_from_what() -> None:
    """Runs, policy and certificate are named, the last two by the start of their digests."""
    plain = verdict(decision(difference()))
    last = render_markdown(replace(plain, certificate={"digest": "0123456789abcdef"})).splitlines()[-1]
    assert "run <code>tuesday</code> against <code>monday</code>" in last
    assert f"the default policy <code>{DEFAULT.digest[:12]}</code>" in last
    assert "certificate <code>0123456789ab</code>" in last
    assert "certificate" not in render_markdown(plain)
    alone = render_markdown(replace(plain, baseline_run=None)).splitlines()[-1]
    assert "run <code>tuesday</code> ·" in alone


def test_worst_candidate_comes_first() -> None:
    """With several candidates each has a headline, and the headline of all counts them."""
    text = render_markdown(
        verdict(
            *(decision(one, candidate=name) for name, one in (("a", difference()), ("b", undecided()), ("c", broken())))
        )
    )
    assert "## ❌ BLOCK: of 3 candidates 1 BLOCK, 1 INCONCLUSIVE, 1 PROMOTE" in text
    assert re.findall(r"^### .*<code>(\w)</code> against", text, re.MULTILINE) == ["c", "b", "a"]


def test_names_are_shown_and_not_obeyed() -> None:
    """No pipe splits a row, no markup or mention comes out of a name, and no line end opens a line."""
    name = "a|b`c`<img src=x onerror=y>[l](u)*i*\n# h @team #12 $x$"
    bad = unknown(rule=name, reason=f"not known: {name}")
    text = render_markdown(verdict(decision(bad, candidate=name), warnings=(f"see {name}",)))
    (row,) = rows_of(text)
    assert row.count("|") == 7
    assert not re.search(r"<(?!/?(code|details|summary|sub)>|!--)", text)
    assert not re.search(r"^# h", text, re.MULTILINE)
    outside = re.sub(r"<code>.*?</code>", "", text)
    assert "@team" not in outside
    assert "&#64;&#8203;team" in outside
    for char in "`*[]$":
        assert char not in text.replace("**", "")


def test_comment_fits_whatever_the_number_of_rules() -> None:
    """Below 60,000 characters guards go first, then details; what is broken stays, and what is left out is counted."""
    guards = [guard(f"subject {number}") for number in range(2000)]
    text = render_markdown(verdict(decision(difference(), broken(metric="exact"), undecided(metric="keys"), *guards)))
    assert 50_000 < len(text) < 60_000
    kept = len([row for row in rows_of(text) if "no subject" in row])
    (left_out,) = re.findall(r"Left out here, to fit into a comment: ([\d,]+) guards\.", text)
    assert kept + int(left_out.replace(",", "")) == 2000
    assert all(name in text for name in ("format answers</code>", "format exact</code>", "format keys</code>"))
    assert text.count("<details>") == text.count("</details>") == 2


def test_broken_rules_outlast_all_others() -> None:
    """Where not even the rules fit, those that hold go before those that are broken."""
    holding = [difference(metric=f"holds{number}") for number in range(400)]
    lost = [broken(metric=f"lost{number}") for number in range(200)]
    text = render_markdown(verdict(decision(*holding, *lost)))
    assert len(text) < 60_000
    assert len([row for row in rows_of(text) if "❌ broken" in row]) == 200
    assert re.search(r"Left out here, to fit into a comment: .*rules", text)


def test_names_of_any_length_fit() -> None:
    """Long names and sentences are cut, and with hundreds of candidates the worst stay."""
    long = "|" * 3000
    decisions = [decision(difference(rule=long), candidate=f"{number}{long}") for number in range(150)]
    decisions.append(decision(broken(rule=long, reason=long), candidate="the worst"))
    text = render_markdown(verdict(*decisions, warnings=(long,), candidate_run=long, baseline_run=long))
    assert len(text) < 60_000
    assert "<code>the worst</code>" in text
    assert re.search(r"Left out here, to fit into a comment: .*\d+ candidates", text)


def test_verdict_on_nobody_says_so() -> None:
    """Without a candidate the headline says why nothing may be promoted."""
    assert "## ⚠️ INCONCLUSIVE: no candidate was judged" in render_markdown(verdict())
