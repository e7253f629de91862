"""Recordings of other folders are joined to the ones here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tunegate.cassettes import Adopted, Library, Redactor
from tunegate.errors import CassetteError

SOON, LATE = "2026-11-22T10:00:01Z", "2026-11-22T11:00:00Z"


@pytest.fixture
def other(tmp_path: Path) -> Library:
    return Library(tmp_path / "other")


def contents(root: Path) -> Mapping[Path, tuple[bytes, int]]:
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in root.rglob("*") if path.is_file()}


def bodies(library: Library, prompts: list[str], make_exchange: Any) -> list[bytes | None]:
    cassette = Library(library.root).cassette("format", "m")
    found = [cassette.find(make_exchange(prompt).request, repeat=1) for prompt in prompts]
    return [exchange and exchange.body for exchange in found]


def test_later_recordings_win_and_the_rest_stays(library: Library, other: Library, make_exchange: Any) -> None:
    """Of what is recorded here and there the later stays, of one second the one here; all else is put together."""
    here, there = library.cassette("format", "m"), other.cassette("format", "m")
    here.add_all([make_exchange(prompt, body=b"here") for prompt in ("mine", "both", "older", "newer", "same second")])
    here.merge()
    there.add_all(
        [
            make_exchange("theirs", body=b"there"),
            make_exchange("both", body=b"here"),
            make_exchange("older", body=b"there", recorded_at="2026-01-01T00:00:00Z"),
            make_exchange("newer", body=b"there", recorded_at=LATE),
            make_exchange("same second", body=b"there"),
        ]
    )
    there.merge()
    there.add(make_exchange("in a journal", body=b"there"))
    other.cassette("tone", "n").add(make_exchange())
    assert library.adopt(Library(other.root)) == Adopted(cassettes=2, new=3, same=1, conflicting=3)
    prompts = ["mine", "both", "older", "newer", "same second", "theirs", "in a journal"]
    expected = [b"here", b"here", b"here", b"there", b"here", b"there", b"there"]
    assert bodies(library, prompts, make_exchange) == expected
    assert Library(library.root).names() == [("format", "m"), ("tone", "n")]
    assert not here.journals()


def test_adopting_twice_changes_nothing_more(library: Library, other: Library, make_exchange: Any) -> None:
    """The second time everything is known: no file is written, here or there."""
    library.cassette("format", "m").add(make_exchange("one", body=b"old"))
    other.cassette("format", "m").add_all(
        [make_exchange("one", body=b"new", recorded_at=SOON), make_exchange("two", url="https://a:b@host/v1")]
    )
    other.cassette("format", "m").merge()
    before = contents(other.root)
    assert library.adopt(Library(other.root)) == Adopted(1, new=1, same=0, conflicting=1)
    after = contents(library.root)
    assert library.adopt(Library(other.root)) == Adopted(1, new=0, same=2, conflicting=0)
    assert Library(library.root).adopt(Library(other.root)) == Adopted(1, new=0, same=2, conflicting=0)
    assert contents(library.root) == after
    assert contents(other.root) == before


def test_shards_in_any_order_give_the_same_cassette(tmp_path: Path, make_exchange: Any) -> None:
    """Joining the recordings of shards gives the bytes that one recorder would have written."""
    exchanges = [make_exchange(f"question {n}", note={"case": f"c{n}"}) for n in range(7)]
    shards = [Library(tmp_path / f"shard{number}") for number in range(3)]
    for number, shard in enumerate(shards):
        shard.cassette("format", "m").add_all(exchanges[number::3])
    alone = Library(tmp_path / "alone").cassette("format", "m")
    alone.add_all(exchanges)
    alone.merge()
    for order in (shards, shards[::-1]):
        joined = Library(tmp_path / f"joined{order is shards}")
        for shard in order:
            joined.adopt(Library(shard.root))
        assert joined.cassette("format", "m").path.read_bytes() == alone.path.read_bytes()


def test_secrets_known_here_are_not_taken_over(tmp_path: Path, other: Library, make_exchange: Any) -> None:
    """What comes from elsewhere passes this library's redactor, and is found by the request that was asked."""
    exchange = make_exchange("the word is swordfish-42", body=b'{"said": "swordfish-42"}')
    other.cassette("format", "m").add(exchange)
    library = Library(tmp_path / "here", redactor=Redactor(["swordfish-42"]))
    for new in (1, 0):
        assert library.adopt(Library(other.root)) == Adopted(1, new=new, same=1 - new, conflicting=0)
    assert not [text for text, _ in contents(library.root).values() if b"swordfish" in text]
    found = Library(library.root).cassette("format", "m").find(exchange.request, repeat=1)
    assert found is not None
    assert found.body == b'{"said":"[redacted]"}'


@pytest.mark.parametrize("damage", ["a file", "a reply", "a journal"])
def test_damage_elsewhere_changes_nothing_here(
    library: Library, other: Library, make_exchange: Any, damage: str
) -> None:
    """A cassette, a reply or a journal that is damaged there is named, and nothing is taken, of other evals neither."""
    library.cassette("format", "m").add(make_exchange("mine"))
    other.cassette("format", "m").add(make_exchange("theirs"))
    broken = other.cassette("tone", "m")
    broken.add(make_exchange("theirs"))
    if damage == "a journal":
        (journal,) = broken.journals()
        journal.write_bytes(b"nonsense\n" + journal.read_bytes())
    else:
        broken.merge()
        text = broken.path.read_text()
        part = '"version"' if damage == "a file" else '"string": "'
        broken.path.write_text(text.replace(part, part[:-1], 1))
    before = contents(library.root)
    with pytest.raises(CassetteError, match="other/tone"):
        library.adopt(Library(other.root))
    assert contents(library.root) == before


def test_missing_folder_is_no_empty_one(library: Library, tmp_path: Path) -> None:
    """A folder that does not exist is said, not taken for one without recordings."""
    with pytest.raises(CassetteError, match=r"no folder of cassettes at .*nowhere"):
        library.adopt(Library(tmp_path / "nowhere"))


def test_stock_recordings_elsewhere_are_adopted(library: Library, other: Library) -> None:
    """What plain vcrpy recorded there, in YAML, is taken over as a recording of ours."""
    yaml = other.cassette("format", "m").path.with_suffix(".yaml")
    yaml.parent.mkdir(parents=True)
    yaml.write_text(
        "version: 1\ninteractions:\n- request: {method: GET, uri: 'https://a/', headers: {}, body: ''}\n"
        "  response: {status: {code: 200, message: OK}, headers: {Set-Cookie: [a]}, body: {string: hello}}\n"
    )
    for new in (1, 0):
        assert library.adopt(other) == Adopted(1, new=new, same=1 - new, conflicting=0)
    (shown,) = Library(library.root).cassette("format", "m").entries()
    assert shown.exchange().body == b"hello"
