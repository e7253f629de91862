"""One row of a question file of any format: what makes it a question, and how a bad one is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tunegate.cases.names import shorten, show_path
from tunegate.cases.questions import Question
from tunegate.errors import CaseFileError

LETTERS = ("A", "B", "C", "D")


@dataclass(frozen=True)
class Place:
    """Where something stands, as a person finds it again."""

    path: Path
    unit: str = "line"
    number: int | None = None

    def refuse(self, *, wanted: str, found: str, hint: str = "") -> NoReturn:
        """Say what was wanted here and what was there.

        Raises:
            CaseFileError: always.
        """
        where = show_path(self.path) + (f", {self.unit} {self.number}" if self.number is not None else "")
        raise CaseFileError(f"{where}: wanted {wanted}, found {found}" + (f"\n  {hint}" if hint else ""))


def question_of(cells: Sequence[str], *, answer: int, subject: str, place: Place, checked: bool = False) -> Question:
    """Return the question in `cells` (text and four options); `checked` text is known to be sendable.

    Raises:
        CaseFileError: the question or an option is empty or cannot be sent as text.
    """
    for name, cell in zip(("question", *LETTERS), cells, strict=True):
        if not checked:
            check_text(cell, name=name, place=place)
        if not cell or cell.isspace():
            place.refuse(wanted=f"text in {_column(name)}", found="an empty one" if not cell else shorten(cell))
    text, a, b, c, d = cells
    return Question(text=text, options=(a, b, c, d), answer=answer, subject=subject)


def check_text(cell: str, *, name: str, place: Place) -> None:
    """Refuse text that no request can carry or no file can hold.

    Raises:
        CaseFileError: a NUL character, or half a surrogate pair, which no encoding can write.
    """
    if "\0" in cell:
        place.refuse(wanted=f"text in {_column(name)}", found="a NUL character")
    if not cell.isascii():
        try:
            cell.encode("utf-8")
        except UnicodeEncodeError as problem:
            half = ascii(cell[problem.start])
            place.refuse(wanted=f"text in {_column(name)}", found=f"half a surrogate pair ({half})")


def check_subject(subject: object, *, place: Place) -> str:
    """Return the subject if it can be part of a case id.

    Raises:
        CaseFileError: it is no text, empty, padded, or holds control characters.
    """
    if not isinstance(subject, str):
        place.refuse(wanted="a subject in text", found=f"{type(subject).__name__} {shorten(subject)}")
    check_text(subject, name="subject", place=place)
    if not subject or subject != subject.strip() or not subject.isprintable():
        place.refuse(
            wanted="a subject that can stand in a case id (not empty, no padding, no control characters)",
            found=shorten(subject),
        )
    return subject


def unify_newlines(text: str) -> str:
    """Return `text` with Unix line ends: a checkout on Windows must ask the same question."""
    return text.replace("\r\n", "\n") if "\r" in text else text


def _column(name: str) -> str:
    return f"option {name}" if name in LETTERS else f"the {name}"
