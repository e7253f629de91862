"""Stock vcrpy replays our cassettes, and we replay stock vcrpy's."""

from __future__ import annotations

import gzip
import importlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tunegate.cassettes import Cassette, Library
from tunegate.cassettes.stock import decompress
from tunegate.exchanges import Exchange, Request, Timing

vcr: Any = importlib.import_module("vcr")  # It has no types.
STRICT = ["method", "uri", "body"]


@pytest.fixture
def client(chat_server: Any) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{chat_server.base_url}/v1", api_key="none", max_retries=0) as made:
        yield made


def ask(client: openai.OpenAI, *, stream: bool) -> str:
    messages: Any = [{"role": "user", "content": "Où? 'quoted' \"twice\"\n…"}]
    if not stream:
        whole = client.chat.completions.create(model="m", messages=messages, temperature=0)
        return whole.choices[0].message.content or ""
    pieces = client.chat.completions.create(model="m", messages=messages, stream=True)
    return "".join(piece.choices[0].delta.content or "" for piece in pieces)


@pytest.mark.parametrize("stream", [False, True])
def test_stock_vcrpy_replays_our_cassette(
    cassette: Cassette, client: openai.OpenAI, chat_server: Any, stream: bool
) -> None:
    """A cassette of ours, repeats included, plays through the openai client under plain vcrpy."""
    heard = [ask(client, stream=stream), ask(client, stream=stream)]
    kind = "text/event-stream" if stream else "application/json"
    for repeat, ((url, body), reply) in enumerate(zip(chat_server.requests, chat_server.replies, strict=True), 1):
        headers = {"Content-Type": (kind,), "Content-Encoding": ("gzip",), "Set-Cookie": ("a=b",)}
        cassette.add(Exchange(Request(url, body), 200, "OK", headers, reply, Timing(0.1, (0.1,)), None, repeat, {}))
    cassette.merge()
    with vcr.use_cassette(str(cassette.path), serializer="json", record_mode="none", match_on=STRICT) as tape:
        assert [ask(client, stream=stream), ask(client, stream=stream)] == heard
        assert tape.all_played
    assert len(chat_server.requests) == 2


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("serializer", ["json", "yaml"])
def test_we_replay_stock_cassettes(
    library: Library, client: openai.OpenAI, chat_server: Any, stream: bool, serializer: Any
) -> None:
    """A cassette that plain vcrpy recorded is found by request, its repeats in the order they happened."""
    cassette = library.cassette("format", "m")
    path = cassette.path.with_suffix(f".{serializer}")
    with vcr.use_cassette(str(path), serializer=serializer, record_mode="all", match_on=STRICT):
        ask(client, stream=stream)
        ask(client, stream=stream)
    url, body = chat_server.requests[0]
    for repeat in (1, 2):
        found = cassette.find(Request(url, body), repeat=repeat)
        assert found is not None
        assert (found.status, found.reason, found.timing) == (200, "OK", None)
        assert found.body == chat_server.replies[repeat - 1]
    assert cassette.find(Request(url, body), repeat=3) is None


def test_we_replay_compressed_stock_cassettes(library: Library, client: openai.OpenAI, chat_server: Any) -> None:
    """A gzip body in a stock YAML cassette comes back decoded, and without the header that says gzip."""
    cassette = library.cassette("format", "m")
    zipped = client.with_options(base_url=f"{chat_server.base_url}/gzip/v1")
    with vcr.use_cassette(str(cassette.path.with_suffix(".yaml")), record_mode="all", match_on=STRICT):
        ask(zipped, stream=False)
    assert b"!!binary" in cassette.path.with_suffix(".yaml").read_bytes()
    url, body = chat_server.requests[0]
    found = cassette.find(Request(url, body), repeat=1)
    assert found is not None
    assert found.body == chat_server.replies[0]
    assert "content-encoding" not in found.headers


def test_stock_json_rewritten_keeps_its_replies_and_loses_its_secrets(
    library: Library, client: openai.OpenAI, chat_server: Any, make_exchange: Any
) -> None:
    """Recording into a cassette of plain vcrpy's keeps what it had; cookies and organisation go."""
    cassette = library.cassette("format", "m")
    with vcr.use_cassette(str(cassette.path), serializer="json", record_mode="all", match_on=STRICT):
        ask(client, stream=True)
    assert "acme-corporation" in cassette.path.read_text("utf-8")
    cassette.add(make_exchange())
    cassette.merge()
    written = cassette.path.read_text("utf-8")
    assert not [word for word in ("acme-corporation", "__cf_bm", "uthorization") if word in written]
    url, body = chat_server.requests[0]
    fresh = Library(library.root).cassette("format", "m")
    found = fresh.find(Request(url, body), repeat=1)
    assert found is not None
    assert found.body == chat_server.replies[0]
    assert len(fresh.keys()) == 2


def test_stock_vcrpy_may_record_into_our_cassette(
    cassette: Cassette, client: openai.OpenAI, chat_server: Any, make_exchange: Any
) -> None:
    """Plain vcrpy adds its interactions to a cassette of ours and keeps our notes and timing."""
    exchange = make_exchange(timing=Timing(1.5, (0.5, 1.5)))
    cassette.add(exchange)
    cassette.merge()
    path = str(cassette.path)
    with vcr.use_cassette(path, serializer="json", record_mode="new_episodes", match_on=STRICT):
        ask(client, stream=False)
    found = cassette.find(exchange.request, repeat=1)
    assert found == Library(cassette.path.parent.parent).cassette(cassette.eval_name, cassette.model).find(
        exchange.request, repeat=1
    )
    assert found is not None
    assert (found.timing, found.note) == (exchange.timing, exchange.note)
    url, body = chat_server.requests[0]
    assert cassette.find(Request(url, body), repeat=1, refresh=True) is not None


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "", "identity"])
@pytest.mark.parametrize("compressed", [True, False])
def test_bodies_are_decoded_as_vcrpy_decodes_them(encoding: str, compressed: bool) -> None:
    """Decoding agrees with vcrpy's own, also for bodies that were decoded before."""
    body = "naïve {}".encode() * 20
    if compressed and encoding in ("gzip", "deflate"):
        body = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)
    headers = {"Content-Encoding": [encoding]} if encoding else {}
    theirs = vcr.filters.decode_response({"headers": dict(headers), "body": {"string": body}})
    assert decompress(body, headers=headers) == theirs["body"]["string"]


def test_importing_the_store_does_not_import_vcrpy(tmp_path: Path) -> None:
    """Replaying our own files needs no vcrpy and no YAML: importing them is slow."""
    import subprocess
    import sys

    tools = Path(decompress.__code__.co_filename).parents[2]
    code = (
        "import sys; from pathlib import Path; from tunegate.cassettes import Library; "
        "Library(Path(sys.argv[1])).cassette('a', 'b').keys(); "
        "sys.exit(bool({'vcr', 'yaml', 'openai', 'pytest'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], env={"PYTHONPATH": str(tools)}, check=False)
    assert done.returncode == 0
