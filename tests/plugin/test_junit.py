"""The verdict stands in pytest's own JUnit report, beside the items."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from ..project import OURS, ROOT

# As the gate does it: a wrapper around pytest's own hooks, in the process that has the report.
CONFTEST = """
import pytest
from tunegate.pytest_plugin.junit import add_cases
from tunegate.report import JunitCase

@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(session):
    yield
    add_cases(session.config, (
        JunitCase("tunegate.gate.ft:a", "not worse: format answers [law]", "passed"),
        JunitCase("tunegate.gate.ft:a", "verdict", "passed", details="all hold"),
        JunitCase("tunegate.gate.ft:b", "not worse: format <answers>\\0", "failed", "BLOCK: lost\\x1b", "12 points"),
        JunitCase("tunegate.gate.ft:b", "latency", "skipped", "INCONCLUSIVE: not decided"),
        JunitCase("tunegate.gate.ft:b", "verdict", "failed", "BLOCK: broken"),
    ))
"""
ITEMS = """
import pytest

@pytest.mark.parametrize("number", range(5))
def test_item(number):
    assert number != 3

def test_skipped():
    pytest.skip("today")
"""


@dataclass(frozen=True)
class Ended:
    status: int
    suite: ET.Element

    def count(self, name: str) -> int:
        return int(self.suite.get(name) or "-1")


def run(folder: Path, *arguments: str) -> Ended:
    """Run pytest in a process of its own and read its report."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_items.py").write_text(ITEMS)
    report = folder / "out" / "junit.xml"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", f"--junitxml={report}", *arguments],
        cwd=folder,
        env={**OURS, "PYTHONPATH": str(ROOT / "tools")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert report.exists(), done.stdout + done.stderr
    (suite,) = ET.parse(report).getroot()
    return Ended(done.returncode, suite)


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
@pytest.mark.parametrize("family", ["xunit1", "xunit2"])
def test_cases_stand_beside_the_items_and_are_counted(tmp_path: Path, workers: str, family: str) -> None:
    """With workers and without, every case is there once and the suite's counts are those of its elements."""
    ended = run(tmp_path, workers, "-o", f"junit_family={family}")
    cases = ended.suite.findall("testcase")
    assert len(cases) == ended.count("tests") == 11
    assert len(ended.suite.findall("testcase/failure")) == ended.count("failures") == 3
    assert len(ended.suite.findall("testcase/skipped")) == ended.count("skipped") == 2
    assert ended.count("errors") == 0
    ours = [case for case in cases if (case.get("classname") or "").startswith("tunegate.gate.")]
    assert [(case.get("classname"), case.get("name"), [node.tag for node in case]) for case in ours] == [
        ("tunegate.gate.ft:a", "not worse: format answers [law]", []),
        ("tunegate.gate.ft:a", "verdict", []),
        ("tunegate.gate.ft:b", "not worse: format <answers>#x00", ["failure"]),
        ("tunegate.gate.ft:b", "latency", ["skipped"]),
        ("tunegate.gate.ft:b", "verdict", ["failure"]),
    ]
    assert (ours[2][0].get("message"), ours[2][0].text) == ("BLOCK: lost#x1B", "12 points")


def test_exit_status_is_not_touched(tmp_path: Path) -> None:
    """A failed case is told in the report; the status stays the session's own."""
    assert run(tmp_path, "-k", "test_item and not 3").status == 0


def test_prefix_of_the_report_is_kept(tmp_path: Path) -> None:
    """`--junitprefix` stands before our classes as before pytest's."""
    ended = run(tmp_path, "--junitprefix=linux")
    assert all((case.get("classname") or "").startswith("linux.") for case in ended.suite.findall("testcase"))


def test_interrupted_session_still_has_its_cases(tmp_path: Path) -> None:
    """A session that is interrupted writes what ran, and the cases."""
    (tmp_path / "test_a_stop.py").write_text("import pytest\ndef test_stop():\n    raise KeyboardInterrupt\n")
    ended = run(tmp_path, "-n0")
    assert ended.status == 2
    # The item in hand has an element and no count: pytest has it so.
    assert (ended.count("tests"), len(ended.suite.findall("testcase"))) == (5, 6)
    assert len(ended.suite.findall("testcase/failure")) == ended.count("failures") == 2
