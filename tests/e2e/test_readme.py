"""What README shows is true."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from tunegate.testing import ScriptedEndpoint

from ..project import OURS, ROOT, Project

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_own_eval_of_readme_runs(project: Project, endpoint: ScriptedEndpoint) -> None:
    """The example is a whole eval: it is recorded, replayed and counted as it stands."""
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (project.root / "evals" / "test_capitals.py").write_text(code)
    recorded = project.run("evals/test_capitals.py", "--record=missing", "--model", "plain", "--run", "a")
    assert recorded.status == 0, recorded.out
    assert [seen.body["max_tokens"] for seen in endpoint.seen] == [8, 8]
    replayed = project.run("evals/test_capitals.py", "--model", "plain", "--run", "b")
    assert "0 live calls, 2 replayed, 0 unused recordings" in replayed.out
    assert replayed.line("city").split()[:3] == ["city", "plain", "2"]


def test_curve_of_readme_is_what_the_shipped_recordings_say(tmp_path: Path) -> None:
    """What README shows of `make eval` is what a replay of the shipped recordings, and the curve of it, print."""
    python = (sys.executable, "-m")
    replay = (
        *python,
        "pytest",
        "-p",
        "no:cacheprovider",
        "-q",
        "evals",
        "-o",
        f"tunegate_runs={tmp_path}",
        "--run",
        "r",
    )
    done = subprocess.run(replay, cwd=ROOT, env=OURS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    env = {**OURS, "PYTHONPATH": str(ROOT / "tools")}
    curve = (*python, "tunegate", "curve", str(tmp_path / "r"))
    drawn = subprocess.run(curve, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert drawn.returncode == 0, drawn.stdout + drawn.stderr
    block = README[README.index("format: schema against training examples") :]
    shown = block[: block.index("```")].splitlines()
    assert len(shown) > 15
    printed = (done.stdout + drawn.stdout).splitlines()
    assert [line for line in shown if line not in printed] == []


def test_curve_of_the_reproduction_is_that_of_readme() -> None:
    """docs/reproduction.md shows the same curve."""
    start = "format: schema against training examples"
    page = (ROOT / "docs" / "reproduction.md").read_text(encoding="utf-8")
    shown = [text[text.index(start) :].partition("```")[0] for text in (README, page)]
    assert shown[0] == shown[1]


def test_verdict_of_readme_is_what_its_command_says(tmp_path: Path) -> None:
    """The gate that README shows is what its command prints of the shipped recordings."""
    section = README[README.index("## May it take the place?") :]
    command, block = re.findall(r"```\n(.*?)```", section, re.DOTALL)[:2]
    words = shlex.split(command.removeprefix(".venv/bin/"))
    settings = ["-p", "no:cacheprovider", "-o", f"tunegate_runs={tmp_path}"]
    done = subprocess.run(
        [sys.executable, "-m", *words, *settings], cwd=ROOT, env=OURS, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    printed = done.stdout.splitlines()
    assert len(block.splitlines()) > 8
    assert [line for line in block.splitlines() if line not in printed] == []
