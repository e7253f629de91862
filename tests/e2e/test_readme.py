"""What README shows is true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tunegate.testing import ScriptedEndpoint

from ..project import ROOT, Project

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


def test_table_of_readme_is_what_the_shipped_recordings_say(tmp_path: Path) -> None:
    """Every line of the table in README is printed by a replay of the shipped recordings."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "evals", "-o", f"tunegate_runs={tmp_path}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    table = README[README.index("format: 200 cases") : README.index(" unused recordings")]
    assert table.count("\n") > 25
    printed = done.stdout
    assert [line for line in table.splitlines() if line not in printed] == []
