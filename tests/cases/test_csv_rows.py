"""MMLU's CSV: any text survives, every malformed row is told."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.cases.csv_rows import read_csv
from tunegate.errors import CaseFileError

PATH = Path("test/law_test.csv")
cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(
    lambda text: not text.isspace()
)
rows = st.tuples(cells, cells, cells, cells, cells, st.sampled_from("ABCD"))


def write(found: list[tuple[str, ...]], *, line_end: str) -> bytes:
    file = io.StringIO(newline="")
    # The writer leaves a bare carriage return unquoted, which its own reader then takes for a line end.
    csv.writer(file, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows(found)
    return file.getvalue().encode("utf-8")


@given(st.lists(rows, max_size=5), st.sampled_from(["\n", "\r\n"]), st.sampled_from([b"", b"\xef\xbb\xbf"]))
def test_any_text_survives(found: list[tuple[str, ...]], line_end: str, mark: bytes) -> None:
    """Text comes back as it was written, with or without a byte order mark; only line ends become Unix's."""
    content = write(found, line_end=line_end)
    questions = read_csv(mark + content, path=PATH, subject="law")
    read = [(question.text, *question.options, question.letter) for question in questions]
    assert read == [(*(cell.replace("\r\n", "\n") for cell in row[:5]), row[5]) for row in found]


def test_checkout_on_windows_asks_the_same() -> None:
    """Line ends inside a quoted question do not depend on who checked the file out."""
    unix = b'"Why\nnot?",a,b,c,d,A\n'
    windows = unix.replace(b"\n", b"\r\n")
    assert read_csv(unix, path=PATH, subject="law") == read_csv(windows, path=PATH, subject="law")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            b"Why?,a,b,c,A",
            "line 1: wanted 6 columns (question,A,B,C,D,letter), found 5 columns: 'Why?,a,b,c,A'",
        ),
        (b"Why?,a,b,c,d,e,A", "line 1: wanted 6 columns (question,A,B,C,D,letter), found 7 columns"),
        (b"Why?", "line 1: wanted 6 columns (question,A,B,C,D,letter), found 1 column: 'Why?'"),
        (b"Why?,a,b,c,d,E", "line 1: wanted the letter A, B, C or D in the last column, found 'E'"),
        (b"Why?,a,b,c,d,a", "line 1: wanted the letter A, B, C or D in the last column, found 'a'"),
        (b"Why?,a,b,c,d,AB", "line 1: wanted the letter A, B, C or D in the last column, found 'AB'"),
        (b"Why?,a,b,c,d,", "line 1: wanted the letter A, B, C or D in the last column, found ''"),
        (b"question,A,B,C,D,answer", "looks like a header"),
        (b",a,b,c,d,A", "line 1: wanted text in the question, found an empty one"),
        (b"Why?,a,, ,d,A", "line 1: wanted text in option B, found an empty one"),
        (b"Why?,a,b, ,d,A", "line 1: wanted text in option C, found ' '"),
        (b'Why?,a,b,c,d,A\n"One\ntwo?",a,b,c,d,A\n\nx,a,b,c,d,F', "line 5: wanted the letter"),
        (b'Why?,a,b,c,d,A\n"two,a,b,c,d,A\n', "line 2: wanted a row of CSV"),
        (b'"Why"?,a,b,c,d,A', "line 1: wanted a row of CSV"),
        (b"x" * 200_000 + b",a,b,c,d,A", "line 1: wanted a row of CSV"),
        (b"Why?,a,b,c,d,A\nna\xefve?,a,b,c,d,A", "line 2: wanted UTF-8, found the byte 0xef"),
        (b"\xef\xbb\xbfWhy?,a,b,c,d,A\nna\xefve?,a,b,c,d,A", "line 2: wanted UTF-8, found the byte 0xef"),
        ("Why?,a,b,c,d,A".encode("utf-16"), "line 1: wanted UTF-8, found the byte 0xff"),
        (b"\xed\xa0\x80?,a,b,c,d,A", "line 1: wanted UTF-8, found the byte 0xed"),
        (b"Why?,a,b,c,d,A\nWh\0?,a,b,c,d,A", "line 2: wanted text in UTF-8, found a NUL character"),
    ],
)
def test_malformed_row_is_told(content: bytes, told: str) -> None:
    """A row that is no question is refused with the line it begins on, what was wanted and what was there."""
    with pytest.raises(CaseFileError) as refused:
        read_csv(content, path=PATH, subject="law")
    assert str(refused.value).startswith("test/law_test.csv, line ")
    assert told in str(refused.value)


def test_equal_options_are_no_mistake() -> None:
    """Real questions repeat an option now and then; they are asked as they are, in the file's order."""
    [question] = read_csv(b"Why?,d,b,b,a,D\n", path=PATH, subject="law")
    assert question.options == ("d", "b", "b", "a")
    assert question.answer == 4
