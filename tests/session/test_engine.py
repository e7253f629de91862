"""The engine works ahead of whoever waits, in order and within bounds, and ends in good order."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tunegate.cases import Sources
from tunegate.cassettes import Library
from tunegate.errors import CaseFileError, WireError
from tunegate.exchanges import Exchange
from tunegate.records import Message, Reply
from tunegate.session.answers import Answer
from tunegate.session.engine import AHEAD, HELD_BYTES, Engine, Slot
from tunegate.session.plan import Planned, Preparer
from tunegate.testing import ScriptedEndpoint
from tunegate.wire import Reading

from .bench import PATIENCE_S, Gate, Question, one_model, opened, plan, replaying, say, text_of

MODEL = one_model("http://127.0.0.1:9/v1")
MOMENT_S = 0.005
"""Long enough for the engine to do what it must not do."""


def texts(count: int) -> list[str]:
    return [f"{number:03d}" for number in range(count)]


@dataclass
class Replies:
    """Answers in memory: what an endpoint would reply, without one."""

    body: bytes = b""
    asked: list[str] = field(default_factory=list)
    present: int = 0
    peak: int = 0
    during: Callable[[str, Slot], Any] | None = None
    """Awaited before the answer to a text."""

    async def __call__(self, planned: Planned, slot: Slot) -> Answer:
        text = planned.cell.case
        self.asked.append(text)
        self.present += 1
        self.peak = max(self.peak, self.present)
        try:
            if self.during is not None:
                await self.during(text, slot)
        finally:
            self.present -= 1
        prepared = Preparer(Sources(Path("fixtures")))(planned)
        return Answer(
            prepared,
            Exchange(prepared.request, 200, "OK", {}, self.body),
            Reading(Reply(text), "answered", None, None),
            "live",
        )


@contextmanager
def running(replies: Replies, *, in_flight: int) -> Iterator[Engine]:
    closed: list[bool] = []

    async def close() -> None:
        closed.append(True)

    engine = Engine(replies, in_flight=in_flight, close=close)
    try:
        yield engine
    finally:
        engine.close()
    assert closed in ([True], [])


def read(engine: Engine, planned: Planned) -> str:
    return engine.wait(planned).reading.reply.text


def test_asks_in_the_order_expected(library: Library) -> None:
    """What is expected is asked in that order, what is expected later behind it, and nobody is asked twice."""
    gate = Gate(holds=lambda _: False)
    with ScriptedEndpoint(gate) as endpoint:
        cells = plan(one_model(endpoint.base_url), *texts(9))
        with opened(library, cells[0].model, in_flight=1) as bench:
            bench.session.expect(cells[:4])
            bench.session.expect(cells[2:])
            assert [bench.session.ask(planned).reading.reply.text for planned in reversed(cells)] == texts(9)[::-1]
    assert gate.came == texts(9)


def test_many_are_in_flight_at_once_and_no_more_than_allowed(library: Library) -> None:
    """As many requests as allowed really are at the endpoint at the same time, and never one more."""
    gate = Gate()
    with ScriptedEndpoint(gate) as endpoint:
        cells = plan(one_model(endpoint.base_url), *texts(12))
        with opened(library, cells[0].model, in_flight=4) as bench:
            bench.session.expect(cells)
            gate.await_came(4)
            time.sleep(MOMENT_S)
            assert sorted(gate.came) == texts(4)
            gate.open()
            for planned in cells:
                bench.session.ask(planned)
    assert gate.peak == 4


def test_each_endpoint_has_places_of_its_own() -> None:
    """The places are an endpoint's: another endpoint's cells do not wait for them."""
    released = asyncio.Event()

    async def hold(_: str, __: Slot) -> None:
        await released.wait()

    replies = Replies(during=hold)
    other = one_model("http://127.0.0.1:10/v1", name="other")
    cells = [*plan(MODEL, *texts(5)), *plan(other, "a", "b", "c")]
    with running(replies, in_flight=2) as engine:
        engine.expect(cells)
        await_true(lambda: len(replies.asked) >= 4)
        time.sleep(MOMENT_S)
        assert sorted(replies.asked) == ["000", "001", "a", "b"]


def test_slow_first_reply_stops_nobody(library: Library) -> None:
    """Behind a reply that does not come the others are asked, and an item waits only for its own."""
    gate = Gate(holds=lambda text: text == "000")
    with ScriptedEndpoint(gate) as endpoint:
        cells = plan(one_model(endpoint.base_url), *texts(20))
        with opened(library, cells[0].model, in_flight=2) as bench:
            bench.session.expect(cells)
            for planned in cells[1:]:
                assert bench.session.ask(planned).reading.reply.text == planned.cell.case
            assert gate.present == 1
            gate.open()
            assert bench.session.ask(cells[0]).reading.reply.text == "000"


def test_only_so_many_wait_for_their_items() -> None:
    """Replies are fetched so far ahead and no further; each item that is done lets one more be asked."""
    replies = Replies()
    cells = plan(MODEL, *texts(AHEAD + 3))
    with running(replies, in_flight=1) as engine:
        engine.expect(cells)
        read(engine, cells[AHEAD - 1])
        time.sleep(MOMENT_S)
        assert replies.asked == texts(AHEAD)
        engine.dismiss(cells[0])
        await_true(lambda: len(replies.asked) > AHEAD)
        time.sleep(MOMENT_S)
        assert replies.asked == texts(AHEAD + 1)


def test_bodies_that_wait_are_bounded() -> None:
    """Where bodies are large, fewer replies are fetched ahead, and every item gets its own in the end."""
    quarter = bytes(HELD_BYTES // 4)
    replies = Replies(body=quarter)
    cells = plan(MODEL, *texts(40))
    with running(replies, in_flight=2) as engine:
        engine.expect(cells)
        await_true(lambda: len(replies.asked) >= 4)
        time.sleep(MOMENT_S)
        assert len(replies.asked) <= 4 + 2
        for done, planned in enumerate(cells, start=1):
            assert read(engine, planned) == planned.cell.case
            engine.dismiss(planned)
            assert len(replies.asked) <= done + 4 + 2


def test_awaited_cell_does_not_wait_for_room() -> None:
    """A cell that pytest waits for is asked although too much waits for its items: else both would wait for ever."""
    replies = Replies(body=bytes(HELD_BYTES))
    cells = plan(MODEL, *texts(9))
    (unexpected,) = plan(MODEL, "unexpected")
    with running(replies, in_flight=1) as engine:
        engine.expect(cells)
        read(engine, cells[0])
        assert read(engine, unexpected) == "unexpected"
        assert read(engine, cells[-1]) == cells[-1].cell.case


def test_retry_finds_its_place_while_others_wait_for_room() -> None:
    """A request that comes back from its pause is not held up by those that wait for room."""
    cells = plan(MODEL, *texts(9))

    async def pause(text: str, slot: Slot) -> None:
        if text == "000":
            await slot.rest(MOMENT_S)

    with running(Replies(body=bytes(HELD_BYTES), during=pause), in_flight=1) as engine:
        engine.expect(cells)
        assert read(engine, cells[0]) == "000"


def test_skipped_while_in_flight_weighs_nothing() -> None:
    """The reply to a cell whose item is already done is not counted as waiting for it."""
    released = threading.Event()
    weight = HELD_BYTES // 2

    async def hold(text: str, _: Slot) -> None:
        if text.startswith("skipped"):
            await asyncio.to_thread(released.wait, PATIENCE_S)

    replies = Replies(body=bytes(weight), during=hold)
    skipped, cells = plan(MODEL, "skipped-1", "skipped-2"), plan(MODEL, "one", "two")
    with running(replies, in_flight=2) as engine:
        engine.expect(skipped)
        await_true(lambda: replies.present == 2)
        for planned in skipped:
            engine.dismiss(planned)
        released.set()
        engine.expect(cells)
        await_true(lambda: len(replies.asked) == 4)


def test_limit_of_one_asks_one_by_one() -> None:
    """With a limit of one, the next is asked only when the item before it is done."""
    replies = Replies()
    cells = plan(MODEL, *texts(5))
    with running(replies, in_flight=8) as engine:
        engine.limit(1)
        engine.expect(cells)
        for number, planned in enumerate(cells, start=1):
            read(engine, planned)
            time.sleep(MOMENT_S)
            assert replies.asked == texts(number)
            engine.dismiss(planned)


def test_limit_can_be_raised_up_to_the_bound() -> None:
    """A wider limit holds from the next item on, and never exceeds the usual bound."""
    replies = Replies()
    cells = plan(MODEL, *texts(AHEAD + 9))
    with running(replies, in_flight=1) as engine:
        engine.limit(1)
        engine.expect(cells)
        read(engine, cells[0])
        engine.limit(10**6)
        engine.dismiss(cells[0])
        read(engine, cells[AHEAD])
        time.sleep(MOMENT_S)
        assert replies.asked == texts(AHEAD + 1)


def test_skipped_before_it_is_asked_stays_unasked() -> None:
    """A cell whose item is done before its turn is not asked any more."""
    replies = Replies()
    cells = plan(MODEL, *texts(4))
    with running(replies, in_flight=1) as engine:
        engine.limit(1)
        engine.expect(cells)
        engine.dismiss(cells[1])
        engine.dismiss(cells[2])
        read(engine, cells[0])
        engine.dismiss(cells[0])
        read(engine, cells[3])
    assert replies.asked == ["000", "003"]


def test_item_that_ended_while_its_cell_waited_for_a_place_leaves_it_unasked() -> None:
    """A cell that stands in line behind others is not asked any more once its item is done."""
    first = threading.Event()

    async def hold(text: str, _: Slot) -> None:
        while text == "000" and not first.is_set():
            await asyncio.sleep(0.001)

    replies = Replies(during=hold)
    cells = plan(MODEL, *texts(3))
    with running(replies, in_flight=1) as engine:
        engine.expect(cells)
        while not replies.asked:
            time.sleep(0.001)
        engine.dismiss(cells[1])
        time.sleep(MOMENT_S)
        first.set()
        assert read(engine, cells[2]) == "002"
    assert replies.asked == ["000", "002"]


def test_unexpected_cell_is_asked_when_it_is_waited_for() -> None:
    """A cell that nobody announced is asked by whoever waits for it, also where the bound is reached."""
    replies = Replies()
    cells = plan(MODEL, "000", "001")
    with running(replies, in_flight=1) as engine:
        engine.limit(1)
        engine.expect(cells[:1])
        assert read(engine, cells[1]) == "001"
        assert read(engine, cells[1]) == "001"
        engine.dismiss(cells[1])
        assert read(engine, cells[1]) == "001"
    assert sorted(replies.asked) == ["000", "001", "001"], "once, and again after its item was done"


class _Skipped(BaseException):
    """As pytest's own: no Exception."""


@pytest.mark.parametrize(
    "problem", [CaseFileError("no such table"), ZeroDivisionError("oops"), _Skipped(), SystemExit(3)]
)
def test_broken_prompt_breaks_its_own_item_only(library: Library, problem: BaseException) -> None:
    """What an eval's prompt raises is raised at its item, whatever it is, and the others are answered."""

    def prompt(case: Question, sources: Sources) -> list[Message]:
        if case.text == "001":
            raise problem
        return say(case, sources)

    with ScriptedEndpoint(text_of) as endpoint:
        cells = plan(one_model(endpoint.base_url), *texts(4), prompt=prompt)
        with opened(library, cells[0].model) as bench:
            bench.session.expect(cells)
            for planned in cells[2:] + cells[:1]:
                assert bench.session.ask(planned).reading.reply.text == planned.cell.case
            with pytest.raises(type(problem)) as raised:
                bench.session.ask(cells[1])
    assert raised.value is problem


def test_nothing_reaches_the_endpoint_after_a_stop(library: Library) -> None:
    """After a stop nothing is asked any more, who waits gets an error, and what came before is on disk."""
    gate = Gate(holds=lambda text: text != "000")
    with ScriptedEndpoint(gate) as endpoint, ThreadPoolExecutor(1) as pool:
        cells = plan(one_model(endpoint.base_url), *texts(9))
        with opened(library, cells[0].model, in_flight=2) as bench:
            bench.session.expect(cells[:6])
            bench.session.ask(cells[0])
            gate.await_came(3)
            waiting = pool.submit(bench.session.ask, cells[1])
            bench.session.stop()
            with pytest.raises(WireError, match="the run was stopped"):
                waiting.result(timeout=PATIENCE_S)
            gate.open()
            bench.session.expect(cells[6:])
            for planned in cells[1:]:
                with pytest.raises(WireError, match="the run was stopped"):
                    bench.session.ask(planned)
            assert bench.session.ask(cells[0]).reading.reply.text == "000", "what came is still there"
        assert len(gate.came) == 3
    assert replaying(Library(library.root)).ask(cells[0]).reading.reply.text == "000"


def test_stop_at_once_leaves_nobody_waiting() -> None:
    """A stop before the first step of a request ends it like any other: with its reply or with an error."""
    replies = Replies()
    for _ in range(20):
        with running(replies, in_flight=4) as engine:
            cells = plan(MODEL, *texts(9))
            engine.expect(cells)
            engine.stop()
            for planned in cells:
                try:
                    assert read(engine, planned) == planned.cell.case
                except WireError as problem:
                    assert "the run was stopped" in str(problem)  # noqa: PT017  # either may come first


def test_close_may_come_twice_or_without_a_beginning() -> None:
    """Closing what was never used, or is closed, does nothing; nothing is asked afterwards."""
    replies = Replies()
    with running(replies, in_flight=1) as engine:
        engine.close()
    cells = plan(MODEL, "000", "001")
    with running(replies, in_flight=1) as engine:
        read(engine, cells[0])
        engine.close()
        engine.close()
        engine.expect(cells)
        with pytest.raises(WireError, match="stopped"):
            engine.wait(cells[1])
    assert replies.asked == ["000"]


def test_close_leaves_no_thread_behind() -> None:
    """The engine's thread ends with it, and starts only with the first cell."""
    names = lambda: [thread.name for thread in threading.enumerate() if "tunegate-engine" in thread.name]  # noqa: E731
    with running(Replies(), in_flight=1) as engine:
        assert not names()
        read(engine, *plan(MODEL, "000"))
        assert names()
    assert not names()


@pytest.fixture
def ctrl_c() -> Iterator[Callable[[], None]]:
    """Interrupts the main thread, as Ctrl-C does; a shell may have let us ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    signal.signal(signal.SIGINT, before)


def test_interrupted_wait_can_still_be_closed(ctrl_c: Callable[[], None]) -> None:
    """Ctrl-C while pytest waits for a reply ends the waiting; the engine then closes as ever."""

    async def interrupt(_: str, __: Slot) -> None:
        ctrl_c()
        await asyncio.Event().wait()

    (planned,) = plan(MODEL, "000")
    with running(Replies(during=interrupt), in_flight=1) as engine, pytest.raises(KeyboardInterrupt):
        engine.wait(planned)


def test_request_that_pauses_leaves_its_place() -> None:
    """While a request waits to be repeated another one has its place, and it comes back afterwards."""
    ended: list[str] = []

    async def pause(text: str, slot: Slot) -> None:
        if text == "000":
            await slot.rest(4 * MOMENT_S)
        ended.append(text)

    cells = plan(MODEL, "000", "001")
    with running(Replies(during=pause), in_flight=1) as engine:
        engine.expect(cells)
        read(engine, cells[0])
    assert ended == ["001", "000"]


def await_true(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.0005)
