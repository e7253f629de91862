"""The mock server that benchmarks measure against."""

from __future__ import annotations

import asyncio
import json
import socket
from http.client import IncompleteRead, RemoteDisconnected

import openai
import pytest
from mock_limits import Bucket, Faults, RateLimit, format_reset
from mock_process import run_mock
from mock_protocol import Conversation
from mock_state import MockServer, Settings

from tunegate.exchanges import Request

FOUR = "\n\n".join(f"Question {number}: is it 2?" for number in range(1, 5))
RIGHT = [{str(number): "2"} for number in range(1, 5)]


def test_openai_reads_whole_and_streamed_replies(serve):
    """The package's own client understands the format, usage included, and both ways say the same."""
    mock = serve(Settings(chunks=5))
    asked = {"model": "m", "messages": [{"role": "user", "content": FOUR}], "max_tokens": 64}
    with openai.OpenAI(base_url=mock.base_url, api_key="none", max_retries=0) as client:
        whole = client.chat.completions.create(**asked)
        events = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    text = "".join(event.choices[0].delta.content or "" for event in events if event.choices)
    assert json.loads(whole.choices[0].message.content) == RIGHT
    assert text == whole.choices[0].message.content
    assert sum(bool(event.choices and event.choices[0].delta.content) for event in events) == 5
    assert events[-1].usage == whole.usage
    assert whole.usage.prompt_tokens == -(-len(FOUR) // 4)


def test_answer_follows_from_the_request_alone(serve, connect):
    """Two servers give the same bytes, and the share of wrong answers falls on the same requests."""
    first, second = (connect(serve(Settings(wrong=0.5))) for _ in range(2))
    texts = [f"{FOUR} {number}" for number in range(20)]
    said = [first.ask(text).body for text in texts]
    assert said == [second.ask(text).body for text in reversed(texts)][::-1]
    assert 0 < sum(b': \\"3\\"' in body for body in said) < 20


def test_filled_reply_is_as_long_as_it_may_be(serve):
    """Where the server is to fill its limit, a token a write, it says so many and ends at the limit."""
    mock = serve(Settings(fill=True))
    asked = {"model": "m", "messages": [{"role": "user", "content": FOUR}], "max_tokens": 7}
    with openai.OpenAI(base_url=mock.base_url, api_key="none", max_retries=0) as client:
        events = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert sum(bool(event.choices and event.choices[0].delta.content) for event in events) == 7
    assert events[-1].usage.completion_tokens == 7
    assert events[-2].choices[0].finish_reason == "length"


def test_connection_is_kept_and_counted(serve, connect):
    """Many requests travel over one connection, and the counts say so."""
    mock = serve(Settings())
    asking = connect(mock)
    for number in range(5):
        assert asking.ask(f"Question {number}").status == 200
    stats = mock.stats()
    assert (stats.requests, stats.status, stats.in_flight) == (5, {"200": 5}, 0)
    assert stats.connections == 2  # ours, and the one that asked for the counts
    mock.reset()
    assert mock.stats().requests == 0


def test_log_holds_the_fingerprint_of_records(serve, connect):
    """A line of the log is found by the fingerprint that tunegate gives the request."""
    mock = serve(Settings())
    body = {"model": "m", "messages": [{"role": "user", "content": "für 2 €"}], "temperature": 0.0}
    connect(mock).ask("für 2 €", temperature=0.0)
    (line,) = mock.log()
    assert line.fingerprint == Request(f"{mock.base_url}/chat/completions", body).fingerprint
    assert (line.attempt, line.status, line.outcome) == (1, 200, "answered")


def test_stamps_are_of_the_arrival_and_the_writes(serve, connect):
    """Latency counts from the arrival; a whole reply names its duration, a streamed one has two stamps."""
    mock = serve(Settings(latency_ms=3, chunks=3, chunk_ms=2))
    asking = connect(mock)
    duration_us = int(asking.ask().headers["x-mock-duration-us"])
    streamed = asking.ask(stream=True)
    whole, stream = mock.log()
    assert duration_us == (whole.last_ns - whole.arrival_ns) // 1000 >= 3000
    assert whole.first_ns == whole.last_ns
    assert stream.first_ns - stream.arrival_ns >= 3_000_000
    assert stream.last_ns - stream.first_ns >= 4_000_000
    assert "x-mock-duration-us" not in streamed.headers


def test_requests_in_flight_are_counted(serve):
    """The peak is how many waited for their reply at once."""
    mock = serve(Settings(latency_ms=20))

    async def ask_all() -> None:
        async with openai.AsyncOpenAI(base_url=mock.base_url, api_key="none") as client:
            messages = [{"role": "user", "content": "hi"}]
            await asyncio.gather(*(client.chat.completions.create(model="m", messages=messages) for _ in range(12)))

    asyncio.run(ask_all())
    assert mock.stats().peak_in_flight == 12
    assert sorted(line.attempt for line in mock.log()) == list(range(1, 13))


@pytest.mark.parametrize("stream", [False, True])
def test_each_fault_breaks_in_its_own_way(serve, connect, stream):
    """A rejected attempt says when to come back, a dropped one sends no byte, a cut one half of its body."""
    rejected = connect(serve(Settings(faults=Faults(rejected=1.0, retry_after_s=7)))).ask(stream=stream)
    assert (rejected.status, rejected.headers["retry-after"]) == (429, "7")
    failed = connect(serve(Settings(faults=Faults(failed=1.0)))).ask(stream=stream)
    assert failed.status == 500
    with pytest.raises(RemoteDisconnected):
        connect(serve(Settings(faults=Faults(dropped=1.0)))).ask(stream=stream)
    with pytest.raises(IncompleteRead):
        connect(serve(Settings(chunks=4, faults=Faults(cut=1.0)))).ask(stream=stream)


def test_hanging_request_is_left_by_its_client(serve):
    """What hangs is answered late; a client that does not wait is counted as gone."""
    mock = serve(Settings(faults=Faults(hung=1.0, hang_s=30)))
    with (
        openai.OpenAI(base_url=mock.base_url, api_key="none", max_retries=0, timeout=0.02) as client,
        pytest.raises(openai.APITimeoutError),
    ):
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    (line,) = mock.log()
    assert (line.outcome, line.status, line.last_ns) == ("left", None, None)
    assert mock.stats().in_flight == 0


def test_faults_are_drawn_for_each_attempt(serve, connect):
    """The same seed breaks the same attempts, whatever the order of arrival; another attempt has another chance."""
    settings = Settings(faults=Faults(failed=0.5), seed=3)
    texts = [f"Question {number}" for number in range(20)]
    runs = []
    for order in (texts, texts[::-1]):
        asking = connect(serve(settings))
        runs.append({(text, attempt): asking.ask(text).status for attempt in (1, 2) for text in order})
    assert runs[0] == runs[1]
    assert {runs[0][text, 1] == runs[0][text, 2] for text in texts} == {True, False}


def test_rate_limit_admits_a_burst_and_then_the_flow(serve, connect):
    """Beyond what lies ready a request is rejected with the time to come back; headers tell the level."""
    mock = serve(Settings(requests_per_minute=60, tokens_per_minute=600_000, burst_s=2))
    asking = connect(mock)
    first, second, third = (asking.ask("x" * 40, max_tokens=10) for _ in range(3))
    assert [first.status, second.status, third.status] == [200, 200, 429]
    assert (first.headers["x-ratelimit-limit-requests"], first.headers["x-ratelimit-remaining-requests"]) == ("60", "1")
    assert first.headers["x-ratelimit-remaining-tokens"] == "19980"
    assert first.headers["x-ratelimit-reset-tokens"] == "2ms"
    assert third.headers["retry-after"] == "1"
    assert 0 < int(third.headers["retry-after-ms"]) <= 1000
    assert json.loads(third.body)["error"]["code"] == "rate_limit_exceeded"
    assert mock.stats().outcomes == {"answered": 2, "rejected": 1}


def test_bucket_refills_evenly():
    """A minute's allowance flows in over the minute; a request larger than the bucket passes when it is full."""
    bucket = Bucket(600, burst_s=1, now=0.0)
    bucket.take(10)
    assert bucket.wait_s(1, now=0.0) == pytest.approx(0.1)
    assert bucket.wait_s(1, now=0.1) == 0
    assert bucket.wait_s(25, now=0.5) == pytest.approx(0.5)
    assert bucket.wait_s(25, now=1.0) == 0
    bucket.take(25)
    assert bucket.wait_s(1, now=1.0) == pytest.approx(1.6)
    assert bucket.remaining == 0


def test_rejected_request_is_not_charged():
    """One allowance that is used up leaves the other as it is."""
    limit = RateLimit(600, 6000, burst_s=1, now=0.0)
    assert limit.admit(100, now=0.0) is None
    name, wait_s = limit.admit(50, now=0.0)
    assert (name, wait_s) == ("tokens", pytest.approx(0.5))
    assert "x-ratelimit-remaining-requests: 9\r\n" in limit.headers()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0ms"), (0.0051, "6ms"), (1.2, "1.2s"), (60, "1m0s"), (61.5, "1m2s"), (7380, "2h3m0s")],
)
def test_resets_are_written_as_the_api_does(seconds, text):
    """`6ms`, `1.2s`, `1m0s`, `2h3m0s`."""
    assert format_reset(seconds) == text


def test_server_runs_as_a_process_of_its_own():
    """The script prints its address as JSON and answers there, with the options it was given."""
    with run_mock(latency_ms=2, requests_per_minute=600) as mock:
        with openai.OpenAI(base_url=mock.base_url, api_key="none") as client:
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
        (line,) = mock.log()
        assert line.last_ns - line.arrival_ns >= 2_000_000
        assert mock.stats().cpu_s > 0


class Noting(Conversation):
    """Notes whether its socket sends small writes at once."""

    sends_at_once: bool | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        option = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        Noting.sends_at_once = bool(option)
        super().connection_made(transport)


def test_small_writes_are_not_held_back():
    """Nagle's algorithm is off: it would let the second of two small writes wait for the client."""

    async def connect_once() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Noting(MockServer(Settings())), "127.0.0.1", 0)
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        while Noting.sends_at_once is None:
            await asyncio.sleep(0.001)
        writer.close()
        server.close()

    asyncio.run(connect_once())
    assert Noting.sends_at_once
