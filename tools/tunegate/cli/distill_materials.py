"""What a distillation reads: evals or a file of prompts, the bank, the matrix and prices."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegate.cases import Eval, Matrix, Model, PriceBook, Sources
from tunegate.cases.eval_files import EvalTest, read_evals
from tunegate.cases.names import list_names
from tunegate.cli.teacher import open_library
from tunegate.distill import Evaluation, Lesson, Prompt, index_evaluation, make_lessons, read_prompts
from tunegate.errors import CaseFileError, UsageError

if TYPE_CHECKING:
    from tunegate.cassettes import Library

FIXTURES = Path("fixtures")


@dataclass(frozen=True)
class Subject:
    """What is to be learned."""

    eval: Eval
    test: Callable[..., Any] | None
    """Judges the answers; None for a file of prompts."""
    lessons: tuple[Lesson, ...]
    prompts: tuple[Prompt, ...] = ()
    """Of a file."""
    digest: tuple[str, str] | None = None
    """Name and SHA-256 (hex) of the file."""


class Materials:
    """What one call of the command reads, each thing when it is first needed."""

    def __init__(self, given: argparse.Namespace) -> None:
        self._given = given
        self.system = _read_text(given.system)
        """System message of the examples; None leaves the prompt's own."""
        self.teacher_system = _read_text(given.teacher_system)
        """The same for the teacher."""

    def digests(self, subject: Subject) -> tuple[tuple[str, str], ...]:
        """Return name and SHA-256 (hex) of every file that was read."""
        digests = {**self.sources.digests(), **self.everything.digests()}
        if subject.digest is not None:
            digests |= dict([subject.digest])
        return tuple(sorted(digests.items()))

    def without_leaks(self, lessons: Iterable[Lesson]) -> list[Lesson]:
        """Return the lessons that repeat nothing that the evals ask."""
        return [lesson for lesson in lessons if self.evaluation.leak_of(lesson) is None]

    def row(self, name: str) -> Model:
        """Return the one row of the matrix that a name means.

        Raises:
            UsageError: there is none, or the name means several.
        """
        chosen = self.matrix.select([name])
        if len(chosen.models) != 1:
            raise UsageError(
                f"wanted one row of {FIXTURES / 'models.toml'}, found {len(chosen.models)} for {name!r}\n"
                f"  there are: {list_names(name, self.matrix.names)}"
            )
        return chosen.models[0]

    @cached_property
    def evals(self) -> Mapping[str, EvalTest]:
        """The evals of the project, by their names."""
        return {found.eval.name: found for found in read_evals(self._given.evals)}

    @cached_property
    def subject(self) -> Subject:
        """What SOURCE names."""
        given = self._given
        if given.source in self.evals:
            found = self.evals[given.source]
            lessons = make_lessons(found.eval, self.sources, system=self.system)
            return Subject(found.eval, found.test, tuple(lessons))
        path = Path(given.source)
        if not path.is_file():
            raise UsageError(
                f"neither an eval nor a file of prompts: {given.source!r}\n"
                f"  evals in {given.evals}: {list_names(given.source, tuple(self.evals))}"
            )
        file = read_prompts(path)
        eval_ = file.as_eval(re.sub(r"[^a-z0-9_-]+", "-", path.stem.lower()).strip("-_") or "prompts")
        lessons = make_lessons(eval_, self.sources, system=self.system)
        return Subject(eval_, None, tuple(lessons), file.prompts, (path.name, file.sha256))

    @cached_property
    def evaluation(self) -> Evaluation:
        """All that the evals ask."""
        evals = [found.eval for found in self.evals.values()]
        return index_evaluation(evals, self.everything, near=self._given.near)

    @cached_property
    def sources(self) -> Sources:
        """What is learned from."""
        given = self._given
        return Sources(FIXTURES, questions=given.questions, seed=given.seed, subjects=tuple(given.subject), limit="all")

    @cached_property
    def everything(self) -> Sources:
        """What a run could ever ask."""
        return Sources(FIXTURES, questions=self._given.questions, limit="all")

    @cached_property
    def matrix(self) -> Matrix:
        """The models."""
        return Matrix.load(FIXTURES / "models.toml")

    @cached_property
    def prices(self) -> PriceBook:
        """What they cost."""
        return PriceBook.load(FIXTURES / "prices.toml")

    @cached_property
    def library(self) -> Library:
        """The recordings."""
        return open_library(self._given.cassettes, self.matrix)


def _read_text(value: str | None) -> str | None:
    if value is None or not value.startswith("@"):
        return value
    path = Path(value[1:])
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise CaseFileError(f"cannot read the text in {path}: {problem}") from problem
