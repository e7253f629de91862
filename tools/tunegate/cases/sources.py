"""What an eval is given to ask with: the bank, schemas and tables under fixtures/, and how much of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from tunegate.cases.banks import Bank
from tunegate.cases.csv_rows import decode_text
from tunegate.cases.fields import Spot
from tunegate.cases.layouts import MMLU, read_bank
from tunegate.cases.names import list_names, show_path
from tunegate.cases.own_rows import Row, read_own_rows
from tunegate.cases.questions import Batch, hash_words
from tunegate.cases.rows import Place
from tunegate.errors import CaseFileError

SHOTS_SEED = 0
"""The worked examples do not move with the seed: a prompt changes with `shots` alone."""


class HasId(Protocol):
    """Anything with a stable name."""

    @property
    def id(self) -> str:
        """The name."""


Named = TypeVar("Named", bound=HasId)


@dataclass(frozen=True)
class Sources:
    """Case files, and how much of them a run asks; everything read through it is in `digests()`."""

    fixtures: Path
    questions: str | Path | None = None
    """Where the bank is, as `read_bank` takes it; None is `questions` under `fixtures`."""
    limit: int | Literal["all"] | None = None
    """None leaves it to the eval how many cases it asks."""
    seed: int = 0
    subjects: tuple[str, ...] = ()
    shots: int = 0
    max_tokens: tuple[int, ...] = ()
    """Where the run cuts replies; several for an eval that sweeps them, none leaves it to the eval."""
    in_flight: tuple[int, ...] = ()
    """Under how many requests at once the run measures time; none leaves it to the eval."""
    download: bool = False
    _digests: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def bank(self) -> Bank:
        """The questions; found on first use, read when a part is asked for."""
        return read_bank(self._where, download=self.download)

    def batches(self, *, of: int = 4, sample: int | None = None) -> list[Batch]:
        """Return the batches this run asks: limit, seed and subjects applied.

        `sample` is how many the eval takes where the run names no limit; None is all of them.
        """
        limit = None if self.limit == "all" else self.limit or sample
        return self.bank.batches(of=of, limit=limit, seed=self.seed, subjects=self.subjects)

    def lessons(self, *, of: int = 4) -> list[Batch]:
        """Return the batches that a model may learn from: all of the train part, of the subjects of this run."""
        return self.bank.batches(of=of, part="train", subjects=self.subjects)

    def solved(self, *, of: int = 4) -> list[Batch]:
        """Return the worked batches a prompt shows: the same ones before every case."""
        return self.bank.solved(self.shots, of=of, seed=SHOTS_SEED) if self.shots else []

    def with_shots(self, shots: int) -> Sources:
        """Return the same sources with another number of worked examples; what was read need not be read again."""
        if shots == self.shots:
            return self
        other = replace(self, shots=shots)
        object.__setattr__(other, "_digests", self._digests)
        other.__dict__["bank"] = self.bank
        return other

    def schema(self, name: str) -> Mapping[str, Any]:
        """Return the JSON schema `schemas/<name>.json`, which may be named with or without `.json`.

        Raises:
            CaseFileError: it is not there, or holds no JSON object.
        """
        path, text = self._read(f"schemas/{name.removesuffix('.json')}.json")
        try:
            schema = json.loads(text)
        except json.JSONDecodeError as problem:
            Place(path, number=problem.lineno).refuse(wanted="JSON", found=problem.msg)
        except RecursionError:
            Place(path).refuse(wanted="JSON", found="nesting too deep to be read")
        if not isinstance(schema, dict):
            Place(path).refuse(wanted="a JSON object", found=f"a {type(schema).__name__}")
        return schema

    def table(self, name: str) -> Mapping[str, Any]:
        """Return the TOML file `name` (a path under `fixtures`, such as `scenarios/refunds.toml`).

        Raises:
            CaseFileError: it is not there, or is no TOML.
        """
        # Imported late: an eval of questions alone reads no TOML.
        import tomllib

        path, text = self._read(name)
        try:
            return tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as problem:
            Place(path).refuse(wanted="TOML", found=f"a mistake: {problem}")

    def rows(self, name: str, key: str, *, kind: type[Row]) -> list[Row]:
        """Return the tables `[[key]]` of the TOML file `name`, each as a `kind`.

        `kind` is a dataclass whose fields (`str`, `int`, `float`, `bool`, `tuple[str, ...]`, or one of these or None)
        say what a table holds; those without a default have to be there.

        Raises:
            CaseFileError: the file is not there or is no TOML, has no such table, or one that does not fit.
        """
        return read_own_rows(
            self.table(name), key, kind=kind, spot=Spot(show_path(self.fixtures / name), CaseFileError)
        )

    def sample(self, cases: Sequence[Named]) -> list[Named]:
        """Return as many of an eval's own cases as the run's limit allows, chosen by its seed, in the order given.

        A larger limit contains the smaller one, and where the run names none, all are taken.
        """
        if not isinstance(self.limit, int) or self.limit >= len(cases):
            return list(cases)
        taken = {case.id for case in sorted(cases, key=lambda case: hash_words(self.seed, case.id))[: self.limit]}
        return [case for case in cases if case.id in taken]

    def token_limits(self, *default: int) -> tuple[int, ...]:
        """Return the limits that an eval sweeps, rising: those of the run's `--max-tokens`, else its own."""
        return tuple(sorted({*(self.max_tokens or default)}))

    def loads(self, *default: int) -> tuple[int, ...]:
        """Return the loads (requests in flight) that an eval sweeps, rising: the run's `--in-flight`, else its own."""
        return tuple(sorted({*(self.in_flight or default)}))

    def tables(self, pattern: str) -> list[str]:
        """Return the names of the files under `fixtures` that match a glob, sorted; `table` reads them.

        Raises:
            CaseFileError: none matches.
        """
        found = sorted(path.relative_to(self.fixtures).as_posix() for path in self.fixtures.glob(pattern))
        if not found:
            Place(self.fixtures).refuse(wanted=f"files that match {pattern}", found="none")
        return found

    def digests(self) -> Mapping[str, str]:
        """Return the SHA-256 (hex) of every case file read so far, by its path under `fixtures`.

        Files of a bank that lies elsewhere are named by the bank's own name and their path inside it.
        """
        questions = self.bank.files if "bank" in self.__dict__ else {}
        named = {f"{self._bank_name}{name}": sha256 for name, sha256 in questions.items()}
        return dict(sorted({**self._digests, **named}.items()))

    @property
    def _where(self) -> str | Path:
        return self.fixtures / "questions" if self.questions is None else self.questions

    @property
    def _bank_name(self) -> str:
        if self._where == MMLU:
            return f"{MMLU}/"
        path = Path(self._where).absolute()
        folder = path if path.is_dir() else path.parent
        try:
            return f"{folder.relative_to(self.fixtures.absolute()).as_posix()}/"
        except ValueError:
            # Where it lies on this machine is nobody's business; and it must not differ between two of them.
            return f"{path.name}/" if path.is_dir() else ""

    def _read(self, name: str) -> tuple[Path, str]:
        path = self.fixtures / name
        if ".." in Path(name).parts or Path(name).is_absolute():
            raise CaseFileError(f"wanted a file under {show_path(self.fixtures)}, found {name!r}")
        try:
            content = path.read_bytes()
        except OSError as problem:
            there = sorted(entry.name for entry in path.parent.glob("*"))
            raise CaseFileError(
                f"no case file {show_path(path)}: {problem.strerror}\n  there are: {list_names(path.name, there)}"
            ) from problem
        self._digests[name] = hashlib.sha256(content).hexdigest()
        return path, decode_text(content, path=path)
