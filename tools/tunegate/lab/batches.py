"""Batches and their states, as the API tells them, kept on disk with every change."""

from __future__ import annotations

import secrets
import shutil
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tunegate.lab.batch_lines import Fault
from tunegate.lab.refusals import Refusal
from tunegate.lab.storage import Storage, read_json, write_json

ENDED = frozenset({"failed", "completed", "expired", "cancelled"})
TIMES = (
    "created_at",
    "in_progress_at",
    "expires_at",
    "finalizing_at",
    "completed_at",
    "failed_at",
    "expired_at",
    "cancelling_at",
    "cancelled_at",
)


@dataclass(frozen=True)
class Batch:
    """One batch at one moment; times are Unix times in seconds."""

    id: str
    input_file_id: str
    endpoint: str
    created_at: float
    expires_at: float
    metadata: dict[str, str] | None = None
    status: str = "validating"
    model: str | None = None
    faults: tuple[Fault, ...] = ()
    total: int = 0
    completed: int = 0
    failed: int = 0
    output_file_id: str | None = None
    error_file_id: str | None = None
    passed: dict[str, float] = field(default_factory=dict)
    """When it entered the states it was in: `completed_at` and its like."""

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in ENDED

    def enter(self, status: str, *, at: float, **changes: Any) -> Batch:
        """The batch in its next state."""
        return replace(self, status=status, passed={**self.passed, f"{status}_at": at}, **changes)

    @property
    def body(self) -> dict[str, object]:
        """What the API says of it."""
        times = {"created_at": self.created_at, "expires_at": self.expires_at, **self.passed}
        faults = [asdict(fault) for fault in self.faults]
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "model": self.model,
            "errors": {"object": "list", "data": faults} if faults else None,
            "input_file_id": self.input_file_id,
            "completion_window": "24h",
            "status": self.status,
            "output_file_id": self.output_file_id,
            "error_file_id": self.error_file_id,
            **{name: int(times[name]) if name in times else None for name in TIMES},
            "request_counts": {"total": self.total, "completed": self.completed, "failed": self.failed},
            "metadata": self.metadata,
        }


class BatchShelf:
    """All batches of a lab. Clients create and cancel, one worker does the rest."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._folder = storage.folder / "batches"
        self._folder.mkdir(exist_ok=True)
        self._lock = threading.Lock()
        self._batches: dict[str, Batch] = {}
        for place in self._folder.iterdir():
            if not (place / "batch.json").exists():  # killed before it was created: no client knows its id
                shutil.rmtree(place)
                continue
            value = read_json(place / "batch.json")
            batch = Batch(**{**value, "faults": tuple(Fault(**fault) for fault in value["faults"])})
            self._batches[batch.id] = batch

    def create(self, input_file_id: str, *, endpoint: str, metadata: dict[str, str] | None) -> Batch:
        """Take a new batch."""
        now = self.storage.clock()
        id_ = f"batch_{secrets.token_hex(12)}"
        batch = Batch(id_, input_file_id, endpoint, now, now + self.storage.window_s, metadata)
        self.folder_of(batch).mkdir()
        with self._lock:
            self._keep(batch)
        return batch

    def find(self, id_: str) -> Batch:
        """The batch of an id.

        Raises:
            Refusal: there is none.
        """
        with self._lock:
            if id_ not in self._batches:
                raise Refusal(404, f"No batch found with id '{id_}'", param="id")
            return self._batches[id_]

    def cancel(self, id_: str) -> Batch:
        """Ask for the end of a batch; what is in hand is finished first.

        Raises:
            Refusal: there is none, or it is over.
        """
        batch = self.find(id_)
        with self._lock:
            batch = self._batches[id_]
            if batch.is_over or batch.status == "finalizing":
                raise Refusal(409, f"Cannot cancel a batch with status '{batch.status}'", code="invalid_state")
            if batch.status != "cancelling":
                batch = batch.enter("cancelling", at=self.storage.clock())
                self._keep(batch)
            return batch

    def advance(self, batch: Batch, status: str, **changes: Any) -> bool:
        """Let a batch enter its next state, unless a client has cancelled it in the meantime."""
        with self._lock:
            if self._batches[batch.id].status != batch.status:
                return False
            self._keep(self._batches[batch.id].enter(status, at=self.storage.clock(), **changes))
            return True

    def count(self, batch: Batch, *, completed: int, failed: int) -> None:
        """Note how many lines are done; the lines themselves are on disk, so this is not written."""
        with self._lock:
            self._batches[batch.id] = replace(self._batches[batch.id], completed=completed, failed=failed)

    def select(self) -> Sequence[Batch]:
        """All batches, the oldest first."""
        with self._lock:
            return sorted(self._batches.values(), key=lambda batch: (batch.created_at, batch.id))

    def reader_of(self, file_id: str) -> str | None:
        """The batch that still reads a file."""
        return next((b.id for b in self.select() if b.input_file_id == file_id and not b.is_over), None)

    def folder_of(self, batch: Batch) -> Path:
        """Where a batch keeps what is written for it."""
        return self._folder / batch.id

    def _keep(self, batch: Batch) -> None:
        write_json(self.folder_of(batch) / "batch.json", asdict(batch))
        self._batches[batch.id] = batch
