"""The recordings of one eval and model: found, added to, merged."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Collection, Iterator
from pathlib import Path

from tunegate.cassettes.address import READ_ONLY_SUFFIXES, draft_path, journal_paths, lock_path, shown_path
from tunegate.cassettes.content import read_cassette
from tunegate.cassettes.durability import explained, locked, replace_file
from tunegate.cassettes.entry import Entry, Key
from tunegate.cassettes.journal import JournalWriter, abandoned_journals, make_journal_folder, remove_journals
from tunegate.cassettes.miss import explain_miss
from tunegate.cassettes.redaction import Redactor
from tunegate.cassettes.shelf import Shelf, latest, read_journal
from tunegate.cassettes.vcr_format import cassette_of, encode_exchange, entry_of, journal_line
from tunegate.errors import CassetteError
from tunegate.exchanges import Exchange, Request


class Cassette:
    """The recordings of one eval and model; safe to use from several threads."""

    def __init__(self, path: Path, *, eval_name: str, model: str, redactor: Redactor) -> None:
        self.path = path
        self.eval_name = eval_name
        self.model = model
        self._redactor = redactor
        self._shelf = Shelf(path)
        self._reading = threading.RLock()
        # Taken before `_reading` where both are needed: adding waits for the disk, and finding must not.
        self._writing = threading.RLock()
        self._journal: JournalWriter | None = None

    def find(self, request: Request, *, repeat: int, refresh: bool = False) -> Exchange | None:
        """Return the recorded exchange of a request, or None; its body, status and headers as they came.

        With `refresh`, a miss is looked up again in what other processes have recorded meanwhile.

        Raises:
            CassetteError: the cassette, a journal or this recording is damaged.
        """
        entry = self._entry(Key(request.fingerprint, repeat), refresh=refresh)
        if entry is None:
            return None
        try:
            return entry.exchange(request)
        except CassetteError as problem:
            raise CassetteError(f"{shown_path(self.path)}: {problem}") from problem

    def add(self, exchange: Exchange) -> None:
        """Record an exchange, free of secrets; when this returns, it survives a crash of process or machine.

        A later recording of the same request and repeat replaces an earlier one.

        Raises:
            CassetteError: it cannot be written, or this system has no file locks.
        """
        lines = encode_exchange(exchange, fingerprint=exchange.request.fingerprint, redactor=self._redactor)
        entry = entry_of(lines)
        with self._writing:
            journal = self._own_journal()
            end = journal.append(journal_line(lines))
        # Outside the lock: threads that add at the same time wait for the disk together.
        journal.sync(end)
        with self._reading:
            self._shelf.put(entry)

    def explain(self, request: Request, *, case: str, repeat: int) -> str:
        """Say in three lines what was looked for, where, and how the nearest recording differs."""
        with self._reading:
            self._shelf.load()
            entries = self._shelf.entries()
        miss = explain_miss(entries, request=request, repeat=repeat, case=case, redactor=self._redactor)
        return (
            f"no recording for {self.eval_name}[{case}] of {self.model!r}, repeat {repeat}\n"
            f"  looked in {shown_path(self.path)}\n"
            f"  {miss}"
        )

    def keys(self) -> frozenset[tuple[str, int]]:
        """Return (fingerprint, repeat) of every recording."""
        return frozenset((entry.key.fingerprint, entry.key.repeat) for entry in self.entries())

    def urls(self) -> frozenset[str]:
        """Return the addresses that were asked, less their secrets."""
        return frozenset(entry.request().url for entry in self.entries())

    def exists(self) -> bool:
        """Whether anything is recorded, in a cassette or in a journal."""
        if any(path.exists() for path in self.files()):
            return True
        return any(path.stat().st_size for path in self.journals() if path.exists())

    def entries(self) -> list[Entry]:
        """Return every recording as it stands on disk now."""
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
                self._shelf.refresh()
                entry = self._shelf.get(key)
            return entry

    def _own_journal(self) -> JournalWriter:
        # A forked child shares its parent's descriptor and lock; it gets a journal of its own.
        if self._journal is None or self._journal.pid != os.getpid():
            self._close_journal()
            self._journal = JournalWriter(self.path)
        return self._journal

    def _rewrite(self, *, dropping: Collection[tuple[str, int]]) -> None:
        with self._writing, explained(self.path, doing="write"), self._locked():
            with abandoned_journals(self.path, own=self._own_paths()) as journals:
                kept = self._folded(journals)
                staying = [entry for key, entry in kept.items() if key not in dropping]
                text = cassette_of(staying, redactor=self._redactor).encode("utf-8")
                if (kept or self.path.exists()) and text != _bytes_at(self.path):
                    replace_file(self.path, text, draft=draft_path(self.path))
                remove_journals(journals)
            self._close_journal()
            with self._reading:
                self._shelf.forget()

    def _folded(self, journals: Collection[Path]) -> dict[Key, Entry]:
        content = read_cassette(self.path)
        recorded = [entry for path in journals for entry in read_journal(path)]
        return latest([*(content.entries if content else ()), *recorded])

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


def _bytes_at(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
