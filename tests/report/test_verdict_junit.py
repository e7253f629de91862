"""The verdict as test cases is green exactly where it says so."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

from tunegate.gate.policy import DEFAULT
from tunegate.report import junit_cases, render_junit

from .verdicts import broken, decision, difference, guard, undecided, verdict

LENIENT = replace(DEFAULT, on_inconclusive="pass")


def test_every_finding_is_a_case_and_each_candidate_has_its_verdict() -> None:
    """Findings keep their names, and the class is the candidate's."""
    cases = junit_cases(verdict(decision(difference(), guard("law")), decision(broken(), candidate="ft:b")))
    assert [(case.classname, case.name, case.outcome) for case in cases] == [
        ("tunegate.gate.ft:ours", "not worse: format answers", "passed"),
        ("tunegate.gate.ft:ours", "no subject: format answers [law]", "passed"),
        ("tunegate.gate.ft:ours", "verdict", "passed"),
        ("tunegate.gate.ft:b", "not worse: format answers", "failed"),
        ("tunegate.gate.ft:b", "verdict", "failed"),
    ]
    assert cases[3].message.startswith("BLOCK: shown to be broken: -12.0 points")
    assert "lost 27" in cases[3].details


def test_undecided_fails_unless_the_policy_lets_it_pass() -> None:
    """Then it is skipped; a broken rule fails under any policy."""
    strict = junit_cases(verdict(decision(undecided())))
    assert [case.outcome for case in strict] == ["failed", "failed"]
    assert all(case.message.startswith("INCONCLUSIVE: ") for case in strict)
    assert "about 340 more cases" in strict[0].details
    lenient = junit_cases(verdict(decision(undecided(), broken(metric="exact")), policy=LENIENT))
    assert [case.outcome for case in lenient] == ["skipped", "failed", "failed"]


def test_rules_that_hold_do_not_hide_missing_data() -> None:
    """Where every rule holds and the data have holes, the candidate's own case fails."""
    holey = decision(difference(), word="INCONCLUSIVE", reasons=("10 of 200 have no score", "and more"))
    rule, whole = junit_cases(verdict(holey))
    assert (rule.outcome, whole.outcome) == ("passed", "failed")
    assert whole.message == "INCONCLUSIVE: 10 of 200 have no score (and 1 more)"


def test_no_candidate_is_a_failure() -> None:
    """A report without a case would be green."""
    (case,) = junit_cases(verdict())
    assert (case.outcome, case.message) == ("failed", "INCONCLUSIVE: no candidate was judged")


def test_document_counts_what_it_holds() -> None:
    """Counts in the suite's attributes are those of its cases."""
    suite = ET.fromstring(render_junit(verdict(decision(difference(), broken()), decision(undecided()))))[0]
    assert {name: suite.get(name) for name in ("tests", "failures", "skipped", "errors")} == {
        "tests": "5",
        "failures": "4",
        "skipped": "0",
        "errors": "0",
    }
    assert len(suite.findall("testcase")) == 5
    assert len(suite.findall("testcase/failure")) == 4
    skipped = ET.fromstring(render_junit(verdict(decision(undecided()), policy=LENIENT)))[0]
    assert (skipped.get("failures"), skipped.get("skipped")) == ("0", "2")


def test_any_name_makes_valid_xml() -> None:
    """What XML cannot hold is made visible, markup is text, and other scripts stay as they are."""
    name = "a\x00\x1b\ud800<b>&\"'\ufffeß漢😀"
    finding = broken(rule=name, reason=f"why {name}")
    case = ET.fromstring(render_junit(verdict(decision(finding, candidate=name))))[0][0]
    shown = "a#x00#x1B#xD800<b>&\"'#xFFFEß漢😀"
    assert case.get("name") == f"{shown}: format answers"
    assert case.get("classname") == f"tunegate.gate.{shown}"
    (failure,) = case
    assert failure.get("message") == f"BLOCK: why {shown}"
