"""A small project of its own for each test: the shipped format eval, two subjects, two models."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from tunegate.records import Record
from tunegate.runs import read_records, read_run
from tunegate.testing import Scripted

ROOT = Path(__file__).resolve().parents[1]
# pytest prints more where it sees a CI's variables; what a test reads must not depend on where it runs.
_OUTER = {"CI", "BUILD_NUMBER", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"}
"""What the run that tests says of itself, and would be taken for the tested one's."""
OURS = {name: value for name, value in os.environ.items() if name not in _OUTER} | {
    "OPENAI_API_KEY": "",
    "OPENAI_BASE_URL": "",
    "COLUMNS": "120",
}


@dataclass(frozen=True)
class Result:
    """How a run of the harness ended."""

    status: int
    out: str

    def line(self, start: str) -> str:
        """Return the first line that starts with `start`."""
        found = [line for line in self.out.splitlines() if line.strip().startswith(start)]
        assert found, f"no line starts with {start!r} in:\n{self.out}"
        return found[0].strip()


class Project:
    """A folder laid out like the house, and a way to run pytest in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        remembers: bool = False,
        within: Sequence[str] = (),
    ) -> Result:
        """Run pytest in a process of its own, with the cache for `--lf` and its like where it `remembers`.

        `within` is a command that runs another one.
        """
        forgets = () if remembers else ("-p", "no:cacheprovider")
        done = subprocess.run(
            [*within, sys.executable, "-m", "pytest", *forgets, *arguments],
            cwd=cwd or self.root,
            env={**OURS, **(env or {})},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Result(done.returncode, done.stdout + done.stderr)

    def records(self, run: str) -> list[Record]:
        """Return the records of a run, in an order that does not depend on the workers."""
        found = read_records(self.root / "reports" / "runs" / run)
        return sorted(found, key=lambda record: (record.cell.model, record.cell.case, record.cell.repeat))

    def header(self, run: str) -> dict[str, Any]:
        """Return the run.json of a run."""
        return read_run(self.root / "reports" / "runs" / run)

    def cassette(self, model: str) -> Path:
        """Return the place of a model's recordings in the format eval."""
        return self.root / "cassettes" / "format" / f"{model}.json"


def answer(body: Mapping[str, Any]) -> Scripted | str:
    """Every question of the project has 2 as its right option, unless it says otherwise."""
    text = json.dumps([{str(number): "2"} for number in range(1, 5)])
    return f"Here you are: {text}" if body["model"] == "prose" else text


def make_project(root: Path, *, base_url: str) -> Project:
    """Lay out a project in `root` whose matrix asks the endpoint at `base_url`."""
    copy_evals(root)
    shutil.copytree(ROOT / "fixtures" / "schemas", root / "fixtures" / "schemas")
    shutil.copy(ROOT / "conftest.py", root)
    for part, count in (("test", 12), ("dev", 8)):
        folder = root / "fixtures" / "questions" / part
        folder.mkdir(parents=True)
        for subject in ("colours", "sums"):
            rows = [f"{part} {subject} {n}?,{n},{n + 1},{n + 2},{n + 3},B" for n in range(count)]
            (folder / f"{subject}_{part}.csv").write_text("\n".join(rows) + "\n")
    (root / "fixtures" / "models.toml").write_text(
        f'[endpoints.here]\nbase_url = "{base_url}"\nattempts = 2\n'
        '[models.plain]\nendpoint = "here"\nrole = "baseline"\n'
        '[models.prose]\nendpoint = "here"\nrole = "candidate"\n'
    )
    write_settings(root)
    return Project(root)


def copy_shipped(root: Path) -> Project:
    """Copy what the project ships for the format eval into `root`, with case files and recordings, to be harmed.

    The recordings of fine-tunes stay: they are many, and what is tested with a few models holds for all.
    """
    copy_evals(root)
    left = shutil.ignore_patterns("__pycache__", "bank", "train", "ft%3A*")
    for name in ("fixtures", "cassettes"):
        shutil.copytree(ROOT / name, root / name, ignore=left)
    shutil.copy(ROOT / "conftest.py", root)
    write_settings(root)
    return Project(root)


def copy_evals(root: Path, *names: str) -> None:
    """Copy shipped eval files into `root`: the format eval where none is named.

    Not all that there are: a run asks every eval that it finds, and what a test counts must not grow with the house.
    """
    (root / "evals").mkdir(parents=True, exist_ok=True)
    for name in names or ("test_format.py",):
        shutil.copy(ROOT / "evals" / name, root / "evals")


def load_eval(name: str) -> ModuleType:
    """Import a file of evals/ by its name, as a module whose functions can be called."""
    spec = importlib.util.spec_from_file_location(Path(name).stem.replace("test_", "eval_"), ROOT / "evals" / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there for their annotations
    spec.loader.exec_module(module)
    return module


def write_settings(root: Path) -> None:
    """Have pytest run in `root` as it does here, with the machinery of this checkout."""
    (root / "pyproject.toml").write_text(
        '[tool.pytest]\ntestpaths = ["evals"]\naddopts = ["--import-mode=importlib"]\nstrict = true\n'
        f'pythonpath = ["{ROOT / "tools"}"]\nfilterwarnings = ["error"]\n'
    )
