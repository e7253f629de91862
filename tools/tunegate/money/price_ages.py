"""Which prices are missing, or not known to have held on the day that is priced."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from tunegate.cost import Price

OLD_DAYS = 180
"""Providers change their prices about twice a year: what was last seen longer ago is said to be old."""


def find_doubts(prices: Mapping[str, Price | None], *, priced_on: date) -> list[str]:
    """Return a sentence for each price that is unknown, or not known to hold on the day whose calls it is taken for.

    `prices` are by model. Days are counted from that day: a price of last year is right for a run of last year,
    however long ago that is. What is free does not age: nobody raises the price of a model on one's own machine.
    """
    return [doubt for model, price in prices.items() if (doubt := _doubt(model, price, priced_on=priced_on))]


def _doubt(model: str, price: Price | None, *, priced_on: date) -> str | None:
    if price is None:
        return (
            f"no price is known of {model}, and unknown is not free: fixtures/prices.toml, or the book that "
            "--prices names, can say it"
        )
    if price.as_of is not None and date.fromisoformat(price.as_of) > priced_on:
        return (
            f"the price of {model} holds since {price.as_of} ({price.source}), and is taken for {priced_on}: what "
            "it cost then is not known"
        )
    if price.live is not None and price.live.are_free and not price.training_usd_per_mtok:
        return None
    return _doubt_age(model, price, priced_on=priced_on)


def _doubt_age(model: str, price: Price, *, priced_on: date) -> str | None:
    if price.told_on is None:
        return f"the age of the price of {model} is unknown ({price.source}): look whether it still holds"
    age_days = (priced_on - date.fromisoformat(price.told_on)).days
    if age_days > OLD_DAYS:
        return (
            f"the price of {model} is {age_days:,} days old (last seen {price.told_on}, {price.source}): "
            "look whether it still holds"
        )
    if price.as_of is None and age_days < -OLD_DAYS:
        return (
            f"the price of {model} was seen {-age_days:,} days after {priced_on}, for which it is taken "
            f"({price.told_on}, {price.source}): what it cost then is not known"
        )
    return None


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
