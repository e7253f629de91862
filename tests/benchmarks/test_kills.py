"""A run that is killed says what became of it, and goes on where it stopped."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "kills.py"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the processes of a run are found in /proc")
@pytest.mark.parametrize("kind", ["worker", "controller", "ctrl-c", "ctrl-c-alone"])
def test_killed_run_is_truthful_and_goes_on(kind: str) -> None:
    """However a run dies, its records hold what is durable, and the same command asks for exactly the rest."""
    command = [sys.executable, str(SCRIPT), "--kills", "1", "--cases", "40", "--only", kind]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 trials" in done.stdout
    assert " 0 violations" in done.stdout
