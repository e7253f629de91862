"""What one process has read of a cassette, its journals and stock vcrpy's files beside it, found by key."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tunegate.cassettes.address import READ_ONLY_SUFFIXES, journal_paths, shown_path
from tunegate.cassettes.content import Content, read_cassette, stamp_of
from tunegate.cassettes.durability import explained
from tunegate.cassettes.entry import Entry, Key
from tunegate.cassettes.journal import read_tail
from tunegate.cassettes.vcr_format import entry_of_journal
from tunegate.errors import CassetteError


class Shelf:
    """An index over the files of one cassette."""

    def __init__(self, path: Path) -> None:
        # Stock vcrpy's files first: what is recorded later stands before them.
        self._files = [*(path.with_name(path.stem + suffix) for suffix in reversed(READ_ONLY_SUFFIXES)), path]
        self._path = path
        self.forget()

    def forget(self) -> None:
        """Read everything again when it is next needed."""
        self._contents: dict[Path, Content] = {}
        self._journals: dict[Path, tuple[int, list[Entry]]] = {}
        self._index: dict[Key, Entry] = {}
        self._loaded = False

    def load(self) -> None:
        """Read the files unless that was done."""
        if not self._loaded:
            self.refresh()

    def refresh(self) -> None:
        """Read journals that grew and files that were replaced.

        Journals come first: one that is merged meanwhile is in the cassette that is read after it.
        """
        fresh = self._read_journals()
        if self._read_files():
            self._index = latest(
                entry
                for entries in (
                    *(self._contents[path].entries for path in self._files if path in self._contents),
                    *(entries for _, entries in self._journals.values()),
                )
                for entry in entries
            )
        else:
            for entry in fresh:
                self.put(entry)
        self._loaded = True

    def put(self, entry: Entry) -> None:
        """Make an entry found unless a newer one is there."""
        if not self._loaded:
            self.refresh()
        _prefer_later(self._index, entry)

    def get(self, key: Key) -> Entry | None:
        """Return the entry of a key, as far as it was read."""
        return self._index.get(key)

    def entries(self) -> list[Entry]:
        """Return all entries, as far as they were read."""
        return list(self._index.values())

    def _read_journals(self) -> list[Entry]:
        fresh: list[Entry] = []
        present = journal_paths(self._path)
        for path in present:
            start, entries = self._journals.get(path, (0, []))
            try:
                size = path.stat().st_size
            except FileNotFoundError:
                continue
            if size == start:
                continue
            if size < start:
                # A write that failed half-way was taken back.
                start, entries = 0, []
            tail = read_tail(path, start=start)
            if tail is None:
                continue
            added = _parsed(tail.lines, path=path)
            self._journals[path] = (tail.end, [*entries, *added])
            fresh.extend(added)
        for path in self._journals.keys() - set(present):
            del self._journals[path]
        return fresh

    def _read_files(self) -> bool:
        """Read the files whose stamp is another than when they were read; say whether there were any."""
        changed = False
        for path in self._files:
            with explained(path, doing="read"):
                stamp = stamp_of(path)
            known = self._contents.get(path)
            if stamp == (known.stamp if known else None):
                continue
            content = read_cassette(path) if stamp else None
            if content is None:
                self._contents.pop(path, None)
            else:
                self._contents[path] = content
            changed = True
        return changed or not self._loaded


def read_journal(path: Path) -> list[Entry]:
    """Return the interactions of a journal, less a torn last line.

    Raises:
        CassetteError: the journal is damaged, with the line.
    """
    tail = read_tail(path, start=0)
    return _parsed(tail.lines, path=path) if tail else []


def latest(entries: Iterable[Entry]) -> dict[Key, Entry]:
    """Return one entry for each key: the newest, and the last of those recorded in the same second."""
    index: dict[Key, Entry] = {}
    for entry in entries:
        _prefer_later(index, entry)
    return index


def _prefer_later(index: dict[Key, Entry], entry: Entry) -> None:
    known = index.get(entry.key)
    if known is None or entry.recorded_at >= known.recorded_at:
        index[entry.key] = entry


def _parsed(lines: Iterable[str], *, path: Path) -> list[Entry]:
    entries: list[Entry] = []
    for number, line in enumerate(lines, 1):
        try:
            entries.append(entry_of_journal(line))
        except ValueError as problem:
            raise CassetteError(
                f"line {number} of the journal {shown_path(path)} is damaged ({problem}): remove that line; "
                "the request is then asked again"
            ) from problem
    return entries
