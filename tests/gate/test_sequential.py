"""Asking until everything is decided: the same words at the same case, and rarely wrong ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from tunegate.exchanges import canonical_json
from tunegate.gate.judging import judge
from tunegate.gate.measures import Measures
from tunegate.gate.order import Place, Plan, in_order
from tunegate.gate.policy import LATENCY, Policy, Rule
from tunegate.gate.stopping.anytime import mean_interval, percentile_interval
from tunegate.gate.stopping.sequential import FIRST_LOOK, SequentialJudge, judge_until_decided
from tunegate.gate.verdict import Finding, Verdict
from tunegate.gate.verdict_file import to_plain
from tunegate.records import Record
from tunegate.runs.brief_records import BriefRecord
from tunegate.stats import EProcess, Interval, NotEnoughData

from .runs import BASE, OURS, at_least, contenders, make_record, make_side, not_worse, only_finding, policy_of

GUARD = not_worse(0.3, name="by subject", per_subject=True, guard=True, family="subjects")


def measure(records: Sequence[Record]) -> Measures:
    measures = Measures("run", {"not_run": 0})
    for record in records:
        measures.add(BriefRecord.of(record))
    return measures


def plan_of(records: Sequence[Record], *, seed: int = 0) -> Plan:
    cells = [record.cell for record in records]
    return Plan.of(list(dict.fromkeys(Place(c.eval, c.case, c.subject) for c in cells)), seed=seed)


def decide(records: Sequence[Record], policy: Policy) -> Verdict:
    candidates, baseline = contenders(measure(records))
    return judge_until_decided(candidates, baseline=baseline, policy=policy, plan=plan_of(records))


def make_world(
    cases: int, chances: dict[str, float], *, seed: int = 0, evals: Sequence[str] = ("format",), slow: float = 1.0
) -> list[Record]:
    """Return records in which each model passes `x` with its chance, on cases that are as hard for all."""
    dice = np.random.default_rng(seed)
    records: list[Record] = []
    for eval_name in evals:
        hard = dice.random((cases, 4))
        for model, chance in chances.items():
            own = np.where(dice.random((cases, 4)) < 0.5, hard, dice.random((cases, 4)))
            times = dice.lognormal(0, 0.3, cases) * (slow if model != BASE else 1)
            records += [
                make_record(
                    f"case-{n:04}", {"x": [bool(one) for one in own[n] < chance]}, model=model, eval_name=eval_name,
                    subject="hls"[n % 3], latency_s=float(times[n]),
                )
                for n in range(cases)
            ]  # fmt: skip
    return records


# --- when it stops --------------------------------------------------------------------------------------------------


def test_clear_candidates_stop_early() -> None:
    """What is much better, and what is much worse, is decided after a part of the cases, and the verdict says which."""
    better = decide(make_world(1000, {OURS: 0.95, BASE: 0.8}), policy_of(Rule("better", "better_by", 0.0)))
    worse = decide(make_world(1000, {OURS: 0.6, BASE: 0.8}), policy_of(not_worse()))
    assert (better.word, worse.word) == ("PROMOTE", "BLOCK")
    for verdict in (better, worse):
        (decision,) = verdict.decisions
        assert decision.cases_planned == 1000
        assert decision.cases_used is not None
        assert decision.cases_used < 200


def test_equal_candidate_is_not_shown_to_be_better() -> None:
    """Where there is nothing to be shown, all cases are asked, and the verdict stays open."""
    verdict = decide(make_world(300, {OURS: 0.8, BASE: 0.8}, seed=2), policy_of(Rule("better", "better_by", 0.0)))
    assert (verdict.word, verdict.decisions[0].cases_used) == ("INCONCLUSIVE", 300)


def test_false_promotes_at_the_margin_are_rare_however_often_it_is_looked() -> None:
    """A candidate that is worse by just the margin is promoted with a chance of at most 2.5 %, looked at after each
    case; and one that is as good as the baseline is, most of the time, with fewer cases than there are."""
    gates, cases = 240, 250
    dice = np.random.default_rng(11)
    wrong, right, used = 0, 0, 0
    for number in range(gates):
        luck, own = dice.random(cases), dice.random(cases)
        base = luck < 0.8
        at_margin = np.where(dice.random(cases) < 0.5, luck, own) < 0.7
        records = make_side(BASE, base.tolist()) + make_side(OURS, at_margin.tolist())
        wrong += decide(records, policy_of(not_worse(0.1))).word == "PROMOTE"
        if number % 6 == 0:
            equal = make_side(BASE, base.tolist()) + make_side(OURS, (luck < 0.81).tolist())
            (decision,) = decide(equal, policy_of(not_worse(0.1))).decisions
            right += decision.word == "PROMOTE"
            used += decision.cases_used or 0
    assert wrong <= binom.ppf(0.999, gates, 0.025)
    assert right == gates // 6
    assert used / right < cases / 2


def test_ratio_is_looked_at_when_cases_have_doubled() -> None:
    """A ratio is looked at after 50 cases, then 100, and so on: so a clear one is decided at a look."""
    rule = Rule("quicker", "max_ratio", 0.8, metric=LATENCY)
    verdict = decide(make_world(400, {OURS: 0.8, BASE: 0.8}, slow=0.4), policy_of(rule))
    (decision,) = verdict.decisions
    assert (decision.word, decision.cases_used) == ("PROMOTE", FIRST_LOOK)
    near = decide(make_world(400, {OURS: 0.8, BASE: 0.8}, slow=0.72), policy_of(rule))
    assert near.decisions[0].cases_used in (100, 200, 400)


def test_ratio_of_a_small_plan_is_looked_at_in_the_end() -> None:
    """Where the plan has fewer cases than the first look wants, or ends between two looks, the end is a look."""
    rule = Rule("quicker", "max_ratio", 0.8, metric=LATENCY)
    small = decide(make_world(30, {OURS: 0.8, BASE: 0.8}, slow=0.4), policy_of(rule))
    assert (small.word, small.decisions[0].cases_used) == ("PROMOTE", 30)


def test_looks_cost_what_all_of_them_may() -> None:
    """At each look the interval is as wide as pays for all looks: 1 - 0.05 * 6 / pi^2 at the first."""
    rule = Rule("quicker", "max_ratio", 0.8, metric=LATENCY)
    finding = only_finding(decide(make_world(400, {OURS: 0.8, BASE: 0.8}, slow=0.4), policy_of(rule)))
    assert isinstance(finding.effect, Interval)
    assert finding.effect.level == pytest.approx(1 - 0.05 * 6 / np.pi**2)
    assert finding.p_holds == pytest.approx(2 * np.pi**2 / 6 / 2000)


# --- the same from the same -----------------------------------------------------------------------------------------

MANY = policy_of(
    not_worse(0.1), at_least(0.6), GUARD, Rule("quicker", "max_ratio", 0.9, metric=LATENCY),
    Rule("quick", "max", 3.0, metric=LATENCY, percentile=0.9),
)  # fmt: skip
WORLD = make_world(160, {OURS: 0.85, "ft:bad": 0.5, "ft:near": 0.76, BASE: 0.8}, evals=("format", "tone"), slow=0.6)


def as_text(verdict: Verdict) -> str:
    return canonical_json(to_plain(verdict))


@given(dice=st.randoms(use_true_random=False))
@settings(max_examples=3)
def test_order_of_arrival_does_not_change_a_digit(dice: random.Random) -> None:
    """However the lines of a run are shuffled, it is decided at the same case, with the same text."""
    header = {"not_run": 0, "matrix": [{"name": name} for name in (OURS, "ft:bad", "ft:near", BASE)]}
    texts = []
    for records in (WORLD, dice.sample(WORLD, len(WORLD))):
        measures = replace(measure(records), header=header)
        candidates, baseline = contenders(measures)
        verdict = judge_until_decided(candidates, baseline=baseline, policy=MANY, plan=plan_of(records))
        texts.append(as_text(verdict))
    assert texts[0] == texts[1]


def test_cases_after_the_decision_do_not_matter() -> None:
    """The word on each candidate is made of the cases up to its own decision: later ones may be anything at all."""
    verdict = decide(WORLD, MANY)
    used = {decision.candidate: decision.cases_used for decision in verdict.decisions}
    order = [(place.eval, place.case) for place in in_order(plan_of(WORLD).places, seed=0)]
    last = max(count for count in used.values() if count is not None)
    spoiled = [
        record
        if order.index((record.cell.eval, record.cell.case)) < used.get(record.cell.model, last)  # type: ignore[operator]
        else replace(record, checks=(), latency_s=99.0)
        for record in WORLD
    ]
    assert min(count for count in used.values() if count is not None) < last
    again = decide(spoiled, MANY)
    assert as_text(again) == as_text(verdict)


def test_decided_candidate_stays_as_it_was() -> None:
    """When a candidate is decided its findings are settled: what comes of others later changes no outcome of it."""
    candidates, baseline = contenders(measure(WORLD))
    sequential = SequentialJudge(candidates, baseline=baseline, policy=MANY, plan=plan_of(WORLD))
    frozen: dict[str, str] = {}
    decided = 0
    for place in in_order(plan_of(WORLD).places, seed=0):
        if sequential.is_over:
            break
        sequential.take(place)
        now = [candidate.model for candidate in candidates if sequential.is_decided(candidate.model)]
        if len(now) == decided:
            continue
        decided = len(now)
        for decision in sequential.verdict().decisions:
            if decision.candidate in now:
                assert frozen.setdefault(decision.candidate, repr(decision)) == repr(decision)
                assert decision.word != "INCONCLUSIVE"
    assert decided >= 2


def test_others_that_break_later_do_not_block_who_was_promoted() -> None:
    """Guards that were not broken when their candidate was promoted are not broken by what is shown of others later.

    Each finding that is shown makes Holm's correction milder for the rest of the family.
    """
    dice = np.random.default_rng(0)
    records: list[Record] = []
    for case in (f"c{n:03}" for n in range(250)):
        records.append(make_record(case, {"x": True, "y": True}, model=BASE))
        records.append(make_record(case, {"x": bool(dice.random() < 0.4), "y": True}))
        for other in range(12):
            checks = {"x": bool(dice.random() < 0.8), "y": case[-1] in "02468"}
            records.append(make_record(case, checks, model=f"ft:{other}"))
    guard = not_worse(metric="x", guard=True, family="guards")
    verdict = decide(records, policy_of(at_least(0.5, metric="y"), guard))
    words = {decision.candidate: decision.word for decision in verdict.decisions}
    assert words.pop(OURS) == "PROMOTE"
    assert set(words.values()) == {"BLOCK"}


# --- nothing is decided unseen --------------------------------------------------------------------------------------


def test_no_promotion_before_every_eval_was_seen() -> None:
    """A rule with a glob stands for every eval of the plan from the first case on: none is passed over unseen."""
    good = make_world(300, {OURS: 0.99, BASE: 0.5})
    rare = [make_record("only", {"x": False}, model=model, eval_name="tone") for model in (OURS, BASE)]
    verdict = decide(good + rare, policy_of(not_worse(0.2)))
    place = [(p.eval, p.case) for p in in_order(plan_of(good + rare).places, seed=0)].index(("tone", "only"))
    (decision,) = verdict.decisions
    assert (decision.word, decision.cases_used) == ("INCONCLUSIVE", 301)
    assert {(finding.eval, finding.outcome) for finding in decision.findings} == {
        ("format", "holds"), ("tone", "undecided"),
    }  # fmt: skip
    early = decide(good, policy_of(not_worse(0.2))).decisions[0].cases_used
    assert early is not None
    assert early < place


def test_check_that_comes_up_later_is_judged_from_the_first_case_on() -> None:
    """A check that first appears after some cases joins the rest, and what it says is the same as if expected."""
    records = make_world(120, {OURS: 0.8, BASE: 0.8})
    order = [place.case for place in in_order(plan_of(records).places, seed=0)]
    late = set(order[40:])
    more = [
        replace(one, checks=(*one.checks, *make_record("a", {"late": True}).checks)) if one.cell.case in late else one
        for one in records
    ]
    named = policy_of(at_least(0.9, metric="late"))
    globbed = policy_of(at_least(0.9, metric="la*"))
    one, other = only_finding(decide(more, named)), only_finding(decide(more, globbed))
    assert one.outcome == "holds"
    assert one == other
    alone = decide(more, policy_of(at_least(0.2))).decisions[0]
    assert (alone.cases_used or 0) < 40
    assert [finding.metric for finding in alone.findings] == ["x"]


@pytest.mark.parametrize("rule", [at_least(eval="toen", per_subject=True), at_least(metric="y"), not_worse(metric="y")])
def test_rule_about_what_is_not_there_keeps_it_open(rule: Rule) -> None:
    """A rule that finds nothing is neither dropped nor shown: the candidate is never promoted."""
    records = make_world(80, {OURS: 0.99, BASE: 0.5})
    verdict = decide(records, policy_of(at_least(0.5, name="fine"), rule))
    assert (verdict.word, verdict.decisions[0].cases_used) == ("INCONCLUSIVE", 80)
    assert verdict.decisions[0].findings[1].reason.startswith("not known: ")


def test_guards_alone_decide_nothing() -> None:
    """With guards alone nothing is shown, and all is asked."""
    verdict = decide(make_world(60, {OURS: 0.9, BASE: 0.5}), policy_of(GUARD))
    assert (verdict.word, verdict.decisions[0].cases_used) == ("INCONCLUSIVE", 60)


def test_guards_stand_in_every_subject_of_the_plan() -> None:
    """A rule per subject is a finding in each subject of the plan from the first case on, come or not."""
    records = make_world(300, {OURS: 0.99, BASE: 0.5})
    records += [make_record("only", {"x": True}, model=model, subject="late") for model in (OURS, BASE)]
    verdict = decide(records, policy_of(at_least(0.2), GUARD))
    (decision,) = verdict.decisions
    order = [place.subject for place in in_order(plan_of(records).places, seed=0)]
    assert (decision.cases_used or 0) < order.index("late")
    assert [finding.subject for finding in decision.findings] == [None, "h", "l", "late", "s"]
    assert [warning for warning in verdict.warnings if "saw nothing" in warning and "[late]" in warning]


def test_errors_on_the_way_are_gaps() -> None:
    """A case that failed adds nothing to a bet, counts among those that were taken, and is missed in the plan."""
    records = make_world(300, {OURS: 0.95, BASE: 0.6})
    first = in_order(plan_of(records).places, seed=0)[0].case
    broken = [
        replace(one, state="error", checks=()) if (one.cell.case, one.cell.model) == (first, OURS) else one
        for one in records
    ]
    whole, gap = decide(records, policy_of(not_worse())), decide(broken, policy_of(not_worse()))
    assert (whole.word, gap.word) == ("PROMOTE", "INCONCLUSIVE")
    assert gap.decisions[0].findings[0].clusters == (gap.decisions[0].cases_used or 0) - 1
    assert gap.decisions[0].reasons[0].startswith("ft:ours: 1 of 300 planned cells have no score (1 errors)")
    assert decide(broken, policy_of(not_worse(), tolerance=0.01)).word == "PROMOTE"


# --- what is told -------------------------------------------------------------------------------------------------


@given(
    chance=st.floats(0.05, 0.95), base=st.floats(0.05, 0.95), cases=st.integers(1, 70), seed=st.integers(0, 999),
    rule=st.sampled_from([
        not_worse(0.1), Rule("better", "better_by", 0.0), at_least(0.5), Rule("rare", "max", 0.4, metric="x"),
        Rule("quick", "max", 1.0, metric=LATENCY), Rule("quick", "max", 1.3, metric=LATENCY, percentile=0.8),
        Rule("quicker", "max_ratio", 0.9, metric=LATENCY),
    ]),
)  # fmt: skip
@settings(max_examples=80)
def test_interval_says_what_was_decided(chance: float, base: float, cases: int, seed: int, rule: Rule) -> None:
    """The interval of a single test lies on the side of the threshold that was shown, and on none if nothing was."""
    records = make_world(cases, {OURS: chance, BASE: base}, seed=seed, slow=0.2 + chance)
    finding = only_finding(decide(records, policy_of(rule)))
    begins = {"holds": "shown to hold: ", "broken": "shown to be broken: ", "undecided": "not "}[finding.outcome]
    assert finding.reason.startswith(begins)
    assert "at once" not in finding.reason
    assert finding.flips is None or finding.flips.p_value is None
    if isinstance(finding.effect, Interval):
        assert finding.effect.low <= finding.effect.estimate <= finding.effect.high
        assert side_of(finding) == finding.outcome


def side_of(finding: Finding) -> str:
    """Return what the interval by itself says; limits of percentiles are values, and may be the threshold itself."""
    assert isinstance(finding.effect, Interval)
    bound = -finding.threshold if finding.kind == "not_worse_by" else finding.threshold
    is_time = finding.percentile is not None
    is_high, is_low = finding.effect.low >= bound, finding.effect.high <= bound
    if is_time:
        is_high = finding.effect.low > bound
    good, bad = (is_low, is_high) if finding.kind in ("max", "max_ratio") else (is_high, is_low)
    return "holds" if good else "broken" if bad else "undecided"


@given(
    values=st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=60),
    null=st.floats(0.02, 0.98),
    level=st.sampled_from([0.8, 0.95]),
)
def test_limits_are_where_the_tests_turn(values: list[float], null: float, level: float) -> None:
    """A mean is outside the interval exactly where a test of it, by betting, is shown at half the level."""
    found = mean_interval(values, level=level, null=null)
    assert isinstance(found, Interval)
    for side, is_out in (("above", found.low > null), ("below", found.high < null)):
        test = EProcess(null, side=side)  # type: ignore[arg-type]
        for value in values:
            test.update(value)
        inside_by_estimate = found.estimate in (found.low, found.high)
        assert inside_by_estimate or is_out == test.is_shown((1 - level) / 2)


def test_percentile_at_any_time_is_wider_than_at_one() -> None:
    """Limits of a percentile that hold at any time contain those that hold once, and cover the truth."""
    dice = np.random.default_rng(2)
    missed = 0
    for _ in range(40):
        times = dice.lognormal(0, 0.5, 200).tolist()
        found = percentile_interval(times, 0.5, level=0.95, threshold=1.2)
        assert isinstance(found, Interval)
        assert found.estimate == pytest.approx(np.median(times))
        missed += not found.low <= 1 <= found.high
        assert found.high - found.low < 0.6
    assert missed <= 4
    few = percentile_interval([1.0, 2.0, 3.0] * 3, 0.95, level=0.95, threshold=1.5)
    assert isinstance(few, NotEnoughData)


def test_whole_run_decided_at_once_says_the_same_word() -> None:
    """What asking until decided says, the whole run says too, where the truth is clear."""
    candidates, baseline = contenders(measure(WORLD))
    policy = policy_of(not_worse(0.15))
    whole = judge(candidates, baseline=baseline, policy=policy)
    early = judge_until_decided(candidates, baseline=baseline, policy=policy, plan=plan_of(WORLD))
    words = {decision.candidate: decision.word for decision in whole.decisions}
    for decision in early.decisions:
        assert decision.word in (words[decision.candidate], "INCONCLUSIVE")
    assert words["ft:bad"] == "BLOCK"
