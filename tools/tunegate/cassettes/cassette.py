"""The recordings of one eval and model: found, added to, merged."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from tunegate.cassettes.address import READ_ONLY_SUFFIXES, draft_path, journal_paths, lock_path, shown_path
from tunegate.cassettes.content import read_cassette
from tunegate.cassettes.durability import explained, locked, replace_file
from tunegate.cassettes.entry import Entry, Head, Key
from tunegate.cassettes.extent import FileReplaced
from tunegate.cassettes.index import latest
from tunegate.cassettes.journal import JournalWriter, abandoned_journals, make_journal_folder, remove_journals
from tunegate.cassettes.miss import explain_miss
from tunegate.cassettes.redaction import Redactor
from tunegate.cassettes.retention import kept_exchange
from tunegate.cassettes.shelf import Recorded, Shelf, index_journal
from tunegate.cassettes.vcr_format import cassette_chunks, encode_exchange, spells_surrogates
from tunegate.errors import CassetteError
from tunegate.exchanges import Exchange, Request

T = TypeVar("T")
_LOOKS = 5
"""How often a file may be replaced under one reader before it gives up."""


class Cassette:
    """The recordings of one eval and model; safe to use from several threads."""

    def __init__(
        self,
        path: Path,
        *,
        eval_name: str,
        model: str,
        redactor: Redactor,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Name a cassette; `clock` (seconds) says how long ago other processes' journals were looked at."""
        self.path = path
        self.eval_name = eval_name
        self.model = model
        self._redactor = redactor
        self._shelf = Shelf(path, clock=clock)
        self._reading = threading.RLock()
        # Taken before `_reading` where both are needed: adding waits for the disk, and finding must not.
        self._writing = threading.RLock()
        self._journal: JournalWriter | None = None

    def find(self, request: Request, *, repeat: int, refresh: bool = False) -> Exchange | None:
        """Return the recorded exchange of a request, or None; its body, status and headers as they came.

        With `refresh`, a miss is looked up again in what other processes have recorded up to a second ago.

        Raises:
            CassetteError: the cassette, a journal or this recording is damaged.
        """
        key = Key(request.fingerprint, repeat)

        def read() -> Exchange | None:
            entry = self._entry(key, refresh=refresh)
            return entry.exchange(request) if entry else None

        try:
            return self._steadily(read)
        except CassetteError as problem:
            place = shown_path(self.path)
            raise CassetteError(str(problem) if place in str(problem) else f"{place}: {problem}") from problem

    def holds(self, request: Request, *, repeat: int) -> bool:
        """Whether a request is recorded, as far as the files were read; the recording itself is not looked at.

        Raises:
            CassetteError: the cassette or a journal is damaged.
        """
        return self._steadily(lambda: self._entry(Key(request.fingerprint, repeat), refresh=False)) is not None

    def add(self, exchange: Exchange) -> Exchange:
        """Record one exchange; see `add_all`."""
        return self.add_all([exchange])[0]

    def add_all(self, exchanges: Sequence[Exchange]) -> list[Exchange]:
        """Record exchanges, free of secrets; when this returns, they survive a crash of process or machine.

        A later recording of the same request and repeat replaces an earlier one.

        Returns:
            Each as `find` returns it from now on. What keeping did not change is the very same object (the body,
            the timing, the note, or the whole exchange), so that what was read from it still holds.

        Raises:
            CassetteError: they cannot be written, or this system has no file locks.
        """
        return self._record([(exchange, exchange.request.fingerprint) for exchange in exchanges])

    def adopt(self, entries: Iterable[Entry]) -> None:
        """Record what was read elsewhere, under the keys that it has there; see `add_all`.

        Raises:
            CassetteError: one of them is damaged, or they cannot be written.
        """
        self._record([(entry.exchange(), entry.key.fingerprint) for entry in entries])

    def explain(self, request: Request, *, case: str, repeat: int) -> str:
        """Say in three lines what was looked for, where, and how the nearest recording differs."""

        def compare() -> str:
            with self._reading:
                self._shelf.load()
                catalogue = self._shelf.catalogue()
            return explain_miss(catalogue, request=request, repeat=repeat, case=case, redactor=self._redactor)

        miss = self._steadily(compare)
        return (
            f"no recording for {self.eval_name}[{case}] of {self.model!r}, repeat {repeat}\n"
            f"  looked in {shown_path(self.path)}\n"
            f"  {miss}"
        )

    def keys(self) -> frozenset[tuple[str, int]]:
        """Return (fingerprint, repeat) of every recording."""
        with self._reading:
            self._shelf.refresh()
            return frozenset((key.fingerprint, key.repeat) for holding in self._shelf.holdings for key in holding)

    def urls(self) -> frozenset[str]:
        """Return the addresses that were asked, less their secrets."""
        return self._steadily(lambda: frozenset(entry.request().url for entry in self.entries()))

    def exists(self) -> bool:
        """Whether anything is recorded, in a cassette or in a journal."""
        if any(path.exists() for path in self.files()):
            return True
        return any(path.stat().st_size for path in self.journals() if path.exists())

    def entries(self) -> list[Entry]:
        """Return every recording as it stands on disk now; each is read from there when it is asked for."""
        with self._reading:
            self._shelf.refresh()
            return self._shelf.entries()

    def rewritable(self) -> list[Entry]:
        """Return what `merge` would leave in the cassette itself, stock vcrpy's files beside it left out."""
        with abandoned_journals(self.path, own=self._own_paths()) as journals:
            return list(self._folded(journals).values())

    def files(self) -> list[Path]:
        """Return the files that may hold recordings: the cassette and stock vcrpy's beside it."""
        return [self.path, *(self.path.with_name(self.path.stem + suffix) for suffix in READ_ONLY_SUFFIXES)]

    def journals(self) -> list[Path]:
        """Return the journals that are not merged yet."""
        return journal_paths(self.path)

    def merge(self) -> None:
        """Fold this process's journal, and those whose writers are gone, into the cassette.

        A crash at any moment loses nothing and duplicates nothing: the journals go only when the cassette
        holds their lines.

        Raises:
            CassetteError: the cassette is damaged or cannot be written; the journals then stay.
        """
        if self.journals():
            self._rewrite(dropping=())

    def drop(self, keys: Collection[tuple[str, int]]) -> None:
        """Remove recordings from the cassette, folding journals in first as `merge` does.

        Raises:
            CassetteError: as for `merge`.
        """
        self._rewrite(dropping=frozenset(keys))

    def _entry(self, key: Key, *, refresh: bool) -> Entry | None:
        with self._reading:
            self._shelf.load()
            entry = self._shelf.get(key)
            if entry is None and refresh:
                self._shelf.look_again()
                entry = self._shelf.get(key)
            return entry

    def _steadily(self, read: Callable[[], T]) -> T:
        """Return what `read` returns, looking again where a file was replaced between finding and reading."""
        for _ in range(_LOOKS):
            try:
                return read()
            except FileReplaced:
                with self._reading:
                    self._shelf.refresh()
        return read()

    def _record(self, asked: Sequence[tuple[Exchange, str]]) -> list[Exchange]:
        """Record exchanges, each with the fingerprint that it is found by."""
        if not asked:
            return []
        returned: list[Exchange] = []
        recorded: list[Recorded] = []
        for exchange, fingerprint in asked:
            kept = kept_exchange(exchange, redactor=self._redactor)
            line = encode_exchange(kept, fingerprint=fingerprint, redactor=self._redactor)
            case = str(kept.note.get("case", ""))
            head = Head(Key(fingerprint, kept.repeat), case, kept.recorded_at or "", line.index(b"\t"))
            recorded.append(Recorded(head, line))
            if spells_surrogates(line):
                kept = Entry(head.key, case, head.recorded_at, head.size, line.decode("utf-8")).exchange(kept.request)
            returned.append(kept)
        with self._writing:
            journal = self._own_journal()
            end = journal.append([one.line for one in recorded])
        # Outside the lock: threads that add at the same time wait for the disk together.
        journal.sync(end)
        with self._reading:
            self._shelf.put(recorded, writer=journal, end=end)
        return returned

    def _own_journal(self) -> JournalWriter:
        # A forked child shares its parent's descriptor and lock; it gets a journal of its own.
        if self._journal is None or self._journal.pid != os.getpid():
            self._close_journal()
            self._journal = JournalWriter(self.path)
            with self._reading:
                self._shelf.own(self._journal)
        return self._journal

    def _rewrite(self, *, dropping: Collection[tuple[str, int]]) -> None:
        with self._writing, explained(self.path, doing="write"), self._locked():
            with abandoned_journals(self.path, own=self._own_paths()) as journals:
                kept = self._folded(journals)
                staying = [entry for key, entry in kept.items() if key not in dropping]
                if kept or self.path.exists():
                    chunks = cassette_chunks(staying, redactor=self._redactor)
                    replace_file(self.path, chunks, draft=draft_path(self.path))
                remove_journals(journals)
            self._close_journal()
            with self._reading:
                self._shelf.forget()

    def _folded(self, journals: Collection[Path]) -> dict[Key, Entry]:
        content = read_cassette(self.path)
        recorded = [entry for path in journals for entry in index_journal(path).values()]
        return latest([*(content.entries.values() if content else ()), *recorded])

    def _own_paths(self) -> list[Path]:
        journal = self._journal
        return [journal.path] if journal and journal.pid == os.getpid() else []

    def _close_journal(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        make_journal_folder(self.path)
        with locked(lock_path(self.path)):
            yield
