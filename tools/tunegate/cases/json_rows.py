"""Questions as JSON lines: question, choices (or the keys A to D), answer (0 to 3, or a letter), subject."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from tunegate.cases.csv_rows import decode_text
from tunegate.cases.names import shorten
from tunegate.cases.questions import Question
from tunegate.cases.rows import LETTERS, Place, check_subject, question_of, unify_newlines

SPLITS = {
    "test": "test",
    "dev": "dev",
    "train": "train",
    "auxiliary_train": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
}
"""What splits are called in the wild, and the part each one is here."""


def read_jsonl(content: bytes, *, path: Path, part: str | None = None) -> dict[str, list[Question]]:
    """Return the questions of one file by part; `part` is what the file's name says, if anything.

    Raises:
        CaseFileError: with the line that is malformed.
    """
    parts: dict[str, list[Question]] = {}
    for place, row in _rows(decode_text(content, path=path), path=path):
        parts.setdefault(_part(row, place=place, named=part), []).append(_question(row, place=place))
    return parts


def answer_of(value: object, *, place: Place) -> int:
    """Return the answer as a number from 1, given an index from 0 or a letter.

    Raises:
        CaseFileError: it is neither.
    """
    is_index = isinstance(value, int) and not isinstance(value, bool)
    allowed = tuple(range(len(LETTERS))) if is_index else LETTERS
    if value not in allowed:
        place.refuse(wanted="an answer 0 to 3 or A to D", found=shorten(value))
    return allowed.index(value) + 1


def cells_of(question: object, options: object, *, place: Place) -> list[str]:
    """Return question and options as five texts.

    Raises:
        CaseFileError: the options are not four, or something is no text.
    """
    if not isinstance(options, list) or len(options) != len(LETTERS):
        found = f"{len(options)}" if isinstance(options, list) else shorten(options)
        place.refuse(wanted="4 choices", found=found)
    for name, cell in zip(("question", *LETTERS), (question, *options), strict=True):
        if not isinstance(cell, str):
            place.refuse(wanted=f"text in {name!r}", found=f"{type(cell).__name__} {shorten(cell)}")
    return [unify_newlines(cell) for cell in (question, *options) if isinstance(cell, str)]


def _rows(text: str, *, path: Path) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    # Only at line feeds: JSON may hold the other characters that Python takes for line ends.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        place = Place(path, number=number)
        try:
            row = json.loads(line, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as problem:
            place.refuse(wanted="one JSON object", found=f"{shorten(line)} ({problem})")
        if not isinstance(row, dict):
            place.refuse(wanted="one JSON object", found=f"{type(row).__name__} {shorten(line)}")
        yield place, row


def _question(row: Mapping[str, Any], *, place: Place) -> Question:
    lettered = [letter for letter in LETTERS if letter in row]
    if "choices" in row and lettered:
        place.refuse(wanted="choices or the keys A to D", found="both")
    _require(row, ("question", "answer", "subject", *(() if "choices" in row else LETTERS)), place=place)
    options = row["choices"] if "choices" in row else [row[letter] for letter in LETTERS]
    return question_of(
        cells_of(row["question"], options, place=place),
        answer=answer_of(row["answer"], place=place),
        subject=check_subject(row["subject"], place=place),
        place=place,
    )


def _part(row: Mapping[str, Any], *, place: Place, named: str | None) -> str:
    split = row.get("split")
    if split is None:
        return named or "test"
    part = SPLITS.get(split) if isinstance(split, str) else None
    if part is None:
        place.refuse(wanted=f"a split ({', '.join(SPLITS)})", found=shorten(split))
    if named is not None and part != named:
        place.refuse(wanted=f"the split that the file's name says ({named})", found=shorten(split))
    return part


def _require(row: Mapping[str, Any], keys: tuple[str, ...], *, place: Place) -> None:
    missing = [key for key in keys if key not in row]
    if missing:
        hint = "the options are `choices`, a list of four, or the keys A, B, C and D" if "A" in missing else ""
        place.refuse(
            wanted=" and ".join(f"{key!r}" for key in missing),
            found=f"the keys {', '.join(map(shorten, row)) or '(none)'}",
            hint=hint,
        )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
