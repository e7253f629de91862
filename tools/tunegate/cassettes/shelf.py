"""What one process knows of a cassette, its journals and stock vcrpy's files beside it, found by key.

Each file has an index of its own: a file that is replaced or gone takes along what it held and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tunegate.cassettes.address import READ_ONLY_SUFFIXES, journal_paths, shown_path
from tunegate.cassettes.content import Content, read_cassette
from tunegate.cassettes.durability import explained
from tunegate.cassettes.entry import Entry, Head, Key
from tunegate.cassettes.extent import Stamp, StoredFile, stamp_of
from tunegate.cassettes.index import Index, latest
from tunegate.cassettes.journal import JournalWriter, Line, read_lines
from tunegate.cassettes.miss import Catalogue
from tunegate.cassettes.vcr_format import head_of
from tunegate.errors import CassetteError

LOOK_AGAIN_S = 1.0
"""How long a look at what other processes recorded is good enough for a miss, in seconds."""


@dataclass
class _Journal:
    index: Index
    end: int = 0
    """Offset (bytes) behind what was read."""


@dataclass(frozen=True)
class Recorded:
    """A line that this process wrote."""

    head: Head
    line: bytes


class Shelf:
    """The indexes over the files of one cassette."""

    def __init__(self, path: Path, *, clock: Callable[[], float]) -> None:
        # Stock vcrpy's files first: what is recorded later stands before them.
        self._files = [*(path.with_name(path.stem + suffix) for suffix in reversed(READ_ONLY_SUFFIXES)), path]
        self._path = path
        self._clock = clock
        self._contents: dict[Path, Content] = {}
        self._damaged: dict[Path, tuple[Stamp, str]] = {}
        self._journals: dict[Path, _Journal] = {}
        self._writer: JournalWriter | None = None
        self.holdings: tuple[Mapping[Key, Entry], ...] = ()
        """What was read, a mapping for each file; where two are of one second, the later mapping's stands first."""
        self._catalogue: Catalogue | None = None
        self._looked_at: float | None = None

    def forget(self) -> None:
        """Look at the files when something is next needed; those that stayed are not read again."""
        self._looked_at = None

    def load(self) -> None:
        """Read the files unless that was done."""
        if self._looked_at is None:
            self.refresh()

    def look_again(self) -> None:
        """Read what other processes have recorded meanwhile, at most once a second."""
        if self._looked_at is None or self._clock() - self._looked_at >= LOOK_AGAIN_S:
            self.refresh()

    def refresh(self) -> None:
        """Read journals that grew, but for this process's own, and files that were replaced.

        Journals come first: one that is merged meanwhile is in the cassette that is read after it.
        """
        moment = self._clock()
        self._read_journals()
        self._read_files()
        self._arrange()
        self._looked_at = moment

    def own(self, writer: JournalWriter) -> None:
        """Take `writer` for this process's own: what it writes is put here and never read."""
        self._writer = writer

    def put(self, recorded: Sequence[Recorded], *, writer: JournalWriter, end: int) -> None:
        """Make found what this process wrote to its journal before the offset `end` (bytes)."""
        if writer.is_closed:
            # It was merged meanwhile: the cassette has the lines.
            return
        self.load()
        journal = self._journals.get(writer.path)
        if journal is None:
            journal = self._journals[writer.path] = _Journal(Index(StoredFile(writer.path, stamp=None)))
        journal.end = max(journal.end, end)
        offset = end - sum(len(one.line) + 1 for one in recorded)
        for one in recorded:
            journal.index.put(one.head, offset=offset, length=len(one.line))
            offset += len(one.line) + 1
        self._arrange()

    def get(self, key: Key) -> Entry | None:
        """Return the entry of a key, as far as it was read."""
        found: Entry | None = None
        for holding in self.holdings:
            entry = holding.get(key)
            if entry is not None and (found is None or entry.recorded_at >= found.recorded_at):
                found = entry
        return found

    def entries(self) -> list[Entry]:
        """Return all entries, as far as they were read."""
        return list(latest(_all_of(self.holdings)).values())

    def catalogue(self) -> Catalogue:
        """Return all entries, as far as they were read, arranged for explaining a miss."""
        if self._catalogue is None:
            self._catalogue = Catalogue(self.entries())
        return self._catalogue

    def _arrange(self) -> None:
        own = self._writer.path if self._writer else None
        files = [self._contents[path].entries for path in self._files if path in self._contents]
        others = [journal.index for path, journal in self._journals.items() if path != own]
        # This process's own comes last: of recordings of the same second, what it has just added is found.
        mine = [self._journals[own].index] if own in self._journals else []
        self.holdings = (*files, *others, *mine)
        self._catalogue = None

    def _is_own(self, path: Path) -> bool:
        writer = self._writer
        return writer is not None and writer.path == path and writer.pid == os.getpid() and not writer.is_closed

    def _read_journals(self) -> None:
        present = journal_paths(self._path)
        for path in present:
            if self._is_own(path):
                continue
            try:
                size = path.stat().st_size
            except FileNotFoundError:
                continue
            journal = self._journals.get(path)
            if journal is None or size < journal.end:
                # It is new, or was cut back by somebody: only a writer that failed does that, to its own lines.
                journal = self._journals[path] = _Journal(Index(StoredFile(path, stamp=None)))
            if size > journal.end:
                try:
                    _read_on(journal, path=path)
                except CassetteError:
                    # Read from its beginning the next time: only then is the damage named by its line.
                    del self._journals[path]
                    raise
        for path in self._journals.keys() - set(present):
            del self._journals[path]

    def _read_files(self) -> None:
        """Read the files whose stamp is another than when they were read."""
        for path in self._files:
            with explained(path, doing="read"):
                stamp = stamp_of(path)
            known = self._contents.get(path)
            if stamp == (known.stamp if known else None):
                continue
            if path in self._damaged and self._damaged[path][0] == stamp:
                # Thousands may ask: they are told at once, not after reading it all again.
                raise CassetteError(self._damaged[path][1])
            try:
                content = read_cassette(path) if stamp else None
            except CassetteError as problem:
                if stamp:
                    self._damaged[path] = (stamp, str(problem))
                raise
            if content is None:
                self._contents.pop(path, None)
            else:
                self._contents[path] = content


def index_journal(path: Path) -> Index:
    """Look through a journal, less a torn last line.

    Raises:
        CassetteError: the journal is damaged, with the line.
    """
    journal = _Journal(Index(StoredFile(path, stamp=None)))
    _read_on(journal, path=path)
    return journal.index


def _read_on(journal: _Journal, *, path: Path) -> None:
    for number, line in enumerate(read_lines(path, start=journal.end), 1):
        journal.index.put(_head(line, number=number, path=path), offset=line.offset, length=len(line.content))
        journal.end = line.offset + len(line.content) + 1


def _head(line: Line, *, number: int, path: Path) -> Head:
    try:
        return head_of(line.content.split(b"\t"))
    except ValueError as problem:
        raise CassetteError(
            f"line {number} of the journal {shown_path(path)} is damaged ({problem}): remove that line; "
            "the request is then asked again"
        ) from problem


def _all_of(holdings: Iterable[Mapping[Key, Entry]]) -> Iterator[Entry]:
    for holding in holdings:
        yield from holding.values()
