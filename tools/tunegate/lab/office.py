"""The lab's files, batches and fine-tuning jobs together, over one folder."""

from __future__ import annotations

import os
from collections.abc import Sequence

from tunegate.lab.batch_routes import BatchCounter
from tunegate.lab.batch_worker import BatchWorker
from tunegate.lab.batches import BatchShelf
from tunegate.lab.file_routes import FileCounter
from tunegate.lab.files import FileShelf
from tunegate.lab.fine_tuning.jobs import JobShelf
from tunegate.lab.fine_tuning.process import WORKER
from tunegate.lab.fine_tuning.routes import JobCounter
from tunegate.lab.fine_tuning.workshop import Workshop
from tunegate.lab.front import Route
from tunegate.lab.rack import Rack
from tunegate.lab.routes import Desk
from tunegate.lab.storage import Storage


class Office:
    """What the lab does besides answering at once. Without a rack there is nothing to tune, and no such route.

    `worker` is the command that trains, without the folder of the job.
    """

    def __init__(
        self, storage: Storage, desk: Desk, *, rack: Rack | None = None, worker: Sequence[str] = WORKER
    ) -> None:
        self._lock: int | None = storage.lock()
        self.files = FileShelf(storage)
        self.batches = BatchShelf(storage)
        self.jobs = JobShelf(storage)
        self._worker = BatchWorker(self.batches, self.files, desk=desk)
        self._rack = rack
        self._workshop = (
            Workshop(self.jobs, self.files, rack=rack, swap=desk.swap, command=worker) if rack is not None else None
        )

    @property
    def routes(self) -> list[Route]:
        """Every path of files, batches and fine-tuning jobs."""
        routes = [
            *FileCounter(self.files, is_in_use=self._reader_of).routes,
            *BatchCounter(self.batches, self.files, worker=self._worker).routes,
        ]
        if self._rack is not None and self._workshop is not None:
            routes += JobCounter(self.jobs, self.files, rack=self._rack, workshop=self._workshop).routes
        return routes

    def start(self) -> None:
        """Go on with what an earlier server has left unfinished."""
        self._worker.start()
        if self._workshop is not None:
            self._workshop.start()

    def close(self) -> None:
        """Stop, and let go of the folder; a second time does nothing."""
        if self._lock is not None:
            self._worker.close()
            if self._workshop is not None:
                self._workshop.close()
            os.close(self._lock)
            self._lock = None

    def _reader_of(self, file_id: str) -> str | None:
        return self.batches.reader_of(file_id) or self.jobs.reader_of(file_id)
