"""A recording run that is killed goes on where it stopped."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tunegate.testing import Scripted, ScriptedEndpoint

from ..project import Project, answer

KILLS = 4
HEEDING_CTRL_C = """
import signal, sys, pytest
# Whoever starts the tests in the background may have them ignore Ctrl-C, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(pytest.main())
"""


class Gate:
    """Lets a number of requests through and then tells whoever waits for it."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.left = 0
        self._lock = threading.Lock()

    def arm(self, count: int) -> None:
        self.left = count
        self.reached.clear()

    def pass_through(self) -> None:
        with self._lock:
            self.left -= 1
            if self.left == 0:
                self.reached.set()


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def endpoint(gate: Gate) -> Iterator[ScriptedEndpoint]:
    def tell(body: Mapping[str, Any]) -> Scripted | str:
        gate.pass_through()
        return answer(body)

    with ScriptedEndpoint(tell) as running:
        yield running


@pytest.mark.parametrize("workers", ["0", "2"])
def test_killed_recording_asks_nothing_twice_that_was_reported(
    project: Project, endpoint: ScriptedEndpoint, gate: Gate, workers: str
) -> None:
    """SIGKILL at random moments, then the same command again: only what was in flight is asked a second time."""
    chance = random.Random(7)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--record=missing", "-n", workers]
    reported = Counter[str]()
    for number in range(KILLS):
        gate.arm(chance.randint(1, 4))
        process = subprocess.Popen(
            [*command, "--run", f"killed-{number}"],
            cwd=project.root,
            env={**os.environ, "OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""},
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        gate.reached.wait(60)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        records = (
            project.records(f"killed-{number}") if (project.root / "reports/runs" / f"killed-{number}").exists() else []
        )
        assert project.header(f"killed-{number}")["status"] == "interrupted" if records else True
        live = [record.request or "" for record in records if record.source == "live"]
        assert not set(live) & set(reported), "what was reported is not asked again"
        reported.update(live)
    finished = project.run("--record=missing", "-n", workers, "--run", "finished")
    assert finished.status == 0, finished.out
    assert len(project.records("finished")) == 12
    in_flight = KILLS * max(1, int(workers))
    assert len(endpoint.seen) <= 12 + in_flight
    replay = project.run("--run", "replay")
    assert "0 live calls, 12 replayed, 0 unused recordings" in replay.out


def test_ctrl_c_stops_asking_and_keeps_what_came(project: Project) -> None:
    """Ctrl-C ends a run that waits for a slow endpoint at once, with status 2 and everything that was answered."""
    third, never = threading.Event(), threading.Event()
    asked: list[int] = []

    def tell(body: Mapping[str, Any]) -> Scripted | str:
        asked.append(1)
        if len(asked) == 3:
            third.set()
            never.wait(60)
        return answer(body)

    with ScriptedEndpoint(tell) as slow:
        matrix = project.root / "fixtures" / "models.toml"
        matrix.write_text(
            f'[endpoints.e]\nbase_url = "{slow.base_url}"\n[models.m]\nendpoint = "e"\nrole = "candidate"\n'
        )
        process = subprocess.Popen(
            [sys.executable, "-c", HEEDING_CTRL_C, "-p", "no:cacheprovider", "--record=missing", "--run", "a"],
            cwd=project.root,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert third.wait(60)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
        never.set()
    assert process.returncode == 2, out
    header = project.header("a")
    assert (header["status"], header["states"], header["not_run"]) == ("interrupted", {"answered": 2}, 4)
    assert "2 live calls" in out
    assert project.run("--model", "m", "--run", "b").out.count("2 replayed") == 1
