"""verdict.json: a verdict comes back as it was, and nothing else passes for one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.errors import RunError
from tunegate.gate.policy import KINDS, OnInconclusive, Policy, Rule
from tunegate.gate.verdict import Coverage, Decision, Finding, Flips, Outcome, Outlook, Verdict, Word
from tunegate.gate.verdict_file import from_plain, read_verdict, rounded, to_plain, write_verdict
from tunegate.stats import Interval, NotEnoughData

from .runs import BASE, OURS, at_least, judge_records, make_side, not_worse, policy_of

NUMBERS = st.floats(-1e9, 1e9, allow_nan=False)
TEXT = st.text(st.characters(), max_size=8)
COUNTS = st.integers(0, 10**9)
ESTIMATES = st.builds(Interval, NUMBERS, NUMBERS, NUMBERS, NUMBERS, COUNTS, st.none() | COUNTS) | st.builds(
    NotEnoughData, TEXT
)
NAMES = st.none() | TEXT
FINDINGS = st.builds(
    Finding, rule=TEXT, eval=TEXT, metric=TEXT, subject=NAMES, kind=st.sampled_from(KINDS), threshold=NUMBERS,
    percentile=st.none() | NUMBERS, guard=st.booleans(), family=TEXT, outcome=st.sampled_from(get_args(Outcome)),
    reason=TEXT, candidate=ESTIMATES, baseline=st.none() | ESTIMATES, effect=ESTIMATES,
    p_holds=st.none() | NUMBERS, p_broken=st.none() | NUMBERS, clusters=COUNTS,
    flips=st.none() | st.builds(Flips, COUNTS, COUNTS, st.none() | NUMBERS),
    resampled=st.none() | ESTIMATES,
    outlook=st.none() | st.builds(Outlook, st.none() | NUMBERS, st.none() | COUNTS),
)  # fmt: skip
COVERAGES = st.builds(Coverage, COUNTS, COUNTS, COUNTS, COUNTS, st.none() | COUNTS)
DECISIONS = st.builds(
    Decision, candidate=TEXT, baseline=NAMES, word=st.sampled_from(get_args(Word)),
    reasons=st.lists(TEXT, max_size=2).map(tuple), findings=st.lists(FINDINGS, max_size=2).map(tuple),
    coverage=COVERAGES, baseline_coverage=st.none() | COVERAGES, cases_used=st.none() | COUNTS,
    cases_planned=st.none() | COUNTS,
)  # fmt: skip
RULES = st.builds(
    Rule, TEXT, st.sampled_from(KINDS), NUMBERS, eval=TEXT, metric=TEXT, percentile=NUMBERS, per_subject=st.booleans(),
    guard=st.booleans(), family=TEXT,
)  # fmt: skip
POLICIES = st.builds(
    Policy, st.lists(RULES, max_size=2).map(tuple), level=NUMBERS,
    on_inconclusive=st.sampled_from(get_args(OnInconclusive)), tolerance=NUMBERS, seed=COUNTS,
    allow_other_prompts=st.booleans(), origin=TEXT,
)  # fmt: skip
KEPT = st.none() | st.dictionaries(TEXT, TEXT, min_size=1, max_size=2)
VERDICTS = st.builds(
    Verdict, TEXT, NAMES, POLICIES, st.lists(DECISIONS, max_size=2).map(tuple),
    warnings=st.lists(TEXT, max_size=2).map(tuple), certificate=KEPT, accepted=KEPT,
)  # fmt: skip


@given(VERDICTS)
def test_verdict_survives_its_text(verdict: Verdict) -> None:
    """A verdict written as JSON and read back is the same, with numbers as far as they are kept; twice is as once."""
    text = json.dumps(to_plain(verdict), allow_nan=False)
    again = from_plain(json.loads(text))
    assert json.dumps(to_plain(again), allow_nan=False) == text
    assert from_plain(to_plain(again)) == again
    assert (again.word, again.policy, again.warnings) == (verdict.word, verdict.policy, verdict.warnings)
    assert [one.findings for one in again.decisions] == [
        tuple(kept(finding) for finding in one.findings) for one in verdict.decisions
    ]


def kept(finding: Finding) -> Finding:
    """Return a finding with its numbers rounded, one by one."""

    def estimate(found: Interval | NotEnoughData | None) -> Interval | NotEnoughData | None:
        if not isinstance(found, Interval):
            return found
        numbers = {name: rounded(getattr(found, name)) for name in ("estimate", "low", "high", "level")}
        return replace(found, **numbers)

    def number(value: float | None) -> float | None:
        return None if value is None else rounded(value)

    return replace(
        finding,
        threshold=rounded(finding.threshold),
        percentile=number(finding.percentile),
        p_holds=number(finding.p_holds),
        p_broken=number(finding.p_broken),
        candidate=estimate(finding.candidate),
        baseline=estimate(finding.baseline),
        effect=estimate(finding.effect),
        resampled=estimate(finding.resampled),
        flips=finding.flips and replace(finding.flips, p_value=number(finding.flips.p_value)),
        outlook=finding.outlook and replace(finding.outlook, detectable=number(finding.outlook.detectable)),
    )  # type: ignore[arg-type]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_rounding_twice_is_rounding_once(value: float) -> None:
    """A rounded number stays as it is, and is off by no more than half of its ninth digit."""
    once = rounded(value)
    assert rounded(once) == once
    assert once == pytest.approx(value, rel=1e-8)


def test_verdict_of_a_run_is_kept_in_its_folder(tmp_path: Path) -> None:
    """What a gate found is written beside the records, in ASCII, and read from the file or from its folder."""
    verdict = judge_records(
        tmp_path, make_side(OURS, [True] * 120) + make_side(BASE, [True] * 120), policy_of(not_worse(), at_least())
    )
    path = write_verdict(tmp_path / "run", verdict)
    assert path.read_bytes().isascii()
    assert read_verdict(path) == read_verdict(tmp_path / "run") == from_plain(to_plain(verdict))
    assert sorted(one.name for one in path.parent.iterdir()) == ["records.jsonl", "run.json", "verdict.json"]
    plain = json.loads(path.read_text())
    assert (plain["format"], plain["verdict"], plain["exit_status"]) == (1, "PROMOTE", 0)


def test_number_that_is_none_is_never_written(tmp_path: Path) -> None:
    """NaN and infinity are no JSON: rather than write them, nothing is written."""
    verdict = judge_records(tmp_path, make_side(OURS, [True] * 9), policy_of(at_least()))
    (decision,) = verdict.decisions
    (finding,) = decision.findings
    for number in (float("nan"), float("inf")):
        spoiled = replace(decision, findings=(replace(finding, p_holds=number),))
        with pytest.raises(ValueError, match="not JSON compliant"):
            write_verdict(tmp_path / "run", replace(verdict, decisions=(spoiled,)))
    assert not (tmp_path / "run" / "verdict.json").exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is not a verdict"),
        ("[]", "is not a verdict"),
        ("3", "is not a verdict"),
        ("{}", "is not a verdict: KeyError('format')"),
        ('{"format": 2}', "format 2 is newer than 1; update tunegate to read it"),
        ('{"format": 1, "policy": "none"}', "is not a verdict"),
        ('{"format": 1, "policy": {"origin": "x"}}', "is not a verdict: KeyError"),
        ("\udcff", "is not a verdict"),
    ],
)
def test_what_is_no_verdict_is_refused(text: str, why: str, tmp_path: Path) -> None:
    """A file that is no verdict of a known format is refused, and the message names it and says why."""
    file = tmp_path / "verdict.json"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(RunError) as told:
        read_verdict(tmp_path)
    assert str(told.value).startswith(f"{file} is not a verdict: ")
    assert why in str(told.value)


def test_missing_verdict_is_told(tmp_path: Path) -> None:
    """Where there is none, the message says how to make one."""
    with pytest.raises(RunError, match=r"no verdict in .*: make one with `tunegate gate`"):
        read_verdict(tmp_path)
