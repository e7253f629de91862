"""The action does what it says: its scripts run here as a runner runs them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from ..project import OURS, ROOT, copy_shipped

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS: dict[str, dict[str, Any]] = {step["name"]: step for step in ACTION["runs"]["steps"]}
CI_PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
WORKFLOWS: list[dict[Any, Any]] = [
    yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", CI_PAGE, re.DOTALL)
]
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
ALLOWED = {"actions/checkout", "actions/setup-python", "actions/upload-artifact", "OWNER/tunegate"}

MODELS = "--model smollm2-135m-3shot --model smollm2-135m --against smollm2-135m --limit 60"
# 91 % of the long prompt's replies have the shape.
MINIMUM = {"PROMOTE": 0.7, "BLOCK": 0.99, "INCONCLUSIVE": 0.9}

# What the network would see of GitHub's own command; it answers as its service would.
GH = """#!/usr/bin/env python3
import json, os, pathlib, sys
log = pathlib.Path(os.environ["GH_LOG"])
said = sys.argv[1:]
bodies = [word.removeprefix("body=@") for word in said if word.startswith("body=@")]
line = {"said": said, "body": pathlib.Path(bodies[0]).read_text(encoding="utf-8") if bodies else None}
with log.open("a") as file:
    file.write(json.dumps(line) + chr(10))
if os.environ.get("GH_REFUSES"):
    sys.exit("HTTP 403: Resource not accessible by integration")
if "--jq" in said:
    print(os.environ.get("GH_FOUND", ""))
"""


@dataclass
class Runner:
    """A machine with the files and variables that a composite action's step finds."""

    root: Path
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("temp", "bin"):
            (self.root / name).mkdir(exist_ok=True)
        (self.root / "summary").touch()
        gh = self.root / "bin" / "gh"
        gh.write_text(GH.replace("/usr/bin/env python3", sys.executable))
        gh.chmod(0o755)

    @property
    def summary(self) -> str:
        return (self.root / "summary").read_text(encoding="utf-8")

    def calls(self) -> list[dict[str, Any]]:
        log = self.root / "gh.log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def value(self, text: str) -> str:
        """Return a value with its expressions resolved, each of which must be known."""
        known = {f"inputs.{name}": str(given.get("default", "")) for name, given in ACTION["inputs"].items()}
        known |= {f"inputs.{name}": value for name, value in self.inputs.items()}
        known |= {f"steps.gate.outputs.{name}": value for name, value in self.outputs.items()}
        known |= {"github.event.pull_request.number": "7", "github.token": "secret"}
        return EXPRESSION.sub(lambda found: known[found.group(1)], text)

    def run(self, step: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a step's script as `shell: bash` does, and take up its outputs."""
        script = self.root / "script.sh"
        script.write_text(STEPS[step]["run"], encoding="utf-8")
        output = self.root / "output"
        output.write_text("")
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.root / "work",
            env={
                **OURS,
                "PATH": os.pathsep.join([str(self.root / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]),
                "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tools")]),
                "RUNNER_TEMP": str(self.root / "temp"),
                "GITHUB_OUTPUT": str(output),
                "GITHUB_STEP_SUMMARY": str(self.root / "summary"),
                "GITHUB_REPOSITORY": "acme/models",
                "GITHUB_SERVER_URL": "https://github.com",
                "GITHUB_RUN_ID": "42",
                "GITHUB_ACTION_PATH": str(ROOT),
                "GH_LOG": str(self.root / "gh.log"),
                **{name: self.value(str(value)) for name, value in STEPS[step].get("env", {}).items()},
                **env,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.outputs |= dict(line.split("=", 1) for line in output.read_text().splitlines())
        return done


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """A runner whose checkout is what the project ships, with a policy for each verdict."""
    copy_shipped(tmp_path / "work")
    for word, minimum in MINIMUM.items():
        rule = f'[[rules]]\nname = "shape"\nmetric = "schema"\nmin = {minimum}\n'
        (tmp_path / "work" / f"{word}.toml").write_text(rule)
    return Runner(tmp_path, inputs={"run": MODELS, "policy": "PROMOTE.toml"})


def scripts() -> Iterator[tuple[str, str]]:
    """Every script of the action and of the workflows in docs/ci.md, with a name."""
    for name, step in STEPS.items():
        if "run" in step:
            yield f"action: {name}", step["run"]
    for workflow in WORKFLOWS:
        for job in workflow.get("jobs", {}).values():
            for number, step in enumerate(job["steps"], 1):
                if "run" in step:
                    yield f"{workflow['name']}: {step.get('name', number)}", step["run"]


@pytest.mark.parametrize(("name", "script"), list(scripts()), ids=[name for name, _ in scripts()])
def test_no_expression_becomes_script(name: str, script: str) -> None:
    """What people type into inputs reaches a script as a variable: `${{ }}` in it would be run. Bash can read it."""
    assert "${{" not in script, f"{name}: pass it through env"
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_every_input_is_used_and_every_one_used_is_there() -> None:
    """Inputs, their uses in the action, and the table in docs/ci.md are the same set."""
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"\binputs\.([a-z-]+)", text)) == set(ACTION["inputs"])
    table = CI_PAGE[CI_PAGE.index("| input |") : CI_PAGE.index("Outputs are")]
    rows = [line.split("|")[1] for line in table.splitlines()[2:] if line.startswith("|")]
    assert {name for row in rows for name in re.findall(r"`([a-z-]+)`", row)} == set(ACTION["inputs"])
    assert all(f"`{name}`" in CI_PAGE for name in ACTION["outputs"])


def test_every_output_is_made_by_its_step(runner: Runner) -> None:
    """No output of the action refers to something that the gate's step does not write."""
    runner.run("Gate")
    assert {name: runner.value(output["value"]) for name, output in ACTION["outputs"].items()} == {
        "verdict": "PROMOTE",
        "status": "0",
        "junit": f"{runner.outputs['folder']}/junit.xml",
    }


def test_only_githubs_own_actions_are_used() -> None:
    """Others' code does not run beside a team's models; each is pinned by its major version."""
    used = [step["uses"] for step in STEPS.values() if "uses" in step]
    for workflow in WORKFLOWS:
        used += [step["uses"] for job in workflow.get("jobs", {}).values() for step in job["steps"] if "uses" in step]
    assert {action.split("@")[0] for action in used} == ALLOWED
    assert all(re.fullmatch(r"[\w/-]+@v\d+", action) for action in used)


def test_workflows_of_the_page_fit_the_action() -> None:
    """The example's inputs exist; what runs on pull requests has no secret, and what has one may need a reviewer."""
    gate, record, _ = WORKFLOWS
    (step,) = [step for step in gate["jobs"]["gate"]["steps"] if step["uses"].startswith("OWNER/")]
    assert set(step["with"]) <= set(ACTION["inputs"])
    # YAML 1.1 reads the key `on` as true.
    assert gate[True] == "pull_request"
    assert "secrets." not in json.dumps(gate["jobs"])
    assert set(record[True]) == {"workflow_dispatch"}
    assert record["jobs"]["record"]["environment"] == "recording"
    assert gate["permissions"] == {"contents": "read", "pull-requests": "write"}


@pytest.mark.parametrize(("word", "status"), [("PROMOTE", 0), ("BLOCK", 1), ("INCONCLUSIVE", 10)])
def test_status_of_the_gate_ends_the_job_after_everything_else(runner: Runner, word: str, status: int) -> None:
    """The gate's step passes so that others can follow, outputs word and status, and the last step ends with it."""
    runner.inputs = {"run": MODELS, "policy": f"{word}.toml"}
    done = runner.run("Gate")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (runner.outputs["verdict"], runner.outputs["status"]) == (word, str(status))
    assert runner.run("Say the verdict").returncode == status
    assert runner.summary.startswith("<!-- tunegate-verdict -->")
    (suite,) = ET.parse(Path(runner.outputs["folder"]) / "junit.xml").getroot()
    names = [case.get("name") for case in suite.iter("testcase")]
    assert len(names) == 60 + 60 + 2
    assert names[-2:] == ["shape: format schema", "verdict"]


def test_inputs_reach_pytest_as_they_are(runner: Runner) -> None:
    """Quoted words stay whole, and nothing in an input is run or expanded."""
    name = "ft:a b$(touch pwned)`touch pwned`; touch pwned *"
    runner.inputs = {"run": f"{MODELS}\n-k 'units and not smollm' -q", "baseline": name}
    done = runner.run("Gate")
    assert runner.outputs["status"] == "4"
    assert f"no run called {name!r}" in done.stdout + done.stderr
    assert not list(runner.root.rglob("pwned"))


def test_wrong_arguments_leave_no_verdict(runner: Runner) -> None:
    """pytest's own status comes through where nothing was judged, and words that cannot be split fail at once."""
    runner.inputs = {"run": "--no-such-option"}
    assert runner.run("Gate").returncode == 0
    assert (runner.outputs["verdict"], runner.outputs["status"]) == ("", "4")
    assert runner.run("Say the verdict").returncode == 4
    runner.inputs = {"run": "-k 'open"}
    runner.outputs.clear()
    assert runner.run("Gate").returncode != 0
    assert "status" not in runner.outputs


def test_first_verdict_is_posted_and_later_ones_rewrite_it(runner: Runner) -> None:
    """One comment on a pull request, whatever the number of pushes."""
    runner.run("Gate")
    assert runner.run("Comment on the pull request").returncode == 0
    look, post = runner.calls()
    assert look["said"][:3] == ["api", "--paginate", "repos/acme/models/issues/7/comments?per_page=100"]
    assert post["said"][2:5] == ["--method", "POST", "repos/acme/models/issues/7/comments"]
    assert post["body"].startswith("<!-- tunegate-verdict -->")
    assert post["body"].endswith("(https://github.com/acme/models/actions/runs/42)</sub>\n")
    assert runner.run("Comment on the pull request", GH_FOUND="1001\n1002").returncode == 0
    assert runner.calls()[-1]["said"][2:5] == ["--method", "PATCH", "repos/acme/models/issues/comments/1001"]


@pytest.mark.skipif(shutil.which("jq") is None, reason="gh brings its own jq, which is not asked without gh")
def test_comment_of_somebody_else_is_not_taken_for_ours(runner: Runner) -> None:
    """The comment that is rewritten begins with the marker and was made by the workflow's own token."""
    runner.run("Gate")
    runner.run("Comment on the pull request")
    words = runner.calls()[0]["said"]
    marker = "<!-- tunegate-verdict -->"
    comments = [
        {"id": 1, "user": {"login": "mallory"}, "body": f"{marker}\nPROMOTE"},
        {"id": 2, "user": {"login": "github-actions[bot]"}, "body": f"quoting {marker}"},
        {"id": 3, "user": {"login": "github-actions[bot]"}, "body": f"{marker}\nBLOCK"},
    ]
    done = subprocess.run(
        ["jq", words[words.index("--jq") + 1]], input=json.dumps(comments), capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["3"]


def test_comment_of_an_earlier_push_does_not_stay(runner: Runner) -> None:
    """Where a push comes to no verdict, the comment says that and not what was said before."""
    runner.inputs = {"run": "--no-such-option"}
    runner.run("Gate")
    assert runner.run("Comment on the pull request", GH_FOUND="1001").returncode == 0
    body = runner.calls()[-1]["body"]
    assert body.startswith("<!-- tunegate-verdict -->\n## ⚠️ No verdict: the gate ended with status 4\n")


def test_comment_that_is_refused_changes_no_verdict(runner: Runner) -> None:
    """A pull request from a fork cannot be commented on: that is a warning."""
    runner.run("Gate")
    done = runner.run("Comment on the pull request", GH_REFUSES="1")
    assert done.returncode == 0
    assert "::warning title=tunegate::the verdict could not be put on the pull request" in done.stdout


def test_install_takes_words_quoted_as_for_a_shell(runner: Runner) -> None:
    """pip gets what was given, with quoted words whole."""
    package = runner.root / "a package"
    package.mkdir()
    (package / "tiny.py").write_text("")
    (package / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "tiny"\nversion = "1"\n[tool.hatch.build]\ninclude = ["tiny.py"]\n'
    )
    target = runner.root / "its place"
    runner.inputs = {"install": f"--no-index --no-deps --no-build-isolation --target '{target}' '{package}'"}
    done = runner.run("Install")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (target / "tiny.py").exists()
