"""What the models of a run cost when it was made."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from tunegate.cases import PriceBook
from tunegate.cases.kept_models import kept_models
from tunegate.cost import Price
from tunegate.gate.measures import Measures


def prices_of(measures: Measures, names: Iterable[str], *, fixtures: Path) -> dict[str, Price | None]:
    """Return what models cost at the time of their run, by the matrix that the run kept."""
    book = PriceBook.load(fixtures / "prices.toml")
    at = datetime.fromisoformat(str(measures.header["started_at"]))
    models = kept_models(measures.header, fixtures=fixtures)
    return {name: book.price_of(models[name], at=at) if name in models else None for name in names}
