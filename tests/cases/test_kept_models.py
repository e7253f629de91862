"""Models are what their run kept of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tunegate.cases import Training
from tunegate.cases.kept_models import kept_models, listed_models

ROW: dict[str, Any] = {
    "name": "tuned",
    "model": "ft:m",
    "base_url": "http://h/v1",
    "body": {"a": 1},
    "examples": 50,
    "base": "m",
}


def test_run_says_how_its_models_were_asked(tmp_path: Path) -> None:
    """Name, address, body and training are the run's, also where there is no matrix any more."""
    header = {"matrix": [{**ROW, "training": {"tokens": 120, "epochs": 3, "later": "unknown"}}]}
    (model,) = kept_models(header, fixtures=tmp_path).values()
    assert (model.name, model.model, model.endpoint.base_url) == ("tuned", "ft:m", "http://h/v1")
    assert (dict(model.body), model.examples, model.base) == ({"a": 1}, 50, "m")
    assert model.training == Training(tokens=120, epochs=3)
    assert model.endpoint.name == ""
    assert kept_models({}, fixtures=tmp_path) == {}


def test_endpoint_has_the_name_that_the_matrix_gives_it(tmp_path: Path) -> None:
    """A price for one endpoint alone is found although the run does not know its name."""
    (tmp_path / "models.toml").write_text(
        '[endpoints.lab]\nbase_url = "http://other/v1"\n[models.tuned]\nendpoint = "lab"\nrole = "candidate"\n'
    )
    (model,) = kept_models({"matrix": [ROW]}, fixtures=tmp_path).values()
    assert (model.endpoint.name, model.endpoint.base_url) == ("lab", "http://h/v1")
    assert [listed.name for listed in listed_models(tmp_path)] == ["tuned"]
