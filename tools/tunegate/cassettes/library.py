"""The store: all cassettes below one folder."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from tunegate.cassettes.address import (
    JOURNALS,
    READ_ONLY_SUFFIXES,
    cassette_path,
    journal_stem,
    unquote_name,
)
from tunegate.cassettes.cassette import Cassette
from tunegate.cassettes.redaction import Redactor
from tunegate.errors import CassetteError


class Library:
    """All cassettes below one folder."""

    def __init__(self, root: Path, *, redactor: Redactor | None = None) -> None:
        self.root = root
        self.redactor = redactor or Redactor()
        self._cassettes: dict[Path, Cassette] = {}
        self._opening = threading.Lock()

    def cassette(self, eval_name: str, model: str) -> Cassette:
        """Return the cassette of an eval and model, always the same one; it is read when it is needed."""
        path = cassette_path(self.root, eval_name=eval_name, model=model)
        with self._opening:
            if path not in self._cassettes:
                self._cassettes[path] = Cassette(path, eval_name=eval_name, model=model, redactor=self.redactor)
            return self._cassettes[path]

    def cassettes(self) -> list[Cassette]:
        """Return the cassettes that exist, ordered by eval and model."""
        return [self.cassette(eval_name, model) for eval_name, model in self.names()]

    def names(self) -> list[tuple[str, str]]:
        """Return eval and model of every cassette or journal below the folder, in order."""
        found: set[Path] = set()
        for folder in _folders(self.root):
            for path in folder.iterdir():
                if path.suffix in (".json", *READ_ONLY_SUFFIXES) and not path.name.startswith("."):
                    found.add(path.with_name(f"{path.stem}.json"))
            if (folder / JOURNALS).is_dir():
                for path in (folder / JOURNALS).iterdir():
                    stem = journal_stem(path.name)
                    if stem is not None:
                        found.add(folder / f"{stem}.json")
        return sorted(self._names_of(path) for path in found)

    def merge(self) -> None:
        """Fold the journals of every eval and model into their cassettes; see `Cassette.merge`.

        Raises:
            CassetteError: some could not be merged; the others are.
        """
        problems: list[CassetteError] = []
        for cassette in self.cassettes():
            try:
                cassette.merge()
            except CassetteError as problem:
                problems.append(problem)
        if problems:
            raise CassetteError("\n".join(map(str, problems))) from problems[0]

    def _names_of(self, path: Path) -> tuple[str, str]:
        eval_name = unquote_name(path.parent.name) or path.parent.name
        for cassette in list(self._cassettes.values()):
            if cassette.path == path:
                return cassette.eval_name, cassette.model
        model = unquote_name(path.stem)
        if model is None:
            # The file name was cut: the recorded requests still say which model they asked.
            cassette = Cassette(path, eval_name=eval_name, model=path.stem, redactor=self.redactor)
            asked = (entry.request().body.get("model") for entry in cassette.entries())
            model = next((name for name in asked if isinstance(name, str)), path.stem)
        return eval_name, model


def _folders(root: Path) -> Sequence[Path]:
    if not root.is_dir():
        return ()
    return [path for path in sorted(root.iterdir()) if path.is_dir() and not path.name.startswith(".")]
