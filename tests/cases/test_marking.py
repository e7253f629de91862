"""A promotion changes roles in models.toml and nothing else."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from tunegate.cases import Matrix, Model, Training
from tunegate.cases.marking import Edited, add_rows, mark_roles
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
    before = {model.name: model.role for model in Matrix.load(SHIPPED).models}
    roles = {model.name: model.role for model in Matrix.load(path).models}
    assert roles == {**before, "smollm2-135m-3shot": "retired", "gemma3-270m": "baseline"}


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


def trained(name: str, matrix: Matrix, **changes: object) -> Model:
    training = Training(job="ftjob-1", epochs=1, learning_rate_multiplier=0.4, first_loss=1.2, final_loss=0.3)
    row = Model(name, matrix.endpoints[0], base="a", examples=10, training_seed=1, training=training)
    return replace(row, **changes)  # type: ignore[arg-type]


def test_rows_are_added_to_the_shipped_matrix(tmp_path: Path) -> None:
    """A new row stands at the end, read back as it was meant, and no other line of the file changes."""
    path = tmp_path / "models.toml"
    path.write_bytes(SHIPPED.read_bytes())
    row = trained("ft:a:lab:n10-s1:abc", Matrix.load(path), body={"top_p": 0.5}, omit=("temperature",))
    assert add_rows(path, [row]) == Edited(("ft:a:lab:n10-s1:abc",), ())
    assert Matrix.load(path).models[-1] == row
    changes = [
        line
        for line in difflib.ndiff(SHIPPED.read_text().splitlines(), path.read_text().splitlines())
        if line.startswith("- ")
    ]
    assert not changes


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_are_added_to_any_layout(tmp_path: Path, layout: str) -> None:
    """However rows are written, what was there still means the same, and the new row is what was meant."""
    path = tmp_path / "models.toml"
    path.write_text(LAYOUTS[layout])
    before = Matrix.load(path)
    row = trained("ft:a:n10", before)
    add_rows(path, [row])
    after = {model.name: model for model in Matrix.load(path).models}
    assert after.pop("ft:a:n10") == row
    assert after == {model.name: model for model in before.models}


def test_second_time_adds_nothing(tmp_path: Path) -> None:
    """The same rows again leave the file as it is, to the byte."""
    path = tmp_path / "models.toml"
    path.write_text(LAYOUTS["tables"])
    rows = [trained("ft:a:n10", Matrix.load(path))]
    add_rows(path, rows)
    content = path.read_bytes()
    assert add_rows(path, rows) == Edited((), ())
    assert path.read_bytes() == content


def test_listed_model_keeps_what_a_person_said(tmp_path: Path) -> None:
    """Of a model that somebody lists under another name and role, only its training is brought up to date."""
    path = tmp_path / "models.toml"
    path.write_text(
        ENDPOINT + '[models.mine]\nendpoint = "e"\nrole = "baseline" # ours\nmodel = "ft:a:n10"\nexamples = 10\n'
    )
    row = trained("ft:a:n10", Matrix.load(path))
    assert add_rows(path, [row]) == Edited((), ("mine",))
    (model,) = Matrix.load(path).models
    assert (model.name, model.role, model.training) == ("mine", "baseline", row.training)
    assert "# ours" in path.read_text()


def test_promoted_row_is_not_undone(tmp_path: Path) -> None:
    """A row that a person has given another body is the same model all the same: it is never written over."""
    path = tmp_path / "models.toml"
    path.write_text(
        ENDPOINT + '[models."ft:a:n10"]\nendpoint = "e"\nrole = "baseline"\nbody = { top_p = 0.5 }\nshots = 1\n'
    )
    row = trained("ft:a:n10", Matrix.load(path))
    assert add_rows(path, [row]) == Edited((), ("ft:a:n10",))
    (model,) = Matrix.load(path).models
    assert (model.role, model.body, model.shots, model.training) == ("baseline", {"top_p": 0.5}, 1, row.training)


def test_matrix_that_could_not_be_read_is_not_written(tmp_path: Path) -> None:
    """A row of an endpoint that the file does not list any more would stop every command: nothing is written."""
    path = tmp_path / "models.toml"
    path.write_text(LAYOUTS["tables"])
    row = trained("ft:a:n10", Matrix.load(path))
    path.write_text(LAYOUTS["tables"].replace("endpoints.e", "endpoints.f").replace('"e"', '"f"'))
    content = path.read_bytes()
    with pytest.raises(MatrixError, match=r"would be a matrix no more, and is left as it is"):
        add_rows(path, [row])
    assert path.read_bytes() == content
    assert [entry.name for entry in tmp_path.iterdir()] == ["models.toml"]
