"""The lab's files and batches together, over one folder."""

from __future__ import annotations

import os

from tunegate.lab.batch_routes import BatchCounter
from tunegate.lab.batch_worker import BatchWorker
from tunegate.lab.batches import BatchShelf
from tunegate.lab.file_routes import FileCounter
from tunegate.lab.files import FileShelf
from tunegate.lab.front import Route
from tunegate.lab.routes import Desk
from tunegate.lab.storage import Storage


class Office:
    """What the lab does besides answering at once."""

    def __init__(self, storage: Storage, desk: Desk) -> None:
        self._lock: int | None = storage.lock()
        self.files = FileShelf(storage)
        self.batches = BatchShelf(storage)
        self._worker = BatchWorker(self.batches, self.files, desk=desk)

    @property
    def routes(self) -> list[Route]:
        """Every path of files and batches."""
        return [
            *FileCounter(self.files, is_in_use=self.batches.reader_of).routes,
            *BatchCounter(self.batches, self.files, worker=self._worker).routes,
        ]

    def start(self) -> None:
        """Go on with what an earlier server has left unfinished."""
        self._worker.start()

    def close(self) -> None:
        """Stop, and let go of the folder; a second time does nothing."""
        if self._lock is not None:
            self._worker.close()
            os.close(self._lock)
            self._lock = None
