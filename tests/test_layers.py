"""Who may look at whom, and why not."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "tools" / "tunegate"
LAYERS = {
    "records": 0, "errors": 0, "exchanges": 0,
    "checks": 1, "stats": 1, "cost": 1,
    "wire": 2, "cassettes": 2, "runs": 2, "cases": 2,
    "session": 3, "gate": 3, "report": 3, "rating": 3, "distill": 3, "lab": 3,
    "finetune": 3, "curve": 3, "money": 3, "latency": 3,
    "pytest_plugin": 4, "cli": 4, "testing": 4, "__main__": 5,
}  # fmt: skip
ALLOWED_BESIDE = {("report", "gate"), ("records", "errors"), ("exchanges", "errors"), ("stats", "checks")}
"""Rooms of one layer that may look at each other: a report reads verdicts, the words share their errors."""
EVALS_MAY_IMPORT = {"tunegate.cases", "tunegate.checks"}
PURE = {"checks", "stats", "cost"}
IMPURE_MODULES = {
    "os",
    "pathlib",
    "socket",
    "time",
    "datetime",
    "random",
    "subprocess",
    "pytest",
    "openai",
    "httpx2",
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports_of(path: Path) -> list[tuple[int, str]]:
    """Every module that `path` imports, with the line, at whatever depth the import stands."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import hides which room is meant"
            found.append((node.lineno, node.module or ""))
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_rooms_look_downwards_only(path: Path) -> None:
    """A module imports rooms of lower layers and its own room, and no other."""
    room = room_of(path)
    if room == "__init__":
        return
    assert room in LAYERS, f"the room {room!r} has no layer: say in this test where it stands"
    for line, name in imports_of(path):
        parts = name.split(".")
        if parts[0] != "tunegate" or len(parts) < 2 or parts[1] == room:
            continue
        other = parts[1]
        assert other in LAYERS, f"{path}:{line} imports the unknown room {other!r}"
        is_below = LAYERS[other] < LAYERS[room]
        assert is_below or (room, other) in ALLOWED_BESIDE, (
            f"{path.relative_to(ROOT)}:{line}: {room} (layer {LAYERS[room]}) must not look at {other} "
            f"(layer {LAYERS[other]}): arrows point downwards, and rooms of one layer are joined by one above them"
        )


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_door_knows_pytest(path: Path) -> None:
    """pytest is imported in the plugin and in `testing`, so that everything else works without it."""
    if room_of(path) in {"pytest_plugin", "testing"}:
        return
    names = [name for _, name in imports_of(path)]
    assert not [name for name in names if name.split(".")[0] in {"pytest", "_pytest", "xdist"}]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_thinking_is_pure(path: Path) -> None:
    """Checks, statistics and cost touch no file, clock, network or chance."""
    if room_of(path) not in PURE:
        return
    impure = [(line, name) for line, name in imports_of(path) if name.split(".")[0] in IMPURE_MODULES]
    assert not impure, f"{path.relative_to(ROOT)} thinks, and must not import {impure}"


@pytest.mark.parametrize("path", sorted((ROOT / "evals").glob("*.py")), ids=lambda path: path.name)
def test_evals_know_cases_and_checks_only(path: Path) -> None:
    """An eval imports `tunegate.cases` and `tunegate.checks`; the rest comes to it as pytest fixtures."""
    ours = {name for _, name in imports_of(path) if name.split(".")[0] == "tunegate"}
    assert ours <= EVALS_MAY_IMPORT


def test_tunegate_never_imports_evals() -> None:
    """The machinery would be the same for any eval."""
    names = {name.split(".")[0] for path in modules() for _, name in imports_of(path)}
    assert not names & {"evals", "fixtures", "tests"}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_are_short(path: Path) -> None:
    """No module is longer than 300 lines: a longer one has two reasons to change."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300
