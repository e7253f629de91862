"""Whom a kill strikes: the processes of a run, found in /proc."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

IN_FLIGHT = 16
"""Requests that a run may have in flight, all its processes together."""


@dataclass(frozen=True)
class Kind:
    """A way to die."""

    what: str
    victim: Literal["worker", "controller", "group"]
    workers: int

    @property
    def most_twice(self) -> int:
        """Requests that the killed processes may have had in hand."""
        return IN_FLIGHT * (1 if self.victim == "worker" else max(1, self.workers))

    def strike(self, controller: subprocess.Popen[bytes], chance: random.Random) -> bool:
        """Kill, and say whether there was anything left to kill."""
        if controller.poll() is not None:
            return False
        if self.victim == "controller":
            controller.kill()
        elif self.victim == "group":
            os.killpg(controller.pid, signal.SIGINT)
        else:
            workers = workers_of(controller.pid)
            if not workers:
                return False
            os.kill(chance.choice(workers), signal.SIGKILL)
        return True


KINDS = {
    "worker": Kind("a worker, SIGKILL, -n 2", "worker", 2),
    "controller": Kind("the controller, SIGKILL, -n 2", "controller", 2),
    "ctrl-c": Kind("Ctrl-C, -n 2", "group", 2),
    "ctrl-c-alone": Kind("Ctrl-C, -n 0", "group", 0),
}


def processes_of(session: int) -> dict[int, int]:
    """Return each living process of a session with its parent."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent, _, of = path.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue  # it has just ended
        if int(of) == session and state not in "ZX":
            found[int(path.parent.name)] = int(parent)
    return found


def workers_of(controller: int) -> list[int]:
    """Return the children of a controller that run the same Python: git, for one, may be another child."""
    python = executable_of(controller)
    children = (pid for pid, parent in processes_of(controller).items() if parent == controller)
    return sorted(pid for pid in children if executable_of(pid) == python)


def executable_of(pid: int) -> str | None:
    """Return what a process runs, None where it has just ended."""
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except FileNotFoundError:
        return None


def wait_until(is_so: Callable[[], bool], *, limit_s: float) -> bool:
    """Look every 10 ms; say whether it came to be in time."""
    end = time.monotonic() + limit_s
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
