"""Where the lab keeps files and batches, so that they outlive the server."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from tunegate.errors import LabError

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows: nothing keeps two servers apart there.
    fcntl = None

LARGEST_UPLOAD = 200_000_000
"""Bytes of one file, as OpenAI's limit for a batch."""
WINDOW_S = 24 * 60 * 60.0


@dataclass(frozen=True)
class Storage:
    """A folder of one server, and the rules by which things in it grow and age."""

    folder: Path
    largest_upload: int = LARGEST_UPLOAD
    window_s: float = WINDOW_S
    """How long a batch may take, in seconds; clients always ask for `24h`."""
    clock: Callable[[], float] = time.time
    """Unix time in seconds."""

    def lock(self) -> int:
        """Take the folder for this process, and return a descriptor; closing it, or dying, gives the folder back.

        Raises:
            LabError: another server has it, or nothing can be written there.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LabError(
                f"cannot keep files in {self.folder}: {error.strerror}\n  elsewhere: --store PATH"
            ) from error
        if fcntl is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                os.close(descriptor)
                raise LabError(
                    f"{self.folder} belongs to another lab that is running: two would answer the same batches\n"
                    "  stop that one, or give this one a folder of its own: --store PATH"
                ) from error
        return descriptor


def default_folder() -> Path:
    """Where files and batches lie unless somebody says otherwise: the user's state, not a cache."""
    root = os.environ.get("XDG_STATE_HOME")
    return (Path(root) if root else Path.home() / ".local" / "state") / "tunegate" / "lab"


def write_json(path: Path, value: object) -> None:
    """Put `value` in place of a file: the old or the new version is there at every moment, complete."""
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("w", encoding="ascii") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def read_json(path: Path) -> Any:
    """What `write_json` wrote.

    Raises:
        LabError: the file is not as it was written.
    """
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise LabError(f"{path} cannot be read: {error}\n  remove its folder to serve without it") from error
