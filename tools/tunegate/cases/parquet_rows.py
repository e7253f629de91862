"""Questions as the Hugging Face hub keeps MMLU: Parquet with question, subject, choices, answer (0 to 3)."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from tunegate.cases.json_rows import answer_of, cells_of
from tunegate.cases.names import show_path
from tunegate.cases.questions import Question
from tunegate.cases.rows import Place, check_subject, question_of
from tunegate.errors import CaseFileError

COLUMNS = ("question", "subject", "choices", "answer")
UNNAMED = "auxiliary"
"""Subject of training questions without one: the hub's auxiliary_train says "" in each of its rows."""


def read_parquet(content: bytes, *, path: Path, part: str) -> list[Question]:
    """Return the questions of one Parquet file.

    Raises:
        CaseFileError: with the row (from 1) that is malformed, or that the package to read it is missing.
    """
    columns = _columns(content, path=path)
    return [
        _question(row, part=part, place=Place(path, unit="row", number=number))
        for number, row in enumerate(zip(*columns, strict=True), start=1)
    ]


def require_extra(module: str, *, purpose: str) -> Any:
    """Import a package of the extra `mmlu`; it is imported by name, late, because most runs never need it.

    Raises:
        CaseFileError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as problem:
        raise CaseFileError(
            f"{purpose} wants the package {module.partition('.')[0]}: {problem}\n"
            "  to install it: pip install 'tunegate[mmlu]'"
        ) from problem


def _columns(content: bytes, *, path: Path) -> list[list[Any]]:
    pyarrow = require_extra("pyarrow", purpose=f"reading {show_path(path)}")
    parquet = require_extra("pyarrow.parquet", purpose=f"reading {show_path(path)}")
    try:
        table = parquet.read_table(pyarrow.BufferReader(content), use_threads=False)
        # The hub's config auxiliary_train nests the four columns in one named `train`.
        if table.column_names == ["train"]:
            table = pyarrow.Table.from_struct_array(table["train"].combine_chunks())
        missing = [name for name in COLUMNS if name not in table.column_names]
        if missing:
            Place(path).refuse(
                wanted=f"the columns {', '.join(COLUMNS)}", found=", ".join(table.column_names) or "none"
            )
        return [table[name].to_pylist() for name in COLUMNS]
    except (ValueError, TypeError, OSError, pyarrow.ArrowException) as problem:
        Place(path).refuse(wanted="a Parquet file", found=str(problem).splitlines()[0])


def _question(row: tuple[Any, ...], *, part: str, place: Place) -> Question:
    question, subject, choices, answer = row
    if subject == "" and part == "train":
        subject = UNNAMED
    return question_of(
        cells_of(question, choices, place=place),
        answer=answer_of(answer, place=place),
        subject=check_subject(subject, place=place),
        place=place,
    )
