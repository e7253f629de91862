"""A replay keeps no replies in memory, and reads them where they are by then."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from tunegate.cassettes import Cassette, Library, check_cassettes
from tunegate.errors import CassetteError


def reread(cassette: Cassette) -> Cassette:
    return Library(cassette.path.parent.parent).cassette(cassette.eval_name, cassette.model)


@pytest.mark.parametrize("merged", [True, False])
def test_recordings_cost_little_memory(cassette: Cassette, make_exchange: Any, merged: bool) -> None:
    """A recording that is known takes less than 300 bytes, however long it is; loading takes no more than that."""
    count = 1000
    cassette.add_all([make_exchange(f"q{n}", body=b"x" * 4000, note={"case": f"case-{n:05}"}) for n in range(count)])
    if merged:
        cassette.merge()
    fresh = reread(cassette)
    missing = make_exchange("none").request
    tracemalloc.start()
    try:
        assert fresh.find(missing, repeat=1) is None
        now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert now / count < 300
    assert peak / count < 600


@pytest.mark.parametrize("merged", [True, False])
def test_replaced_file_is_read_where_it_is_now(cassette: Cassette, make_exchange: Any, merged: bool) -> None:
    """A recording that moved since it was found first, in its file or from a journal into one, is read all the same."""
    kept = make_exchange("q", note={"case": "m"})
    cassette.add(kept)
    if merged:
        cassette.merge()
    mine = reread(cassette)
    assert mine.find(kept.request, repeat=1) == kept
    # Sorted before it, so that it moves down.
    cassette.add(make_exchange("other", note={"case": "a"}))
    cassette.merge()
    assert mine.find(kept.request, repeat=1) == kept


@pytest.mark.parametrize("merged", [True, False])
def test_misses_are_explained_from_a_replaced_file(cassette: Cassette, make_exchange: Any, merged: bool) -> None:
    """A file that is replaced between two misses does not turn the second into another error."""
    cassette.add(make_exchange("one", note={"case": "m"}))
    if merged:
        cassette.merge()
    mine = reread(cassette)
    wanted = make_exchange("two").request
    assert "nearest recording" in mine.explain(wanted, case="m", repeat=1)
    cassette.add(make_exchange("other", note={"case": "a"}))
    cassette.merge()
    assert '"one" -> "two"' in mine.explain(wanted, case="m", repeat=1)


def test_pruned_recording_is_a_miss(cassette: Cassette, make_exchange: Any) -> None:
    """What another process removed meanwhile is not found, rather than read from where something else lies."""
    cassette.add_all([make_exchange(prompt) for prompt in ("one", "two")])
    cassette.merge()
    mine = reread(cassette)
    assert len(mine.keys()) == 2
    cassette.drop({(make_exchange("one").request.fingerprint, 1)})
    assert mine.find(make_exchange("one").request, repeat=1) is None
    assert mine.find(make_exchange("two").request, repeat=1) is not None


def test_where_one_stands_does_not_matter(tmp_path: Path, make_exchange: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cassette named relative to the current folder is still read after that has changed."""
    monkeypatch.chdir(tmp_path)
    Library(Path("cassettes")).cassette("format", "m").add(make_exchange())
    cassette = Library(Path("cassettes")).cassette("format", "m")
    assert len(cassette.keys()) == 1
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert cassette.find(make_exchange().request, repeat=1) == make_exchange()


def test_damaged_cassette_is_read_again_when_it_was_mended(cassette: Cassette, make_exchange: Any) -> None:
    """Every item is told of the damage, and none after the file was restored."""
    cassette.add(make_exchange())
    cassette.merge()
    whole = cassette.path.read_bytes()
    cassette.path.write_bytes(whole[:-10])
    mine = reread(cassette)
    for _ in range(2):
        with pytest.raises(CassetteError, match="is not JSON at line 5"):
            mine.find(make_exchange().request, repeat=1)
    cassette.path.write_bytes(whole)
    assert mine.find(make_exchange().request, repeat=1) == make_exchange()


def test_recordings_that_nobody_finds_are_checked_too(cassette: Cassette, make_exchange: Any) -> None:
    """A secret in a recording that a newer one replaced is still in the file, and reported."""
    secret = "org-" + "AbCdEfGhIjKlMnOpQrSt1234"
    cassette.add_all([make_exchange("q", body=b"held-back"), make_exchange("q", body=b"newer")])
    (journal,) = cassette.journals()
    journal.write_bytes(journal.read_bytes().replace(b"held-back", secret.encode()))
    (finding,) = check_cassettes(Library(cassette.path.parent.parent))
    assert (finding.kind, finding.path) == ("secret", journal)
