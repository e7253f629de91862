"""Requests answered in batches by the lab's server, with kills at every step; only the model is a script."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from tunegate.cases import Endpoint, Limits
from tunegate.errors import CassetteError, RunError, UsageError, WireError
from tunegate.exchanges import Exchange, Request
from tunegate.lab import Lab, Storage
from tunegate.lab.relay import Served
from tunegate.session.batches import BatchOutcome, BatchProblem, BatchProgress, Wanted, answer_in_batches
from tunegate.session.batches.submissions import KEPT_FOR_S
from tunegate.testing import Scripted, ScriptedEndpoint
from tunegate.wire.batches import BatchClient
from tunegate.wire.reading import read_exchange

PATIENCE_S = 20.0
TOOLS = Path(sys.modules["tunegate"].__file__ or "").parents[1]
Hook = Callable[[httpx2.Request, httpx2.Response], httpx2.Response]


class Killed(BaseException):
    """Stands for the end of the process."""


class Wire(httpx2.AsyncBaseTransport):
    """The real network, where a test may change what comes back, or lose it."""

    def __init__(self, hook: Hook) -> None:
        self._inner = httpx2.AsyncHTTPTransport()
        self._hook = hook

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._inner.handle_async_request(request)
        await response.aread()
        return self._hook(request, response)

    async def aclose(self) -> None:
        await self._inner.aclose()


@dataclass
class Bench:
    """A lab with a scripted model, and the driver beside it."""

    folder: Path
    base_url: str
    asked: list[str] = field(default_factory=list)
    """What the model was asked, in order."""
    answer: Callable[[str], Scripted | str] = lambda text: f"echo {text}"
    kept: dict[str, Exchange] = field(default_factory=dict)
    told: list[BatchProgress] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    hook: Hook = lambda _, response: response
    now: float = 1_800_000_000.0

    def reply(self, body: Mapping[str, Any]) -> Scripted | str:
        text: str = body["messages"][0]["content"]
        self.asked.append(text)
        return self.answer(text)

    def want(self, *texts: str, model: str = "tiny", base_url: str | None = None) -> list[Wanted]:
        """Requests whose keys are their texts."""
        url = base_url or self.base_url
        endpoint = Endpoint("lab", url, limits=Limits(timeout_s=PATIENCE_S))
        return [
            Wanted(
                text,
                Request(
                    f"{url}/chat/completions",
                    {
                        "model": model,
                        "messages": [{"role": "user", "content": text}],
                        "stream": True,
                        "stream_options": {"include_usage": True},
                    },
                ),
                endpoint,
                model,
            )
            for text in texts
        ]

    def run(self, wanted: Sequence[Wanted], **options: Any) -> BatchOutcome:
        """One command, from its beginning to its end or its kill."""
        return asyncio.run(self.start(wanted, **options))

    async def start(self, wanted: Sequence[Wanted], **options: Any) -> BatchOutcome:
        def keep(item: Wanted, exchange: Exchange) -> None:
            assert item.key not in self.kept
            self.kept[item.key] = exchange

        async def sleep(pause_s: float) -> None:
            self.pauses.append(pause_s)
            await asyncio.sleep(0.003)

        given: dict[str, Any] = {"keep": keep, "progress": self.told.append, "sleep": sleep}
        return await answer_in_batches(
            wanted,
            connect=lambda endpoint: BatchClient(
                endpoint.base_url, api_key=None, timeout_s=PATIENCE_S, transport=Wire(self.hook)
            ),
            folder=self.folder,
            **(given | {"clock": lambda: self.now} | options),
        )

    def batches(self) -> list[openai.types.Batch]:
        with openai.OpenAI(base_url=self.base_url, api_key="none", max_retries=0) as client:
            return list(client.batches.list())

    @property
    def left(self) -> list[Path]:
        """What is still written in the state folder."""
        return [path for path in self.folder.iterdir() if path.name != "lock"]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "state", "")
    bench.folder.mkdir()
    storage = Storage(tmp_path / "store", clock=lambda: bench.now)
    with ScriptedEndpoint(bench.reply) as model:
        host, port = model.base_url.removeprefix("http://").removesuffix("/v1").split(":")
        rows = [Served(name, (host, int(port))) for name in ("tiny", "other")]
        with Lab(rows, host="127.0.0.1", port=0, storage=storage) as lab:
            bench.base_url = lab.base_url
            yield bench


def die_at(status: str, *, told: list[BatchProgress] | None = None) -> Callable[[BatchProgress], None]:
    """A progress callback in which the process ends."""

    def progress(event: BatchProgress) -> None:
        if told is not None:
            told.append(event)
        if event.status == status:
            raise Killed

    return progress


# --- The ordinary way -------------------------------------------------------------------------------------------


def test_reply_is_kept_as_a_whole_exchange(bench: Bench) -> None:
    """Each reply is kept under the request that was wanted, with its own fingerprint; nothing was measured."""
    (wanted,) = bench.want("Grüße 👋")
    assert bench.run([wanted]) == BatchOutcome(answered=1)
    exchange = bench.kept["Grüße 👋"]
    assert exchange.request is wanted.request
    assert (exchange.status, exchange.headers, exchange.timing) == (200, {"content-type": ("application/json",)}, None)
    assert exchange.recorded_at == "2027-01-15T08:00:00+00:00"
    assert b": " not in exchange.body.replace(b"echo Gr", b"")
    reading = read_exchange(exchange)
    assert (reading.state, reading.reply.text, reading.latency_s) == ("answered", "echo Grüße 👋", None)
    assert bench.left == []


def test_batch_has_one_model_and_a_bounded_file(bench: Bench) -> None:
    """Requests are grouped by model, and a group is cut at so many lines or bytes; all are answered."""
    wanted = bench.want("a", "b", "c", "d", "e") + bench.want("f", model="other")
    assert bench.run(wanted, most_lines=2).answered == 6
    counts = [(batch.model, batch.request_counts.total) for batch in bench.batches() if batch.request_counts]
    assert sorted(counts) == [("other", 1), ("tiny", 1), ("tiny", 2), ("tiny", 2)]
    bench.kept.clear()
    bench.run(bench.want("g", "h"), largest_bytes=150)
    assert len(bench.batches()) == 6


def test_progress_is_told_from_plan_to_end(bench: Bench) -> None:
    """A batch is told as planned, uploaded and created, as its endpoint says, and as kept."""
    bench.run(bench.want("a", "b"))
    statuses = list(dict.fromkeys(event.status for event in bench.told))
    assert statuses[:3] == ["planned", "uploaded", "created"]
    assert statuses[-2:] == ["completed", "kept"]
    last = bench.told[-1]
    assert (last.model, last.total, last.completed, last.failed) == ("tiny", 2, 2, 0)


def test_pauses_grow(bench: Bench) -> None:
    """An endpoint is asked after two seconds, then ever more rarely, at least once a minute."""
    waits = iter(range(12))

    def hold(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        if request.method == "GET" and "/batches/" in request.url.path and next(waits, None) is not None:
            return httpx2.Response(200, json={**response.json(), "status": "in_progress"}, request=request)
        return response

    bench.hook = hold
    bench.run(bench.want("a"))
    assert bench.pauses[:3] == [2.0, 3.0, 4.5]
    assert bench.pauses == sorted(bench.pauses)
    assert bench.pauses[11] == 60.0


# --- What goes wrong --------------------------------------------------------------------------------------------


def test_failed_requests_are_asked_again(bench: Bench) -> None:
    """A line that failed on the server's side is asked in another batch, and only that line."""
    failures = iter([Scripted("busy", status=503), Scripted("slow down", status=429)])
    bench.answer = lambda text: next(failures, "at last") if text == "b" else "fine"
    assert bench.run(bench.want("a", "b", "c")) == BatchOutcome(answered=3)
    assert bench.asked == ["a", "b", "c", "b", "b"]
    assert bench.left == []


def test_attempts_are_limited(bench: Bench) -> None:
    """What fails in every attempt is a problem with the last reason, and is not kept."""
    bench.answer = lambda text: Scripted("busy", status=503) if text == "b" else "fine"
    outcome = bench.run(bench.want("a", "b"), attempts=2)
    assert outcome == BatchOutcome(1, (BatchProblem("b", 503, "503 busy"),))
    assert (bench.asked, list(bench.kept), bench.left) == (["a", "b", "b"], ["a"], [])


def test_refused_requests_are_problems_at_once(bench: Bench) -> None:
    """What the endpoint refuses for what it is would be refused again: it is asked once, and never kept."""
    bench.answer = lambda text: Scripted("no such thing", status=400) if text == "b" else "fine"
    assert bench.run(bench.want("a", "b")).problems == (BatchProblem("b", 400, "400 no such thing"),)
    assert (bench.asked, list(bench.kept)) == (["a", "b"], ["a"])


def test_reply_that_is_none_is_asked_again(bench: Bench) -> None:
    """A reply with status 200 that holds no completion is not kept, as it would not be live."""
    replies = iter([Scripted(raw=b'{"choices": []}'), "fine"])
    bench.answer = lambda _: next(replies)
    assert bench.run(bench.want("a")).answered == 1
    assert len(bench.asked) == 2


def test_batch_that_fails_says_the_endpoints_words(bench: Bench) -> None:
    """A batch that fails validation is not tried again; each request's problem is what the API said of it."""
    wanted = bench.want("a", model="gpt-nine") + bench.want("b")
    outcome = bench.run(wanted)
    assert outcome.answered == 1
    (problem,) = outcome.problems
    assert (problem.key, problem.status) == ("a", None)
    assert "line 1: The model `gpt-nine` does not exist in this lab (model_not_found)" in problem.message
    assert bench.left == []


def test_expired_requests_are_asked_again(bench: Bench) -> None:
    """What the endpoint did not get to within its window goes into another batch."""

    def take_a_day(_: str) -> str:
        if len(bench.asked) == 1:
            bench.now += 25 * 60 * 60
        return "fine"

    bench.answer = take_a_day
    assert bench.run(bench.want("a", "b")) == BatchOutcome(answered=2)
    assert bench.asked == ["a", "b"]
    assert sorted(batch.status for batch in bench.batches()) == ["completed", "expired"]


def test_somebodys_cancellation_is_respected(bench: Bench) -> None:
    """A batch that was cancelled at its endpoint is not handed in again: what it left is a problem that says so."""
    reached, opened = threading.Event(), threading.Event()

    def hold(_: str) -> str:
        reached.set()
        assert opened.wait(PATIENCE_S)
        return "fine"

    def cancel(event: BatchProgress) -> None:
        if event.status == "in_progress" and reached.is_set() and not opened.is_set():
            with openai.OpenAI(base_url=bench.base_url, api_key="none", max_retries=0) as client:
                client.batches.cancel(event.batch_id or "")
            opened.set()

    bench.answer = hold
    outcome = bench.run(bench.want("a", "b", "c"), progress=cancel)
    assert outcome.answered == 1
    assert [problem.key for problem in outcome.problems] == ["b", "c"]
    assert all("cancelled" in problem.message for problem in outcome.problems)
    assert (bench.asked, bench.left) == (["a"], [])


def test_full_queue_is_waited_for(bench: Bench) -> None:
    """A batch that is turned away because too much is enqueued is handed in again after a minute."""
    turned_away: list[str] = []

    def turn_away(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        if request.method != "GET" or "/batches/" not in request.url.path:
            return response
        batch = response.json()
        turned_away[:] = turned_away or [batch["id"]]
        if batch["id"] != turned_away[0]:
            return response
        fault = {"code": "token_limit_exceeded", "message": "Enqueued token limit reached", "line": None}
        # Never run at all, as the endpoint says; here the lab may have run it.
        told = {"status": "failed", "output_file_id": None, "errors": {"object": "list", "data": [fault]}}
        return httpx2.Response(200, json=batch | told, request=request)

    bench.hook = turn_away
    assert bench.run(bench.want("a")) == BatchOutcome(answered=1)
    assert bench.pauses[0] == 60.0
    bench.kept.clear()
    turned_away.clear()
    outcome = bench.run(bench.want("b"), attempts=1)
    assert "Enqueued token limit reached" in outcome.problems[0].message


def lose(status: int, *, times: int, path: str) -> Hook:
    """Replies of one path that come as errors, which the SDK does not retry by itself."""
    left = iter(range(times))

    def hook(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        if path in request.url.path and next(left, None) is not None:
            headers = {"x-should-retry": "false"}
            return httpx2.Response(status, headers=headers, json={"error": {"message": "oh"}}, request=request)
        return response

    return hook


@pytest.mark.parametrize("path", ["/batches/batch", "/content"])
def test_silent_endpoint_is_waited_for(bench: Bench, path: str) -> None:
    """An endpoint that fails for a while is asked again, and people are told."""
    bench.hook = lose(500, times=3, path=path)
    assert bench.run(bench.want("a", "b")) == BatchOutcome(answered=2)
    assert [event.note[-6:] for event in bench.told if event.status == "waiting"] == ["500 oh"] * 3
    assert bench.asked == ["a", "b"]


def test_dead_endpoint_ends_the_command_and_not_the_batch(bench: Bench) -> None:
    """After a quarter of an hour without a reply the command stops; the next one goes on with the same batch."""
    bench.hook = lose(500, times=1000, path="/batches/")
    with pytest.raises(WireError, match="500 oh"):
        bench.run(bench.want("a"))
    assert 600 < sum(bench.pauses) < 1200
    bench.hook = lambda _, response: response
    assert bench.run(bench.want("a")) == BatchOutcome(answered=1)
    assert (bench.asked, len(bench.batches())) == (["a"], 1)


def test_lost_reply_to_a_creation_creates_nothing_twice(bench: Bench) -> None:
    """Where the endpoint created the batch and its reply was lost, the batch is found by its token."""
    bench.hook = lose(500, times=1, path="/v1/batches")
    assert bench.run(bench.want("a")) == BatchOutcome(answered=1)
    assert (bench.asked, len(bench.batches())) == (["a"], 1)


def test_refused_creation_leaves_nothing(bench: Bench) -> None:
    """An endpoint that refuses a batch is an error, and there is nothing to resume."""
    bench.hook = lose(403, times=1, path="/v1/batches")
    with pytest.raises(WireError, match=r"cannot start a batch at .*: 403 oh"):
        bench.run(bench.want("a"))
    assert bench.left == []


def test_vanished_batch_names_its_file(bench: Bench) -> None:
    """A batch that its endpoint does not know any more is not silently paid again: the file to remove is named."""
    with pytest.raises(Killed):
        bench.run(bench.want("a"), progress=die_at("created"))
    bench.hook = lose(404, times=1, path="/batches/")
    (file,) = bench.left
    with pytest.raises(WireError, match=file.stem):
        bench.run(bench.want("a"))
    file.unlink()
    bench.hook = lambda _, response: response
    assert bench.run(bench.want("a")).answered == 1


def test_broken_disk_is_not_asked_again(bench: Bench) -> None:
    """What cannot be kept ends the command at once; the reply waits at its endpoint."""

    def keep(*_: object) -> None:
        raise CassetteError("disk full")

    with pytest.raises(CassetteError, match="disk full"):
        bench.run(bench.want("a"), keep=keep)
    assert bench.run(bench.want("a")).answered == 1
    assert bench.asked == ["a"]


# --- Kills ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["planned", "uploaded", "created", "validating", "completed", "kept"])
def test_kill_at_any_step_hands_in_nothing_twice(bench: Bench, status: str) -> None:
    """Wherever the process ended, the next command goes on: each request is asked once, in one batch."""
    told: list[BatchProgress] = []
    bench.hook = hold_validating()
    with pytest.raises(Killed):
        bench.run(bench.want("a", "b"), progress=die_at(status, told=told))
    left = [item for item in bench.want("a", "b") if item.key not in bench.kept]
    assert len(left) == (0 if status == "kept" else 2)
    assert bench.run(left).answered == len(left)
    assert (bench.asked, sorted(bench.kept), len(bench.batches())) == (["a", "b"], ["a", "b"], 1)
    assert bench.left == []


def hold_validating() -> Hook:
    """Lets the first question about a batch be answered with `validating`, however quick the lab was."""
    first = iter([True])

    def hook(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        if request.method == "GET" and "/batches/" in request.url.path and next(first, False):
            return httpx2.Response(200, json={**response.json(), "status": "validating"}, request=request)
        return response

    return hook


def test_kill_between_creation_and_note_is_found_by_token(bench: Bench) -> None:
    """The endpoint created the batch, and the process ended before it heard of it: no second one is created."""

    def die(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        if request.method == "POST" and request.url.path.endswith("/batches"):
            raise Killed
        return response

    bench.hook = die
    with pytest.raises(Killed):
        bench.run(bench.want("a", "b"))
    bench.hook = lambda _, response: response
    assert bench.run(bench.want("a", "b")).answered == 2
    assert (bench.asked, len(bench.batches())) == (["a", "b"], 1)


@pytest.mark.parametrize("has_noted", [True, False])
def test_kill_between_two_replies_keeps_each_once(bench: Bench, has_noted: bool) -> None:
    """The replies that were kept stay, the others are read from the same batch, and nothing is left over."""

    def keep(item: Wanted, exchange: Exchange) -> None:
        if has_noted and item.key == "b":
            raise Killed
        bench.kept[item.key] = exchange
        if not has_noted:
            raise Killed

    with pytest.raises(Killed):
        bench.run(bench.want("a", "b", "c"), keep=keep)
    assert list(bench.kept) == ["a"]
    assert bench.run(bench.want("b", "c")).answered == 2
    assert (bench.asked, len(bench.batches())) == (["a", "b", "c"], 1)
    # Nobody can know that the reply was kept whose keeping was not noted; its line waits and costs nothing.
    assert [path.suffix for path in bench.left] == ([] if has_noted else [".json"])


def test_kill_counts_as_no_attempt_and_keeps_the_count(bench: Bench) -> None:
    """Attempts are counted across commands."""
    bench.answer = lambda _: Scripted("busy", status=503)
    told: list[BatchProgress] = []
    with pytest.raises(Killed):
        bench.run(bench.want("a"), progress=lambda event: die_at("created")(event) if told else told.append(event))
    bench.run(bench.want("a"), attempts=2)
    assert bench.asked == ["a", "a"]


CHILD = """
import asyncio, json, os, signal, sys
from pathlib import Path
import httpx2
from tunegate.cases import Endpoint
from tunegate.exchanges import Request
from tunegate.session.batches import Wanted, answer_in_batches
from tunegate.wire.batches import BatchClient

base_url, folder, kept, death = sys.argv[1:]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

class Wire(httpx2.AsyncBaseTransport):
    inner = httpx2.AsyncHTTPTransport()
    async def handle_async_request(self, request):
        response = await self.inner.handle_async_request(request)
        if death == "creation" and request.method == "POST" and request.url.path.endswith("/batches"):
            die()
        return response

done = Path(kept).read_text().split() if Path(kept).exists() else []
def keep(item, exchange):
    with open(kept, "a") as file:
        file.write(item.key + "\\n")
    if death == "keeping":
        die()

def body(key):
    return {"model": "tiny", "messages": [{"role": "user", "content": key}]}

endpoint = Endpoint("lab", base_url)
wanted = [Wanted(key, Request(base_url + "/chat/completions", body(key)), endpoint, "tiny") for key in "abcd"]
outcome = asyncio.run(answer_in_batches(
    [item for item in wanted if item.key not in done],
    connect=lambda endpoint: BatchClient(endpoint.base_url, api_key=None, transport=Wire()),
    keep=keep, folder=Path(folder), sleep=lambda _: asyncio.sleep(0.003),
    progress=lambda event: die() if event.status == death else None,
))
print(outcome.answered)
"""


def test_killed_processes_hand_in_nothing_twice(bench: Bench, tmp_path: Path) -> None:
    """Real processes killed by SIGKILL one after the other share one batch, and no reply is kept twice."""
    kept = tmp_path / "kept"
    outputs = []
    for death in ("creation", "keeping", "never"):
        done = subprocess.run(
            [sys.executable, "-c", CHILD, bench.base_url, bench.folder, kept, death],
            env={**os.environ, "PYTHONPATH": str(TOOLS)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == (0 if death == "never" else -9), done.stderr
        outputs.append(done.stdout)
    assert outputs == ["", "", "3\n"]
    assert kept.read_text().split() == ["a", "b", "c", "d"]
    assert (bench.asked, len(bench.batches())) == (["a", "b", "c", "d"], 1)


# --- The state folder -------------------------------------------------------------------------------------------


def test_changed_request_is_asked_anew(bench: Bench) -> None:
    """What was handed in under the same key, but with other words, does not answer the request."""
    with pytest.raises(Killed):
        bench.run(bench.want("a"), progress=die_at("created"))
    (changed,) = bench.want("other words")
    changed = Wanted("a", changed.request, changed.endpoint, changed.model)
    bench.run([changed])
    assert read_exchange(bench.kept["a"]).reply.text == "echo other words"


def test_another_account_is_not_asked_for_our_batches(bench: Bench) -> None:
    """A batch belongs to the address and the key that it was handed in with."""
    with pytest.raises(Killed):
        bench.run(bench.want("a"), progress=die_at("created"))
    (item,) = bench.want("a")
    keyed = Wanted("a", item.request, Endpoint("lab", bench.base_url, key_env="OTHER_KEY"), "tiny")
    bench.run([keyed])
    assert len(bench.batches()) == 2


def test_lines_nobody_wants_now_wait(bench: Bench) -> None:
    """A command that wants less leaves the other lines of a batch for one that wants them."""
    with pytest.raises(Killed):
        bench.run(bench.want("a", "b"), progress=die_at("created"))
    assert bench.run(bench.want("b")).answered == 1
    assert bench.run(bench.want("a")).answered == 1
    assert (bench.asked, len(bench.batches()), bench.left) == (["a", "b"], 1, [])


def test_old_submissions_are_forgotten(bench: Bench) -> None:
    """After a month the endpoint has deleted the files: what is written of them is removed."""
    with pytest.raises(Killed):
        bench.run(bench.want("a"), progress=die_at("created"))
    bench.now += KEPT_FOR_S + 1
    bench.run([])
    assert bench.left == []


def test_two_commands_do_not_share_a_folder(bench: Bench) -> None:
    """A second process on the same folder would hand in what the first one has: it is refused."""

    def start_another(_: BatchProgress) -> None:
        with pytest.raises(UsageError, match="another process waits for the batches in"):
            bench.start(bench.want("b")).send(None)

    bench.run(bench.want("a"), progress=start_another)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}', '{"format": 2}', "7"])
def test_damaged_state_is_named(bench: Bench, content: str) -> None:
    """A file that cannot be read stops the command before anything is handed in, and what it costs is said."""
    path = bench.folder / "abc.json"
    path.write_text(content)
    with pytest.raises(RunError, match=r"abc\.json"):
        bench.run(bench.want("a"))
    assert bench.batches() == []


def test_torn_state_is_read(bench: Bench) -> None:
    """A draft and a torn note, as a kill leaves them, disturb nothing."""

    def keep(*_: object) -> None:
        raise Killed

    with pytest.raises(Killed):
        bench.run(bench.want("a", "b"), keep=keep)
    (state,) = bench.left
    state.with_suffix(".draft").write_text('{"form')
    state.with_suffix(".kept").write_text(json.dumps("a") + '\n"b')
    assert bench.run(bench.want("b")).answered == 1
    assert bench.left == []


def test_useless_wishes_are_refused(bench: Bench) -> None:
    """Keys that cannot be told apart or sent, and requests that go elsewhere, are refused before anything is sent."""
    (item,) = bench.want("a")
    for wrong in (
        [item, item],
        [Wanted("", item.request, item.endpoint, "tiny")],
        [Wanted("k" * 65, item.request, item.endpoint, "tiny")],
        [Wanted("a", item.request, item.endpoint, "other")],
        [Wanted("a", item.request, Endpoint("e", "http://127.0.0.1:9/v1"), "tiny")],
    ):
        with pytest.raises(UsageError):
            bench.run(wrong)
    assert bench.batches() == []
