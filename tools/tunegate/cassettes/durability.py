"""Writing that survives: what was reported as written outlives a crash of the process or the machine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from tunegate.cassettes.address import shown_path
from tunegate.errors import CassetteError

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows: replaying works there, recording does not.
    fcntl = None


@contextlib.contextmanager
def explained(path: Path, *, doing: str) -> Iterator[None]:
    """Turn an OSError inside into a CassetteError that names the file and what was being done."""
    try:
        yield
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise CassetteError(f"cannot {doing} {shown_path(path)}: {reason}") from problem


def locking() -> ModuleType:
    """Return the module that locks files.

    Raises:
        CassetteError: this system has none (Windows).
    """
    if fcntl is None:
        raise CassetteError(
            "recording needs file locks (fcntl), which this system does not have; "
            "replaying works: run without --record, or record under Linux, macOS or WSL"
        )
    return fcntl


def sync_folder(folder: Path) -> None:
    """Wait until the names in `folder` are on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Create `folder` and what is missing above it, durably."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def replace_file(path: Path, content: bytes, *, draft: Path) -> None:
    """Put `content` in place of `path`: at every moment the old or the new version is there, complete.

    The caller holds the lock of `path`, so a draft left behind by a killed process is nobody's.
    """
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
    sync_folder(path.parent)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of `path`, waiting for it; the lock ends with the process, however that ends.

    The file stays: were it removed, two processes could each hold a lock of a file of that name.
    """
    system = locking()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        system.flock(descriptor, system.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def try_lock(path: Path) -> int | None:
    """Return a descriptor that holds the lock of `path`; None where another holds it or the file is gone."""
    system = locking()
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        system.flock(descriptor, system.LOCK_EX | system.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return int(descriptor)
