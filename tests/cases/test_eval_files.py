"""Evals, read from their files without pytest."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tunegate.cases.eval_files import read_evals
from tunegate.errors import UsageError

from ..project import ROOT


def test_evals_are_read_without_pytest(tmp_path: Path) -> None:
    """An eval's file is found by its name, and its declaration and its test come with it."""
    shutil.copy(ROOT / "evals" / "test_format.py", tmp_path)
    (tmp_path / "test_plain.py").write_text("from tunegate.cases import evaluates\n\ndef test_nothing(): ...\n")
    (tmp_path / "notes.py").write_text("raise RuntimeError\n")
    (found,) = read_evals(tmp_path)
    assert (found.eval.name, found.test.__name__, found.path.name) == ("format", "test_format", "test_format.py")


def test_evals_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """A missing folder, a file with a mistake and a name that stands twice are each told."""
    with pytest.raises(UsageError, match="no folder of evals"):
        read_evals(tmp_path / "nowhere")
    (tmp_path / "test_bad.py").write_text("import nothing_of_that_name\n")
    with pytest.raises(UsageError, match=r"cannot load .*test_bad\.py: ModuleNotFoundError"):
        read_evals(tmp_path)
    (tmp_path / "test_bad.py").unlink()
    for name in ("test_a.py", "test_b.py"):
        shutil.copy(ROOT / "evals" / "test_format.py", tmp_path / name)
    with pytest.raises(UsageError, match="two evals are called 'format'"):
        read_evals(tmp_path)
