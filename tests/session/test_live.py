"""Asking an endpoint: again where that may help, admitted each time, and only what is worth keeping is kept."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tunegate.cassettes import Library
from tunegate.errors import WireError
from tunegate.session.pricing import Pricing
from tunegate.testing import Scripted, ScriptedEndpoint

from .bench import PATIENCE_S, PRICED, FixedPrices, Gate, one_model, opened, plan, replaying, text_of

NO_END = (
    b'data: {"model":"m","choices":[{"index":0,"delta":{"content":"fo"},"finish_reason":null}]}\n\ndata: [DONE]\n\n'
)
BAD_ONCE = {
    "408": Scripted("busy", status=408),
    "409": Scripted("busy", status=409),
    "429": Scripted("busy", status=429),
    "500": Scripted("busy", status=500),
    "503": Scripted("busy", status=503),
    "told to": Scripted("busy", status=418, headers={"x-should-retry": "true"}),
    "cut short": Scripted("four", cut=True),
    "without an end": Scripted(raw=NO_END),
    "no JSON": Scripted(raw=b"<html>a proxy's page</html>"),
    "dropped": ConnectionAbortedError("the test drops this connection"),
}


class Replies:
    """Gives one reply after the other, and the last one ever after; an exception drops the connection."""

    def __init__(self, *replies: Scripted | Exception) -> None:
        self._replies = list(replies)
        self.came_at: list[float] = []

    def __call__(self, _: Mapping[str, Any]) -> Scripted:
        self.came_at.append(time.perf_counter())
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply


@pytest.mark.parametrize("bad", BAD_ONCE.values(), ids=BAD_ONCE)
def test_failure_that_may_pass_is_tried_again(library: Library, bad: Scripted | Exception) -> None:
    """After what another attempt may better comes another attempt, and only its reply is recorded."""
    with ScriptedEndpoint(Replies(bad, Scripted("four"))) as endpoint:
        (planned,) = plan(one_model(endpoint.base_url), "2 + 2?")
        with opened(library, planned.model) as bench:
            answer = bench.session.ask(planned)
            assert (answer.source, answer.reading.reply.text) == ("live", "four")
            assert [ticket.attempt for ticket in bench.desk.tickets] == [1, 2]
            assert bench.chance.asked == 1, "the pause in between is left to chance"
        assert len(endpoint.seen) == 2
    (entry,) = library.cassette("format", "m").entries()
    assert entry.exchange().status == 200
    assert replaying(Library(library.root)).ask(planned).reading.reply.text == "four"


def test_reply_that_is_late_is_tried_again(library: Library) -> None:
    """A reply that is not complete within the endpoint's `timeout_s` counts as none."""
    is_over = threading.Event()
    first = [True]

    def answer(_: Mapping[str, Any]) -> str:
        if first.pop() if first else False:
            is_over.wait(PATIENCE_S)
        return "four"

    with ScriptedEndpoint(answer) as endpoint:
        (planned,) = plan(one_model(endpoint.base_url, timeout_s=0.3), "2 + 2?")
        with opened(library, planned.model) as bench:
            assert bench.session.ask(planned).reading.reply.text == "four"
            (late, _) = (outcome for _, outcome in bench.desk.settled)
        assert (late.kind, late.status, late.cost_usd) == ("failed", None, None)
        assert "within timeout_s = 0.3 s" in late.message
        is_over.set()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_refusal_is_not_tried_again(library: Library, status: int) -> None:
    """A request that was refused for what it is is sent once."""
    with ScriptedEndpoint(lambda body: Scripted("no", status=status)) as endpoint:
        (planned,) = plan(one_model(endpoint.base_url), "2 + 2?")
        with opened(library, planned.model) as bench:
            with pytest.raises(WireError, match=f"^{status} no, from [^ ]+$") as problem:
                bench.session.ask(planned)
            ((_, outcome),) = bench.desk.settled
        assert len(endpoint.seen) == 1
    assert problem.value.status == status
    assert (outcome.kind, outcome.cost_usd) == ("refused", 0.0)
    assert not library.cassettes()


def test_account_without_credit_is_not_tried_again(library: Library) -> None:
    """A 429 for want of credit is a refusal, and no other request of the account is sent."""
    body = b'{"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}'
    with ScriptedEndpoint(lambda _: Scripted(status=429, raw=body)) as endpoint:
        cells = plan(one_model(endpoint.base_url), "1", "2")
        with opened(library, cells[0].model) as bench:
            for planned, told in zip(cells, ("429 You exceeded", "not asked any more"), strict=True):
                with pytest.raises(WireError, match=f"^{told}"):
                    bench.session.ask(planned)
        assert len(endpoint.seen) == 1


def test_last_failure_says_how_many_attempts(library: Library) -> None:
    """After the last attempt the error is the endpoint's own, with the number of attempts, and nothing is recorded."""
    with ScriptedEndpoint(lambda body: Scripted("busy", status=503)) as endpoint:
        (planned,) = plan(one_model(endpoint.base_url, attempts=3), "2 + 2?")
        with opened(library, planned.model) as bench:
            with pytest.raises(WireError, match=r"503 busy, .*\(attempt 3\)") as problem:
                bench.session.ask(planned)
            assert [outcome.final for _, outcome in bench.desk.settled] == [False, False, True]
        assert len(endpoint.seen) == 3
    assert problem.value.status == 503
    assert not library.cassettes()


def test_time_is_that_of_the_last_attempt(library: Library) -> None:
    """A reply that came at the second attempt took as long as the second attempt, not as long as both."""
    with ScriptedEndpoint(replies := Replies(Scripted("busy", status=429), Scripted("four"))) as endpoint:
        (planned,) = plan(one_model(endpoint.base_url), "2 + 2?")
        with opened(library, planned.model) as bench:
            began = time.perf_counter()
            latency_s = bench.session.ask(planned).reading.latency_s
            ended = time.perf_counter()
    assert latency_s is not None
    assert latency_s < ended - replies.came_at[0] < ended - began


def test_retry_after_is_waited_for_once(library: Library) -> None:
    """Where the endpoint says when, the run's desk holds the account until then, and nothing is slept on top."""
    wait_s = 0.04
    busy = Scripted("busy", status=429, headers={"retry-after-ms": str(wait_s * 1000)})
    with ScriptedEndpoint(replies := Replies(busy, Scripted("four"))) as endpoint:
        (planned,) = plan(one_model(endpoint.base_url), "2 + 2?")
        with opened(library, planned.model) as bench:
            assert bench.session.ask(planned).reading.reply.text == "four"
            assert bench.chance.asked == 0
            assert bench.desk.settled[0][1].retry_after_s == wait_s
    assert replies.came_at[1] - replies.came_at[0] >= wait_s


def test_desk_hears_what_the_endpoint_says_of_its_limits(library: Library) -> None:
    """Rate limits in the headers of a reply, or of a rejection, reach the desk with its outcome."""
    headers = {"x-ratelimit-limit-requests": "600"}
    replies = Replies(Scripted("busy", status=429, headers=headers), Scripted("four", headers=headers))
    with ScriptedEndpoint(replies) as endpoint:
        (planned,) = plan(one_model(endpoint.base_url), "2 + 2?")
        with opened(library, planned.model) as bench:
            bench.session.ask(planned)
            outcomes = [outcome for _, outcome in bench.desk.settled]
        assert [outcome.kind for outcome in outcomes] == ["rejected", "answered"]
        assert [outcome.quota and outcome.quota.requests.limit for outcome in outcomes] == [600, 600]
        assert any("learned from its headers" in line for line in bench.shown)


def test_reply_is_charged_by_what_the_server_counted(library: Library) -> None:
    """What is reserved is an upper bound, what is spent is the reply's own usage."""
    with ScriptedEndpoint(lambda body: "four") as endpoint:
        (planned,) = plan(one_model(endpoint.base_url), "2 + 2?")
        with opened(library, planned.model, price=PRICED, max_cost_usd=1.0) as bench:
            bench.session.ask(planned)
            ((_, outcome),) = bench.desk.settled
            assert outcome.tokens == 8
            assert outcome.cost_usd == pytest.approx((7 * 1.0 + 1 * 2.0) / 1e6)
            assert bench.desk.tickets[0].cost_usd > outcome.cost_usd
            assert bench.desk.admission.spent_usd == outcome.cost_usd


def test_spent_budget_is_said_and_nothing_more_is_sent(library: Library) -> None:
    """Where the next request may cost more than is left it is not sent, and its item says so."""
    with ScriptedEndpoint(text_of) as endpoint:
        cells = plan(one_model(endpoint.base_url), *(f"sum {number}" for number in range(9)))
        most_usd = Pricing(FixedPrices(PRICED)).quote(replaying(library).prepare(cells[0])).most_usd
        reply_usd = (7 * 1.0 + 2 * 2.0) / 1e6
        assert most_usd is not None
        told = []
        with opened(library, cells[0].model, price=PRICED, max_cost_usd=most_usd + 1.5 * reply_usd) as bench:
            bench.session.expect(cells)
            for planned in cells:
                with contextlib.suppress(WireError):
                    told.append(bench.session.ask(planned).reading.reply.text)
            with pytest.raises(WireError, match=r"^not asked: the budget of .* is used up"):
                bench.session.ask(cells[-1])
            assert bench.desk.admission.spent_usd == pytest.approx(2 * reply_usd)
    assert told == ["sum 0", "sum 1"]
    assert len(endpoint.seen) == 2


def test_desk_hears_once_how_every_request_ended(library: Library) -> None:
    """Answered, failed, given up in flight or while it waited: each ticket is settled exactly once."""
    gate = Gate(holds=lambda text: text.startswith("held"))

    def answer(body: Mapping[str, Any]) -> Scripted:
        reply = gate(body)
        return Scripted("busy", status=500) if text_of(body) == "fails" else reply

    with ScriptedEndpoint(answer) as endpoint:
        model = one_model(endpoint.base_url, max_connections=2)
        cells = plan(model, "one", "fails", "two", "held 1", "held 2", "waits 1", "waits 2")
        with opened(library, model, price=PRICED) as bench:
            bench.session.expect(cells[:3])
            for planned in (cells[0], cells[2]):
                bench.session.ask(planned)
            with pytest.raises(WireError, match="500 busy"):
                bench.session.ask(cells[1])
            bench.session.expect(cells[3:])
            gate.await_came(6)
        gate.open()
    desk = bench.desk
    assert Counter(number for number, _ in desk.settled) == Counter(ticket.number for ticket in desk.tickets)
    assert (desk.admission.in_flight, desk.admission.waiting) == (0, 0)
    given_up = [outcome.cost_usd for _, outcome in desk.settled if outcome.kind == "cancelled"]
    assert len(given_up) == 4
    assert given_up.count(None) == 2, "what was in flight may have cost its price, the others were never sent"


def test_recording_is_not_announced_to_the_desk(library: Library) -> None:
    """What is answered from its recording takes nobody's place and costs nothing."""
    with ScriptedEndpoint(lambda body: "four") as endpoint:
        (planned,) = plan(one_model(endpoint.base_url), "2 + 2?")
        for asked in (1, 0):
            with opened(library, planned.model, price=PRICED) as bench:
                bench.session.ask(planned)
                assert len(bench.desk.tickets) == asked


def test_stop_waits_for_the_disk(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply that is being written down when the run stops is kept, and its item gets it."""
    at_the_disk, may_go = threading.Event(), threading.Event()
    sync = os.fdatasync

    def slow(descriptor: int) -> None:
        at_the_disk.set()
        may_go.wait(PATIENCE_S)
        sync(descriptor)

    monkeypatch.setattr(os, "fdatasync", slow)
    with ScriptedEndpoint(text_of) as endpoint, ThreadPoolExecutor(1) as pool:
        cells = plan(one_model(endpoint.base_url), "2 + 2?", "3 + 3?")
        with opened(library, cells[0].model) as bench:
            waiting = pool.submit(bench.session.ask, cells[0])
            assert at_the_disk.wait(PATIENCE_S)
            bench.session.stop()
            bench.session.stop()
            may_go.set()
            assert waiting.result(timeout=PATIENCE_S).reading.reply.text == "2 + 2?"
    assert replaying(Library(library.root)).ask(cells[0]).reading.reply.text == "2 + 2?"


def test_stopped_requests_leave_nothing_on_the_loops(library: Library, caplog: pytest.LogCaptureFixture) -> None:
    """Closing in the midst of it ends every task and every connection, so that no loop complains."""
    with ScriptedEndpoint(gate := Gate()) as endpoint:
        cells = plan(one_model(endpoint.base_url), *(f"sum {number}" for number in range(6)))
        with opened(library, cells[0].model, in_flight=3) as bench:
            bench.session.expect(cells)
            gate.await_came(3)
        gate.open()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("tunegate")]
    assert not caplog.records
