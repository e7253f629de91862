"""A recording run that is killed or interrupted goes on where it stopped."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tunegate.testing import Scripted, ScriptedEndpoint

from ..project import OURS, Project, answer, make_project
from .crowd import Asked, Hold, asked_in, asked_of, durable, in_order

ALL = 12  # 2 subjects x 3 batches x 2 models
KILLS = 3
HEEDING_CTRL_C = """
import signal, sys, pytest
# Whoever starts the tests in the background may have them ignore Ctrl-C, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(pytest.main())
"""


class Gate:
    """Answers a number of requests, holds those behind them, and tells whoever waits that the number is reached."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._left = 0
        self._closed = threading.Event()
        self._lock = threading.Lock()

    def arm(self, count: int) -> None:
        with self._lock:
            self._closed.set()  # nobody reads the replies of the round before
            self._left, self._closed = count, threading.Event()
            self.reached.clear()

    def __call__(self, body: Mapping[str, Any]) -> Scripted | str:
        with self._lock:
            self._left -= 1
            left, closed = self._left, self._closed
        if left == 0:
            self.reached.set()
        if left < 0:
            closed.wait(60)
        return answer(body)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def endpoint(gate: Gate) -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint(gate) as running:
        yield running


@pytest.mark.parametrize("workers", ["0", "2"])
def test_killed_recording_asks_nothing_twice_that_was_durable(
    project: Project, endpoint: ScriptedEndpoint, gate: Gate, workers: str
) -> None:
    """SIGKILL with many requests in flight, then the same command again: it asks what was not on disk, and no more."""
    chance = random.Random(7)
    on_disk: set[Asked] = set()
    for number in range(KILLS):
        asked_before = len(endpoint.seen)
        gate.arm(chance.randint(1, 3))
        process = start(project, "-n", workers, "--run", f"killed-{number}")
        assert gate.reached.wait(60)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert not set(asked_of(endpoint.seen[asked_before:])) & on_disk
        on_disk = set(durable(project))
        if (project.root / "reports" / "runs" / f"killed-{number}").exists():
            assert project.header(f"killed-{number}")["status"] == "interrupted"
            assert set(asked_in(in_order(project, f"killed-{number}"))) <= on_disk, "what has a record is on disk"
    gate.arm(ALL)
    finished = project.run("--record=missing", "-n", workers, "--run", "finished")
    assert finished.status == 0, finished.out
    header = project.header("finished")
    assert (header["live_calls"], header["replayed"]) == (ALL - len(on_disk), len(on_disk))
    assert "0 live calls, 12 replayed, 0 unused recordings" in project.run().out


@pytest.mark.parametrize("workers", ["0", "2"])
def test_ctrl_c_stops_asking_and_keeps_what_came(tmp_path: Path, workers: str) -> None:
    """Ctrl-C while four replies are waited for ends the run soon: nothing more is asked, and what came replays."""
    hold = Hold(lambda body: body["model"] == "prose")
    with ScriptedEndpoint(hold) as slow:
        project = make_project(tmp_path, base_url=slow.base_url)
        process = start(project, "-n", workers, "--max-connections", "4", "--run", "a")
        hold.await_held(4)
        wait_until(lambda: len(project.records("a")) == 6)
        interrupted_at = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=30)
        took_s = time.monotonic() - interrupted_at
        assert process.returncode == 2, out
        assert took_s < 8, "xdist kills its workers after 10 s: it did not have to"
        assert len(slow.seen) == 6 + 4
        header = project.header("a")
        facts = ("status", "states", "planned", "not_run", "live_calls", "exit_status")
        assert [header[name] for name in facts] == ["interrupted", {"answered": 6}, 12, 6, 6, 2]
        # One that was let go at that very moment is counted, and need not have gone.
        assert header["attempts"] in (10, 11)
        assert "6 of 12 planned items were not run; the same command goes on from here" in out
        hold.release()
        again = project.run("--record=missing", "-n", workers)
        assert "6 live calls, 6 replayed" in again.out
        assert len(slow.seen) == 10 + 6, "the four that were given up, and the two behind them"


def start(project: Project, *arguments: str) -> subprocess.Popen[str]:
    """Start a recording run that heeds Ctrl-C, with its workers in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", HEEDING_CTRL_C, "-p", "no:cacheprovider", "--record=missing", *arguments],
        cwd=project.root,
        env=OURS,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)
