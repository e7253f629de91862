"""The Batch API as we speak it: with the lab's server, and with replies that no server should give."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest

from tunegate.errors import WireError
from tunegate.lab import Lab, Storage
from tunegate.lab.relay import Served
from tunegate.testing import Scripted, ScriptedEndpoint
from tunegate.wire.batches import BatchClient, BatchLine, BatchState, compact_json, read_line, render_line

T = TypeVar("T")
BODY = {"model": "tiny", "messages": [{"role": "user", "content": "2 + 2? Grüße 👋"}]}
Answer = Callable[[httpx2.Request], httpx2.Response]


def use(work: Callable[[BatchClient], Awaitable[T]], base_url: str = "http://h/v1", **options: Any) -> T:
    async def run() -> T:
        client = BatchClient(base_url, **{"api_key": None, **options})
        try:
            return await work(client)
        finally:
            await client.aclose()

    return asyncio.run(run())


def scripted(answer: Answer) -> httpx2.MockTransport:
    return httpx2.MockTransport(answer)


async def read_all(client: BatchClient, file_id: str | None) -> list[BatchLine]:
    return [line async for line in client.read_lines(file_id)] if file_id else []


async def wait_for(client: BatchClient, state: BatchState) -> BatchState:
    while not state.is_over:
        await asyncio.sleep(0.003)
        state = await client.retrieve(state.id)
    return state


def test_batch_goes_there_and_back(tmp_path: Path) -> None:
    """A batch is uploaded, created, listed under its metadata, waited for, and its lines are read with their keys."""
    answers = {"1": Scripted("wrong", status=400)}

    async def work(client: BatchClient) -> None:
        lines = [render_line(key, {**BODY, "messages": [{"role": "user", "content": key}]}) for key in "01"]
        file_id = await client.upload(b"".join(lines), name="x.jsonl")
        created = await client.create(file_id, metadata={"tunegate": "t"})
        assert created.input_file_id == file_id
        (listed,) = [state async for state in client.list_batches(since=created.created_at)]
        assert (listed.id, listed.metadata) == (created.id, {"tunegate": "t"})
        assert [state async for state in client.list_batches(since=created.created_at + 1)] == []
        done = await wait_for(client, created)
        assert (done.status, done.total, done.completed, done.failed) == ("completed", 2, 1, 1)
        (good,), (bad,) = await read_all(client, done.output_file_id), await read_all(client, done.error_file_id)
        assert (good.custom_id, good.status) == ("0", 200)
        assert json.loads(good.body)["choices"][0]["message"]["content"] == "four"
        assert (bad.custom_id, bad.status, bad.message) == ("1", 400, "wrong")
        with pytest.raises(WireError, match="404 No batch found with id 'batch_nowhere'"):
            await client.cancel("batch_nowhere")

    with ScriptedEndpoint(lambda body: answers.get(body["messages"][0]["content"], "four")) as engine:
        host, port = engine.base_url.removeprefix("http://").removesuffix("/v1").split(":")
        with Lab([Served("tiny", (host, int(port)))], host="127.0.0.1", port=0, storage=Storage(tmp_path)) as lab:
            use(work, lab.base_url)


def test_cancelled_batch_is_not_over_yet() -> None:
    """A cancellation is asked for by the batch's id; the batch still ends later."""
    batch = {"id": "b", "object": "batch", "status": "cancelling", "input_file_id": "f", "created_at": 7}

    def answer(request: httpx2.Request) -> httpx2.Response:
        assert (request.method, request.url.path) == ("POST", "/v1/batches/b/cancel")
        return httpx2.Response(200, json=batch)

    state = use(lambda client: client.cancel("b"), transport=scripted(answer))
    assert (state.status, state.is_over, state.created_at) == ("cancelling", False, 7)


def test_failed_batch_says_why(tmp_path: Path) -> None:
    """A batch that its endpoint refuses to run carries the endpoint's words, with the line."""

    async def work(client: BatchClient) -> BatchState:
        file_id = await client.upload(render_line("a", {**BODY, "model": "gpt-nine"}), name="x.jsonl")
        return await wait_for(client, await client.create(file_id, metadata={}))

    with Lab([], host="127.0.0.1", port=0, storage=Storage(tmp_path)) as lab:
        state = use(work, lab.base_url)
    assert state.status == "failed"
    (fault,) = state.faults
    assert str(fault) == "line 1: The model `gpt-nine` does not exist in this lab (model_not_found)"


def test_line_asks_without_a_stream() -> None:
    """What is sent is the request's body without its stream, under the address that the Batch API knows."""
    line = json.loads(render_line("a", {**BODY, "stream": True, "stream_options": {"include_usage": True}}))
    assert line == {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": BODY}


@pytest.mark.parametrize(
    ("response", "error", "expected"),
    [
        ({"status_code": 200, "body": {"a": "ü"}}, None, BatchLine("k", 200, b'{"a":"\xc3\xbc"}')),
        ({"status_code": 429, "body": {"error": {"message": "no"}}}, None,
         BatchLine("k", 429, b'{"error":{"message":"no"}}', message="no")),
        ({"status_code": 500, "body": None}, None, BatchLine("k", 500, b"null")),
        ({"status_code": 0, "body": ""}, None, BatchLine("k", None, b'""')),
        (None, {"code": "batch_expired", "message": "late"},
         BatchLine("k", None, code="batch_expired", message="late")),
        (None, None, BatchLine("k", None)),
    ],
)  # fmt: skip
def test_lines_of_output_are_read(response: object, error: object, expected: BatchLine) -> None:
    """A reply, an error in the place of a reply, and no reply at all are told apart."""
    assert read_line(json.dumps({"custom_id": "k", "response": response, "error": error}).encode()) == expected


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"7", b'{"response": null}', b"\xff"])
def test_lines_that_are_none_are_refused(text: bytes) -> None:
    """Damaged output is an error of the wire, never a missing answer."""
    with pytest.raises(WireError, match="line that is none"):
        read_line(text)


def test_half_a_character_is_kept() -> None:
    """A lone surrogate that a model said survives as an escape."""
    assert json.loads(compact_json({"text": "\ud83d"})) == {"text": "\ud83d"}


def test_lines_end_at_newlines_only() -> None:
    """A line separator inside of a text, which many readers of lines stop at, does not cut the line."""
    body = '{"custom_id":"a","response":{"status_code":200,"body":{"t":"x\u2028y\x85z"}}}\n\n'.encode() * 3

    async def pieces() -> Any:
        for start in range(0, len(body), 7):
            yield body[start : start + 7]

    lines = use(
        lambda client: read_all(client, "file-1"),
        transport=scripted(lambda _: httpx2.Response(200, content=pieces())),
    )
    assert [json.loads(line.body)["t"] for line in lines] == ["x\u2028y\x85z"] * 3


def test_creation_is_tried_once() -> None:
    """A lost reply to a creation is not asked for again by itself; reading is, since it costs nothing."""
    seen: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.method)
        return httpx2.Response(500, headers={"retry-after-ms": "1"}, json={"error": {"message": "oh"}})

    with pytest.raises(WireError, match="cannot start a batch at http://h/v1: 500 oh") as problem:
        use(lambda client: client.create("file-1", metadata={}), transport=scripted(answer))
    assert problem.value.status == 500
    with pytest.raises(WireError):
        use(lambda client: client.retrieve("batch_1"), transport=scripted(answer))
    assert seen == ["POST", "GET", "GET", "GET"]


def test_lost_connection_is_an_error_of_the_wire() -> None:
    """Where no reply came the error has no status, and names the endpoint and what was tried."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ReadError("gone", request=request)

    with pytest.raises(WireError, match=r"cannot start a batch at http://h/v1: ReadError: gone") as problem:
        use(lambda client: client.create("file-1", metadata={}), transport=scripted(answer))
    assert problem.value.status is None


@pytest.mark.parametrize(
    ("response", "hint"),
    [
        (httpx2.Response(405, json={"error": {"message": "no"}}), "has this endpoint a Batch API"),
        (httpx2.Response(200, text="<html>", headers={"content-type": "text/html"}), "has this endpoint a Batch API"),
        (httpx2.Response(401, json={"error": {"message": "wrong key sk-12345678"}}), r"wrong key \[redacted\]"),
    ],
)
def test_endpoints_without_batches_are_named(response: httpx2.Response, hint: str) -> None:
    """An endpoint that knows no batches, or refuses the key, is said as that, and the key is not repeated."""
    with pytest.raises(WireError, match=hint):
        use(
            lambda client: client.create("file-1", metadata={}),
            api_key="sk-12345678",
            transport=scripted(lambda _: response),
        )


@pytest.mark.parametrize(("key", "sent"), [("sk-test", "Bearer sk-test"), (None, None)])
def test_account_stays_at_home(monkeypatch: pytest.MonkeyPatch, key: str | None, sent: str | None) -> None:
    """The key goes where there is one, and the SDK's organisation and project to nobody but OpenAI."""
    monkeypatch.setenv("OPENAI_ORG_ID", "org-x")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-x")
    seen: list[httpx2.Headers] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers)
        return httpx2.Response(404, json={})

    for base_url in ("http://h/v1", "https://api.openai.com/v1"):
        with pytest.raises(WireError):
            use(lambda client: client.retrieve("batch_1"), base_url, api_key=key, transport=scripted(answer))
    other, openai = seen
    assert other.get("authorization") == openai.get("authorization") == sent
    assert "openai-organization" not in other
    assert "openai-project" not in other
    assert openai["openai-organization"] == "org-x"
