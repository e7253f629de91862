"""What is told of a job while it goes on: events and checkpoints, each written down once."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tunegate.lab.fine_tuning.order import Checkpoint, Step

EVENTS, CHECKPOINTS = "events.jsonl", "checkpoints.jsonl"


class Diary:
    """The events and checkpoints of one job, the oldest first.

    A training that begins again after a restart repeats steps, with the same numbers: what was told stays as it is.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._events = read_whole_lines(folder / EVENTS)
        self._checkpoints = read_whole_lines(folder / CHECKPOINTS)
        self._last_step = max((row["data"].get("step", 0) for row in self._events), default=0)

    @property
    def events(self) -> Sequence[dict[str, Any]]:
        """What the API says of each event."""
        with self._lock:
            return list(self._events)

    @property
    def checkpoints(self) -> Sequence[dict[str, Any]]:
        """What the API says of each checkpoint."""
        with self._lock:
            return list(self._checkpoints)

    def say(self, message: str, *, level: str = "info") -> None:
        """Tell what happened, in words."""
        with self._lock:
            self._add_event(message, level=level, kind="message", data={})

    def note_step(self, step: Step) -> None:
        """Tell the metrics of a step, unless they were told before."""
        with self._lock:
            if step.step <= self._last_step:
                return
            self._last_step = step.step
            message = f"Step {step.step}/{step.total_steps}: training loss={step.train_loss:.2f}"
            if step.valid_loss is not None:
                message += f", validation loss={step.valid_loss:.2f}"
            data = {name: value for name, value in asdict(step).items() if value is not None}
            self._add_event(message, level="info", kind="metrics", data=data)

    def note_checkpoint(self, checkpoint: Checkpoint, *, job_id: str, name: str) -> None:
        """Tell a checkpoint, unless it was told before."""
        step = checkpoint.step
        with self._lock:
            if any(row["step_number"] == step.step for row in self._checkpoints):
                return
            metrics = {
                "step": step.step,
                "train_loss": step.train_loss,
                "train_mean_token_accuracy": step.train_mean_token_accuracy,
                "valid_loss": step.valid_loss,
                "valid_mean_token_accuracy": step.valid_mean_token_accuracy,
                # The whole validation file is looked at each time, so there is no difference.
                "full_valid_loss": step.valid_loss,
                "full_valid_mean_token_accuracy": step.valid_mean_token_accuracy,
            }
            row = {
                "id": f"ftckpt_{secrets.token_hex(12)}",
                "object": "fine_tuning.job.checkpoint",
                "created_at": int(self._clock()),
                "fine_tuned_model_checkpoint": name,
                "fine_tuning_job_id": job_id,
                "step_number": step.step,
                "metrics": {name: value for name, value in metrics.items() if value is not None},
            }
            self._append(CHECKPOINTS, row)
            self._checkpoints.append(row)
            self._add_event(f"Checkpoint created at step {step.step}", level="info", kind="message", data={})

    def _add_event(self, message: str, *, level: str, kind: str, data: dict[str, Any]) -> None:
        row = {
            "id": f"ftevent-{secrets.token_hex(12)}",
            "object": "fine_tuning.job.event",
            "created_at": int(self._clock()),
            "level": level,
            "message": message,
            "type": kind,
            "data": data,
        }
        self._append(EVENTS, row)
        self._events.append(row)

    def _append(self, name: str, row: dict[str, Any]) -> None:
        with (self._folder / name).open("ab") as file:
            file.write(json.dumps(row).encode() + b"\n")


def read_whole_lines(path: Path) -> list[Any]:
    """The lines of a file; a last one that a kill has torn is cut off, so that the next stands on a line of its own."""
    if not path.exists():
        return []
    rows = []
    end = 0
    with path.open("r+b") as file:
        for text in file:
            if not text.endswith(b"\n"):
                break
            end += len(text)
            rows.append(json.loads(text))
        file.truncate(end)
    return rows
