"""Which prices are missing, or so old that they may have changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from tunegate.cost import Price

OLD_DAYS = 180
"""Providers change their prices about twice a year: what was last seen longer ago is said to be old."""


def find_doubts(prices: Mapping[str, Price | None], *, as_of: date, priced_on: date | None = None) -> list[str]:
    """Return a sentence for each price that is unknown, older than OLD_DAYS on a day, or not yet known to have held.

    `prices` are by model. `priced_on` is the day whose calls they are taken for; None is `as_of`.

    What is free does not age: nobody raises the price of a model on one's own machine. A price without any date
    cannot be said to be old; where it came from is shown with it.
    """
    return list(_doubts(prices, as_of=as_of, priced_on=priced_on or as_of))


def _doubts(prices: Mapping[str, Price | None], *, as_of: date, priced_on: date) -> Iterator[str]:
    for model, price in prices.items():
        if price is None:
            yield (
                f"no price is known of {model}, and unknown is not free: fixtures/prices.toml, or the book that "
                "--prices names, can say it"
            )
            continue
        if price.as_of is not None and date.fromisoformat(price.as_of) > priced_on:
            yield (
                f"the price of {model} holds since {price.as_of} ({price.source}), and is taken for {priced_on}: what "
                "it cost then is not known"
            )
        age_days = _age_days(price, as_of=as_of)
        is_free = price.live is not None and price.live.are_free and not price.training_usd_per_mtok
        if age_days is not None and age_days > OLD_DAYS and not is_free:
            yield (
                f"the price of {model} is {age_days:,} days old (last seen {price.told_on}, {price.source}): "
                "look whether it still holds"
            )


def _age_days(price: Price, *, as_of: date) -> int | None:
    return (as_of - date.fromisoformat(price.told_on)).days if price.told_on else None


def describe_price(price: Price) -> str:
    """Return a price for people: its rates, whose they are, and of when."""
    parts = []
    if price.live is not None:
        rates = price.live
        parts.append(f"${rates.input_usd_per_mtok:g} in, ${rates.output_usd_per_mtok:g} out")
        if rates.cached_input_usd_per_mtok is not None:
            parts.append(f"${rates.cached_input_usd_per_mtok:g} cached")
    if price.training_usd_per_mtok is not None:
        parts.append(f"${price.training_usd_per_mtok:g} training")
    told = f", {price.told_on}" if price.told_on else ", without a date"
    return f"{', '.join(parts) or 'no rates'} a million tokens ({price.source}{told})"
