"""A promotion changes roles in models.toml and nothing else."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path

import pytest

from tunegate.cases import Matrix
from tunegate.cases.marking import mark_roles
from tunegate.errors import MatrixError

from ..project import ROOT

SHIPPED = ROOT / "fixtures" / "models.toml"
ENDPOINT = '[endpoints.e]\nbase_url = "http://127.0.0.1:1/v1"\n'
LAYOUTS = {
    "tables": '[models.a] # one\nrole = "candidate"    # why\nendpoint = "e"\n\n# two\n[models."b:1"]\nendpoint = "e"\n'
    "role = 'baseline'\n" + ENDPOINT,
    "apart": '[models.a]\nrole = "candidate"\nendpoint = "e"\n'
    + ENDPOINT
    + '# between\n[models."b:1"]\nrole = "baseline"\nendpoint = "e"\n',
    "inline": ENDPOINT
    + '[models]\na = { role = "candidate", endpoint = "e" } # here\n"b:1" = { endpoint = "e", role = "baseline" }\n',
    "dotted": ENDPOINT
    + '[models]\na.role = "candidate"\na.endpoint = "e"\n"b:1".endpoint = "e"\n"b:1".role = "baseline"\n',
}


def test_only_the_roles_of_the_shipped_matrix_change(tmp_path: Path) -> None:
    """Every comment and every other line of the shipped file is as it was."""
    path = tmp_path / "models.toml"
    path.write_bytes(SHIPPED.read_bytes())
    mark_roles(path, {"gemma3-270m": "baseline", "smollm2-135m-3shot": "retired"})
    changes = [
        line
        for line in difflib.ndiff(SHIPPED.read_text().splitlines(), path.read_text().splitlines())
        if line.startswith(("- ", "+ "))
    ]
    assert changes == ['- role = "baseline"', '+ role = "retired"', '- role = "candidate"', '+ role = "baseline"']
    roles = {model.name: model.role for model in Matrix.load(path).models}
    assert roles == {"smollm2-135m": "candidate", "smollm2-135m-3shot": "retired", "gemma3-270m": "baseline"}


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["bare", "bom"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_is_the_writers(tmp_path: Path, layout: str, mark: bytes, end: str) -> None:
    """However rows are written, the text differs in the words of the roles alone."""
    path = tmp_path / "models.toml"
    text = LAYOUTS[layout].replace("\n", end)
    path.write_bytes(mark + text.encode())
    mark_roles(path, {"a": "baseline", "b:1": "retired"})
    content = path.read_bytes()
    assert content.startswith(mark)
    marked = content.removeprefix(mark).decode()
    assert {name: row["role"] for name, row in tomllib.loads(marked)["models"].items()} == {
        "a": "baseline",
        "b:1": "retired",
    }
    for word in ("candidate", "baseline", "retired"):
        text, marked = text.replace(word, "*"), marked.replace(word, "*")
    assert marked.replace("'", '"') == text.replace("'", '"')


def test_row_that_is_missing_is_not_added(tmp_path: Path) -> None:
    """A model that stands in no matrix is told, and no row is touched."""
    path = tmp_path / "models.toml"
    path.write_text(LAYOUTS["tables"])
    with pytest.raises(MatrixError, match=r"no row in .* for c, whose role was to be marked"):
        mark_roles(path, {"a": "baseline", "c": "baseline"})
    assert path.read_text() == LAYOUTS["tables"]


def test_retired_row_is_asked_only_by_name(tmp_path: Path) -> None:
    """A former baseline costs nothing any more, unless its name or a glob asks for it."""
    path = tmp_path / "models.toml"
    path.write_text(LAYOUTS["tables"])
    mark_roles(path, {"b:1": "retired"})
    matrix = Matrix.load(path)
    assert [model.name for model in matrix.select().models] == ["a"]
    assert [model.name for model in matrix.select(["b*"]).models] == ["b:1"]
