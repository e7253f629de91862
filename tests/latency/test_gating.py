"""A gate holds the latency eval as any other: by ratio, by percentile, and never by what is not there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tunegate.gate.contest import open_contest
from tunegate.gate.policy_file import load_policy
from tunegate.gate.verdict import Verdict
from tunegate.stats import Interval, NotEnoughData

from .made_runs import BASE, QUICK, Speed, write_run

RULE = '[[rules]]\nname = "quick"\neval = "latency"\nmetric = "latency_s"\n'


def judge(tmp_path: Path, rules: str, *speeds: Speed) -> Verdict:
    tmp_path.mkdir(exist_ok=True)
    policy = tmp_path / "policy.toml"
    policy.write_text(rules)
    run = write_run(tmp_path / "runs", "a", *speeds)
    return open_contest(run, policy=load_policy(policy, fixtures=tmp_path), reports=tmp_path, fixtures=tmp_path).judge()


@pytest.mark.parametrize(
    ("rule", "word"),
    [
        ("max_ratio = 0.5\n", "PROMOTE"),
        ("max_ratio = 0.2\n", "BLOCK"),
        ("max = 6.0\n", "PROMOTE"),
        ("max = 0.6\n", "BLOCK"),
    ],
)
def test_ratio_and_percentile_are_held(tmp_path: Path, rule: str, word: str) -> None:
    """A model 3.6 times as quick is shown to take at most half as long, and not a fifth; seconds are held as well."""
    assert judge(tmp_path, RULE + rule, BASE, QUICK).word == word


def test_single_limit_has_too_few_prompts(tmp_path: Path) -> None:
    """Five prompts at one limit do not decide a guard on it, and do not pretend to: it says how many it takes."""
    rules = f"{RULE}max_ratio = 0.5\n{RULE.replace('quick', 'each limit')}max_ratio = 0.2\nper_subject = true\n"
    verdict = judge(tmp_path, rules, BASE, QUICK)
    assert verdict.word == "PROMOTE"
    (decision,) = verdict.decisions
    guards = [finding for finding in decision.findings if finding.subject is not None]
    assert sorted({finding.subject for finding in guards}) == sorted(f"{n} tokens" for n in (8, 32, 64, 128, 256))
    assert {type(finding.effect) for finding in guards} == {NotEnoughData}
    assert all("at least 8 are needed" in str(finding.effect) for finding in guards)


def test_limits_do_not_blur_a_ratio(tmp_path: Path) -> None:
    """A model that begins much sooner is held by all limits alike: not by the times of the limit in the middle."""
    slow, quick = Speed("base", 1.8, 0.02, role="baseline"), Speed("ft", 0.1, 0.02)
    verdict = judge(tmp_path, f"{RULE}max_ratio = 0.55\n", slow, quick)
    assert verdict.word == "PROMOTE"
    ((finding,),) = ([*decision.findings] for decision in verdict.decisions)
    assert isinstance(finding.effect, Interval)
    assert finding.effect.high < 1.1 * finding.effect.low


def test_refusals_do_not_promote(tmp_path: Path) -> None:
    """A model that refuses four of five prompts at once is no quicker one: undecided, and told why."""
    lazy = Speed("ft", 1.8, 0.036, refuses=("rome", "fight", "constitution", "bubble"))
    verdict = judge(tmp_path, f"{RULE}max_ratio = 0.5\n", BASE, lazy)
    assert verdict.word == "INCONCLUSIVE"
    assert "latency: the times of 40 of 50 replies of ft do not count: no whole answers" in verdict.warnings


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"in_flight": 16}, "latency: recorded under different loads, ft:quick with up to 16 and base with up to 1"),
        ({"in_flight": None}, "latency: recorded under different loads, ft:quick with an unknown number of and base"),
        ({"day": "2026-11-29"}, "latency: recorded on different days, ft:quick on 2026-11-29 and base on 2026-11-27"),
    ],
)
def test_what_else_is_in_a_ratio_is_told_with_the_verdict(tmp_path: Path, change: dict[str, object], told: str) -> None:
    """Another load, or another day, is in a ratio as the models are; a rule on checks has nothing to do with it."""
    quick = replace(QUICK, **change)  # type: ignore[arg-type]  # the table's rows are fields
    verdict = judge(tmp_path, f"{RULE}max_ratio = 0.5\n", BASE, quick)
    assert [warning for warning in verdict.warnings if warning.startswith(told)]
    alone = judge(tmp_path / "alone", f"{RULE}max = 6.0\n", BASE, quick)
    assert alone.warnings == ()


def test_candidate_without_a_latency_is_not_promoted(tmp_path: Path) -> None:
    """A rule on an eval that left the candidate out is undecided: what was not measured does not pass."""
    run = write_run(tmp_path / "runs", "b", BASE, replace(QUICK, model="other"))
    lines = (run / "records.jsonl").read_text().splitlines(keepends=True)
    kept = [
        line.replace('"eval":"latency"', '"eval":"format"') if '"model":"other"' in line else line for line in lines
    ]
    (run / "records.jsonl").write_text("".join(kept))
    policy = tmp_path / "policy.toml"
    policy.write_text(f"{RULE}max_ratio = 0.5\n")
    verdict = open_contest(
        run, policy=load_policy(policy, fixtures=tmp_path), reports=tmp_path, fixtures=tmp_path
    ).judge()
    assert verdict.word == "INCONCLUSIVE"
