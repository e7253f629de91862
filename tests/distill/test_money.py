"""What training costs, and when it is earned back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunegate.cases import Matrix, PriceBook
from tunegate.cost import Price
from tunegate.distill import CallCost, break_even, mean_call, training_price, training_usd

MODEL = Matrix.unlisted("small", base_url="http://127.0.0.1:9/v1")
ROW = '[[prices]]\nmodel = "{}"\nsource = "a list"\n{}\n'


def book(folder: Path, *rows: tuple[str, str]) -> PriceBook:
    path = folder / "prices.toml"
    path.write_text("".join(ROW.format(model, prices) for model, prices in rows))
    return PriceBook.load(path)


def test_row_about_training_alone_is_a_price_of_training(tmp_path: Path) -> None:
    """The price of calls need not be known, and the closest row goes first."""
    prices = book(tmp_path, ("sm*", "training_usd_per_mtok = 9"), ("small", "training_usd_per_mtok = 1.5"))
    found = training_price(prices, MODEL)
    assert found is not None
    assert (found.training_usd_per_mtok, found.source) == (1.5, "a list")


def test_price_of_calls_is_no_price_of_training(tmp_path: Path) -> None:
    """Unknown is None, never 0."""
    prices = book(tmp_path, ("small", "input_usd_per_mtok = 1\noutput_usd_per_mtok = 2"))
    found = training_price(prices, MODEL)
    assert found is None
    assert training_usd(found, tokens=10, epochs=3) is None


def test_training_is_paid_by_token_and_epoch() -> None:
    """200,000 tokens three times over at 1.5 USD a million are 0.9 USD."""
    price = Price(None, "a list", training_usd_per_mtok=1.5)
    assert training_usd(price, tokens=200_000, epochs=3) == pytest.approx(0.9)


def test_break_even_is_outlay_over_what_a_call_saves() -> None:
    """1 USD of outlay, 0.003 against 0.0005 a call: 400 calls; a call that is no cheaper never earns it back."""
    dear, cheap = CallCost("big", 0.003), CallCost("small", 0.0005)
    assert break_even(outlay_usd=1.0, student=cheap, replaced=dear).calls == 400
    assert break_even(outlay_usd=1.001, student=cheap, replaced=dear).calls == 401
    assert break_even(outlay_usd=1.0, student=dear, replaced=cheap).calls is None
    assert break_even(outlay_usd=0.0, student=cheap, replaced=cheap).calls is None


def test_call_is_estimated_from_prompt_and_reply(tmp_path: Path) -> None:
    """A prompt of 30 bytes is 10 tokens and 16 for its message, a reply of 6 bytes is 2."""
    prices = book(tmp_path, ("small", "input_usd_per_mtok = 1\noutput_usd_per_mtok = 10"))
    chat = [{"role": "user", "content": "x" * 30}, {"role": "assistant", "content": "y" * 6}]
    found = mean_call(MODEL, [chat, chat], prices=prices)
    assert found is not None
    assert found.usd == pytest.approx((26 * 1 + 2 * 10) / 1e6)


def test_call_of_unknown_price_is_unknown() -> None:
    """No price, no mean; no chat, none either."""
    chat = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]
    assert mean_call(MODEL, [chat], prices=PriceBook()) is None
    assert mean_call(MODEL, [], prices=PriceBook()) is None
