"""The price book: prices.toml, and where it says nothing, the list prices of providers."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
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

    def holds_on(self, day: date) -> bool:
        """Say whether the row holds already: one without a date always did."""
        return self.price.as_of is None or date.fromisoformat(self.price.as_of) <= day

    @property
    def subject(self) -> tuple[str, str | None]:
        """What it is about: its rows tell of one price as it was from each of their dates on."""
        return self.pattern, self.endpoint

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
        """Return what a model costs `at` a time (None is now); None is unknown.

        A row for the name in the matrix goes first, then one for the name that the endpoint knows, then the list
        price of that name at this address. Of several rows an exact name goes before a glob, a longer glob before a
        shorter one, a row for this endpoint alone before one for any, and the file's order decides the rest. A row
        about training or batches alone says nothing of calls and is passed over, and so is one that holds only since
        a later day; of those for one model and endpoint the latest holds. Where nothing else is known, the first of
        the later ones is taken: its `as_of` says that it did not hold yet.
        """
        at = at or datetime.now(UTC)
        rows = [row for row in self.rows if row.price.live]
        names = (model.name, model.model)
        held = _closest([row for row in rows if row.holds_on(at.date())], names, endpoint=model.endpoint.name)
        if not held and not self.is_closed and (listed := list_price(model, at=at)):
            return listed
        dated = held[-1:] or _closest(rows, names, endpoint=model.endpoint.name)[:1]
        price = dated[0].price if dated else None
        return price if price is None or self.is_closed else _with_batch(price, model)

    def training_price_of(self, model: Model, *, at: datetime | None = None) -> Price | None:
        """Return the price that says what training a model costs `at` a time (None is now), None where no row does.

        Rows are looked at as for calls, and after them those for the model that training begins with: providers price
        a training by its base. Lists say nothing of training.
        """
        day = (at or datetime.now(UTC)).date()
        rows = [row for row in self.rows if row.price.training_usd_per_mtok is not None]
        names = (model.name, model.model, model.base)
        held = _closest([row for row in rows if row.holds_on(day)], names, endpoint=model.endpoint.name)
        dated = held[-1:] or _closest(rows, names, endpoint=model.endpoint.name)[:1]
        return dated[0].price if dated else None


def _closest(rows: Sequence[PriceRow], names: Sequence[str | None], *, endpoint: str) -> list[PriceRow]:
    """Return the rows about what fits the first of the names best, in the order of their dates; none where none fit."""
    for name in filter(None, names):
        fitting = [row for row in rows if row.means(name, endpoint=endpoint)]
        if fitting:
            best = max(fitting, key=lambda row: row.rank(name))
            dated = (row for row in fitting if row.subject == best.subject)
            return sorted(dated, key=lambda row: row.price.as_of or "")
    return []


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
        if any((row.subject, row.price.as_of) == (other.subject, other.price.as_of) for other in rows):
            (place / "prices" / str(number)).refuse(
                wanted="one row for a model, endpoint and date (since)", found=f"a second one for {row.pattern!r}"
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
