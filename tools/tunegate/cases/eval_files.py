"""The evals of a folder, read without pytest: what `evaluates` hung on the tests of its files."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from tunegate.cases.evals import Eval, eval_of
from tunegate.cases.names import show_path
from tunegate.errors import UsageError

PATTERN = "test_*.py"


@dataclass(frozen=True)
class EvalTest:
    """An eval and the test that judges its replies."""

    eval: Eval
    test: Callable[..., Any]
    path: Path


def read_evals(folder: Path) -> list[EvalTest]:
    """Return the evals of the files `test_*.py` in a folder, in the order of the files; their code runs.

    Raises:
        UsageError: there is no such folder, a file cannot be loaded, or two evals have one name.
    """
    if not folder.is_dir():
        raise UsageError(f"no folder of evals at {show_path(folder)}; --evals DIR names another")
    found: dict[str, EvalTest] = {}
    for path in sorted(folder.glob(PATTERN)):
        for value in list(vars(_load(path)).values()):
            declared = eval_of(value)
            # A test that one file imports from another is declared where it is written.
            if declared is None or value.__module__ != _name_of(path):
                continue
            if declared.name in found:
                raise UsageError(
                    f"two evals are called '{declared.name}', in {show_path(found[declared.name].path)} and "
                    f"{show_path(path)}: they would share recordings"
                )
            found[declared.name] = EvalTest(declared, value, path)
    return list(found.values())


def _load(path: Path) -> ModuleType:
    name = _name_of(path)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None, "a path that ends in .py has a loader"  # noqa: S101  # narrows the type
    assert spec.loader is not None, "and the loader is there"  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up while they are made.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (SyntaxError, ImportError) as problem:
        raise UsageError(f"cannot load {show_path(path)}: {type(problem).__name__}: {problem}") from problem
    return module


def _name_of(path: Path) -> str:
    return f"tunegate_eval_file_{path.stem}"
