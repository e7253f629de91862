"""A stretch of a file that is read when it is asked for, and a way to notice that the file is another by then.

Files are opened for each read and closed again: however many cassettes are in use, no descriptors are used up, and
where open files cannot be replaced (Windows), none is held open.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from tunegate.cassettes.address import shown_path
from tunegate.cassettes.durability import explained
from tunegate.errors import CassetteError

Stamp = tuple[int, int, int]
"""Modification time (ns), inode and size (bytes): another stamp is another version of the file."""

_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class FileReplaced(CassetteError):
    """A file is gone, or another, since it was looked through: looking again finds where its recordings are now."""


class StoredFile:
    """One version of a file."""

    __slots__ = ("_stamp", "path")

    def __init__(self, path: Path, *, stamp: Stamp | None) -> None:
        """Take `stamp` of the version that is meant; None for a journal, which only grows and is named once."""
        # What is read later must not depend on where one stands then.
        self.path = path.absolute()
        self._stamp = stamp

    def read(self, offset: int, length: int, /) -> bytes:
        """Return `length` bytes from `offset` on.

        Raises:
            FileReplaced: this version of the file is gone.
            CassetteError: the file cannot be read.
        """
        with explained(self.path, doing="read"):
            try:
                descriptor = os.open(self.path, _FLAGS)
            except FileNotFoundError:
                raise self._replaced() from None
            try:
                if self._stamp is not None and stamp_of_open(descriptor) != self._stamp:
                    raise self._replaced()
                os.lseek(descriptor, offset, os.SEEK_SET)
                content = os.read(descriptor, length)
                while len(content) < length and (more := os.read(descriptor, length - len(content))):
                    content += more
            finally:
                os.close(descriptor)
        if len(content) < length:
            raise self._replaced()
        return content

    def _replaced(self) -> FileReplaced:
        return FileReplaced(f"{shown_path(self.path)} was replaced while it was read: run the command again")


class Extent(NamedTuple):
    """Where an interaction lies."""

    file: StoredFile
    offset: int
    """Bytes."""
    length: int
    """Bytes."""

    def text(self) -> str:
        """Read it; raises as `StoredFile.read` does."""
        return self.file.read(self.offset, self.length).decode("utf-8")


def stamp_of(path: Path) -> Stamp | None:
    """Return the stamp of a file; None where there is none."""
    try:
        return _stamp(path.stat())
    except FileNotFoundError:
        return None


def stamp_of_open(descriptor: int) -> Stamp:
    """Return the stamp of an open file."""
    return _stamp(os.fstat(descriptor))


def _stamp(status: os.stat_result) -> Stamp:
    return (status.st_mtime_ns, status.st_ino, status.st_size)
