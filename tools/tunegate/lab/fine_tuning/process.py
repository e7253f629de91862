"""The training process as the server sees it: started, listened to, ended."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import tunegate
from tunegate.errors import LabError
from tunegate.lab.fine_tuning.order import Failed, Progress, decode_progress

WORKER: Sequence[str] = (sys.executable, "-m", "tunegate.lab.fine_tuning.worker")
LOG = "worker.log"


@dataclass(frozen=True)
class Said:
    """Something that a process said; None when it has ended."""

    speaker: TrainingProcess
    progress: Progress | None


class TrainingProcess:
    """One run of the worker in a job's folder; what it says arrives at `listen`, from a thread of its own."""

    def __init__(self, folder: Path, *, command: Sequence[str], listen: Callable[[Said], None]) -> None:
        self._listen = listen
        self._log = folder / LOG
        places = [str(Path(tunegate.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own command, and no shell
                [*command, str(folder)],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))},
                # It ends when this end is closed, be it by our own end.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="ascii",
                errors="replace",
                # Ctrl-C at the terminal is for the server, which then ends its processes in order.
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._read, name="lab-training", daemon=True)
        self._reader.start()

    def end(self) -> None:
        """Stop it, and wait until it is gone; its last words are still delivered."""
        self._process.kill()
        self._reader.join()

    def describe_end(self) -> Failed:
        """Why a process that has ended without a result may have done so."""
        status = self._process.returncode
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        last = f": {lines[-1]}" if lines else ""
        return Failed("server_error", f"The training process {how}{last} (all it said is in {self._log})")

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101  # asked for above
        assert self._process.stdin is not None  # noqa: S101
        with self._process.stdout, self._process.stdin:
            for line in self._process.stdout:
                try:
                    self._listen(Said(self, decode_progress(line)))
                except LabError as error:
                    self._listen(Said(self, Failed("server_error", str(error))))
                    self._process.kill()
                    break
        self._process.wait()
        self._listen(Said(self, None))
