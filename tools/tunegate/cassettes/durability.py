"""Writing that survives: what was reported as written outlives a crash of the process or the machine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import IO

from tunegate.cassettes.address import shown_path
from tunegate.errors import CassetteError, RunError, UsageError

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


def sync_data(descriptor: int) -> None:
    """Wait until what was written to an open file is on disk and can be read from there."""
    # fdatasync writes the new size too, without which the data could not be read; it only spares the times.
    getattr(os, "fdatasync", os.fsync)(descriptor)


def replace_file(path: Path, chunks: Iterable[bytes], *, draft: Path) -> None:
    """Put `chunks` in place of `path`: at every moment the old or the new version is there, complete.

    A file that holds them already is not touched. The caller holds the lock of `path`, so a draft left behind
    by a killed process is nobody's.
    """
    with draft.open("wb") as file:
        is_same = _write_and_compare(chunks, file=file, path=path)
        if not is_same:
            file.flush()
            os.fsync(file.fileno())
    if is_same:
        draft.unlink()
        return
    os.replace(draft, path)
    sync_folder(path.parent)


def _write_and_compare(chunks: Iterable[bytes], *, file: IO[bytes], path: Path) -> bool:
    """Write `chunks` to `file` and say whether `path` holds the same bytes."""
    with contextlib.ExitStack() as stack:
        try:
            known = stack.enter_context(path.open("rb"))
        except FileNotFoundError:
            known = None
        is_same = known is not None
        for chunk in chunks:
            file.write(chunk)
            is_same = is_same and known is not None and known.read(len(chunk)) == chunk
        return is_same and known is not None and not known.read(1)


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


@contextlib.contextmanager
def only_process_in(folder: Path, *, lock: str, to_keep: str, busy: str) -> Iterator[None]:
    """Keep other processes out of a folder, which is made where it is missing, while the block runs.

    `lock` names the file that is held, `to_keep` says what would be kept in the folder, `busy` what to tell the second.

    Raises:
        UsageError: another process is in it.
        RunError: nothing can be written there.
        CassetteError: this system has no file locks (Windows).
    """
    try:
        make_folder(folder)
        (folder / lock).touch()
    except OSError as problem:
        raise RunError(f"no {to_keep} can be kept in {shown_path(folder)}: {problem.strerror}") from problem
    descriptor = try_lock(folder / lock)
    if descriptor is None:
        raise UsageError(busy)
    try:
        yield
    finally:
        os.close(descriptor)
