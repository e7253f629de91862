"""Joining recordings that were made elsewhere: the shards of a run, each on a machine of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tunegate.cassettes.address import shown_path
from tunegate.cassettes.cassette import Cassette
from tunegate.cassettes.entry import Entry
from tunegate.cassettes.redaction import Redactor
from tunegate.cassettes.retention import kept_exchange
from tunegate.errors import CassetteError

_AT_ONCE = 100
"""Recordings that are in memory and go to the disk together."""


@dataclass(frozen=True)
class Adopted:
    """What another folder brought."""

    cassettes: int
    """Of the other folder."""
    new: int
    """Recordings of requests and repeats that had none here."""
    same: int
    conflicting: int
    """Recordings of what is recorded here too, and otherwise: the later one is kept, of one second the one here."""


@dataclass(frozen=True)
class Comparison:
    """The recordings of a cassette elsewhere beside those here, and which of them are to be taken."""

    here: Cassette
    taken: Sequence[Entry]
    new: int
    same: int
    conflicting: int


def compare_cassettes(here: Cassette, there: Cassette, *, redactor: Redactor) -> Comparison:
    """Read every recording there, whole, and compare it with the one here of the same request and repeat.

    Raises:
        CassetteError: a file or a recording is damaged, there or here.
    """
    known = {entry.key: entry for entry in here.entries()}
    taken: list[Entry] = []
    new = same = conflicting = 0
    for entry in there.entries():
        try:
            exchange = kept_exchange(entry.exchange(), redactor=redactor)
        except CassetteError as problem:
            raise CassetteError(f"{shown_path(there.path)}: {problem}") from problem
        own = known.get(entry.key)
        if own is None:
            new += 1
            taken.append(entry)
        # The same fingerprint is the same request; what is left of its secrets may differ.
        elif replace(exchange, request=own.request()) == own.exchange():
            same += 1
        else:
            conflicting += 1
            if entry.recorded_at > own.recorded_at:
                taken.append(entry)
    return Comparison(here, taken, new, same, conflicting)


def take_over(comparisons: Iterable[Comparison]) -> Adopted:
    """Record what is to be taken, and fold it into the cassettes here; a crash loses nothing that was here.

    Raises:
        CassetteError: something cannot be read any more, or cannot be written; doing it again goes on from there.
    """
    done = list(comparisons)
    for comparison in done:
        taken = comparison.taken
        for start in range(0, len(taken), _AT_ONCE):
            comparison.here.adopt(taken[start : start + _AT_ONCE])
        if taken:
            comparison.here.merge()
    return Adopted(
        cassettes=len(done),
        new=sum(one.new for one in done),
        same=sum(one.same for one in done),
        conflicting=sum(one.conflicting for one in done),
    )
