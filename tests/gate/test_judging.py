"""Judging: one correction for all findings, one word for each candidate, and reasons that never say otherwise."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from tunegate.exchanges import canonical_json
from tunegate.gate.evidence.known import Setting
from tunegate.gate.evidence.weighing import weigh
from tunegate.gate.judging import judge
from tunegate.gate.measures import Contender, Measures, measure_run
from tunegate.gate.policy import LATENCY, Policy, Rule
from tunegate.gate.probes import Match, Probe
from tunegate.gate.verdict import EXIT_STATUS, Coverage, Finding, Verdict
from tunegate.gate.verdict_file import to_plain
from tunegate.gate.wording import show_threshold
from tunegate.records import Record
from tunegate.runs.brief_records import BriefRecord
from tunegate.stats import Interval, NotEnoughData

from .runs import (
    BASE,
    OURS,
    at_least,
    contenders,
    judge_records,
    make_record,
    make_side,
    not_worse,
    only_finding,
    policy_of,
    write_run,
)

GOOD, BAD = [True] * 95 + [False] * 5, [True] * 50 + [False] * 50


def judge_here(records: Sequence[Record], policy: Policy) -> Verdict:
    """Judge records that no folder holds."""
    measures = Measures("run", {"not_run": 0})
    for record in records:
        measures.add(BriefRecord.of(record))
    candidates, baseline = contenders(measures)
    return judge(candidates, baseline=baseline, policy=policy)


def bound_of(finding: Finding) -> float:
    return -finding.threshold if finding.kind == "not_worse_by" else finding.threshold


# --- the words ------------------------------------------------------------------------------------------------------


def test_equal_candidate_with_cases_enough_is_promoted(tmp_path: Path) -> None:
    """A candidate that is shown to hold every rule is PROMOTE, with exit status 0."""
    verdict = judge_records(tmp_path, make_side(OURS, GOOD) + make_side(BASE, GOOD), policy_of(not_worse(), at_least()))
    assert (verdict.word, verdict.exit_status) == ("PROMOTE", 0)
    assert [finding.outcome for finding in verdict.decisions[0].findings] == ["holds", "holds"]
    assert verdict.decisions[0].reasons == ("all 2 findings hold",)
    assert (verdict.candidate_run, verdict.baseline_run, verdict.warnings) == ("run", None, ())


def test_broken_rule_blocks(tmp_path: Path) -> None:
    """One rule that is shown to be broken is BLOCK, with exit status 1, whatever holds beside it."""
    policy = policy_of(not_worse(), at_least(0.2))
    verdict = judge_records(tmp_path, make_side(OURS, BAD) + make_side(BASE, GOOD), policy)
    assert (verdict.word, verdict.exit_status) == ("BLOCK", 1)
    assert verdict.decisions[0].reasons == ("broken: kept: format answers",)


def test_too_few_cases_are_inconclusive(tmp_path: Path) -> None:
    """What is neither shown to hold nor to be broken is INCONCLUSIVE, with exit status 10 and what it would take."""
    verdict = judge_records(tmp_path, make_side(OURS, GOOD[85:]) + make_side(BASE, GOOD[85:]), policy_of(at_least()))
    assert (verdict.word, verdict.exit_status) == ("INCONCLUSIVE", 10)
    outlook = only_finding(verdict).outlook
    assert outlook is not None
    assert outlook.detectable is not None
    assert outlook.detectable > 0.1


@pytest.mark.parametrize(("on_inconclusive", "status"), [("stop", 10), ("block", 1), ("pass", 0)])
def test_policy_says_what_inconclusive_does(on_inconclusive: str, status: int, tmp_path: Path) -> None:
    """`on_inconclusive` changes the exit status, and the word not."""
    policy = policy_of(at_least(), on_inconclusive=on_inconclusive)
    verdict = judge_records(tmp_path, make_side(OURS, GOOD[85:]), policy)
    assert (verdict.word, verdict.exit_status) == ("INCONCLUSIVE", status)


@pytest.mark.parametrize(
    ("records", "rule"),
    [
        ([*make_side(OURS, GOOD[85:]), make_record("lost", state="lost")], at_least()),
        (make_side(OURS, GOOD), at_least(eval="tone", metric="style")),
        (make_side(OURS, [None] * 9), at_least()),
        ([make_record("a", state="error")], at_least()),
    ],
    ids=["lost", "no such eval", "nothing judged", "nothing scored"],
)
def test_what_did_not_run_never_passes(records: list[Record], rule: Rule, tmp_path: Path) -> None:
    """`on_inconclusive = "pass"` lets through what is not known, and not what did not run."""
    verdict = judge_records(tmp_path, records, policy_of(rule, on_inconclusive="pass"))
    assert (verdict.word, verdict.exit_status) == ("INCONCLUSIVE", 10)


@pytest.mark.parametrize("on_inconclusive", ["stop", "pass"])
def test_no_candidate_and_no_rule_never_promote(on_inconclusive: str, tmp_path: Path) -> None:
    """Where there is nobody to judge, no rule, or guards alone, nothing was shown, and nothing passes."""
    policy = policy_of(on_inconclusive=on_inconclusive)
    nobody = judge([], baseline=None, policy=policy)
    assert (nobody.word, nobody.exit_status) == ("INCONCLUSIVE", 10)
    no_rule = judge_records(tmp_path, make_side(OURS, GOOD), policy)
    assert (no_rule.word, no_rule.exit_status) == ("INCONCLUSIVE", 10)
    assert no_rule.decisions[0].reasons == ("no rule was applied",)
    guards = judge_here(make_side(OURS, GOOD), policy_of(at_least(guard=True)))
    assert guards.word == "INCONCLUSIVE"
    assert guards.decisions[0].reasons == ("nothing had to be shown: all rules are guards",)


def test_word_of_several_candidates_is_the_worst(tmp_path: Path) -> None:
    """A run has the worst of its candidates' words."""
    records = make_side(BASE, GOOD) + make_side(OURS, GOOD) + make_side("ft:other", BAD)
    verdict = judge_records(tmp_path, records, policy_of(not_worse()))
    assert [decision.word for decision in verdict.decisions] == ["PROMOTE", "BLOCK"]
    assert verdict.word == "BLOCK"


# --- coverage -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gap", [
    (1, 0.0, "INCONCLUSIVE"), (2, 0.02, "PROMOTE"), (3, 0.02, "INCONCLUSIVE"), (10, 0.1, "PROMOTE"),
])  # fmt: skip
@pytest.mark.parametrize("how", ["error", "lost", "not run"])
@pytest.mark.parametrize("side", [OURS, BASE])
def test_unscored_cells_beyond_the_tolerance_are_inconclusive(
    gap: tuple[int, float, str], how: str, side: str, tmp_path: Path
) -> None:
    """Errors, lost items and cells not run, on either side, leave PROMOTE alone up to the tolerance, and not beyond."""
    unscored, tolerance, word = gap
    scored = 100 - unscored
    records = make_side(OURS, [True] * 100) + make_side(BASE, [True] * 100)
    gone = {f"case-{n:04}" for n in range(scored, 100)}
    kept = [one for one in records if one.cell.model != side or one.cell.case not in gone]
    if how != "not run":
        kept += [replace(one, state=how, checks=()) for one in records if one not in kept]  # type: ignore[arg-type]
    verdict = judge_records(tmp_path, kept, policy_of(not_worse(), tolerance=tolerance), planned=200)
    assert verdict.word == word
    if word == "INCONCLUSIVE":
        counted = {"error": "errors"}.get(how, how)
        told = f"{side}: {unscored} of 100 planned cells have no score ({unscored} {counted})"
        assert any(reason.startswith(told) for reason in verdict.decisions[0].reasons)


def test_killed_run_is_never_promoted(tmp_path: Path) -> None:
    """A run that ended before it could say what it had planned is INCONCLUSIVE at any tolerance."""
    records = make_side(OURS, GOOD) + make_side(BASE, GOOD)
    verdict = judge_records(tmp_path, records, policy_of(not_worse(), tolerance=0.2), is_killed=True)
    assert verdict.word == "INCONCLUSIVE"
    assert "the run ended before it could say" in verdict.decisions[0].reasons[0]


def test_missing_cells_do_not_excuse_a_broken_rule(tmp_path: Path) -> None:
    """What is shown to be broken blocks, also where cells are missing."""
    records = [*make_side(OURS, BAD), *make_side(BASE, GOOD), make_record("x", state="error")]
    assert judge_records(tmp_path, records, policy_of(not_worse())).word == "BLOCK"


def test_gaps_of_a_baseline_that_nobody_compares_with_do_not_matter(tmp_path: Path) -> None:
    """Only where a rule compares does the baseline's coverage count."""
    records = [*make_side(OURS, GOOD), make_record("x", model=BASE, state="error")]
    verdict = judge_records(tmp_path, records, policy_of(at_least()))
    assert verdict.word == "PROMOTE"
    assert verdict.decisions[0].baseline_coverage is None


def test_refusals_and_cut_replies_are_scored(tmp_path: Path) -> None:
    """What the model did has a score: a refusal or a reply cut short is an answer that failed, and no gap."""
    records = make_side(OURS, [True] * 95)
    records += [make_record(f"r-{n}", {"answers": False}, state="refused") for n in range(3)]
    records += [make_record(f"t-{n}", {"answers": False}, state="truncated") for n in range(2)]
    finding = only_finding(judge_records(tmp_path, records, policy_of(at_least())))
    assert isinstance(finding.effect, Interval)
    assert finding.effect.estimate == pytest.approx(0.95)


# --- the correction -------------------------------------------------------------------------------------------------


def test_family_is_corrected_by_holm_in_each_direction(tmp_path: Path) -> None:
    """P-values are doubled and adjusted by Holm over all rules and candidates of a family, guards among those that may
    be broken and not among those that must hold; as statsmodels adjusts them."""
    passed = {OURS: 91, "ft:a": 88, "ft:b": 70, BASE: 90}
    records = [
        make_record(f"case-{n:03}", {"x": n < good, "y": n % 10 < 9}, model=model)
        for model, good in passed.items()
        for n in range(100)
    ]
    rules = (not_worse(), at_least(0.85, metric="x"), at_least(0.6, name="g", metric="x", guard=True))
    other = at_least(0.7, name="apart", metric="y", family="apart")
    folder = write_run(tmp_path, records)
    candidates, baseline = contenders(measure_run(folder))
    verdict = judge(candidates, baseline=baseline, policy=policy_of(*rules, other))
    setting = Setting(level=0.95, seed=0, prices={})

    findings = [(decision.candidate, one) for decision in verdict.decisions for one in decision.findings]
    by_rule = {rule.name: rule for rule in (*rules, other)}
    by_name = {candidate.model: candidate for candidate in candidates}
    for family in ("all", "apart"):
        mine = [(name, one) for name, one in findings if one.family == family]
        bare = [
            weigh(Probe(by_rule[one.rule], one.eval, one.metric), Match(by_name[name], baseline), setting)
            for name, one in mine
        ]
        for direction, kept in (("p_holds", [not one.guard for _, one in mine]), ("p_broken", [True] * len(mine))):
            chosen = [number for number, is_kept in enumerate(kept) if is_kept]
            doubled = [min(1.0, 2 * getattr(bare[number], direction)) for number in chosen]
            adjusted = multipletests(doubled, method="holm")[1]
            assert [getattr(mine[number][1], direction) for number in chosen] == pytest.approx(adjusted, abs=1e-12)
    assert len([1 for _, one in findings if one.family == "all"]) == 12
    assert all(one.p_holds is None for _, one in findings if one.guard)


def test_more_candidates_need_more_evidence(tmp_path: Path) -> None:
    """What is shown of one candidate alone may not be shown of it among many, and the reason says why."""
    ours = [True] * 88 + [False] * 12
    alone = judge_records(tmp_path / "a", make_side(OURS, ours), policy_of(at_least()))
    finding = only_finding(alone)
    assert finding.outcome == "holds"
    others = [record for n in range(9) for record in make_side(f"ft:{n}", BAD)]
    among = judge_records(tmp_path / "b", make_side(OURS, ours) + others, policy_of(at_least()))
    (same,) = among.decisions[0].findings
    assert (same.effect, same.outcome) == (finding.effect, "undecided")
    assert same.reason.startswith("not shown for all 10 findings of the family 'all' at once: 88.0 % (")


@given(
    good=st.integers(0, 120), n=st.integers(1, 120), threshold=st.floats(0.01, 0.99),
    kind=st.sampled_from(["min", "max"]), level=st.sampled_from([0.8, 0.9, 0.95, 0.99]),
)  # fmt: skip
def test_outcome_of_one_test_is_that_of_its_interval(
    good: int, n: int, threshold: float, kind: str, level: float
) -> None:
    """Where a family has one test, a rule holds, or is broken, exactly where its interval lies on one side."""
    passed = [number < good for number in range(n)]
    verdict = judge_here(make_side(OURS, passed), policy_of(Rule("r", kind, threshold), level=level))  # type: ignore[arg-type]
    finding = only_finding(verdict)
    assert isinstance(finding.effect, Interval)
    assert_agrees(finding)
    if n > 1:
        low, high = proportion_confint(sum(passed), n, alpha=1 - level, method="wilson")
        assert (finding.effect.low, finding.effect.high) == pytest.approx((low, high), abs=1e-9)


ANSWERS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)


@given(answers=ANSWERS, threshold=st.floats(0.01, 0.6), kind=st.sampled_from(["not_worse_by", "better_by"]))
def test_outcome_of_one_comparison_is_that_of_its_interval(
    answers: list[tuple[int, int]], threshold: float, kind: str
) -> None:
    """So it is for the difference between two sides, whatever the answers of their cases."""
    ours = make_side(OURS, [[n < mine for n in range(4)] for mine, _ in answers])
    base = make_side(BASE, [[n < theirs for n in range(4)] for _, theirs in answers])
    assert_agrees(only_finding(judge_here(ours + base, policy_of(Rule("r", kind, threshold)))))  # type: ignore[arg-type]


@given(
    times=st.lists(st.tuples(st.floats(0.1, 3), st.floats(0.1, 3)), min_size=1, max_size=40),
    threshold=st.floats(0.2, 3),
    rule=st.sampled_from([Rule("t", "max", 1, metric=LATENCY), Rule("p", "max", 1, metric=LATENCY, percentile=0.9),
                          Rule("r", "max_ratio", 1, metric=LATENCY)]),
)  # fmt: skip
@settings(max_examples=60)
def test_outcome_of_one_time_is_that_of_its_interval(
    times: list[tuple[float, float]], threshold: float, rule: Rule
) -> None:
    """So it is for times and their ratios, where they have an interval."""
    records = [
        make_record(f"case-{n:03}", model=model, latency_s=pair[side])
        for side, model in enumerate((OURS, BASE))
        for n, pair in enumerate(times)
    ]
    assert_agrees(only_finding(judge_here(records, policy_of(replace(rule, threshold=threshold)))))


def assert_agrees(finding: Finding) -> None:
    """Look whether outcome, interval and reason say the same."""
    effect, bound = finding.effect, bound_of(finding)
    begins = {"holds": "shown to hold: ", "broken": "shown to be broken: ", "undecided": "not "}[finding.outcome]
    assert finding.reason.startswith(begins)
    assert "at once" not in finding.reason
    if isinstance(effect, NotEnoughData):
        assert effect.reason in finding.reason
        return
    assert show_threshold(finding) in finding.reason
    is_high, is_low = effect.low > bound, effect.high < bound
    good, bad = (is_low, is_high) if finding.kind in ("max", "max_ratio") else (is_high, is_low)
    # On the threshold to the last digits, rounding may say either.
    near = min(abs(effect.low - bound), abs(effect.high - bound)) < 1e-9
    expected = "holds" if good else "broken" if bad else "undecided"
    assert near or finding.outcome == expected


# --- what is missing, guards, and words --------------------------------------------------------------------------


def test_rule_about_what_is_not_there_is_undecided(tmp_path: Path) -> None:
    """A rule that names a check which nobody made keeps the verdict open, and says which checks there are."""
    policy = policy_of(at_least(metric="anwsers"), at_least(name="ok"))
    verdict = judge_records(tmp_path, make_side(OURS, GOOD), policy)
    missing, fine = verdict.decisions[0].findings
    assert (missing.outcome, fine.outcome, verdict.word) == ("undecided", "holds", "INCONCLUSIVE")
    assert missing.reason == "not known: nothing was judged: no check is called 'anwsers', there are answers"
    assert (missing.p_holds, missing.p_broken) == (None, None)


def test_guards_block_and_need_not_be_shown(tmp_path: Path) -> None:
    """A guard per subject lets pass what is not shown, blocks what is broken, and says where it saw nothing."""
    records = [
        make_record(f"{subject}-{n:02}", {"x": model == BASE or subject == "law"}, model=model, subject=subject)
        for subject in ("history", "law")
        for n in range(20)
        for model in (OURS, BASE)
    ] + [make_record("new-1", {"x": True}, subject="new")]
    guard = not_worse(0.25, name="no subject lost", per_subject=True, guard=True, family="subjects")
    verdict = judge_records(tmp_path, records, policy_of(at_least(0.2), guard))
    found = {one.subject: one.outcome for one in verdict.decisions[0].findings}
    assert found == {None: "holds", "history": "broken", "law": "holds", "new": "holds"}
    assert verdict.word == "BLOCK"
    assert verdict.decisions[0].reasons == ("broken: no subject lost: format x [history]",)
    blind = [one for one in verdict.warnings if "saw nothing" in one]
    assert blind == [
        (
            "the guard no subject lost: format x [new] of ft:ours saw nothing: "
            "no case of the subject 'new' was scored on both sides with the same question"
        )
    ]
    law = next(one for one in verdict.decisions[0].findings if one.subject == "law")
    assert law.reason.startswith("not shown to be broken: +0.0 points (")


def test_too_few_calls_can_be_shown_to_be_slow(tmp_path: Path) -> None:
    """Where calls are too few for an interval and still too slow, the reason says both."""
    records = [make_record(f"case-{n}", latency_s=9.0 + n) for n in range(10)]
    rule = Rule("quick", "max", 2.0, metric=LATENCY, percentile=0.95)
    finding = only_finding(judge_records(tmp_path, records, policy_of(rule)))
    assert finding.outcome == "broken"
    assert finding.reason == (
        "shown to be broken: p95 at most 2 s is asked; there is no interval: 10 of 10 calls took longer than 2 s; "
        "10 values are too few for the interval of a percentile: at least 72 are needed"
    )


def test_outlook_is_what_a_plan_needs() -> None:
    """Asked again with as many cases as the outlook says, and the same shares, the rule is decided."""
    passed = [True] * 43 + [False] * 7
    finding = only_finding(judge_here(make_side(OURS, passed), policy_of(at_least(0.8))))
    assert finding.outlook is not None
    assert finding.outlook.cases_needed is not None
    more = -(-finding.outlook.cases_needed // 50)
    assert more > 1
    assert only_finding(judge_here(make_side(OURS, passed * more), policy_of(at_least(0.8)))).outcome == "holds"


def test_outlook_on_the_threshold_is_none() -> None:
    """Where the effect lies on the threshold, no number of cases would decide."""
    finding = only_finding(judge_here(make_side(OURS, [True] * 40 + [False] * 10), policy_of(at_least(0.8))))
    assert finding.outlook is not None
    assert finding.outlook.cases_needed is None


# --- the same from the same ---------------------------------------------------------------------------------------

RULES = (
    not_worse(), at_least(0.6), not_worse(0.2, name="by subject", per_subject=True, guard=True, family="s"),
    Rule("quicker", "max_ratio", 0.9, metric=LATENCY), Rule("quick", "max", 1.5, metric=LATENCY, percentile=0.8),
)  # fmt: skip


@given(dice=st.randoms(use_true_random=False))
@settings(max_examples=20)
def test_order_of_records_does_not_change_a_digit(dice: random.Random) -> None:
    """However workers interleave the lines of a run, its verdict is the same text."""
    luck = random.Random(4)
    records = [
        make_record(
            f"case-{n:02}",
            {"b": luck.random() < 0.9, "a": [luck.random() < 0.8 for _ in range(4)]},
            model=model,
            subject="hl"[n % 2],
            repeat=repeat,
            latency_s=luck.lognormvariate(0, 0.4),
        )
        for n in range(30)
        for model in (OURS, "ft:other", BASE)
        for repeat in (1, 2)
    ]
    order = sorted({record.cell.model for record in records})
    matrix = [{"name": model, "role": "baseline" if model == BASE else "candidate"} for model in order]

    def text(some: Sequence[Record]) -> str:
        measures = Measures("run", {"not_run": 0, "matrix": matrix})
        for record in some:
            measures.add(BriefRecord.of(record))
        candidates, baseline = contenders(measures)
        return canonical_json(to_plain(judge(candidates, baseline=baseline, policy=policy_of(*RULES))))

    assert text(records) == text(dice.sample(records, len(records)))


def test_verdict_names_the_runs(tmp_path: Path) -> None:
    """A baseline of another run is named by it; the exit status is the word's."""
    (ours,), _ = contenders(measure_run(write_run(tmp_path, make_side(OURS, GOOD), name="tuesday")))
    _, base = contenders(measure_run(write_run(tmp_path, make_side(BASE, GOOD), name="monday")))
    verdict = judge([ours], baseline=base, policy=policy_of(not_worse()))
    assert (verdict.candidate_run, verdict.baseline_run) == ("tuesday", "monday")
    assert verdict.exit_status == EXIT_STATUS[verdict.word] == 0


def test_missing_share_without_a_plan_is_everything() -> None:
    """Of what was never planned, nothing is covered."""
    empty = Contender("run", OURS, {}, Coverage(0, 0, 0, 0, 0))
    verdict = judge([empty], baseline=None, policy=policy_of(at_least(), tolerance=0.2))
    assert verdict.word == "INCONCLUSIVE"
    assert verdict.decisions[0].reasons[0] == "ft:ours: nothing was run"
    assert verdict.decisions[0].coverage.missing_share == 1
