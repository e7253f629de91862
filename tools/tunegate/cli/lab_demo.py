"""`tunegate lab demo`: from nothing to a verdict on this machine, by the commands that anybody would give."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tunegate.cli.numbers import positive
from tunegate.errors import LabError, UsageError

if TYPE_CHECKING:
    from tunegate.cases import Matrix, Model

VERDICTS = (0, 1, 10)
"""Exit statuses of a gate."""
_MATRIX = """\
[endpoints.lab]
base_url = {base_url}
max_connections = 1
timeout_s = 300

[models.{name}]
endpoint = "lab"
role = "baseline"
base = {name}
examples = 0
"""
_POLICY = """\
# The fine-tune must learn the shape that the base does not know, and be no slower.
[[rules]]
name = "shape"
eval = "format"
metric = "schema"
min = 0.80

[[rules]]
name = "shape learned"
eval = "format"
metric = "schema"
better_by = 0.5

[[rules]]
name = "no slower"
eval = "format"
metric = "latency_s"
max_ratio = 1.2
"""
_SETTINGS = """\
[tool.pytest]
testpaths = ["evals"]
addopts = ["--import-mode=importlib"]
pythonpath = [{tools}]
"""


def add_verb(verbs: Any) -> None:
    """Declare the verb; `verbs` is what argparse's add_subparsers returned."""
    demo = verbs.add_parser("demo", help="distil, fine-tune, evaluate and gate, for real, on this machine")
    add = demo.add_argument
    add("--model", default="smollm2-135m", metavar="NAME", help="row of the matrix to tune (default: smollm2-135m)")
    add("--examples", type=positive, default=50, metavar="N", help="to learn from, at least 10 (default: 50)")
    add("--cases", type=positive, default=100, metavar="N", help="to ask both models (default: 100)")
    add("-o", "--output", type=Path, default=Path("reports/lab-demo"), metavar="FOLDER",
        help="a project of its own (default: reports/lab-demo)")  # fmt: skip
    demo.set_defaults(command=run_demo)


def run_demo(arguments: argparse.Namespace) -> int:
    """Walk the whole way and return the verdict's status: 0 PROMOTE, 1 BLOCK, 10 INCONCLUSIVE."""
    from tunegate.cases import Matrix
    from tunegate.lab import LabModel, Storage, serve

    began_s = time.monotonic()
    row = _row_to_tune(Matrix.load("fixtures/models.toml"), arguments.model)
    assert row.lab is not None  # noqa: S101  # narrows the type
    root = arguments.output
    _lay_out(root)
    model = LabModel(row.model, row.lab.package, file=row.lab.file, chat_template=row.lab.chat_template)
    matrix = root / "fixtures" / "models.toml"
    with serve([model], port=_port_in(matrix), storage=Storage(root / "store")) as lab:
        if not matrix.exists():
            matrix.write_text(_MATRIX.format(base_url=json.dumps(lab.base_url), name=json.dumps(row.name)))
        elif row.name not in Matrix.load(matrix).names:
            raise UsageError(
                f"{root} is a demo of another model\n  choose another folder: -o FOLDER, or remove that one"
            )
        _say(f"a lab listens at {lab.base_url}; everything is kept in {root}")
        size = str(arguments.examples)
        steps = (
            ("tunegate", "distill", "format", "--known-answers", "--sizes", size),
            ("tunegate", "finetune", "reports/training/format-known-answers", "--model", row.name, "--sizes", size,
             "--epochs", "1", "--batch-size", "1", "--learning-rate", "1"),
        )  # fmt: skip
        for step in steps:
            status = _run(root, step)
            if status:
                raise LabError(f"this step ended with {status}: {shlex.join(step)}\n  it is worked in {root}")
        tuned = [model.name for model in Matrix.load(matrix).models if model.examples == arguments.examples]
        asked = [word for name in (row.name, *tuned) for word in ("--model", name)]
        verdict = _run(root, ("pytest", "-q", "--record=missing", "--gate", "--limit", str(arguments.cases), *asked))
    if verdict not in VERDICTS:
        raise LabError(f"there is no verdict: pytest ended with {verdict}\n  it is worked in {root}")
    minutes, seconds = divmod(round(time.monotonic() - began_s), 60)
    _say(f"from nothing to this verdict in {minutes}:{seconds:02} minutes; given again, the command replays it")
    return verdict


def _row_to_tune(matrix: Matrix, name: str) -> Model:
    rows: dict[str, Model] = {model.name: model for model in matrix.models if model.lab is not None}
    if name not in rows:
        raise UsageError(f"no row {name!r} with weights for the lab\n  there are: {', '.join(rows) or 'none'}")
    return rows[name]


def _lay_out(root: Path) -> None:
    """Copy what the evals need of this project; what an earlier demo has made there stays."""
    import tunegate

    (root / "evals").mkdir(parents=True, exist_ok=True)
    shutil.copy("evals/test_format.py", root / "evals")
    for part in ("questions", "schemas"):
        shutil.copytree(Path("fixtures") / part, root / "fixtures" / part, dirs_exist_ok=True)
    shutil.copy("fixtures/prices.toml", root / "fixtures")
    shutil.copy("conftest.py", root)
    (root / "fixtures" / "gates.toml").write_text(_POLICY)
    tools = Path(tunegate.__file__).resolve().parents[1]
    (root / "pyproject.toml").write_text(_SETTINGS.format(tools=json.dumps(str(tools))))


def _port_in(path: Path) -> int:
    """Return where an earlier demo has listened, for its recordings are of that address; 0 is any free port."""
    from tunegate.cases import Matrix

    if not path.exists():
        return 0
    (endpoint,) = Matrix.load(path).endpoints
    return urlsplit(endpoint.base_url).port or 0


def _run(root: Path, command: Sequence[str]) -> int:
    """Show a command, run it in the demo's project, and return its status."""
    import tunegate

    _say("", f"$ {shlex.join(command)}")
    tools = Path(tunegate.__file__).resolve().parents[1]
    path = os.pathsep.join(filter(None, (str(tools), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(  # noqa: S603  # the commands are those above
        [sys.executable, "-m", *command], cwd=root, env={**os.environ, "PYTHONPATH": path}, check=False
    )
    return done.returncode


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()
