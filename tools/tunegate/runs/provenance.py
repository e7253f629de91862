"""Where a run came from: the commit, whether it was changed since, and the versions that ran it."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from tunegate.exchanges import canonical_json
from tunegate.records import Message

PACKAGES = ("openai", "jsonschema", "pytest", "pytest-benchmark", "pytest-xdist", "vcrpy")


@dataclass(frozen=True)
class CodeState:
    """The commit of the checkout and whether tracked files differ from it; None where there is no checkout."""

    commit: str | None
    dirty: bool | None


class Prompts:
    """The prompts of a run, kept as digests: two runs that asked the same have one digest, in whatever order."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def add(self, messages: Sequence[Message]) -> None:
        """Count a record's messages in; a record without any asked nothing."""
        if messages:
            self._seen.add(hashlib.sha256(canonical_json(messages).encode()).digest())

    def digest(self) -> str:
        """Return the SHA-256 (hex) over all prompts."""
        return hashlib.sha256("".join(seen.hex() for seen in sorted(self._seen)).encode()).hexdigest()


def code_state(root: Path) -> CodeState:
    """Ask git about the checkout at `root`."""
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return CodeState(None, None)
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    return CodeState(commit.strip(), None if changes is None else bool(changes.strip()))


def versions() -> dict[str, str]:
    """Return the versions of Python, tunegate and the packages whose behaviour could change a run."""
    from tunegate import __version__

    found = {"python": platform.python_version(), "tunegate": __version__}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def digests_of(folder: Path) -> dict[str, str]:
    """Return the SHA-256 (hex) of every file below `folder` that a person wrote, by its path in it."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not _is_left_by_tools(path.relative_to(folder))
    }


def _is_left_by_tools(path: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603  # the arguments are ours
            ["git", "-C", str(root), *arguments],  # noqa: S607  # whichever git the user has
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
