"""MMLU's own layout: CSV without a header, each row `question,A,B,C,D,letter`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from tunegate.cases.names import shorten
from tunegate.cases.questions import Question
from tunegate.cases.rows import LETTERS, Place, question_of, unify_newlines

COLUMNS = "question,A,B,C,D,letter"
_COLUMNS = 6
_ANSWERS = {letter: number for number, letter in enumerate(LETTERS, start=1)}


def read_csv(content: bytes, *, path: Path, subject: str) -> list[Question]:
    """Return the questions of one CSV file; empty lines are skipped.

    Raises:
        CaseFileError: with the line where the malformed row begins.
    """
    return [
        _question(row, subject=subject, place=Place(path, number=line))
        for line, row in _rows(decode_text(content, path=path), path=path)
    ]


def decode_text(content: bytes, *, path: Path) -> str:
    """Return the text of a UTF-8 file, with or without a byte order mark.

    Raises:
        CaseFileError: with the line of the first byte that is no UTF-8, or of the first NUL.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        # The decoder counts behind a byte order mark.
        offset = problem.start + (3 if content.startswith(b"\xef\xbb\xbf") else 0)
        Place(path, number=content.count(b"\n", 0, offset) + 1).refuse(
            wanted="UTF-8",
            found=f"the byte 0x{content[offset]:02x}",
            hint=f"to convert a file from Western Windows: iconv -f WINDOWS-1252 -t UTF-8 {path.name}",
        )
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        Place(path, number=line).refuse(wanted="text in UTF-8", found="a NUL character")
    return text


def _rows(text: str, *, path: Path) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for row in reader:
            if row:
                yield line, row
            line = reader.line_num + 1
    except csv.Error as problem:
        Place(path, number=line).refuse(wanted=f"a row of CSV ({COLUMNS})", found=f"a syntax error: {problem}")


def _question(row: list[str], *, subject: str, place: Place) -> Question:
    if len(row) != _COLUMNS:
        columns = "1 column" if len(row) == 1 else f"{len(row)} columns"
        place.refuse(wanted=f"6 columns ({COLUMNS})", found=f"{columns}: {shorten(','.join(row))}")
    answer = _ANSWERS.get(row[5])
    if answer is None:
        header = place.number == 1 and row[0].strip().lower() == "question"
        place.refuse(
            wanted="the letter A, B, C or D in the last column",
            found=shorten(row[5]),
            hint="this looks like a header, which this layout has not: remove the line" if header else "",
        )
    # The file was decoded strictly and searched for NUL as a whole: no cell needs it again.
    cells = [unify_newlines(cell) for cell in row[:5]]
    return question_of(cells, answer=answer, subject=subject, place=place, checked=True)
