"""Where questions lie: every layout gives the same bank, every miss says what was looked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tunegate.cases import Question, read_bank
from tunegate.errors import CaseFileError


def line_of(question: Question, **more: object) -> str:
    row = {"question": question.text, "choices": list(question.options), "answer": question.answer - 1}
    return json.dumps({**row, "subject": question.subject, **more}) + "\n"


def write_parquet(path: Path, found: Sequence[Question], **columns: list[object]) -> Path:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    table = {
        "question": [question.text for question in found],
        "subject": [question.subject for question in found],
        "choices": [list(question.options) for question in found],
        "answer": [question.answer - 1 for question in found],
        **columns,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({name: column for name, column in table.items() if column}), path)
    return path


def test_every_layout_gives_the_same_bank(
    folder: Path, tmp_path: Path, write_csv: Callable[[str, Sequence[Question]], Path]
) -> None:
    """CSV, JSON lines and Parquet with the same questions have one digest and the same batches."""
    bank = read_bank(folder)
    (tmp_path / "lines").mkdir()
    for part in ("test", "dev"):
        found = bank.questions(part)
        lines = "".join(map(line_of, found))
        (tmp_path / "lines" / f"{part}.jsonl").write_text(lines, encoding="utf-8")
        write_parquet(tmp_path / "hub" / "all" / f"{part}-00000-of-00002.parquet", found[:7])
        write_parquet(tmp_path / "hub" / "all" / f"{part}-00001-of-00002.parquet", found[7:])
        for subject in bank.subjects():
            write_csv(f"flat/{subject}_{part}.csv", [q for q in found if q.subject == subject])
    one = "".join(line_of(q, split=part) for part in ("dev", "test") for q in bank.questions(part))
    (tmp_path / "one.jsonl").write_text(one, encoding="utf-8")
    for other in ("lines", "hub", "flat", "one.jsonl"):
        assert read_bank(tmp_path / other).parts == bank.parts, other
        assert read_bank(tmp_path / other).digest == bank.digest, other
        assert read_bank(tmp_path / other).batches() == bank.batches(), other
        assert read_bank(tmp_path / other).solved(2) == bank.solved(2), other


def test_single_file_is_the_test_part(folder: Path, tmp_path: Path) -> None:
    """One file of any kind can be asked as it is; a CSV's name is the subject."""
    botany = read_bank(folder / "dev" / "botany_dev.csv")
    assert botany.parts == ("test",)
    assert {question.subject for question in botany.test} == {"botany"}
    parquet = write_parquet(tmp_path / "train.parquet", botany.test)
    assert read_bank(parquet).test == botany.test
    lines = tmp_path / "any.jsonl"
    lines.write_text("".join(map(line_of, botany.test)), encoding="utf-8")
    assert read_bank(lines).test == botany.test


def test_plain_folder_of_subjects_is_the_test_part(
    tmp_path: Path,
    invent: Callable[..., list[Question]],
    write_csv: Callable[[str, Sequence[Question]], Path],
) -> None:
    """`<subject>.csv` files without a split in sight are asked."""
    write_csv("plain/geology.csv", invent(4, subject="geology"))
    assert [batch.id for batch in read_bank(tmp_path / "plain").batches()] == ["geology-01"]


def test_splits_have_their_names_in_the_wild(tmp_path: Path, invent: Callable[..., list[Question]]) -> None:
    """`validation` is val and `auxiliary_train` is train, whose subjects the hub leaves empty."""
    found = invent(4, subject="law")
    write_parquet(tmp_path / "validation-00000-of-00001.parquet", found)
    write_parquet(tmp_path / "auxiliary_train-00000-of-00001.parquet", found, subject=[""] * 4)
    bank = read_bank(tmp_path)
    assert bank.parts == ("train", "val")
    assert bank.subjects("train") == ("auxiliary",)
    assert [batch.id for batch in bank.batches(part="train")] == ["auxiliary-01"]


def test_nested_training_column_is_unfolded(tmp_path: Path, invent: Callable[..., list[Question]]) -> None:
    """The hub's config auxiliary_train keeps all four columns inside one named `train`."""
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    [question] = invent(1, subject="law")
    row = {"question": question.text, "subject": "", "choices": list(question.options), "answer": 0}
    (tmp_path / "auxiliary_train").mkdir()
    pq.write_table(pa.table({"train": [row]}), tmp_path / "auxiliary_train" / "train-00000-of-00001.parquet")
    assert read_bank(tmp_path).train[0].text == question.text


def test_letters_may_name_options_and_answer(tmp_path: Path) -> None:
    """JSON lines may have keys A to D instead of choices, and a letter for the answer."""
    row = {"question": "Why?", "A": "a", "B": "b", "C": "c", "D": "d", "answer": "C", "subject": "law"}
    path = tmp_path / "letters.jsonl"
    path.write_text("\ufeff" + json.dumps(row) + "\r\n\r\n", encoding="utf-8", newline="")
    assert read_bank(path).test == (Question("Why?", ("a", "b", "c", "d"), 3, "law"),)


GOOD = {"question": "Why?", "choices": ["a", "b", "c", "d"], "answer": 0, "subject": "law"}


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({**GOOD, "answer": 4}, "wanted an answer 0 to 3 or A to D, found 4"),
        ({**GOOD, "answer": True}, "wanted an answer 0 to 3 or A to D, found True"),
        ({**GOOD, "answer": "E"}, "wanted an answer 0 to 3 or A to D, found 'E'"),
        ({**GOOD, "answer": [0]}, r"wanted an answer 0 to 3 or A to D, found \[0\]"),
        ({**GOOD, "choices": ["a", "b"]}, "wanted 4 choices, found 2"),
        ({**GOOD, "choices": "abcd"}, "wanted 4 choices, found 'abcd'"),
        ({**GOOD, "choices": ["a", "b", "c", 4]}, "wanted text in 'D', found int 4"),
        ({**GOOD, "question": None}, "wanted text in 'question', found NoneType None"),
        ({**GOOD, "question": " \t"}, r"wanted text in the question, found ' \\t'"),
        ({**GOOD, "question": "a\0b"}, "wanted text in the question, found a NUL character"),
        (
            {**GOOD, "choices": ["a", "\udc80", "c", "d"]},
            "wanted text in option B, found half a surrogate pair",
        ),
        ({**GOOD, "subject": ""}, "wanted a subject that can stand in a case id"),
        ({**GOOD, "subject": 7}, "wanted a subject in text, found int 7"),
        ({**GOOD, "split": "exam"}, "wanted a split .*, found 'exam'"),
        ({**GOOD, "A": "a"}, "wanted choices or the keys A to D, found both"),
        (
            {"question": "Why?", "answer": 0},
            "wanted 'subject' and 'A' and 'B' and 'C' and 'D', found the keys",
        ),
        ([1], "wanted one JSON object, found list"),
    ],
)
def test_malformed_line_is_told(tmp_path: Path, row: object, told: str) -> None:
    """A JSON line that is no question is refused with its place, what was wanted and what was there."""
    path = tmp_path / "test.jsonl"
    path.write_text(json.dumps(GOOD) + "\n\n" + json.dumps(row) + "\n", encoding="utf-8")
    with pytest.raises(CaseFileError, match=rf"test\.jsonl, line 3: {told}"):
        read_bank(tmp_path).batches()


@pytest.mark.parametrize("text", ["{", '{"question": NaN}', "[" * 100_000, "{'question': 1}", "1" * 10_000])
def test_line_that_is_no_json_is_told(tmp_path: Path, text: str) -> None:
    """What JSON cannot hold is refused with its line, however deep it nests."""
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(GOOD) + "\n" + text + "\n", encoding="utf-8")
    with pytest.raises(CaseFileError, match=r"bad\.jsonl, line 2: wanted one JSON object, found"):
        read_bank(path)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"answer": [0, 4, 1, 1]}, "row 2: wanted an answer 0 to 3 or A to D, found 4"),
        ({"answer": [0, 1, 1, None]}, "row 4: wanted an answer 0 to 3 or A to D, found None"),
        ({"choices": [["a", "b", "c"]] * 4}, "row 1: wanted 4 choices, found 3"),
        ({"question": ["a", "b", None, "d"]}, "row 3: wanted text in 'question', found NoneType None"),
        ({"subject": [""] * 4}, "row 1: wanted a subject that can stand in a case id"),
        ({"question": [b"\xff"] * 4}, "row 1: wanted text in 'question', found bytes"),
        ({"subject": []}, ": wanted the columns question, subject, choices, answer, found question, choices"),
    ],
)
def test_malformed_parquet_row_is_told(
    tmp_path: Path, invent: Callable[..., list[Question]], columns: dict[str, list[object]], told: str
) -> None:
    """A row of a Parquet file that is no question is refused with its number."""
    write_parquet(tmp_path / "test.parquet", invent(4, subject="law"), **columns)
    with pytest.raises(CaseFileError, match=rf"test\.parquet(, )?{told}"):
        read_bank(tmp_path).batches()


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(40) + b"PAR1", b"question,A\n"])
def test_file_that_is_no_parquet_is_told(tmp_path: Path, content: bytes) -> None:
    """A cut or foreign file is refused by name."""
    pytest.importorskip("pyarrow")
    (tmp_path / "test.parquet").write_bytes(content)
    with pytest.raises(CaseFileError, match=r"test\.parquet: wanted a Parquet file, found"):
        read_bank(tmp_path).batches()


def test_missing_path_shows_the_way_as_far_as_it_goes(folder: Path) -> None:
    """A path that is not there is told where it ends and what is there instead."""
    with pytest.raises(CaseFileError, match=r"no questions at .*\n  looked in .*bank, which holds: test, dev"):
        read_bank(folder / "tests" / "law.csv")


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ([], r"wanted files of questions \(\.csv, \.jsonl, \.parquet\), found an empty folder"),
        (["notes.txt"], r"wanted files of questions .*, found notes\.txt"),
        ([".hidden.csv", "_drafts/law.csv"], "wanted files of questions"),
        (["test/law.csv", "test.jsonl"], r"wanted files of one kind, found \.csv and \.jsonl"),
        (["drafts/law.csv"], r"law\.csv: wanted a folder named for a split \(test, dev, .*\), found drafts"),
        (["exam.jsonl"], r"exam\.jsonl: wanted a file or folder named for a split"),
        (
            ["test/law_dev.csv"],
            "wanted one split for the file: its folder says test, found its name says dev",
        ),
        (["test/ law.csv"], "wanted a subject that can stand in a case id"),
        (["test/law_test.csv"], "test part: wanted questions, found only empty files"),
    ],
)
def test_folder_that_is_no_bank_is_told(tmp_path: Path, files: list[str], told: str) -> None:
    """A folder is refused with what was wanted of it and what it holds."""
    for name in files:
        path = tmp_path / "bank" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "bank").mkdir(exist_ok=True)
    with pytest.raises(CaseFileError, match=told):
        read_bank(tmp_path / "bank").batches()


@pytest.mark.parametrize("where", ["x" * 5000, "a\0b", "", "nowhere/at/all.csv"])
def test_path_that_cannot_be_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Whatever stands behind --questions, the answer is a message."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CaseFileError):
        read_bank(where)


def test_other_file_is_refused(tmp_path: Path) -> None:
    """A file of another kind is refused by its name, before it is read."""
    path = tmp_path / "questions.xlsx"
    path.touch()
    with pytest.raises(CaseFileError, match=r"questions\.xlsx: wanted a folder or a file of questions"):
        read_bank(path)


def test_split_in_a_line_may_not_contradict_the_file(tmp_path: Path) -> None:
    """A test question in dev.jsonl would show its answer in a prompt."""
    (tmp_path / "dev.jsonl").write_text(json.dumps({**GOOD, "split": "test"}), encoding="utf-8")
    with pytest.raises(CaseFileError, match=r"wanted the split that the file's name says \(dev\), found 'test'"):
        read_bank(tmp_path).questions("dev")
