"""Agreement of repeats as a rule of the gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tunegate.errors import CaseFileError
from tunegate.gate.measures import measure_run
from tunegate.gate.order import Place, Plan
from tunegate.gate.policy import Rule
from tunegate.gate.policy_file import load_policy
from tunegate.gate.policy_words import explain
from tunegate.gate.stopping.sequential import judge_until_decided
from tunegate.gate.verdict import Finding
from tunegate.records import Record
from tunegate.stats import Interval, NotEnoughData, mcnemar_exact, wilson

from .runs import (
    BASE,
    OURS,
    Passed,
    at_least,
    contenders,
    judge_records,
    make_record,
    not_worse,
    only_finding,
    policy_of,
    write_run,
)


def repeated(
    cases: Sequence[Sequence[Mapping[str, Passed]]], *, model: str = OURS, advisory: Sequence[str] = ()
) -> list[Record]:
    """Return a record for each repeat of each case, with its checks."""
    return [
        make_record(f"case-{number:03}", checks, model=model, repeat=repeat, advisory=advisory)
        for number, repeats in enumerate(cases)
        for repeat, checks in enumerate(repeats, start=1)
    ]


GOOD, BAD = {"shape": True, "answers": [True, True]}, {"shape": True, "answers": [True, False]}
STEADY, SHAKY = [GOOD, GOOD, GOOD], [GOOD, BAD, GOOD]


def judged(tmp_path: Path, records: list[Record], rule: Rule) -> Finding:
    return only_finding(judge_records(tmp_path, records, policy_of(rule)))


def test_share_is_of_cases_whose_repeats_agree(tmp_path: Path) -> None:
    """Of 40 cases, 36 came out alike three times: 90 %, with Wilson's interval, a case being one yes or no."""
    finding = judged(tmp_path, repeated([STEADY] * 36 + [SHAKY] * 4), at_least(0.7, metric="agreement"))
    effect, plain = finding.effect, wilson(36, 40)
    assert isinstance(effect, Interval)
    assert isinstance(plain, Interval)
    assert (effect.estimate, effect.low, effect.high) == (0.9, plain.low, plain.high)
    assert (finding.metric, finding.outcome, finding.clusters) == ("agreement", "holds", 40)


def test_unsteady_model_is_blocked(tmp_path: Path) -> None:
    """A model that answers half of the cases now so and now otherwise does not agree in 95 %."""
    finding = judged(tmp_path, repeated([STEADY, SHAKY] * 20), at_least(0.95, metric="agreement"))
    assert finding.outcome == "broken"


def test_alike_is_not_right(tmp_path: Path) -> None:
    """Repeats agree where all are wrong in the same way, and not where another answer is wrong."""
    other = {"shape": True, "answers": [False, True]}
    cases = [[BAD, BAD]] * 10 + [[BAD, other]] * 10
    finding = judged(tmp_path, repeated(cases), at_least(0.7, metric="agreement"))
    assert isinstance(finding.effect, Interval)
    assert finding.effect.estimate == 0.5


def test_checks_that_do_not_count_do_not_disagree(tmp_path: Path) -> None:
    """An advisory check that changes leaves the agreement as it is, and so does one that was not judged each time."""
    cases = [[{"x": True, "brief": True}, {"x": True, "brief": False}]] * 2
    cases += [[{"x": True, "y": True}, {"x": True, "y": None}], [{"x": True}, {"x": False}]]
    finding = judged(tmp_path, repeated(cases, advisory=("brief",)), at_least(0.5, metric="agreement"))
    assert isinstance(finding.effect, Interval)
    assert finding.effect.estimate == 0.75


def test_one_repeat_decides_nothing(tmp_path: Path) -> None:
    """Asked once, nothing is known of agreement: INCONCLUSIVE, and the reason says what to do."""
    verdict = judge_records(tmp_path, repeated([[GOOD]] * 40), policy_of(at_least(0.5, metric="agreement")))
    finding = only_finding(verdict)
    assert (verdict.word, finding.outcome) == ("INCONCLUSIVE", "undecided")
    assert isinstance(finding.effect, NotEnoughData)
    assert "the candidate answered no case twice, and agreement needs --repeat 2 or more" in finding.reason


def test_side_that_was_not_repeated_is_named(tmp_path: Path) -> None:
    """A rule that compares needs repeats of both sides, and says whose are missing."""
    records = repeated([STEADY] * 10) + repeated([[GOOD]] * 10, model=BASE)
    finding = judged(tmp_path, records, not_worse(0.1, metric="agreement"))
    assert finding.outcome == "undecided"
    assert "the baseline answered no case twice" in finding.reason


def test_other_numbers_of_repeats_are_not_compared(tmp_path: Path) -> None:
    """Two equally unsteady models, of which one was asked more often, are not held against each other: why is said."""
    records = repeated([SHAKY] * 40) + repeated([[GOOD, GOOD]] * 40, model=BASE)
    verdict = judge_records(tmp_path, records, policy_of(not_worse(0.1, metric="agreement")))
    finding = only_finding(verdict)
    assert (verdict.word, finding.outcome) == ("INCONCLUSIVE", "undecided")
    assert isinstance(finding.effect, NotEnoughData)
    assert "no case has as many repeats on both sides (3 of the candidate, 2 of the baseline)" in finding.reason
    assert verdict.warnings == ("format agreement: 40 of 40 cases have other numbers of repeats of ft:ours",)


def test_case_that_lost_a_repeat_is_left_out_of_the_comparison(tmp_path: Path) -> None:
    """The others are compared, and the verdict says how many are not; a rule on one side alone counts them all."""
    records = repeated([STEADY] * 39 + [[GOOD, GOOD]]) + repeated([STEADY] * 40, model=BASE)
    policy = policy_of(not_worse(0.2, metric="agreement"), at_least(0.5, metric="agreement"))
    verdict = judge_records(tmp_path, records, policy)
    assert [finding.clusters for finding in verdict.decisions[0].findings] == [39, 40]
    assert verdict.warnings == ("format agreement: 1 of 40 cases have other numbers of repeats of ft:ours",)


def test_looks_after_every_case_compare_equal_repeats_alone(tmp_path: Path) -> None:
    """Asked until decided, a case with more repeats on one side is no evidence."""
    records = repeated([STEADY] * 200) + repeated([[GOOD, GOOD]] * 200, model=BASE)
    (candidate,), baseline = contenders(measure_run(write_run(tmp_path, records)))
    plan = Plan.of([Place("format", case, "history") for case in candidate.sheets["format"].cases], seed=0)
    policy = policy_of(not_worse(0.2, metric="agreement"))
    (decision,) = judge_until_decided([candidate], baseline=baseline, policy=policy, plan=plan).decisions
    assert decision.word == "INCONCLUSIVE"


def test_agreement_is_compared_case_by_case(tmp_path: Path) -> None:
    """Gained and lost are cases that came to agree and ceased to, with the exact test of McNemar."""
    ours = repeated([STEADY] * 27 + [SHAKY] * 12 + [STEADY])
    base = repeated([STEADY] * 39 + [SHAKY], model=BASE)
    finding = judged(tmp_path, [*ours, *base], not_worse(0.05, metric="agreement"))
    assert isinstance(finding.effect, Interval)
    assert finding.effect.estimate == pytest.approx((28 - 39) / 40)
    assert finding.flips is not None
    assert (finding.flips.gained, finding.flips.lost, finding.flips.p_value) == (1, 12, mcnemar_exact(1, 12))
    assert finding.outcome == "broken"


def test_agreement_may_be_looked_at_after_every_case(tmp_path: Path) -> None:
    """Asked until decided, each case adds whether its repeats agree, and a steady model needs fewer cases than all."""
    measures = measure_run(write_run(tmp_path, repeated([STEADY] * 200)))
    (candidate,), _ = contenders(measures)
    plan = Plan.of([Place("format", case, "history") for case in candidate.sheets["format"].cases], seed=0)
    policy = policy_of(at_least(0.5, metric="agreement"))
    verdict = judge_until_decided([candidate], baseline=None, policy=policy, plan=plan)
    (decision,) = verdict.decisions
    assert decision.word == "PROMOTE"
    assert decision.cases_used is not None
    assert decision.cases_used < 50


def test_glob_over_checks_never_means_agreement(tmp_path: Path) -> None:
    """Agreement is named, like a time: a rule on every check does not hold a candidate to it."""
    finding = judged(tmp_path, repeated([[{"x": True}, {"x": True}]] * 20), at_least(0.5))
    assert finding.metric == "x"


def test_policy_says_agreement_in_words(tmp_path: Path) -> None:
    """A rule on agreement is read with its kinds, and `--explain` says what it asks for."""
    file = tmp_path / "gates.toml"
    file.write_text('[[rules]]\nname = "steady"\neval = "forgetting"\nmetric = "agreement"\nmin = 0.95\n')
    policy = load_policy(None, fixtures=tmp_path)
    assert (
        "  steady: the agreement of the repeats of each case of forgetting must be shown to be at least 95 %"
        in explain(policy)
    )
    file.write_text('[[rules]]\nmetric = "agreement"\nmax = 0.95\n')
    with pytest.raises(CaseFileError, match="one of min, not_worse_by, better_by for agreement"):
        load_policy(None, fixtures=tmp_path)
