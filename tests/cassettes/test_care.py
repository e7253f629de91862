"""Recordings are listed, checked, shown and pruned without surprises."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tunegate.cassettes import (
    Cassette,
    Library,
    Redactor,
    check_cassettes,
    list_cassettes,
    prune_cassette,
    show_recordings,
)
from tunegate.errors import CassetteError


def kinds(library: Library, **options: Any) -> list[str]:
    return [finding.kind for finding in check_cassettes(library, **options)]


@pytest.fixture
def filled(cassette: Cassette, make_exchange: Any) -> Cassette:
    for number in range(4):
        moment = f"2026-0{number + 1}-01T00:00:00Z"
        note = {"case": f"c{number}", "model": "m-1", "text": f"reply {number}"}
        cassette.add(make_exchange(f"q{number}", repeat=number % 2 + 1, recorded_at=moment, note=note))
    cassette.merge()
    return cassette


def test_listing_tells_what_there_is(library: Library, filled: Cassette, make_exchange: Any) -> None:
    """Counts, repeats, times, named models, size and journals, with what is not merged yet."""
    filled.add(make_exchange("q9", note={"case": "c9", "model": "m-2"}))
    (summary,) = list_cassettes(library)
    assert (summary.eval, summary.model) == ("format", "ft:gpt-3.5-turbo:acme::9x")
    assert (summary.interactions, summary.repeats, summary.journals) == (5, (1, 2), 1)
    assert summary.first_recorded_at == "2026-01-01T00:00:00Z"
    assert summary.last_recorded_at == "2026-11-22T10:00:00Z"
    assert summary.server_models == ("m-1", "m-2")
    assert summary.size_bytes == filled.path.stat().st_size
    assert summary.problem is None


def test_listing_survives_a_broken_cassette(library: Library, filled: Cassette, make_exchange: Any) -> None:
    """One that cannot be read says why; the others are listed."""
    library.cassette("tone", "m").add(make_exchange())
    filled.path.write_text("{")
    broken, fine = list_cassettes(Library(library.root))
    assert "not JSON" in (broken.problem or "")
    assert (fine.eval, fine.interactions) == ("tone", 1)


def test_clean_cassettes_have_no_findings(library: Library, filled: Cassette) -> None:
    """What we record ourselves passes our own check."""
    now = datetime(2026, 5, 1, tzinfo=UTC)
    assert kinds(library, older_than_days=365, now=now, used=filled.keys()) == []


def test_secrets_are_found_wherever_they_stand(library: Library, filled: Cassette) -> None:
    """A secret in request, reply, notes or headers is found, named by case and part, and not shown."""
    text = filled.path.read_text("utf-8")
    secret = "org-" + "AbCdEfGhIjKlMnOpQrSt1234"
    headers = '"headers": {"content-type"'
    for old, new, part in (
        ("q1", secret, "request"),
        ('"string": "{', f'"string": "{secret}{{', "response"),
        ("reply 1", secret, "notes"),
        (headers, '"headers": {"Set-Cookie": ["a"], "content-type"', "request headers"),
    ):
        filled.path.write_text(text.replace(old, new, 1), "utf-8")
        (finding,) = check_cassettes(Library(library.root))
        assert (finding.kind, finding.path) == ("secret", filled.path)
        assert finding.message.endswith(f"looks like a secret in its {part}")
        assert secret not in finding.message


def test_secrets_known_now_are_found_in_old_journals(library: Library, cassette: Cassette, make_exchange: Any) -> None:
    """Journals are checked too, with the secrets of the library that checks."""
    cassette.add(make_exchange("the word is swordfish-42"))
    (finding,) = check_cassettes(Library(library.root, redactor=Redactor(["swordfish-42"])))
    assert (finding.kind, finding.path.suffix) == ("secret", ".jsonl")


def test_unreadable_files_and_replies_are_found(library: Library, filled: Cassette) -> None:
    """A file that is no cassette, and one reply that is damaged inside a file that is."""
    text = filled.path.read_text("utf-8")
    filled.path.write_text(text.replace('"body": {"string": "', '"body": {"string": ', 1), "utf-8")
    (finding,) = check_cassettes(Library(library.root))
    assert finding.kind == "unreadable"
    assert "case 'c0', repeat 1 is damaged" in finding.message
    filled.path.write_text("<<<<<<< ours\n" + text)
    assert kinds(Library(library.root)) == ["unreadable"]


def test_models_that_differ_are_found(library: Library, filled: Cassette, make_exchange: Any) -> None:
    """Replies of two models under one name are not one measurement."""
    filled.add(make_exchange(note={"case": "c9", "model": "m-2"}))
    (finding,) = check_cassettes(library)
    assert finding.kind == "models differ"
    assert "m-1, m-2" in finding.message


def test_old_and_unused_are_found_when_asked_for(library: Library, filled: Cassette) -> None:
    """Age is measured from the given time; unused is what is not in the given set."""
    now = datetime(2026, 4, 2, tzinfo=UTC)
    (finding,) = check_cassettes(library, older_than_days=31, now=now)
    assert finding.kind == "old"
    assert finding.message.startswith("3 of 4 recorded more than 31 days ago: case 'c0', repeat 1")
    (finding,) = check_cassettes(library, used=list(filled.keys())[:3])
    assert finding.kind == "unused"
    assert finding.message.startswith("1 of 4 recordings unused")


def test_pruning_removes_what_is_unused_and_says_so(library: Library, filled: Cassette, make_exchange: Any) -> None:
    """What was used stays, also if it was only in a journal; what goes is named."""
    kept = make_exchange("q9", note={"case": "c9"})
    filled.add(kept)
    used = {(kept.request.fingerprint, 1), (make_exchange("q1").request.fingerprint, 2)}
    before = filled.keys()
    dry = prune_cassette(filled, used=used, dry_run=True)
    assert filled.keys() == before
    pruned = prune_cassette(filled, used=used)
    assert pruned == dry
    assert pruned.removed == ("case 'c0', repeat 1", "case 'c2', repeat 1", "case 'c3', repeat 2")
    assert pruned.kept == 2
    assert Library(library.root).cassette(filled.eval_name, filled.model).keys() == used


def test_pruning_refuses_to_empty_a_cassette(filled: Cassette) -> None:
    """A cassette of which nothing was used is more likely a mistake; it goes by force only."""
    with pytest.raises(CassetteError, match="would empty 'format'"):
        prune_cassette(filled, used=())
    assert len(filled.keys()) == 4
    assert len(prune_cassette(filled, used=(), force=True).removed) == 4
    assert filled.keys() == frozenset()


def test_recordings_are_shown_by_case_or_fingerprint(filled: Cassette, make_exchange: Any) -> None:
    """A case name, or the beginning of a fingerprint, shows request, reply and notes."""
    (shown,) = show_recordings(filled, name="c1")
    assert (shown.case, shown.exchange.repeat, shown.reply) == ("c1", 2, "reply 1")
    assert '"content": "q1"' in shown.request_json
    fingerprint = make_exchange("q1").request.fingerprint
    assert show_recordings(filled, name=fingerprint[:10], repeat=2) == [shown]
    with pytest.raises(CassetteError, match=r"no recording of 'c7' .*; recorded are c0, c1, c2, and 1 more"):
        show_recordings(filled, name="c7")


def test_stock_yaml_is_no_subject_of_pruning(library: Library, make_exchange: Any) -> None:
    """Files that are read only are neither counted nor changed."""
    cassette = library.cassette("format", "m")
    yaml = cassette.path.with_suffix(".yaml")
    yaml.parent.mkdir(parents=True)
    yaml.write_text(
        "version: 1\ninteractions:\n- request: {method: GET, uri: 'https://a/', headers: {}, body: ''}\n"
        "  response: {status: {code: 200, message: OK}, headers: {}, body: {string: hello}}\n"
    )
    used = make_exchange()
    cassette.add(used)
    cassette.add(make_exchange("unused"))
    before = yaml.read_bytes()
    pruned = prune_cassette(cassette, used={(used.request.fingerprint, 1)})
    assert (len(pruned.removed), pruned.kept) == (1, 1)
    assert yaml.read_bytes() == before
    assert Path(cassette.path).read_text().count('"request": {') == 1
