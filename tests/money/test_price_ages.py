"""Doubts about prices: unknown and old ones are told, others are not."""

from __future__ import annotations

from datetime import date, timedelta

from tunegate.cost import Price, Rates
from tunegate.money.price_ages import OLD_DAYS, describe_price, find_doubts

TODAY = date(2026, 11, 28)


def seen(days_ago: int) -> str:
    return (TODAY - timedelta(days=days_ago)).isoformat()


def test_unknown_price_is_told() -> None:
    """A model without a price is named, with where to say it."""
    (told,) = find_doubts({"m": None}, priced_on=TODAY)
    assert "no price is known of m" in told
    assert "fixtures/prices.toml" in told


def test_price_is_old_from_its_limit_on() -> None:
    """180 days are not old and 181 are; what was looked at since is as young as that look."""
    rates = Rates(1.0, 2.0)
    fresh, old = (Price(rates, "a list", as_of=seen(OLD_DAYS + more)) for more in (0, 1))
    assert find_doubts({"m": fresh}, priced_on=TODAY) == []
    (told,) = find_doubts({"m": old}, priced_on=TODAY)
    assert f"{OLD_DAYS + 1} days old" in told
    assert "a list" in told
    checked = Price(rates, "a list", as_of=seen(900), checked_on=seen(3))
    assert find_doubts({"m": checked}, priced_on=TODAY) == []


def test_age_is_told_against_the_day_that_is_priced() -> None:
    """A run of last year at last year's price has no old price, and at a price of years before it has one."""
    day = TODAY - timedelta(days=400)
    assert find_doubts({"m": Price(Rates(1.0, 2.0), "a list", checked_on=seen(410))}, priced_on=day) == []
    (told,) = find_doubts({"m": Price(Rates(1.0, 2.0), "a list", as_of=seen(400 + 181))}, priced_on=day)
    assert "is 181 days old" in told


def test_price_without_a_date_is_told() -> None:
    """Nobody knows how old it is, so it is no younger than an old one; what is free has no age."""
    (told,) = find_doubts({"m": Price(Rates(1.0, 2.0), "a contract")}, priced_on=TODAY)
    assert told == "the age of the price of m is unknown (a contract): look whether it still holds"
    (trained,) = find_doubts({"m": Price(None, "a page", training_usd_per_mtok=8.0)}, priced_on=TODAY)
    assert "the age of the price of m is unknown (a page)" in trained
    assert find_doubts({"m": Price(Rates(0.0, 0.0), "this machine")}, priced_on=TODAY) == []


def test_price_that_was_seen_long_after_is_told() -> None:
    """Without a word of since when it holds, what was seen 181 days later says as little as what was 181 days old."""
    price = Price(Rates(1.0, 2.0), "a list", checked_on=seen(0))
    assert find_doubts({"m": price}, priced_on=TODAY - timedelta(days=OLD_DAYS)) == []
    (told,) = find_doubts({"m": price}, priced_on=TODAY - timedelta(days=OLD_DAYS + 1))
    assert f"was seen 181 days after {seen(181)}, for which it is taken" in told
    since = Price(Rates(1.0, 2.0), "a list", as_of=seen(500), checked_on=seen(0))
    assert find_doubts({"m": since}, priced_on=TODAY - timedelta(days=400)) == []


def test_what_is_free_does_not_age() -> None:
    """A model of one's own machine is never told to be old, unless its training is paid for."""
    free = Price(Rates(0.0, 0.0), "this machine", as_of=seen(900))
    assert find_doubts({"m": free}, priced_on=TODAY) == []
    paid = Price(Rates(0.0, 0.0), "this machine", as_of=seen(900), training_usd_per_mtok=1.0)
    assert len(find_doubts({"m": paid}, priced_on=TODAY)) == 1


def test_price_that_did_not_hold_yet_is_told() -> None:
    """A price of today says nothing of a run before it began to hold; on its first day it is right."""
    price = Price(Rates(1.0, 2.0), "a list", as_of=seen(10))
    (told,) = find_doubts({"m": price}, priced_on=TODAY - timedelta(days=11))
    assert f"the price of m holds since {seen(10)} (a list), and is taken for {seen(11)}" in told
    assert find_doubts({"m": price}, priced_on=TODAY - timedelta(days=10)) == []


def test_price_says_whose_it_is_and_of_when() -> None:
    """Rates, source and date stand together; a price without a date says that."""
    whole = Price(Rates(1.0, 2.5, 0.1), "a list", as_of="2026-11-01", training_usd_per_mtok=8.0)
    assert describe_price(whole) == ("$1 in, $2.5 out, $0.1 cached, $8 training a million tokens (a list, 2026-11-01)")
    assert "without a date" in describe_price(Price(Rates(1.0, 2.0), "a list"))
