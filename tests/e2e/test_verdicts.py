"""The gate on the shipped recordings: a test for each verdict, and for what must not pass."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from ..project import OURS, ROOT, Project, Result, copy_shipped

SMALL, LONG_PROMPT, OTHER = "smollm2-135m", "smollm2-135m-3shot", "gemma3-270m"
SHAPE = '[[rules]]\nname = "shape"\neval = "format"\nmetric = "schema"\n'
KEPT = '[[rules]]\nname = "kept"\neval = "format"\nmetric = "answers"\nnot_worse_by = 0.05\n'
PROMOTES = f"{SHAPE}min = 0.8\n{KEPT}"
"""Holds for the long prompt: 91 % of 200 replies have the shape."""
IS_OPEN = f"{SHAPE}min = 0.93\n{KEPT}"
"""91 % of 200 do not say on which side of 93 % the truth lies."""
BETTER = ("--model", SMALL, "--model", LONG_PROMPT, "--against", SMALL)
WORSE = ("--model", OTHER, "--model", LONG_PROMPT)

WORKERS = pytest.mark.parametrize("workers", ["0", "2"])


@pytest.fixture
def shipped(tmp_path: Path) -> Project:
    """A copy of what the project ships, so that it can be harmed."""
    return copy_shipped(tmp_path)


def gate(project: Project, *arguments: str, policy: str, workers: str, env: dict[str, str] | None = None) -> Result:
    """Replay and judge, with a JUnit file and a step's summary beside it."""
    (project.root / "policy.toml").write_text(policy)
    return project.run(
        "--gate", "--policy", "policy.toml", "--run", "gated", "--junitxml", "junit.xml", "-n", workers, *arguments,
        env={"GITHUB_STEP_SUMMARY": str(project.root / "summary.md"), "GITHUB_ACTIONS": "true", **(env or {})},
    )  # fmt: skip


def command(project: Project, *words: str) -> Result:
    """Run `tunegate` in the project."""
    done = subprocess.run(
        [sys.executable, "-m", "tunegate", *words],
        cwd=project.root,
        env={**OURS, "PYTHONPATH": str(ROOT / "tools")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Result(done.returncode, done.stdout + done.stderr)


def verdict_of(project: Project) -> dict[str, Any]:
    return dict(json.loads((project.root / "reports" / "runs" / "gated" / "verdict.json").read_text()))


def gate_cases(project: Project) -> dict[str, str]:
    """Return the outcome of every JUnit case of the gate."""
    suite = ElementTree.parse(project.root / "junit.xml").getroot().find("testsuite")
    assert suite is not None
    cases = suite.findall("testcase")
    assert int(suite.get("tests", "0")) == len(cases)
    assert int(suite.get("failures", "0")) == sum(case.find("failure") is not None for case in cases)
    return {
        case.get("name", ""): next((child.tag for child in case), "passed")
        for case in cases
        if case.get("classname", "").startswith("tunegate.gate")
    }


@WORKERS
def test_long_prompt_is_promoted(shipped: Project, workers: str) -> None:
    """A candidate of which every rule is shown to hold is PROMOTE: status 0, in the summary, in JUnit, in run.json."""
    done = gate(shipped, *BETTER, policy=PROMOTES, workers=workers)
    assert done.status == 0, done.out
    assert "verdict: PROMOTE" in done.out
    assert verdict_of(shipped)["verdict"] == "PROMOTE"
    assert "PROMOTE" in (shipped.root / "summary.md").read_text()
    cases = gate_cases(shipped)
    assert len(cases) == 3
    assert set(cases.values()) == {"passed"}
    assert shipped.header("gated")["exit_status"] == 0
    assert "missed" in done.out, "a wrong answer is still an item of its own"


@WORKERS
def test_worse_model_is_blocked(shipped: Project, workers: str) -> None:
    """A candidate of which a rule is shown to be broken is BLOCK: status 1, whatever else is open."""
    done = gate(shipped, *WORSE, policy=PROMOTES, workers=workers)
    assert done.status == 1, done.out
    assert "verdict: BLOCK" in done.out
    assert "::error title=" in done.out
    assert verdict_of(shipped)["verdict"] == "BLOCK"
    assert "BLOCK" in (shipped.root / "summary.md").read_text()
    assert set(gate_cases(shipped).values()) == {"failure"}
    assert shipped.header("gated")["exit_status"] == 1


@WORKERS
def test_too_few_cases_are_inconclusive(shipped: Project, workers: str) -> None:
    """Where a rule is neither shown to hold nor to be broken, the status is 10, and it is said what it would take."""
    done = gate(shipped, *BETTER, policy=IS_OPEN, workers=workers)
    assert done.status == 10, done.out
    assert "verdict: INCONCLUSIVE" in done.out
    assert "more cases" in done.out
    verdict = verdict_of(shipped)
    assert verdict["verdict"] == "INCONCLUSIVE"
    outcomes = {finding["rule"]: finding["outcome"] for finding in verdict["decisions"][0]["findings"]}
    assert outcomes == {"shape": "undecided", "kept": "holds"}
    assert "INCONCLUSIVE" in (shipped.root / "summary.md").read_text()
    assert sorted(gate_cases(shipped).values()) == ["failure", "failure", "passed"]
    assert shipped.header("gated")["exit_status"] == 10


def test_verdict_does_not_depend_on_workers(shipped: Project) -> None:
    """The same recordings give the same evidence to the last digit kept, however many processes replay them."""
    gate(shipped, *BETTER, policy=IS_OPEN, workers="2")
    first = verdict_of(shipped)["decisions"]
    shutil.rmtree(shipped.root / "reports")
    gate(shipped, *BETTER, policy=IS_OPEN, workers="0")
    assert verdict_of(shipped)["decisions"] == first


@WORKERS
def test_missing_recording_is_inconclusive(shipped: Project, workers: str) -> None:
    """A recording that is not there turns PROMOTE into INCONCLUSIVE: what did not run cannot pass."""
    cassette = shipped.root / "cassettes" / "format" / f"{LONG_PROMPT}.json"
    content = json.loads(cassette.read_text())
    content["interactions"].pop()
    cassette.write_text(json.dumps(content))
    done = gate(shipped, *BETTER, policy=PROMOTES, workers=workers)
    assert done.status == 10, done.out
    assert "1 of 200 planned cells have no score" in done.out
    assert verdict_of(shipped)["verdict"] == "INCONCLUSIVE"


def test_missing_cassette_is_inconclusive(shipped: Project) -> None:
    """So does a cassette that is not there at all."""
    (shipped.root / "cassettes" / "format" / f"{LONG_PROMPT}.json").unlink()
    done = gate(shipped, *BETTER, policy=PROMOTES, workers="0")
    assert done.status == 10, done.out
    assert verdict_of(shipped)["verdict"] == "INCONCLUSIVE"


def test_crashed_worker_is_inconclusive(shipped: Project) -> None:
    """A worker that dies turns PROMOTE into INCONCLUSIVE, and the verdict is the controller's all the same."""
    (shipped.root / "evals" / "conftest.py").write_text(
        "import os\nimport pathlib\nimport pytest\n\n"
        "@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_runtest_call(item):\n"
        '    crashed = pathlib.Path("crashed")\n'
        f'    if "{LONG_PROMPT}" in item.nodeid and not crashed.exists():\n'
        "        crashed.touch()\n"
        "        os._exit(3)\n"
    )
    done = gate(shipped, *BETTER, policy=PROMOTES, workers="2")
    assert done.status == 10, done.out
    assert verdict_of(shipped)["verdict"] == "INCONCLUSIVE"
    assert "1 lost" in done.out


def test_tolerance_lets_a_little_be_missing(shipped: Project) -> None:
    """What the policy tolerates does not stand in the way."""
    cassette = shipped.root / "cassettes" / "format" / f"{LONG_PROMPT}.json"
    content = json.loads(cassette.read_text())
    content["interactions"].pop()
    cassette.write_text(json.dumps(content))
    done = gate(shipped, *BETTER, policy=f"tolerance = 0.01\n{PROMOTES}", workers="0")
    assert done.status == 0, done.out


def test_another_failing_test_never_promotes(shipped: Project) -> None:
    """A test that is no eval and fails keeps its own status: the command does not end with 0."""
    (shipped.root / "evals" / "test_other.py").write_text("def test_other():\n    assert False\n")
    done = gate(shipped, *BETTER, policy=PROMOTES, workers="0")
    assert done.status == 1, done.out
    assert verdict_of(shipped)["verdict"] == "PROMOTE"


@WORKERS
def test_chosen_items_are_not_the_plan(shipped: Project, workers: str) -> None:
    """Who picks the items that pass by -k gets no PROMOTE: what was deselected did not run."""
    done = gate(shipped, *BETTER, "-k", "chemistry", policy=PROMOTES, workers=workers)
    assert done.status == 10, done.out
    assert shipped.header("gated")["deselected"] > 300
    assert "planned cells have no score" in done.out
    shutil.rmtree(shipped.root / "reports")
    done = gate(shipped, *BETTER, "--limit", "60", policy=f"{SHAPE}min = 0.5\n", workers=workers)
    assert done.status == 0, done.out
    assert shipped.header("gated")["deselected"] == 0


def test_part_of_a_run_is_not_judged(shipped: Project) -> None:
    """A shard says nothing of the whole, and is refused; joined, the parts are judged."""
    for number in (1, 2):
        assert shipped.run(*BETTER[:4], "--shard", f"{number}/2", "--run", f"part-{number}").status == 0
    (shipped.root / "policy.toml").write_text(PROMOTES)
    judge = ("--against", SMALL, "--model", LONG_PROMPT, "--policy", "policy.toml")
    done = command(shipped, "gate", "part-1", *judge)
    assert done.status == 4
    assert "shard 1/2" in done.out
    assert command(shipped, "merge", "part-1", "part-2", "--run", "whole").status == 0
    assert command(shipped, "gate", "whole", *judge).status == 0


@WORKERS
def test_asking_stops_when_all_is_decided(shipped: Project, workers: str) -> None:
    """With --until-decided fewer cases are looked at, the verdict is the same, and the same with workers."""
    done = gate(shipped, *BETTER, "--until-decided", policy=PROMOTES, workers=workers)
    assert done.status == 0, done.out
    decision = verdict_of(shipped)["decisions"][0]
    assert decision["cases_used"] < 100
    assert decision["cases_planned"] == 200
    header = shipped.header("gated")
    assert header["status"] == "finished"
    assert sum(header["states"].values()) == 2 * decision["cases_used"]


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("--model", LONG_PROMPT), "--baseline"),
        ((*BETTER, "--policy", "absent.toml"), "absent.toml"),
        ((*BETTER, "--fail-on-miss"), "--fail-on-miss"),
        ((*BETTER, "--shard", "1/2"), "tunegate merge"),
        ((*BETTER, "--baseline", "accepted/nobody"), "nobody"),
        (("--model", LONG_PROMPT, "--against", "nobody"), "'nobody' is neither"),
        ((*BETTER, "--collect-only"), "--collect-only"),
        ((*BETTER, "--dry-run"), "--dry-run"),
    ],
)
def test_mistakes_are_told_before_anything_runs(shipped: Project, arguments: tuple[str, ...], wanted: str) -> None:
    """A gate that cannot be held says why and what to do, with the status of a wrong command line."""
    (shipped.root / "fixtures" / "gates.toml").write_text(PROMOTES)
    done = shipped.run("--gate", "--run", "gated", *arguments)
    assert done.status == 4, done.out
    assert wanted in done.out
    assert not (shipped.root / "reports" / "runs" / "gated").exists()
