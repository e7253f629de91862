"""Probes: what a rule stands for, and which cases are held against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tunegate.gate.measures import measure_run
from tunegate.gate.policy import Policy, Rule
from tunegate.gate.probes import Match, Probe, expand
from tunegate.records import Record

from .runs import BASE, OURS, at_least, contenders, make_record, make_side, not_worse, policy_of, write_run


def match_of(runs: Path, records: Sequence[Record], **said: object) -> Match:
    (candidate,), baseline = contenders(measure_run(write_run(runs, records)))
    return Match(candidate, baseline, **said)  # type: ignore[arg-type]


def probed(policy: Policy, match: Match) -> list[tuple[str, str, str | None]]:
    return [(probe.eval, probe.metric, probe.subject) for probe in expand(policy, match).probes]


def both_sides(checks: dict[str, object], **said: object) -> list[Record]:
    return [make_record("a", checks, model=model, **said) for model in (OURS, BASE)]  # type: ignore[arg-type]


def test_glob_stands_for_each_check_of_each_eval(tmp_path: Path) -> None:
    """A rule with globs is a finding for each check that matches in each eval that matches, in order of their names."""
    records = [
        *both_sides({"schema": True, "answers": True, "keys": True}),
        *both_sides({"style": True, "answers": True}, eval_name="tone"),
    ]
    match = match_of(tmp_path, records)
    assert probed(policy_of(not_worse()), match) == [
        ("format", "answers", None), ("format", "keys", None), ("format", "schema", None),
        ("tone", "answers", None), ("tone", "style", None),
    ]  # fmt: skip
    assert probed(policy_of(not_worse(eval="f*", metric="[ak]*")), match) == [
        ("format", "answers", None),
        ("format", "keys", None),
    ]


def test_order_of_checks_in_records_does_not_matter(tmp_path: Path) -> None:
    """Findings stand in the same order whichever check was seen first."""
    names = {"b": True, "a": True}
    one = match_of(tmp_path / "one", both_sides(names))
    other = match_of(tmp_path / "other", both_sides(dict(reversed(names.items()))))
    assert probed(policy_of(not_worse()), one) == probed(policy_of(not_worse()), other)


@pytest.mark.parametrize(
    ("rule", "probe"),
    [
        (at_least(eval="tone", metric="style"), ("tone", "style", None)),
        (at_least(eval="t*"), ("t*", "*", None)),
        (at_least(metric="style"), ("format", "style", None)),
        (at_least(eval="tone", per_subject=True), ("tone", "*", None)),
        (Rule("quick", "max", 1, eval="tone", metric="latency_s"), ("tone", "latency_s", None)),
    ],
)
def test_what_is_not_there_has_a_probe(rule: Rule, probe: tuple[str, str, None], tmp_path: Path) -> None:
    """A rule whose eval or check is not there is not dropped: it stays, and finds nothing."""
    match = match_of(tmp_path, both_sides({"answers": True}))
    assert probed(policy_of(rule), match) == [probe]


def test_advisory_checks_are_meant_by_name_only(tmp_path: Path) -> None:
    """A glob leaves advisory checks out; a rule that names one means it."""
    match = match_of(tmp_path, both_sides({"answers": True, "brief": True}, advisory=("brief",)))
    assert probed(policy_of(at_least()), match) == [("format", "answers", None)]
    assert probed(policy_of(at_least(metric="brief")), match) == [("format", "brief", None)]


def test_check_the_baseline_never_judged_is_not_compared(tmp_path: Path) -> None:
    """A comparing glob leaves out what the baseline has nothing judged of, and says so."""
    records = [
        make_record("a", {"answers": True, "values": True}),
        make_record("a", {"answers": True, "values": None}, model=BASE),
    ]
    match = match_of(tmp_path, records)
    expansion = expand(policy_of(not_worse()), match)
    assert [probe.metric for probe in expansion.probes] == ["answers"]
    assert expansion.warnings == ("format values is not compared: nothing of it was judged of production",)
    assert probed(policy_of(at_least()), match) == [("format", "answers", None), ("format", "values", None)]


def test_glob_never_means_ratings_or_times(tmp_path: Path) -> None:
    """A glob stands for checks alone."""
    match = match_of(tmp_path, both_sides({"answers": True}))
    match.candidate.sheets["format"].rate("a", 3)
    assert probed(policy_of(at_least()), match) == [("format", "answers", None)]


def test_subjects_are_those_of_both_sides(tmp_path: Path) -> None:
    """A rule per subject is a finding in each subject that either side has."""
    records = [
        make_record("a", {"x": True}, subject="history"),
        make_record("b", {"x": True}, subject="law", model=BASE),
    ]
    match = match_of(tmp_path, records)
    found = [("format", "x", "history"), ("format", "x", "law")]
    assert probed(policy_of(not_worse(per_subject=True)), match) == found


def test_rule_of_two_globs_that_meet_is_looked_at_once(tmp_path: Path) -> None:
    """The same rule twice is one finding."""
    match = match_of(tmp_path, both_sides({"x": True}))
    assert len(expand(policy_of(at_least(), at_least()), match).probes) == 1


def test_other_question_under_the_same_name_is_no_pair(tmp_path: Path) -> None:
    """A case that was asked otherwise of the baseline is not compared, and the verdict says how many there are."""
    records = [
        *make_side(OURS, [True] * 4, asked="new"),
        *make_side(BASE, [True] * 3, asked="new"),
        make_record("case-0003", {"answers": True}, model=BASE, asked="old"),
    ]
    match = match_of(tmp_path, records)
    probe = Probe(not_worse(), "format", "answers")
    assert match.cases_of(probe) == ("case-0000", "case-0001", "case-0002")
    (warning,) = match.warnings()
    assert "1 of 4 cases of ft:ours were asked with another question" in warning
    allowed = Match(match.candidate, match.baseline, allow_other_prompts=True)
    assert len(allowed.cases_of(probe)) == 4
    assert list(allowed.warnings()) == []


def test_longer_prompt_before_the_same_question_is_a_pair(tmp_path: Path) -> None:
    """What comes before the last message may differ: dropping it may be the point of a fine-tune."""
    match = match_of(tmp_path, both_sides({"x": True}))
    assert match.is_pair("format", "a")


def test_cases_without_a_partner_are_told(tmp_path: Path) -> None:
    """Cases that one side alone has are not compared, and said, for either side."""
    match = match_of(tmp_path, [*make_side(OURS, [True] * 3), *make_side(BASE, [True] * 2)])
    assert list(match.warnings()) == ["format: 1 of 3 cases of ft:ours have no baseline"]
    turned = Match(*(side for side in (match.baseline, match.candidate) if side is not None))
    assert list(turned.warnings()) == ["format: 1 of 3 cases of the baseline have no score of production"]
    assert len(match.cases_of(Probe(at_least(), "format", "answers"))) == 3


def test_other_temperature_is_told_and_compared(tmp_path: Path) -> None:
    """A case that was asked at another temperature is a pair all the same, and the verdict says how many there are."""
    ours = make_side(OURS, [True] * 3)
    ours[0] = replace(ours[0], cell=replace(ours[0].cell, temperature=1.0))
    match = match_of(tmp_path, [*ours, *make_side(BASE, [True] * 3)])
    assert len(match.cases_of(Probe(not_worse(), "format", "answers"))) == 3
    (warning,) = match.warnings()
    assert "1 of 3 cases of ft:ours were asked at another temperature than those of the baseline" in warning


def test_only_the_cases_named_are_seen(tmp_path: Path) -> None:
    """With `only`, cases, checks and what the baseline judged are those of these cases."""
    records = [
        *both_sides({"x": True}),
        make_record("b", {"x": True, "late": True}),
        make_record("b", {"x": True, "late": True}, model=BASE),
    ]
    match = match_of(tmp_path, records, only={"format": frozenset({"a"})})
    assert match.cases == {"format": ("a",)}
    assert match.checks("format") == ["x"]
    assert not match.is_compared("format", "late")
    assert list(match.warnings()) == []
