"""The request engine: works ahead of pytest on a thread of its own, many requests in flight, in pytest's order.

What is expected to run is asked before its item asks for it; the item then waits for its own reply only. A request
travels: prepared -> found among the recordings, or admitted by the run's desk -> sent -> read -> kept -> answered.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tunegate.errors import WireError
from tunegate.records import Cell
from tunegate.session.answers import Answer
from tunegate.session.plan import Planned
from tunegate.wire.arrival import ArrivalLoop

AHEAD = 32
"""Replies that may wait for their items, for each request that may be in flight: one slow reply stalls nobody."""
HELD_BYTES = 64 * 1024 * 1024
"""Bodies that may wait for their items; those in flight when it is reached come on top."""
_SWEEPS = 64
"""Times that a full bound is swept of done items while pytest works through it."""
_STOPPED = "given up: the run was stopped before the reply came"


@dataclass
class _Place:
    """A planned cell on its way; `future` holds its answer."""

    planned: Planned
    future: Future[Answer] = field(default_factory=Future)
    task: asyncio.Task[None] | None = None
    is_started: bool = False
    is_asked: bool = False
    is_dismissed: bool = False
    held_bytes: int = 0


class Engine:
    """Answers planned cells, ahead of whoever waits for them.

    Args:
        answer: answers one cell; runs on the engine's loop, up to `in_flight` at a time.
        in_flight: how many cells of one endpoint are worked on at a time; cells under a load go by that.
        close: runs on the loop when everything else has ended there.
    """

    def __init__(
        self,
        answer: Callable[[Planned, Slot], Coroutine[Any, Any, Answer]],
        *,
        in_flight: int,
        close: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        self._answer = answer
        self._in_flight = in_flight
        self._close_connections = close
        self._lock = threading.Lock()
        self._places: dict[Cell, _Place] = {}
        self._upcoming: deque[_Place] = deque()
        self._done: list[_Place] = []
        self._lanes: dict[object, Slot] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ahead = AHEAD * in_flight
        self._open = 0
        self._held_bytes = 0
        self._awaited: set[Cell] = set()
        self._room = asyncio.Event()
        self._room.set()
        self._is_stopped = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def expect(self, upcoming: Iterable[Planned]) -> None:
        """Work ahead on cells that will be asked for, in this order, behind those already expected."""
        if self._is_stopped:
            return
        with self._lock:
            fresh = [_Place(planned) for planned in upcoming if planned.cell not in self._places]
            self._places.update((place.planned.cell, place) for place in fresh)
            self._upcoming.extend(fresh)
        if fresh:
            self._wake()

    def limit(self, ahead: int) -> None:
        """Have at most `ahead` cells under way or waiting for their items; the usual bound is the upper limit."""
        self._ahead = max(1, min(ahead, AHEAD * self._in_flight))

    def wait(self, planned: Planned) -> Answer:
        """Return the answer to a cell, expected or not.

        Raises:
            TunegateError: there is none, or the engine was stopped before it came.
        """
        with self._lock:
            place = self._places.setdefault(planned.cell, _Place(planned))
        if self._is_stopped and not place.is_started:
            raise WireError(_STOPPED)
        if not (place.is_asked or place.future.done()):
            self._started().call_soon_threadsafe(self._hurry, place)
        return place.future.result()

    def dismiss(self, planned: Planned) -> None:
        """Forget a cell whose item is done, and go on with those behind it."""
        with self._lock:
            place = self._places.pop(planned.cell, None)
            if place is None:
                return
            self._done.append(place)
            # Each call of the loop costs both threads: it is made when there is something to do there.
            is_due = len(self._done) * _SWEEPS >= self._ahead
            matters = (bool(self._upcoming) and is_due) or not (place.is_asked and self._room.is_set())
        if matters and self._loop is not None:
            self._loop.call_soon_threadsafe(self._advance)

    def stop(self) -> None:
        """Ask nothing more, for good: what is under way is given up, what came is kept."""
        self._is_stopped = True
        with self._lock:
            self._upcoming.clear()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._cancel)

    def close(self) -> None:
        """Stop, close every connection and end the thread."""
        if self._loop is None or self._thread is None:
            return
        self.stop()
        asyncio.run_coroutine_threadsafe(self._finish(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = None

    def _wake(self) -> None:
        self._started().call_soon_threadsafe(self._advance)

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = ArrivalLoop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="tunegate-engine", daemon=True)
            self._thread.start()
        return self._loop

    # What follows runs on the loop.

    def _advance(self) -> None:
        """Start what may be started: in order, within the bound of what may wait."""
        self._sweep()
        while self._open < self._ahead:
            with self._lock:
                if not self._upcoming:
                    return
                place = self._upcoming.popleft()
            self._start(place)

    def _hurry(self, place: _Place) -> None:
        """Start what somebody waits for, whatever the bounds."""
        self._start(place)
        if not place.is_asked and not place.future.done():
            self._awaited.add(place.planned.cell)
            self._weigh()

    def _start(self, place: _Place) -> None:
        if place.is_started:
            return
        place.is_started = True
        self._open += 1
        if self._is_stopped:
            place.future.set_exception(WireError(_STOPPED))
            return
        slot = self._lane_of(place.planned)
        task = place.task = asyncio.get_running_loop().create_task(self._run(place, slot))
        self._tasks.add(task)
        task.add_done_callback(partial(self._end, place))

    def _lane_of(self, planned: Planned) -> Slot:
        """Return the lane of an endpoint; what is measured under a load has one for all endpoints together."""
        load = planned.cell.load or 1
        lane, places = (load, load) if load > 1 else (planned.model.endpoint, self._in_flight)
        return self._lanes.setdefault(lane, Slot(places, room=self._room))

    async def _run(self, place: _Place, slot: Slot) -> None:
        try:
            async with slot:
                place.is_asked = True
                self._release(place)
                answer = await self._answer(place.planned, slot)
        except asyncio.CancelledError:
            raise  # `_end` sees it, and also one that came before the first step
        except BaseException as problem:  # noqa: BLE001  # whatever it is, the item raises it; pytest's skip is among it
            place.future.set_exception(problem)
            return
        if not place.is_dismissed:
            place.held_bytes = len(answer.exchange.body)
            self._held_bytes += place.held_bytes
        place.future.set_result(answer)

    def _end(self, place: _Place, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not place.future.done():
            place.future.set_exception(WireError(_STOPPED))
        self._release(place)

    def _release(self, place: _Place) -> None:
        self._awaited.discard(place.planned.cell)
        self._weigh()

    def _weigh(self) -> None:
        """Hold back what is not asked yet while too much waits for its items."""
        # What pytest waits for must not stand behind others that wait for room, which only pytest can make.
        if self._held_bytes < HELD_BYTES or self._awaited:
            self._room.set()
        else:
            self._room.clear()

    def _sweep(self) -> None:
        """Let go of the cells whose items are done."""
        with self._lock:
            done, self._done = self._done, []
        for place in done:
            if place.is_started:
                self._open -= 1
                self._held_bytes -= place.held_bytes
            if place.task is not None and not place.is_asked:
                place.task.cancel()
            # Skipped before it was asked, it stays unasked.
            place.is_started = place.is_dismissed = True
        self._weigh()

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _finish(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._close_connections()


class Slot:
    """A place among the cells of an endpoint that are worked on; a request that waits to be repeated leaves it."""

    def __init__(self, places: int, *, room: asyncio.Event) -> None:
        self._free = asyncio.Semaphore(places)
        self._room = room
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> None:
        async with self._turn:
            # Waits for room without a place: those that were asked already and come back to one must find it.
            await self._room.wait()
            await self._free.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._free.release()

    async def rest(self, seconds: float) -> None:
        """Sleep without holding the place."""
        self._free.release()
        try:
            await asyncio.sleep(seconds)
        finally:
            await self._free.acquire()
