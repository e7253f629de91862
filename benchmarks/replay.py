"""What a replay costs beside pytest itself: the same number of empty parametrized items, in the same run, in turns.

    python benchmarks/replay.py --cases 1000 --rounds 3

prints seconds, their ratio, and the peak memory of the largest process, without workers and with two.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from tunegate.testing import ScriptedEndpoint  # noqa: E402

ANSWER = json.dumps([{str(number): "2"} for number in range(1, 5)])
EMPTY = "import pytest\n\n@pytest.mark.parametrize('n', range({cases}))\ndef test_empty(n):\n    pass\n"


def build_project(root: Path, *, cases: int, base_url: str) -> None:
    """Lay out a project with a bank of exactly `cases` batches and one model."""
    for name in ("evals", "fixtures/schemas"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "conftest.py", root)
    folder = root / "fixtures" / "questions" / "test"
    folder.mkdir(parents=True)
    rows = [f"Which number is {n}?,{n + 1},{n},{n + 2},{n + 3},B" for n in range(4 * cases)]
    (folder / "numbers_test.csv").write_text("\n".join(rows) + "\n")
    (folder.parent / "dev").mkdir()
    (folder.parent / "dev" / "numbers_dev.csv").write_text("Which number is 7?,6,7,8,9,B\n" * 4)
    (root / "fixtures" / "models.toml").write_text(
        f'[endpoints.here]\nbase_url = "{base_url}"\n[models.m]\nendpoint = "here"\nrole = "baseline"\n'
    )
    (root / "empty").mkdir()
    (root / "empty" / "test_empty.py").write_text(EMPTY.format(cases=cases))
    (root / "pyproject.toml").write_text(
        f'[tool.pytest]\naddopts = ["--import-mode=importlib"]\npythonpath = ["{ROOT / "tools"}"]\n'
    )


def run_pytest(root: Path, *arguments: str) -> tuple[float, float]:
    """Return wall seconds and the peak resident megabytes of the largest process so far."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    start = time.perf_counter()
    done = subprocess.run(
        command, cwd=root, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "80"}
    )
    took = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return took, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main() -> None:
    """Record once from a scripted endpoint, then replay and run the empty items in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ScriptedEndpoint(lambda _: ANSWER) as endpoint:
        root = Path(folder)
        build_project(root, cases=given.cases, base_url=endpoint.base_url)
        took, _ = run_pytest(root, "evals", "--limit=all", "--record=missing", "-n0")
        print(f"recorded {given.cases} cases one after the other: {took:.2f} s")
        for workers in ("0", "2"):
            floors, replays = [], []
            for _ in range(given.rounds):
                floors.append(run_pytest(root, "empty", f"-n{workers}")[0])
                took, peak = run_pytest(root, "evals", "--limit=all", f"-n{workers}")
                replays.append(took)
            floor, replay = statistics.median(floors), statistics.median(replays)
            print(
                f"-n{workers}: {given.cases} empty items {floor:.2f} s, replay {replay:.2f} s, "
                f"ratio {replay / floor:.2f}, peak memory {peak:.0f} MB"
            )


if __name__ == "__main__":
    main()
