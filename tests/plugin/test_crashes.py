"""A worker that dies takes the item in hand with it, and nothing that was paid for."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tunegate.testing import Scripted, ScriptedEndpoint

from ..project import Project, answer
from .crowd import asked_of

DIES_WHEN_ALL_IS_DURABLE = """\
    if case.id == "sums-02":
        import os, pathlib, time
        from tunegate.cassettes import Library
        while len(Library(pathlib.Path("cassettes")).cassette("format", "plain").keys()) < 6:
            time.sleep(0.005)
        os._exit(3)
"""
DIES_WHEN_TOLD = """\
    if case.id == "colours-01":
        import os, pathlib, time
        while not pathlib.Path("die").exists():
            time.sleep(0.005)
        os._exit(3)
"""


def kill_within(project: Project, code: str) -> None:
    path = project.root / "evals" / "test_format.py"
    path.write_text(path.read_text().replace("    score(", f"{code}    score("))


@pytest.mark.parametrize("restarts", ["1", "0"])
def test_crash_pays_for_nothing_twice(project: Project, endpoint: ScriptedEndpoint, restarts: str) -> None:
    """The item in hand is lost; what the dead worker had asked ahead is replayed by whoever takes over its items."""
    kill_within(project, DIES_WHEN_ALL_IS_DURABLE)
    result = project.run(
        "--record=missing", "--model", "plain", "-n", "2", "--max-worker-restart", restarts, "--run", "a"
    )
    assert result.status == 1, result.out
    header = project.header("a")
    assert len(endpoint.seen) == len(set(asked_of(endpoint.seen))) == 6
    assert header["states"] == {"answered": 5, "lost": 1}
    assert header["not_run"] == 0
    assert [record.cell.case for record in project.records("a") if record.state == "lost"] == ["sums-02"]


class Deaths:
    """Answers the first request, holds the next two, tells the worker to die, and answers all when more come."""

    def __init__(self, sign: Path) -> None:
        self._sign = sign
        self._came = 0
        self._changed = threading.Condition()

    def __call__(self, body: Mapping[str, Any]) -> Scripted | str:
        with self._changed:
            self._came += 1
            self._changed.notify_all()
            if self._came == 3:
                self._sign.touch()
            if self._came in (2, 3):
                self._changed.wait_for(lambda: self._came > 3, timeout=60)
        return answer(body)


class TestInFlight:
    """What was in flight when its worker died."""

    @pytest.fixture
    def endpoint(self, tmp_path: Path) -> Iterator[ScriptedEndpoint]:
        with ScriptedEndpoint(Deaths(tmp_path / "die")) as running:
            yield running

    def test_requests_of_a_dead_worker_hold_no_place(self, project: Project, endpoint: ScriptedEndpoint) -> None:
        """A worker that dies with all places taken leaves them to the next, which asks again what nobody kept."""
        # The item that dies must not wait for one of the replies that are held: it has its own already.
        assert project.run("--record=missing", "--model", "plain", "-k", "colours-01").status == 0
        kill_within(project, DIES_WHEN_TOLD)
        result = project.run("--record=missing", "--model", "plain", "-n", "1", "--max-connections", "2", "--run", "a")
        assert result.status == 1, result.out
        assert project.header("a")["states"] == {"answered": 5, "lost": 1}
        assert len(endpoint.seen) == 1 + 2 + 5
        assert asked_of(endpoint.seen).count(asked_of(endpoint.seen)[0]) == 1
