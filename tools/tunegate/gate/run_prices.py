"""What the models of a run cost when it was made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from tunegate.cases import Endpoint, Matrix, Model, PriceBook
from tunegate.cost import Price
from tunegate.gate.measures import Measures


def prices_of(measures: Measures, names: Iterable[str], *, fixtures: Path) -> dict[str, Price | None]:
    """Return what models cost at the time of their run, by the matrix that the run kept."""
    book = PriceBook.load(fixtures / "prices.toml")
    at = datetime.fromisoformat(str(measures.header["started_at"]))
    rows = {row["name"]: row for row in measures.header.get("matrix") or ()}
    listed = {model.name: model.endpoint.name for model in listed_models(fixtures)}
    prices: dict[str, Price | None] = {}
    for name in names:
        row = rows.get(name)
        if row is None:
            prices[name] = None
            continue
        endpoint = Endpoint(name=listed.get(name, ""), base_url=str(row["base_url"]))
        model = Model(name=name, endpoint=endpoint, asks_for=row["model"], body=row.get("body") or {})
        prices[name] = book.price_of(model, at=at)
    return prices


def listed_models(fixtures: Path) -> Sequence[Model]:
    """Return the rows of the matrix as it is now; none where there is none."""
    path = fixtures / "models.toml"
    return Matrix.load(path).models if path.exists() else ()
