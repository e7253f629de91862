"""TOML files: one reader for all that people write, and one way to tell a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunegate.cases.fields import SECONDS, read_fields
from tunegate.cases.toml_file import TomlFile, read_toml
from tunegate.errors import CaseFileError, MatrixError, TunegateError


def read(folder: Path, text: str, *, error: type[TunegateError] = CaseFileError) -> TomlFile:
    path = folder / "some.toml"
    path.write_text(text, encoding="utf-8")
    return read_toml(path, error=error)


@pytest.mark.parametrize("error", [CaseFileError, MatrixError])
@pytest.mark.parametrize("text", ["a", "a = 1\na = 2", "a = " + "[" * 10_000, "a = " + "9" * 5_000])
def test_what_is_no_toml_is_told_as_the_caller_says(tmp_path: Path, text: str, error: type[TunegateError]) -> None:
    """Whatever the parser stumbles over, the caller's own error names the file."""
    with pytest.raises(error, match=r"some\.toml: wanted TOML, found a mistake") as refused:
        read(tmp_path, text, error=error)
    assert type(refused.value) is error


@pytest.mark.parametrize("error", [CaseFileError, MatrixError])
def test_places_in_a_file_raise_its_error(tmp_path: Path, error: type[TunegateError]) -> None:
    """A place below the file tells a mistake as the file itself would."""
    with pytest.raises(error, match=r"some\.toml, a\.\"b c\"\.1: wanted x, found 3"):
        (read(tmp_path, "", error=error).spot / "a" / "b c" / "1").refuse(wanted="x", found=3)


def test_number_beyond_all_floats_is_told(tmp_path: Path) -> None:
    """An integer that is larger than any float is refused like any other wrong value."""
    file = read(tmp_path, "limit = 1" + "0" * 400)
    with pytest.raises(CaseFileError, match="limit: wanted seconds, more than 0, found 1000"):
        read_fields(file.table, {"limit": SECONDS}, spot=file.spot)


def test_digest_is_of_what_is_said(tmp_path: Path) -> None:
    """Comments, layout and the order of keys do not count; a value does, a date in an inner table too."""
    digest = read(tmp_path, "a = 1\nb = { c = [{ d = 2026-11-01 }] }").digest
    assert read(tmp_path, "# more\n[[b.c]]\nd = 2026-11-01\n").digest != digest
    assert read(tmp_path, "b.c = [{ d = 2026-11-01 }]  # more\na = 1").digest == digest
    assert read(tmp_path, "b.c = [{ d = 2026-11-02 }]\na = 1").digest != digest


def test_file_that_is_not_there_is_the_callers_to_tell(tmp_path: Path) -> None:
    """Whether a file must be there is known to who asks for it, and to nobody else."""
    with pytest.raises(FileNotFoundError):
        read_toml(tmp_path / "nowhere.toml", error=CaseFileError)
