"""Recordings are found by request and repeat, by every process, as they came."""

from __future__ import annotations

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunegate.cassettes import Cassette, Library
from tunegate.cassettes.address import quote_name, unquote_name
from tunegate.errors import CassetteError
from tunegate.exchanges import Exchange, Request, Timing

ANY_TEXT = st.text(st.characters(codec=None), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)


def reread(cassette: Cassette) -> Cassette:
    return Library(cassette.path.parent.parent).cassette(cassette.eval_name, cassette.model)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    asked=st.dictionaries(ANY_TEXT, JSON, max_size=4),
    body=st.binary(max_size=60) | ANY_TEXT.map(lambda text: text.encode("utf-8", "surrogatepass")),
    case=ANY_TEXT,
    repeat=st.integers(1, 5),
)
def test_any_request_and_any_bytes_come_back(
    library: Library, asked: dict[str, Any], body: bytes, case: str, repeat: int
) -> None:
    """Whatever was asked and answered, text or not, is found under its request and is the same bytes."""
    cassette = library.cassette("any", "any")
    exchange = Exchange(
        Request("https://a.example/v1", asked),
        200,
        "OK",
        {"content-type": ("text/plain",)},
        body,
        Timing(0.25, (0.125, 0.25)),
        "2026-11-22T10:00:00Z",
        repeat,
        {"case": case},
    )
    cassette.add(exchange)
    assert cassette.find(exchange.request, repeat=repeat) == exchange
    cassette.merge()
    assert reread(cassette).find(exchange.request, repeat=repeat) == exchange
    json.loads(cassette.path.read_bytes())


def test_exchange_comes_back_whole(cassette: Cassette, make_exchange: Any) -> None:
    """Status, reason, headers, timing, time of recording, repeat and note are those that were recorded."""
    exchange = make_exchange(status=404, reason="Not Found", repeat=3, timing=Timing(1.25, (0.5, 1.25)))
    cassette.add(exchange)
    cassette.merge()
    assert reread(cassette).find(exchange.request, repeat=3) == exchange


def test_times_are_kept_to_the_microsecond(cassette: Cassette, make_exchange: Any) -> None:
    """Timing is written in seconds with six decimals."""
    cassette.add(make_exchange(timing=Timing(1 / 3, (0.1234567, 1 / 3))))
    found = cassette.find(make_exchange().request, repeat=1)
    assert found is not None
    assert found.timing == Timing(0.333333, (0.123457, 0.333333))


def test_repeats_and_other_requests_are_not_mixed_up(cassette: Cassette, make_exchange: Any) -> None:
    """Another repeat, address, model or temperature is another recording."""
    asked = dict(make_exchange().request.body)
    cassette.add(make_exchange())
    assert cassette.find(make_exchange().request, repeat=2) is None
    for other in (
        make_exchange(url="https://other.example/v1").request,
        make_exchange(asked={**asked, "model": "n"}).request,
        make_exchange(asked={**asked, "temperature": 0.0}).request,
    ):
        assert cassette.find(other, repeat=1) is None


@pytest.mark.parametrize("merged", [True, False])
def test_newest_recording_wins(cassette: Cassette, make_exchange: Any, merged: bool) -> None:
    """Of two recordings of one request and repeat the newer is found, and one stays in the file."""
    cassette.add(make_exchange(body=b"old", recorded_at="2026-01-01T00:00:00Z"))
    if merged:
        cassette.merge()
    cassette.add(make_exchange(body=b"new", recorded_at="2026-02-01T00:00:00Z"))
    cassette.merge()
    found = reread(cassette).find(make_exchange().request, repeat=1)
    assert found is not None
    assert found.body == b"new"
    assert cassette.path.read_text().count('"request": {') == 1


def test_refreshing_sees_what_another_recorded(root: Path, make_exchange: Any) -> None:
    """A miss looks again at journals that grew and at a cassette that was replaced."""
    mine, theirs = (Library(root, clock=itertools.count().__next__).cassette("format", "m") for _ in range(2))
    for number in range(6):
        exchange = make_exchange(f"question {number}")
        assert mine.find(exchange.request, repeat=1, refresh=True) is None
        theirs.add(exchange)
        if number % 2:
            theirs.merge()
        assert mine.find(exchange.request, repeat=1) is None
        assert mine.find(exchange.request, repeat=1, refresh=True) == exchange


def test_threads_record_at_once(cassette: Cassette, make_exchange: Any) -> None:
    """Threads that add, find and merge at the same time lose nothing."""

    def record(number: int) -> None:
        exchange = make_exchange(f"question {number}")
        cassette.add(exchange)
        if number % 10 == 0:
            cassette.merge()
        assert cassette.find(exchange.request, repeat=1) == exchange

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(record, range(60)))
    assert len(reread(cassette).keys()) == 60


def test_same_content_is_written_as_the_same_bytes(root: Path, make_exchange: Any, tmp_path: Path) -> None:
    """The order of recording and the number of merges leave no trace in the file."""
    exchanges = [make_exchange(f"question {n}", note={"case": f"c{n % 3}"}) for n in range(9)]
    other = Library(tmp_path / "other").cassette("format", "m")
    one = Library(root).cassette("format", "m")
    for exchange in exchanges:
        one.add(exchange)
    one.merge()
    for exchange in reversed(exchanges):
        other.add(exchange)
        other.merge()
    assert one.path.read_bytes() == other.path.read_bytes()
    assert one.path.read_bytes().endswith(b"}}}\n]}\n")


def test_one_more_recording_changes_only_its_own_lines(cassette: Cassette, make_exchange: Any) -> None:
    """A diff shows an interaction as four lines, in the order of cases; the neighbours stay."""
    for case in ("a", "c"):
        cassette.add(make_exchange(case, note={"case": case}))
    cassette.merge()
    before = cassette.path.read_text("utf-8").splitlines()
    cassette.add(make_exchange("b — größer", note={"case": "b"}))
    cassette.merge()
    after = cassette.path.read_text("utf-8").splitlines()
    assert after[:5] == before[:5]
    assert after[9:] == before[5:]
    assert "größer" in after[5]
    assert '"case": "b"' in after[6]


def test_merging_nothing_touches_nothing(cassette: Cassette, make_exchange: Any) -> None:
    """A cassette is not rewritten where no journal waits, or where it would come out the same."""
    cassette.add(make_exchange())
    cassette.merge()
    stamp = cassette.path.stat()
    cassette.merge()
    cassette.add(make_exchange())
    cassette.merge()
    assert cassette.path.stat().st_ino == stamp.st_ino


@given(name=ANY_TEXT.filter(bool))
def test_any_name_is_a_file_name(name: str) -> None:
    """Eval and model names of any kind give file names that lie inside the folder and can be read back."""
    quoted = quote_name(name)
    assert Path("x", quoted).parent == Path("x")
    assert quoted not in (".", "..")
    assert len(quoted) <= 200
    assert unquote_name(quoted) in (name, None)


def test_long_names_are_cut_and_stay_apart(library: Library, make_exchange: Any) -> None:
    """Two models whose long names share their beginning have two cassettes, each listed by its name."""
    names = ["ft:" + "é" * 300 + ending for ending in "ab"]
    for name in names:
        cassette = library.cassette("format", name)
        cassette.add(make_exchange(asked={"model": name}))
        assert len(cassette.path.name) <= 205
    library.merge()
    assert sorted(Library(library.root).names()) == [("format", name) for name in names]


def test_names_are_listed_from_files_and_journals(library: Library, make_exchange: Any) -> None:
    """Every eval and model with a recording of any kind is listed, whatever its name; drafts are not."""
    library.cassette("tone", "gpt-3").add(make_exchange())
    library.merge()
    library.cassette("tone", "gpt-3.5").add(make_exchange())
    (library.root / "tone" / "from%3Avcr.yaml").write_text("version: 1\ninteractions: []\n")
    fresh = Library(library.root)
    assert fresh.names() == [("tone", "from:vcr"), ("tone", "gpt-3"), ("tone", "gpt-3.5")]
    assert not fresh.cassette("tone", "gpt-3").journals()


def test_unmerged_journals_are_no_business_of_git(cassette: Cassette, make_exchange: Any) -> None:
    """The folder of journals tells git to leave it out."""
    cassette.add(make_exchange())
    assert (cassette.journals()[0].parent / ".gitignore").read_text() == "*\n"


def test_keys_urls_and_existence(cassette: Cassette, make_exchange: Any) -> None:
    """A cassette tells whether anything is recorded, under which keys, and from which addresses."""
    assert not cassette.exists()
    assert cassette.keys() == frozenset()
    exchange = make_exchange()
    cassette.add(exchange)
    assert cassette.exists()
    assert cassette.keys() == {(exchange.request.fingerprint, 1)}
    assert cassette.urls() == {exchange.request.url}


def test_body_still_compressed_is_decoded_before_it_is_kept(cassette: Cassette, make_exchange: Any) -> None:
    """A gzip body handed over with its header is kept as text, without the header."""
    import gzip

    headers = {"content-encoding": ("gzip",), "content-type": ("application/json",)}
    cassette.add(make_exchange(body=gzip.compress(b'{"a": 1}'), headers=headers))
    found = cassette.find(make_exchange().request, repeat=1)
    assert found is not None
    assert found.body == b'{"a": 1}'
    assert found.headers == {"content-type": ("application/json",)}


CONFLICT = '<<<<<<< HEAD\n{"request": 1},\n=======\n{"request": 2},\n>>>>>>> theirs\n'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"version": 1, "interactions": [\n' + CONFLICT + "]}\n", r"unresolved merge conflict at line 2"),
        ('{"version": 1, "interactions": [\n{"request": {]}\n', r"not JSON at line 2, column 14"),
        ('["neither"]\n', r"not a cassette"),
        ('{"version": 2, "interactions": []}\n', r"version 2"),
        ('{"version": 1, "interactions": [{"request": {}}]}\n', r"interaction 1 of .* malformed"),
        (b"\xff\xfe", r"not UTF-8 at line 1"),
    ],
)
def test_damaged_cassette_says_where_and_what_to_do(
    cassette: Cassette, make_exchange: Any, content: str | bytes, message: str
) -> None:
    """A cassette that cannot be read is named with the place; merging into it is refused and loses nothing."""
    cassette.add(make_exchange())
    cassette.path.write_bytes(content if isinstance(content, bytes) else content.encode())
    fresh = reread(cassette)
    with pytest.raises(CassetteError, match=message) as raised:
        fresh.find(make_exchange().request, repeat=1)
    assert "ft%3Agpt-3.5-turbo%3Aacme%3A%3A9x.json" in str(raised.value)
    with pytest.raises(CassetteError, match=message):
        cassette.merge()
    assert len(cassette.journals()) == 1


def test_damaged_reply_is_named_when_it_is_asked_for(cassette: Cassette, make_exchange: Any) -> None:
    """Only the reply that is broken is refused, with its case; the others are found."""
    for case in ("a", "b"):
        cassette.add(make_exchange(case, note={"case": case}))
    cassette.merge()
    text = cassette.path.read_text("utf-8")
    cassette.path.write_text(text.replace('"body": {"string": "', '"body": {"string": ', 1), "utf-8")
    fresh = reread(cassette)
    with pytest.raises(CassetteError, match="case 'a', repeat 1 is damaged"):
        fresh.find(make_exchange("a").request, repeat=1)
    assert fresh.find(make_exchange("b").request, repeat=1) is not None


def test_damaged_journal_line_is_named(cassette: Cassette, make_exchange: Any) -> None:
    """A broken line inside a journal is not passed over in silence."""
    cassette.add(make_exchange())
    (journal,) = cassette.journals()
    journal.write_bytes(b"nonsense\n" + journal.read_bytes())
    with pytest.raises(CassetteError, match=r"line 1 of the journal .*\.jsonl is damaged"):
        reread(cassette).keys()


def test_empty_file_is_no_recording(cassette: Cassette, make_exchange: Any) -> None:
    """An empty file is read as vcrpy reads it: nothing is recorded yet."""
    cassette.path.parent.mkdir(parents=True)
    cassette.path.write_text("")
    assert cassette.find(make_exchange().request, repeat=1) is None
    cassette.add(make_exchange())
    cassette.merge()
    assert len(reread(cassette).keys()) == 1


def test_edited_request_is_found_as_it_now_reads(cassette: Cassette, make_exchange: Any) -> None:
    """A request that a person corrects in the file answers to the corrected text and no longer to the old."""
    cassette.add(make_exchange("What is two plus two?"))
    cassette.merge()
    text = cassette.path.read_text("utf-8")
    cassette.path.write_text(text.replace("two plus two", "2 + 2"), "utf-8")
    fresh = reread(cassette)
    assert fresh.find(make_exchange("What is 2 + 2?").request, repeat=1) is not None
    assert fresh.find(make_exchange("What is two plus two?").request, repeat=1) is None


def test_yaml_beside_is_read_and_never_written(library: Library, make_exchange: Any) -> None:
    """Stock YAML stays as it is; what is recorded later stands before it."""
    cassette = library.cassette("format", "m")
    exchange = make_exchange(timing=None, recorded_at=None, note={})
    yaml = cassette.path.with_suffix(".yml")
    yaml.parent.mkdir(parents=True)
    written = json.dumps(dict(exchange.request.body))
    yaml.write_text(
        "version: 1\ninteractions:\n- request:\n    method: POST\n"
        f"    uri: {exchange.request.url}\n    headers: {{}}\n    body: '{written}'\n"
        "  response:\n    status: {code: 200, message: OK}\n    headers: {Content-Type: [text/plain]}\n"
        "    body: {string: hello}\n"
    )
    before = yaml.read_bytes()
    found = cassette.find(exchange.request, repeat=1)
    assert found == replace(exchange, body=b"hello", headers={"content-type": ("text/plain",)})
    cassette.add(replace(exchange, body=b"newer"))
    library.merge()
    newer = reread(cassette).find(exchange.request, repeat=1)
    assert newer is not None
    assert newer.body == b"newer"
    assert yaml.read_bytes() == before
