"""`/v1/files`: upload, list, read and delete."""

from __future__ import annotations

from collections.abc import Callable

from tunegate.lab.files import UPLOADED, FileShelf
from tunegate.lab.front import Exchange, Route
from tunegate.lab.multipart import parse_form
from tunegate.lab.paging import page_of
from tunegate.lab.refusals import Refusal

FORM_BYTES = 1 << 20
"""Room for the form around a file."""


class FileCounter:
    """Where files are handed in and out; `is_in_use` names what still reads a file."""

    def __init__(self, shelf: FileShelf, *, is_in_use: Callable[[str], str | None]) -> None:
        self._shelf = shelf
        self._is_in_use = is_in_use

    @property
    def routes(self) -> list[Route]:
        """Every path below /v1/files."""
        largest = self._shelf.storage.largest_upload + FORM_BYTES
        return [
            Route("POST", "/v1/files", self.take_file, largest_body=largest),
            Route("GET", "/v1/files", self.send_files),
            Route("GET", "/v1/files/([^/]+)", self.send_file),
            Route("DELETE", "/v1/files/([^/]+)", self.delete_file),
            Route("GET", "/v1/files/([^/]+)/content", self.send_content),
        ]

    def take_file(self, exchange: Exchange) -> None:
        """Keep an upload."""
        form = parse_form(exchange.headers.get("Content-Type", ""), exchange.body)
        purpose = form["purpose"].text if "purpose" in form else None
        if purpose not in UPLOADED:
            wanted = " or ".join(f"'{name}'" for name in UPLOADED)
            raise Refusal(400, f"'purpose' must be {wanted}, got {purpose!r}", code="invalid_value", param="purpose")
        file = form.get("file")
        if file is None or file.filename is None:
            raise Refusal(400, "'file' is a required property", param="file")
        if not file.filename.endswith(".jsonl"):
            raise Refusal(400, f"Invalid file format for '{purpose}': the name must end in .jsonl", param="file")
        if len(file.content) > self._shelf.storage.largest_upload:
            raise Refusal(413, f"The file is larger than {self._shelf.storage.largest_upload} bytes", param="file")
        exchange.send_json(self._shelf.add(file.content, filename=file.filename, purpose=purpose).body)

    def send_files(self, exchange: Exchange) -> None:
        """A page of the list, the newest first unless asked for otherwise."""
        query = exchange.query
        order = query.get("order", "desc")
        if order not in ("asc", "desc"):
            raise Refusal(400, "'order' must be 'asc' or 'desc'", code="invalid_value", param="order")
        rows = [file.body for file in self._shelf.select(query.get("purpose"))]
        exchange.send_json(page_of(rows[:: 1 if order == "asc" else -1], query, most=10_000, usual=10_000))

    def send_file(self, exchange: Exchange, id_: str) -> None:
        """What is known of one file."""
        exchange.send_json(self._shelf.find(id_).body)

    def send_content(self, exchange: Exchange, id_: str) -> None:
        """The bytes of one file."""
        exchange.send_file(self._shelf.find_content(id_))

    def delete_file(self, exchange: Exchange, id_: str) -> None:
        """Delete one file, unless something still reads it."""
        if reader := self._is_in_use(self._shelf.find(id_).id):
            raise Refusal(400, f"{id_} is still read by {reader}: cancel that first", param="id")
        self._shelf.remove(id_)
        exchange.send_json({"id": id_, "object": "file", "deleted": True})
