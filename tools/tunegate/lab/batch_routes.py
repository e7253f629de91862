"""`/v1/batches`: create, list, read and cancel."""

from __future__ import annotations

from typing import Any

from tunegate.lab.batch_worker import BatchWorker
from tunegate.lab.batches import Batch, BatchShelf
from tunegate.lab.chat import parse_object
from tunegate.lab.files import FileShelf
from tunegate.lab.front import Exchange, Route
from tunegate.lab.paging import page_of
from tunegate.lab.refusals import Refusal
from tunegate.lab.relay import CHAT_PATH

MOST_METADATA, LONGEST_KEY, LONGEST_VALUE = 16, 64, 512


class BatchCounter:
    """Where batches are handed in and asked about."""

    def __init__(self, batches: BatchShelf, files: FileShelf, *, worker: BatchWorker) -> None:
        self._batches = batches
        self._files = files
        self._worker = worker

    @property
    def routes(self) -> list[Route]:
        """Every path below /v1/batches."""
        return [
            Route("POST", "/v1/batches", self.take_batch),
            Route("GET", "/v1/batches", self.send_batches),
            Route("GET", "/v1/batches/([^/]+)", self.send_batch),
            Route("POST", "/v1/batches/([^/]+)/cancel", self.cancel_batch),
        ]

    def take_batch(self, exchange: Exchange) -> None:
        """Create a batch; what is wrong with its file is said later, in its state."""
        fields = parse_object(exchange.body)
        if fields.get("endpoint") != CHAT_PATH:
            raise Refusal(400, f"'endpoint' must be {CHAT_PATH}", code="invalid_value", param="endpoint")
        if fields.get("completion_window") != "24h":
            raise Refusal(400, "'completion_window' must be '24h'", code="invalid_value", param="completion_window")
        check_metadata(fields.get("metadata", {}))
        file_id = fields.get("input_file_id")
        if not isinstance(file_id, str):
            raise Refusal(400, "'input_file_id' must be the id of a file", param="input_file_id")
        if (purpose := self._files.find(file_id).purpose) != "batch":
            raise Refusal(400, f"{file_id} has the purpose '{purpose}', not 'batch'", param="input_file_id")
        metadata: Any = fields.get("metadata")
        batch = self._batches.create(file_id, endpoint=CHAT_PATH, metadata=metadata)
        self._worker.notify()
        exchange.send_json(batch.body)

    def send_batches(self, exchange: Exchange) -> None:
        """A page of the list, the newest first."""
        rows = [batch.body for batch in reversed(self._batches.select())]
        exchange.send_json(page_of(rows, exchange.query, most=100, usual=20))

    def send_batch(self, exchange: Exchange, id_: str) -> None:
        """One batch as it stands."""
        exchange.send_json(self._batches.find(id_).body)

    def cancel_batch(self, exchange: Exchange, id_: str) -> None:
        """Ask for the end of one batch."""
        batch: Batch = self._batches.cancel(id_)
        self._worker.notify()
        exchange.send_json(batch.body)


def check_metadata(metadata: object) -> None:
    """Refuse anything but a few short strings under short names."""
    is_fine = (
        isinstance(metadata, dict)
        and len(metadata) <= MOST_METADATA
        and all(
            isinstance(value, str) and len(key) <= LONGEST_KEY and len(value) <= LONGEST_VALUE
            for key, value in metadata.items()
        )
    )
    if not is_fine:
        wanted = f"at most {MOST_METADATA} strings of {LONGEST_VALUE} characters, under names of {LONGEST_KEY}"
        raise Refusal(400, f"'metadata' must hold {wanted}", code="invalid_value", param="metadata")
