"""Journals: what a process recorded and nobody has merged yet, one interaction a line.

A process writes only its own journal and holds its lock while it lives. So a journal whose lock can be had is
complete but for a torn last line, which was never reported as recorded.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tunegate.cassettes.address import JOURNALS, journal_paths, shown_path
from tunegate.cassettes.durability import explained, locking, make_folder, sync_folder, try_lock
from tunegate.errors import CassetteError


@dataclass(frozen=True)
class Tail:
    """The complete lines of a journal from one offset on, and the offset (bytes) behind them."""

    lines: tuple[str, ...]
    end: int


def read_tail(path: Path, *, start: int) -> Tail | None:
    """Return the complete lines behind `start` (bytes); None where the journal was merged and is gone.

    Raises:
        CassetteError: the journal cannot be read.
    """
    with explained(path, doing="read"):
        try:
            with path.open("rb") as file:
                file.seek(start)
                fresh = file.read()
        except FileNotFoundError:
            return None
    whole = fresh[: fresh.rfind(b"\n") + 1]
    try:
        text = whole.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise CassetteError(f"{shown_path(path)} is damaged: {problem}") from problem
    return Tail(tuple(text.split("\n")[:-1]), start + len(whole))


class JournalWriter:
    """The journal of this process for one cassette."""

    def __init__(self, cassette: Path) -> None:
        """Create the journal and lock it.

        Raises:
            CassetteError: the folder cannot be written, or this system has no file locks.
        """
        locking()
        self.pid = os.getpid()
        folder = cassette.parent / JOURNALS
        with explained(folder, doing="record in"):
            make_journal_folder(cassette)
            self.path, self._descriptor = _create_locked(folder, cassette.stem)
            sync_folder(folder)
        self._size = 0
        self._synced = 0
        self._open = True
        self._syncing = threading.Lock()

    def append(self, line: str) -> int:
        """Write one line and return the offset (bytes) behind it, for `sync`; one thread at a time.

        Raises:
            CassetteError: it could not be written whole; the journal then ends before it.
        """
        content = line.encode("utf-8") + b"\n"
        with explained(self.path, doing="record in"):
            try:
                if os.write(self._descriptor, content) != len(content):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                # What follows must not be glued to a torn line.
                with contextlib.suppress(OSError):
                    os.ftruncate(self._descriptor, self._size)
                raise
        self._size += len(content)
        return self._size

    def sync(self, end: int) -> None:
        """Wait until everything before the offset `end` (bytes) is on disk; threads share one wait.

        Raises:
            CassetteError: the disk refused.
        """
        with self._syncing:
            # A journal that was closed is merged: its lines are in the cassette, and that is on disk.
            if self._synced >= end or not self._open:
                return
            reached = self._size
            with explained(self.path, doing="record in"):
                os.fsync(self._descriptor)
            self._synced = reached

    def close(self) -> None:
        """Let go of the lock; the journal can then be merged by anybody."""
        with self._syncing:
            self._open = False
            os.close(self._descriptor)


def _create_locked(folder: Path, stem: str) -> tuple[Path, int]:
    system = locking()
    while True:
        path = folder / f"{stem}.{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags, 0o644)
        except FileExistsError:
            continue
        system.flock(descriptor, system.LOCK_EX)
        # Between its creation and its lock, a merge may have taken the empty journal for an abandoned one.
        if os.fstat(descriptor).st_nlink:
            return path, descriptor
        os.close(descriptor)


def make_journal_folder(cassette: Path) -> None:
    """Create the folder for the journals and the lock of a cassette; git ignores what is in it."""
    folder = cassette.parent / JOURNALS
    make_folder(folder)
    mark = folder / ".gitignore"
    if not mark.exists():
        mark.write_text("*\n", encoding="utf-8")


@contextlib.contextmanager
def abandoned_journals(cassette: Path, *, own: Sequence[Path]) -> Iterator[list[Path]]:
    """Hold the journals whose writers are gone, and this process's `own`, which it holds already."""
    descriptors: list[int] = []
    paths: list[Path] = []
    try:
        for path in journal_paths(cassette):
            if path in own:
                paths.append(path)
                continue
            descriptor = try_lock(path)
            if descriptor is not None:
                descriptors.append(descriptor)
                paths.append(path)
        yield paths
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def remove_journals(paths: Sequence[Path]) -> None:
    """Remove journals whose lines are in the cassette, durably."""
    for path in paths:
        path.unlink(missing_ok=True)
    if paths:
        sync_folder(paths[0].parent)
