"""Invented questions, and banks of them written to a folder."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tunegate.cases import Question


def invent_questions(count: int, *, subject: str, word: str = "thing") -> list[Question]:
    """Return `count` different questions."""
    return [
        Question(
            text=f"Which {word} of {subject} has number {number}?",
            options=(f"{number}a", f"{number}b", f"{number}c", f"{number}d"),
            answer=number % 4 + 1,
            subject=subject,
        )
        for number in range(count)
    ]


def row_of(question: Question) -> list[str]:
    """Return the row of MMLU's CSV that holds a question."""
    return [question.text, *question.options, question.letter]


@pytest.fixture
def invent() -> Callable[..., list[Question]]:
    """Return the function that invents questions."""
    return invent_questions


@pytest.fixture
def write_csv(tmp_path: Path) -> Callable[[str, Sequence[Question]], Path]:
    """Return a function that writes questions to a path under the test's folder, in MMLU's layout."""

    def write(name: str, questions: Sequence[Question]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(map(row_of, questions))
        return path

    return write


@pytest.fixture
def folder(tmp_path: Path, write_csv: Callable[[str, Sequence[Question]], Path]) -> Path:
    """Return a bank of three subjects with test and dev parts."""
    for subject, count in (("astronomy", 13), ("botany", 8), ("high_school_physics", 21)):
        write_csv(f"bank/test/{subject}_test.csv", invent_questions(count, subject=subject))
        write_csv(f"bank/dev/{subject}_dev.csv", invent_questions(5, subject=subject, word="sample"))
    return tmp_path / "bank"
