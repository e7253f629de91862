"""The verdict as test cases, for the many machines that read JUnit's XML and nothing else."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tunegate.gate.verdict import Decision, Finding, Outcome, Verdict, Word
from tunegate.report.verdict_words import (
    NOTHING_JUDGED,
    evidence_of,
    outlook_of,
    tell_all_coverage,
    tell_asked,
    versus,
)

JunitOutcome = Literal["passed", "failed", "skipped"]
_ROOT = "tunegate.gate"
_WORDS: dict[Outcome, Word] = {"holds": "PROMOTE", "broken": "BLOCK", "undecided": "INCONCLUSIVE"}
# As pytest has it: a tab and line ends are the only control characters that XML can hold.
_NOT_XML = re.compile("[^\t\n\r\x20-\x7e\x80-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class JunitCase:
    """One test case of a JUnit report."""

    classname: str
    name: str
    outcome: JunitOutcome
    message: str = ""
    """Why it did not pass, on one line."""
    details: str = ""


def junit_cases(verdict: Verdict) -> tuple[JunitCase, ...]:
    """Return one case for each finding and one, `verdict`, for each candidate.

    What is undecided fails, unless the policy lets it pass: then it is skipped, and still not passed.
    """
    passes = verdict.policy.on_inconclusive == "pass"
    cases = [case for decision in verdict.decisions for case in _cases(decision, passes=passes)]
    if not cases:
        cases = [_case(_ROOT, "verdict", verdict.word, message=NOTHING_JUDGED, passes=passes)]
    return tuple(cases)


def render_junit(verdict: Verdict) -> str:
    """Return a whole JUnit document."""
    from xml.etree import ElementTree as ET

    cases = junit_cases(verdict)
    counts = Counter(case.outcome for case in cases)
    suites = ET.Element("testsuites", name="tunegate")
    suite = ET.SubElement(
        suites,
        "testsuite",
        name="tunegate",
        errors="0",
        failures=str(counts["failed"]),
        skipped=str(counts["skipped"]),
        tests=str(len(cases)),
    )
    for case in cases:
        node = ET.SubElement(suite, "testcase", classname=_clean(case.classname), name=_clean(case.name))
        if case.outcome != "passed":
            tag = "failure" if case.outcome == "failed" else "skipped"
            ET.SubElement(node, tag, message=_clean(case.message)).text = _clean(case.details)
        elif case.details:
            ET.SubElement(node, "system-out").text = _clean(case.details)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(suites, encoding="unicode")}\n'


def _cases(decision: Decision, *, passes: bool) -> Iterator[JunitCase]:
    classname = f"{_ROOT}.{decision.candidate}"
    for finding in decision.findings:
        word = _WORDS[finding.outcome]
        details = "\n".join(_details(finding))
        yield _case(classname, finding.name, word, message=finding.reason, details=details, passes=passes)
    asked = tell_asked(decision)
    lines = [versus(decision), *decision.reasons, *tell_all_coverage(decision), *([asked] if asked else [])]
    message = decision.reasons[0] if decision.reasons else ""
    others = len(decision.reasons) - 1
    message += f" (and {others} more)" if others > 0 else ""
    yield _case(classname, "verdict", decision.word, message=message, details="\n".join(lines), passes=passes)


def _details(finding: Finding) -> Iterator[str]:
    yield finding.reason
    yield from evidence_of(finding)
    yield from outlook_of(finding)


def _case(classname: str, name: str, word: Word, *, message: str, passes: bool, details: str = "") -> JunitCase:
    if word == "PROMOTE":
        return JunitCase(classname, name, "passed", details=details)
    outcome: JunitOutcome = "skipped" if word == "INCONCLUSIVE" and passes else "failed"
    return JunitCase(classname, name, outcome, f"{word}: {message}", details)


def _clean(text: str) -> str:
    """Return `text` with what XML cannot hold made visible: `#x07`."""
    return _NOT_XML.sub(lambda found: f"#x{ord(found.group()):02X}", text)
