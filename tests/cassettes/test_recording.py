"""What is recorded together is durable together, and comes back as it will be found."""

from __future__ import annotations

import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunegate.cassettes import Cassette, Library, Redactor
from tunegate.errors import CassetteError
from tunegate.exchanges import Timing

SECRET = "sk-" + "a1b2c3d4e5f6g7h8i9j0"
PIECES = st.lists(st.sampled_from([SECRET, "word", "é", "\n", "\t", '"', "\ud800", "\udc00", "\\ud800"]), max_size=4)
TEXT = PIECES.map("".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(
    reason=TEXT,
    body=TEXT.map(lambda text: text.encode("utf-8", "surrogatepass")),
    header=TEXT,
    note=st.dictionaries(TEXT, st.tuples(TEXT) | TEXT | st.none() | st.floats(allow_nan=False), max_size=2),
    times=st.lists(st.floats(0, 9), max_size=3),
    recorded_at=st.none() | st.just("2026-11-22T10:00:00Z"),
)
def test_recording_returns_what_is_found(library: Library, make_exchange: Any, **given_parts: Any) -> None:
    """What comes back from recording is what every reader finds, whatever had to be changed."""
    note = {**given_parts["note"], "repeat": 7, "case": "c"}
    exchange = make_exchange(
        reason=given_parts["reason"],
        body=given_parts["body"],
        headers={"Date": (given_parts["header"],), "Set-Cookie": ("a",), "Content-Type": ("text/plain",)},
        note=note,
        timing=Timing(1 / 3, tuple(given_parts["times"])),
        recorded_at=given_parts["recorded_at"],
    )
    cassette = library.cassette("any", "any")
    kept = cassette.add(exchange)
    assert kept == cassette.find(exchange.request, repeat=1)
    assert kept == Library(library.root).cassette("any", "any").find(exchange.request, repeat=1)
    cassette.drop({(exchange.request.fingerprint, 1)})


def test_what_needs_no_change_is_the_same_object(cassette: Cassette, make_exchange: Any) -> None:
    """A caller that has read an exchange need not read it again where keeping changed nothing of it."""
    clean = make_exchange()
    live = make_exchange("q2", headers={"Content-Type": ("application/json",), "Set-Cookie": ("a=b",)})
    secret = make_exchange("q3", body=SECRET.encode())
    kept = cassette.add_all([clean, live, secret])
    assert kept[0] is clean
    assert kept[1] is not live
    assert (kept[1].body is live.body, kept[1].timing is live.timing, kept[1].note is live.note) == (True, True, True)
    assert dict(kept[1].headers) == {"content-type": ("application/json",)}
    assert kept[2].body == b"[redacted]"


def test_recordings_together_wait_for_the_disk_once(
    cassette: Cassette, make_exchange: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many are recorded at once, their data is flushed once."""
    cassette.add(make_exchange())
    waits = []
    name = "fdatasync" if hasattr(os, "fdatasync") else "fsync"
    flush = getattr(os, name)
    monkeypatch.setattr(os, name, lambda descriptor: (waits.append(descriptor), flush(descriptor)))
    exchanges = [make_exchange(f"question {number}") for number in range(20)]
    assert cassette.add_all(exchanges) == exchanges
    assert len(waits) == 1
    assert cassette.add_all([]) == []
    assert len(waits) == 1
    assert len(Library(cassette.path.parent.parent).cassette(cassette.eval_name, cassette.model).keys()) == 21


def test_threads_record_batches_at_once(cassette: Cassette, make_exchange: Any) -> None:
    """Batches of several threads, with merges in between, are all found, each by its own request."""

    def record(number: int) -> None:
        batch = [make_exchange(f"question {number}.{n}", body=f"{number}.{n}".encode()) for n in range(5)]
        assert cassette.add_all(batch) == batch
        if number % 7 == 0:
            cassette.merge()
        assert [cassette.find(one.request, repeat=1) for one in batch] == batch

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(record, range(40)))
    assert len(Library(cassette.path.parent.parent).cassette(cassette.eval_name, cassette.model).keys()) == 200


def test_latest_of_one_batch_wins(cassette: Cassette, make_exchange: Any) -> None:
    """Of recordings of one request in one batch and one second the last is found, before and after merging."""
    cassette.add_all([make_exchange(body=body) for body in (b"1", b"2", b"3")])
    for merged in (False, True):
        if merged:
            cassette.merge()
        found = cassette.find(make_exchange().request, repeat=1)
        assert found is not None
        assert found.body == b"3"


def test_full_disk_in_a_batch_leaves_whole_lines(cassette: Cassette, make_exchange: Any) -> None:
    """A batch that does not fit is refused; what of it is whole is a recording, what is torn is gone."""
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    cassette.add(make_exchange("one"))
    (journal,) = cassette.journals()
    line = journal.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 * line + 100, limits[1]))
        with pytest.raises(CassetteError, match=r"cannot record in .*\.jsonl"):
            cassette.add_all([make_exchange("two"), make_exchange("six")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    cassette.add(make_exchange("ten"))
    assert cassette.find(make_exchange("ten").request, repeat=1) == make_exchange("ten")
    cassette.merge()
    there = [cassette.find(make_exchange(prompt).request, repeat=1) for prompt in ("one", "two", "six", "ten")]
    assert [found is not None for found in there] == [True, True, False, True]


def test_other_processes_are_looked_at_once_a_second(library: Library, make_exchange: Any) -> None:
    """A miss looks at what others recorded when the last look is a second old, and not before."""
    now = [100.0]
    mine = Library(library.root, clock=lambda: now[0]).cassette("format", "m")
    exchange = make_exchange()
    assert mine.find(exchange.request, repeat=1, refresh=True) is None
    library.cassette("format", "m").add(exchange)
    now[0] += 0.9
    assert mine.find(exchange.request, repeat=1, refresh=True) is None
    now[0] += 0.2
    assert mine.find(exchange.request, repeat=1, refresh=True) == exchange


def test_own_journal_is_never_read_by_its_writer(library: Library, make_exchange: Any) -> None:
    """What this process wrote it knows: its journal may be as long as it likes, a miss does not look into it."""
    mine = Library(library.root, clock=itertools.count().__next__).cassette("format", "m")
    mine.add(make_exchange("one"))
    (journal,) = mine.journals()
    with journal.open("ab") as file:
        file.write(b"nonsense, for whoever reads it\n")
    assert mine.find(make_exchange("two").request, repeat=1, refresh=True) is None
    assert len(mine.keys()) == 1
    with pytest.raises(CassetteError, match="line 2 of the journal"):
        library.cassette("format", "m").keys()


def test_secret_beside_a_lone_surrogate_goes(cassette: Cassette, make_exchange: Any) -> None:
    """A reply with a character that UTF-8 cannot hold loses its secrets like any other."""
    body = b'{"said": "\\ud800 ' + SECRET.encode() + b'"}'
    assert cassette.add(make_exchange(body=body)).body == b'{"said":"\\ud800 [redacted]"}'


def test_numeric_secrets_are_looked_for_in_numbers(library: Library, make_exchange: Any) -> None:
    """A known secret of digits goes from numbers too, however they are written."""
    cassette = Library(library.root, redactor=Redactor(["100000000.0"])).cassette("format", "m")
    assert cassette.add(make_exchange(body=b'{"a": 1e8}')).body == b'{"a":"[redacted]"}'
