"""Models as a run kept them: its matrix may have changed since, or be gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from tunegate.cases.matrix import Matrix
from tunegate.cases.models import Endpoint, Model, Training


def kept_models(header: Mapping[str, Any], *, fixtures: Path) -> dict[str, Model]:
    """Return the models of a run by name, as its `run.json` says they were asked.

    The name of an endpoint, for which a price may be, is the one that the matrix in `fixtures` gives it now.
    """
    listed = {model.name: model.endpoint.name for model in listed_models(fixtures)}
    models = {}
    for row in header.get("matrix") or ():
        name = str(row["name"])
        endpoint = Endpoint(name=listed.get(name, ""), base_url=str(row["base_url"]))
        models[name] = Model(
            name=name,
            endpoint=endpoint,
            asks_for=row["model"],
            base=row.get("base"),
            examples=row.get("examples"),
            training=kept_training(row.get("training")),
            body=row.get("body") or {},
        )
    return models


def kept_training(kept: Mapping[str, Any] | None) -> Training | None:
    """Return a training as a run kept it; a later version may have said more of it than this one knows."""
    known = {each.name for each in fields(Training)}
    return Training(**{name: value for name, value in kept.items() if name in known}) if kept else None


def listed_models(fixtures: Path) -> Sequence[Model]:
    """Return the rows of the matrix as it is now; none where there is none."""
    path = fixtures / "models.toml"
    return Matrix.load(path).models if path.exists() else ()
