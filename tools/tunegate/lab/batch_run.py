"""One batch at work: which of its lines are left, and what was written about the others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tunegate.lab.batch_lines import Line, read_line, read_texts

OUTPUT, ERRORS = "output.jsonl", "errors.jsonl"


@dataclass
class Ledger:
    """A file of answered lines, written one by one, so that a killed server has lost the line in hand at most."""

    file: IO[bytes]
    ids: set[str]

    @classmethod
    def open(cls, path: Path) -> Ledger:
        """Open a file for more lines; a last line that a kill has torn is cut off."""
        file = path.open("a+b")
        file.seek(0)
        ids: set[str] = set()
        end = 0
        for text in file:
            if not text.endswith(b"\n"):
                break
            end += len(text)
            ids.add(json.loads(text)["custom_id"])
        file.truncate(end)
        return cls(file, ids)

    def write(self, custom_id: str, text: bytes) -> None:
        """Add a line."""
        self.file.write(text)
        self.file.flush()
        self.ids.add(custom_id)


class BatchRun:
    """The lines of one batch that are still to be answered, in the input's order."""

    def __init__(self, folder: Path, source: Path) -> None:
        self._output = Ledger.open(folder / OUTPUT)
        self._errors = Ledger.open(folder / ERRORS)
        self._lines = self._read(source)
        self._next = next(self._lines, None)

    @property
    def line(self) -> Line | None:
        """The line whose turn it is; None behind the last."""
        return self._next

    @property
    def completed(self) -> int:
        """Lines with an answer."""
        return len(self._output.ids)

    @property
    def failed(self) -> int:
        """Lines with an error."""
        return len(self._errors.ids)

    def write(self, custom_id: str, text: bytes, *, is_error: bool) -> None:
        """Write about the line whose turn it is, and go on to the next."""
        (self._errors if is_error else self._output).write(custom_id, text)
        self._next = next(self._lines, None)

    def close(self) -> None:
        """Close the files."""
        self._output.file.close()
        self._errors.file.close()

    def _read(self, source: Path) -> Iterator[Line]:
        answered = self._output.ids | self._errors.ids
        for _, text in read_texts(source):
            line = read_line(text)
            if line.custom_id not in answered:
                yield line
