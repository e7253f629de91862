"""Files that clients upload and that batches write, kept until somebody deletes them."""

from __future__ import annotations

import os
import secrets
import shutil
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tunegate.lab.refusals import Refusal
from tunegate.lab.storage import Storage, read_json, write_json

UPLOADED = ("batch", "fine-tune")
"""What a client may upload a file for, of the purposes that the API knows."""
WRITTEN = "batch_output"


@dataclass(frozen=True)
class StoredFile:
    """What is known of a file besides its bytes."""

    id: str
    bytes: int
    created_at: float
    filename: str
    purpose: str

    @property
    def body(self) -> dict[str, object]:
        """What the API says of it."""
        return {
            **asdict(self),
            "object": "file",
            "created_at": int(self.created_at),
            "status": "processed",
            "expires_at": None,
            "status_details": None,
        }


class FileShelf:
    """All files of a lab. A file is a folder that appears when both its parts are in it."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._folder = storage.folder / "files"
        self._folder.mkdir(exist_ok=True)
        self._lock = threading.Lock()
        self._files: dict[str, StoredFile] = {}
        for place in self._folder.iterdir():
            if place.name.startswith("."):  # a draft, or on its way out, of a server that was killed
                shutil.rmtree(place)
                continue
            stored = StoredFile(**read_json(place / "file.json"))
            self._files[stored.id] = stored

    def add(self, content: bytes | memoryview, *, filename: str, purpose: str) -> StoredFile:
        """Keep an upload."""
        draft = self._draft()
        (draft / "content").write_bytes(content)
        return self._admit(draft, f"file-{secrets.token_hex(12)}", filename=filename, purpose=purpose)

    def adopt(self, path: Path, *, id_: str, filename: str, purpose: str) -> StoredFile:
        """Take over a file that is complete; a second time does nothing, so that it may be repeated after a crash."""
        with self._lock:
            if id_ in self._files:
                return self._files[id_]
        draft = self._draft()
        shutil.copyfile(path, draft / "content")
        return self._admit(draft, id_, filename=filename, purpose=purpose)

    def find(self, id_: str) -> StoredFile:
        """The file of an id.

        Raises:
            Refusal: there is none.
        """
        with self._lock:
            if id_ not in self._files:
                raise Refusal(404, f"No such File object: {id_}", param="id")
            return self._files[id_]

    def find_content(self, id_: str) -> Path:
        """Where the bytes of a file lie."""
        return self._folder / self.find(id_).id / "content"

    def select(self, purpose: str | None) -> Sequence[StoredFile]:
        """The files of a purpose, or all of them, the oldest first."""
        with self._lock:
            chosen = [file for file in self._files.values() if purpose in (None, file.purpose)]
        return sorted(chosen, key=lambda file: (file.created_at, file.id))

    def remove(self, id_: str) -> None:
        """Delete a file."""
        stored = self.find(id_)
        with self._lock:
            if self._files.pop(id_, None) is None:
                return
        gone = self._folder / f".gone-{stored.id}"
        os.replace(self._folder / stored.id, gone)
        shutil.rmtree(gone)

    def _draft(self) -> Path:
        draft = self._folder / f".draft-{secrets.token_hex(8)}"
        draft.mkdir()
        return draft

    def _admit(self, draft: Path, id_: str, *, filename: str, purpose: str) -> StoredFile:
        size = (draft / "content").stat().st_size
        stored = StoredFile(id_, size, self.storage.clock(), filename, purpose)
        write_json(draft / "file.json", asdict(stored))
        os.replace(draft, self._folder / id_)
        with self._lock:
            self._files[id_] = stored
        return stored
