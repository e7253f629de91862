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
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tunegate.cassettes.address import JOURNALS, journal_paths
from tunegate.cassettes.durability import explained, locking, make_folder, sync_data, sync_folder, try_lock


class Line(NamedTuple):
    """A complete line of a journal."""

    content: bytes
    """Without the line break."""
    offset: int
    """Where it begins (bytes)."""


def read_lines(path: Path, *, start: int = 0) -> Iterator[Line]:
    """Yield the complete lines from the offset `start` (bytes) on; none where the journal was merged and is gone.

    Raises:
        CassetteError: the journal cannot be read.
    """
    with explained(path, doing="read"):
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return
        with file:
            file.seek(start)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                yield Line(line[:-1], start)
                start += len(line)


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

    def append(self, lines: Iterable[bytes]) -> int:
        """Write lines and return the offset (bytes) behind them, for `sync`; one thread at a time.

        Raises:
            CassetteError: they could not be written whole; the journal then ends behind the last whole one.
        """
        content = b"".join(line + b"\n" for line in lines)
        written = 0
        with explained(self.path, doing="record in"):
            try:
                written = os.write(self._descriptor, content)
                if written != len(content):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                # What follows must not be glued to a torn line. Whole ones stay: another process may have read them.
                self._size += content.rfind(b"\n", 0, written) + 1
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
                sync_data(self._descriptor)
            self._synced = reached

    @property
    def is_closed(self) -> bool:
        """Whether its lock was let go of: it was merged, or belongs to the process that this one was forked from."""
        return not self._open

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
    """Hold the journals whose writers are gone, and this process's `own`, which it holds already; that comes last."""
    descriptors: list[int] = []
    paths: list[Path] = []
    try:
        for path in journal_paths(cassette):
            if path in own:
                continue
            descriptor = try_lock(path)
            if descriptor is not None:
                descriptors.append(descriptor)
                paths.append(path)
        yield [*paths, *(path for path in own if path.exists())]
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def remove_journals(paths: Sequence[Path]) -> None:
    """Remove journals whose lines are in the cassette, durably."""
    for path in paths:
        path.unlink(missing_ok=True)
    if paths:
        sync_folder(paths[0].parent)
