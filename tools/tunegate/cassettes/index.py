"""Which recordings a file of ours holds, and where: their text stays on disk."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping

from tunegate.cassettes.entry import Entry, Head, Key
from tunegate.cassettes.extent import Extent, StoredFile


class Index(Mapping[Key, Entry]):
    """The recordings of one cassette or journal by key; under 300 bytes each, however long they are.

    Columns and not objects: a replay of many thousands keeps this beside pytest's own items.
    """

    def __init__(self, file: StoredFile) -> None:
        self._file = file
        self._rows: dict[bytes, int] = {}
        self._offsets = array("Q")
        self._lengths = array("Q")
        self._sizes = array("I")
        self._cases: list[str] = []
        self._moments: list[str] = []
        self.shadowed: list[Entry] = []
        """Recordings that a newer one of the same key stands before: still in the file, and not found."""

    def put(self, head: Head, *, offset: int, length: int) -> None:
        """Make a recording found that lies at `offset` (bytes), unless a newer one of its key is there."""
        packed = _packed(head.key)
        row = self._rows.get(packed)
        # Many are recorded within one second: they share one string.
        moment = sys.intern(head.recorded_at)
        if row is None:
            self._rows[packed] = len(self._offsets)
            self._offsets.append(offset)
            self._lengths.append(length)
            self._sizes.append(head.size)
            self._cases.append(head.case)
            self._moments.append(moment)
        elif moment < self._moments[row]:
            self.shadowed.append(Entry(head.key, head.case, moment, head.size, Extent(self._file, offset, length)))
        else:
            self.shadowed.append(self._entry(head.key, row))
            self._offsets[row] = offset
            self._lengths[row] = length
            self._sizes[row] = head.size
            self._cases[row] = head.case
            self._moments[row] = moment

    def __getitem__(self, key: Key) -> Entry:
        return self._entry(key, self._rows[_packed(key)])

    def __contains__(self, key: object) -> bool:
        return isinstance(key, Key) and _packed(key) in self._rows

    def __iter__(self) -> Iterator[Key]:
        return map(_unpacked, self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def _entry(self, key: Key, row: int) -> Entry:
        extent = Extent(self._file, self._offsets[row], self._lengths[row])
        return Entry(key, self._cases[row], self._moments[row], self._sizes[row], extent)


def latest(entries: Iterable[Entry]) -> dict[Key, Entry]:
    """Return one entry for each key: the newest, and the last of those recorded in the same second."""
    index: dict[Key, Entry] = {}
    for entry in entries:
        known = index.get(entry.key)
        if known is None or entry.recorded_at >= known.recorded_at:
            index[entry.key] = entry
    return index


def _packed(key: Key) -> bytes:
    return bytes.fromhex(key.fingerprint) + key.repeat.to_bytes(8, "big", signed=True)


def _unpacked(packed: bytes) -> Key:
    return Key(packed[:-8].hex(), int.from_bytes(packed[-8:], "big", signed=True))
