"""The store: all cassettes below one folder."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tunegate.cassettes.address import (
    JOURNALS,
    READ_ONLY_SUFFIXES,
    cassette_path,
    journal_stem,
    shown_path,
    unquote_name,
)
from tunegate.cassettes.adoption import Adopted, compare_cassettes, take_over
from tunegate.cassettes.cassette import Cassette
from tunegate.cassettes.redaction import Redactor
from tunegate.errors import CassetteError


class Library:
    """All cassettes below one folder."""

    def __init__(
        self, root: Path, *, redactor: Redactor | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Name the folder; `clock` is for its cassettes, see `Cassette`."""
        self.root = root
        self.redactor = redactor or Redactor()
        self._clock = clock
        self._cassettes: dict[tuple[str, str], Cassette] = {}
        self._opening = threading.Lock()

    def cassette(self, eval_name: str, model: str) -> Cassette:
        """Return the cassette of an eval and model, always the same one; it is read when it is needed."""
        with self._opening:
            known = self._cassettes.get((eval_name, model))
            if known is None:
                path = cassette_path(self.root, eval_name=eval_name, model=model)
                known = self._cassettes[eval_name, model] = Cassette(
                    path, eval_name=eval_name, model=model, redactor=self.redactor, clock=self._clock
                )
            return known

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

    def adopt(self, other: Library) -> Adopted:
        """Copy every recording of another folder into this one, where there is no later one of the same request.

        The other folder, journals included, is only read. All of it is read before anything is written here.

        Raises:
            CassetteError: the other folder is missing or damaged, and nothing was changed here; or this one cannot
                be written.
        """
        if not other.root.is_dir():
            raise CassetteError(f"no folder of cassettes at {shown_path(other.root)}: nothing was taken from there")
        comparisons = [
            compare_cassettes(self.cassette(there.eval_name, there.model), there, redactor=self.redactor)
            for there in other.cassettes()
        ]
        return take_over(comparisons)

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
