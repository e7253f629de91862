"""The price book: prices.toml, and where it says nothing, the list prices of providers."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tunegate.cases.fields import NAME, TEXT, Field, Spot, read_fields
from tunegate.cases.list_prices import host_of, is_tuned, list_price
from tunegate.cases.models import Model
from tunegate.cases.names import list_names, show_path
from tunegate.cases.toml_file import read_toml
from tunegate.cost import Price, Rates
from tunegate.errors import CaseFileError, UsageError

OPENAI = "api.openai.com"


@dataclass(frozen=True)
class PriceRow:
    """A row of prices.toml."""

    pattern: str
    """A model's name, or a glob."""
    price: Price
    endpoint: str | None = None
    """Name of the only endpoint that it is for; None is any."""

    def means(self, name: str, *, endpoint: str) -> bool:
        """Say whether the row is about a model of this name at this endpoint."""
        return self.endpoint in (None, endpoint) and (self.pattern == name or fnmatchcase(name, self.pattern))

    def rank(self, name: str) -> tuple[bool, int, bool]:
        """Return how closely the row fits: its own name, then the longest pattern, then a named endpoint."""
        return (self.pattern == name, len(self.pattern), self.endpoint is not None)


@dataclass(frozen=True)
class PriceBook:
    """What models cost."""

    rows: tuple[PriceRow, ...] = ()
    digest: str = hashlib.sha256(b"{}").hexdigest()
    """SHA-256 (hex) of what the file says: comments and order of keys do not count."""
    path: Path = Path("prices.toml")
    """Where it was read, or looked for."""
    is_closed: bool = False
    """Whether it is all there is: the prices of another time must not be filled up with today's lists."""

    @classmethod
    def load(cls, path: str | Path, *, endpoints: Collection[str] | None = None) -> PriceBook:
        """Read a book; where there is no such file it has no rows. With `endpoints`, a row may name no other.

        Raises:
            CaseFileError: it is no TOML, or a row cannot be meant as it stands.
        """
        return _load(Path(path), endpoints=endpoints)

    @classmethod
    def load_named(cls, name: str | None, *, fixtures: Path) -> PriceBook:
        """Read the book `prices-<name>.toml` of the case files, or the file `name`; None is the book of today.

        Raises:
            UsageError: there is no such book.
            CaseFileError: it is no TOML, or a row cannot be meant as it stands.
        """
        if name is None:
            return cls.load(fixtures / "prices.toml")
        path = fixtures / f"prices-{name}.toml"
        if not path.exists():
            path = Path(name)
        if not path.is_file():
            known = [path.stem.removeprefix("prices-") for path in sorted(fixtures.glob("prices-*.toml"))]
            raise UsageError(
                f"no price book called {name!r}: neither {show_path(fixtures / f'prices-{name}.toml')} nor a file\n"
                f"  there are: {list_names(name, known) if known else 'none beside prices.toml'}"
            )
        return cls.load(path)

    def price_of(self, model: Model, *, at: datetime | None = None) -> Price | None:
        """Return what a model costs; None is unknown.

        A row for the name in the matrix goes first, then one for the name that the endpoint knows, then the list
        price of that name at this address, as it was `at` a time (None is now). Of several rows an exact name goes
        before a glob, a longer glob before a shorter one, a row for this endpoint alone before one for any, and
        the file's order decides the rest. A row about training or batches alone says nothing of calls and is
        passed over.
        """
        for name in dict.fromkeys((model.name, model.model)):
            rows = [row for row in self.rows if row.price.live and row.means(name, endpoint=model.endpoint.name)]
            if rows:
                price = max(rows, key=lambda row: row.rank(name)).price
                return price if self.is_closed else _with_batch(price, model)
        return None if self.is_closed else list_price(model, at=at or datetime.now(UTC))

    def training_price_of(self, model: Model) -> Price | None:
        """Return the price that says what training a model costs, None where no row of the book does.

        Rows are looked at as for calls, and after them those for the model that training begins with: providers price
        a training by its base. Lists say nothing of training.
        """
        for name in dict.fromkeys((model.name, model.model, model.base)):
            if name is None:
                continue
            rows = [
                row
                for row in self.rows
                if row.price.training_usd_per_mtok is not None and row.means(name, endpoint=model.endpoint.name)
            ]
            if rows:
                return max(rows, key=lambda row: row.rank(name)).price
        return None


_USD = Field(float, "US dollars per million tokens, 0 or more", lambda value: 0 <= value < math.inf)
_RATES = tuple(field.name for field in fields(Rates))
_PRICES = (*_RATES, *(f"batch_{name}" for name in _RATES), "training_usd_per_mtok")
_FILE = {"prices": Field(list, "a list of tables, each under [[prices]]"), "list_prices": Field(bool)}
_ROW = {
    "model": NAME.required(),
    "endpoint": TEXT,
    **dict.fromkeys(_PRICES, _USD),
    "since": Field(date, "a date like 2026-11-01"),
    "checked": Field(date, "a date like 2026-11-01"),
    "source": TEXT.required(),
}


def _load(path: Path, *, endpoints: Collection[str] | None) -> PriceBook:
    try:
        file = read_toml(path, error=CaseFileError)
    except FileNotFoundError:
        return PriceBook(path=path)
    except OSError as problem:
        raise CaseFileError(f"cannot read {show_path(path)}: {problem.strerror}") from problem
    table, place = file.table, file.spot
    read_fields(table, _FILE, spot=place)
    rows: list[PriceRow] = []
    for number, values in enumerate(table.get("prices", ()), start=1):
        row = _row(values, place=place / "prices" / str(number), endpoints=endpoints)
        if any((row.pattern, row.endpoint) == (other.pattern, other.endpoint) for other in rows):
            (place / "prices" / str(number)).refuse(
                wanted="one row for a model and endpoint", found=f"a second one for {row.pattern!r}"
            )
        rows.append(row)
    return PriceBook(rows=tuple(rows), digest=file.digest, path=path, is_closed=not table.get("list_prices", True))


def _row(row: object, *, place: Spot, endpoints: Collection[str] | None) -> PriceRow:
    values = read_fields(row, _ROW, spot=place)
    if not any(name in values for name in _PRICES):
        place.refuse(wanted=f"a price, such as {_PRICES[0]}", found="none")
    endpoint = values.get("endpoint")
    if endpoint is not None and endpoints is not None and endpoint not in endpoints:
        (place / "endpoint").refuse(
            wanted=f"an endpoint of the matrix ({list_names(endpoint, tuple(endpoints))})", found=endpoint
        )
    since: date | None = values.get("since")
    checked: date | None = values.get("checked")
    price = Price(
        live=_read_rates(values, prefix="", place=place),
        batch=_read_rates(values, prefix="batch_", place=place),
        training_usd_per_mtok=values.get("training_usd_per_mtok"),
        source=values["source"],
        as_of=since.isoformat() if since else None,
        checked_on=checked.isoformat() if checked else None,
    )
    return PriceRow(pattern=values["model"], price=price, endpoint=endpoint)


def _read_rates(values: Mapping[str, Any], *, prefix: str, place: Spot) -> Rates | None:
    named = {name: values[prefix + name] for name in _RATES if prefix + name in values}
    if not named:
        return None
    for name in _RATES[:2]:
        if name not in named:
            # Half a price would pass for a whole one: the missing half would cost nothing.
            (place / (prefix + name)).refuse(wanted=f"it beside {prefix}{next(iter(named))}", found="no such key")
    return Rates(**named)


def _with_batch(price: Price, model: Model) -> Price:
    """Return a row's price with a batch price where only OpenAI's general rule gives one.

    OpenAI's Batch API is documented at half price, and so it is for each base model that genai-prices has checked.
    A fine-tune keeps an unknown one: for ft:gpt-4o, batch rates above the half were listed.
    """
    if price.live is None or price.batch is not None or is_tuned(model) or host_of(model) != OPENAI:
        return price
    half = Rates(price.live.input_usd_per_mtok / 2, price.live.output_usd_per_mtok / 2)
    return replace(price, batch=half, source=f"{price.source}; batch: half of it, OpenAI's general rule")
