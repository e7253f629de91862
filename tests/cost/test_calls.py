"""Cost: what a call cost, and what it cannot exceed."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.cost import MESSAGE_TOKENS, REQUEST_TOKENS, Price, Rates, cost_usd, estimate_tokens, upper_bound_usd

LIVE = Rates(2.0, 10.0, cached_input_usd_per_mtok=0.2, cache_write_usd_per_mtok=2.5)
PRICE = Price(LIVE, source="a list", batch=Rates(1.0, 5.0))
AMOUNTS = st.floats(0, 1000)
TOKENS = st.integers(0, 10**7)


def test_call_costs_its_tokens() -> None:
    """Fresh, cached and written prompt tokens and the reply each cost their own price."""
    counted = cost_usd(PRICE, prompt_tokens=1000, completion_tokens=100, cached_tokens=600, cache_write_tokens=300)
    assert counted == pytest.approx((100 * 2 + 600 * 0.2 + 300 * 2.5 + 100 * 10) / 1e6)
    assert cost_usd(PRICE, prompt_tokens=10**6, completion_tokens=0) == 2.0


def test_batch_has_its_own_price() -> None:
    """A batch is never charged at the live price, nor at a guess: without a batch price its cost is unknown."""
    assert cost_usd(PRICE, prompt_tokens=10**6, completion_tokens=10**6, batch=True) == 6.0
    live_only = Price(LIVE, source="a list")
    assert cost_usd(live_only, prompt_tokens=10, completion_tokens=10, batch=True) is None


def test_cached_tokens_without_a_price_cost_what_others_do() -> None:
    """A discount that nobody stated is not given."""
    plain = Price(Rates(2.0, 10.0), source="a list")
    cached = cost_usd(plain, prompt_tokens=1000, completion_tokens=1, cached_tokens=1000)
    assert cached == cost_usd(plain, prompt_tokens=1000, completion_tokens=1)


@pytest.mark.parametrize(
    ("price", "counts"),
    [
        (None, {}),
        (Price(None, source="training alone", training_usd_per_mtok=3.0), {}),
        (PRICE, {"prompt_tokens": None}),
        (PRICE, {"completion_tokens": None}),
        (PRICE, {"prompt_tokens": -1}),
        (PRICE, {"completion_tokens": -1}),
        (PRICE, {"cached_tokens": 101}),
        (PRICE, {"cached_tokens": 60, "cache_write_tokens": 60}),
        (PRICE, {"cached_tokens": -1}),
        (dataclasses.replace(PRICE, max_prompt_tokens=99), {}),
    ],
)
def test_unknown_cost_is_never_zero(price: Price | None, counts: dict[str, int]) -> None:
    """Without a price, without a count, with counts that cannot be, or beyond where the price holds: None."""
    usage = {"prompt_tokens": 100, "completion_tokens": 10, **counts}
    assert cost_usd(price, **usage) is None


@pytest.mark.parametrize("max_tokens", [None, 64])
def test_free_model_is_free_without_any_count(max_tokens: int | None) -> None:
    """What costs nothing costs nothing for calls of any length, also where the server counted no tokens."""
    free = Price(Rates(0, 0), source="at home")
    assert cost_usd(free, prompt_tokens=None, completion_tokens=None) == 0.0
    assert upper_bound_usd(free, prompt_bytes=10**9, messages=1, max_tokens=max_tokens) == 0.0


@given(st.lists(st.text(), min_size=1), st.data(), st.builds(Rates, AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS))
def test_bound_holds_for_any_text(texts: list[str], data: st.DataObject, rates: Rates) -> None:
    """Even a tokenizer that makes a token of each byte, and a template that uses its whole allowance, stay within."""
    prompt_bytes = sum(len(text.encode()) for text in texts)
    most = prompt_bytes + MESSAGE_TOKENS * len(texts) + REQUEST_TOKENS
    prompt_tokens = data.draw(st.integers(0, most))
    cached_tokens = data.draw(st.integers(0, prompt_tokens))
    cache_write_tokens = data.draw(st.integers(0, prompt_tokens - cached_tokens))
    max_tokens = data.draw(TOKENS)
    price = Price(rates, source="any")
    bound = upper_bound_usd(price, prompt_bytes=prompt_bytes, messages=len(texts), max_tokens=max_tokens)
    cost = cost_usd(
        price,
        prompt_tokens=prompt_tokens,
        completion_tokens=data.draw(st.integers(0, max_tokens)),
        cached_tokens=cached_tokens,
        cache_write_tokens=cache_write_tokens,
    )
    assert bound is not None
    assert cost is not None
    assert cost <= bound * (1 + 1e-12)


@pytest.mark.parametrize(
    ("price", "max_tokens"),
    [
        (None, 64),
        (PRICE, None),
        (Price(None, source="nothing"), 64),
        (dataclasses.replace(PRICE, max_prompt_tokens=100), 64),
    ],
)
def test_there_is_no_bound_without_a_price_and_a_limit(price: Price | None, max_tokens: int | None) -> None:
    """A reply without a limit, and a prompt for which the price may not hold, have no bound."""
    assert upper_bound_usd(price, prompt_bytes=100, messages=2, max_tokens=max_tokens) is None


@given(st.text())
def test_estimate_lies_below_the_bound(text: str) -> None:
    """A plan's estimate is never above what its budget reserves."""
    size = len(text.encode())
    assert MESSAGE_TOKENS <= estimate_tokens(size) <= size + MESSAGE_TOKENS
    assert estimate_tokens(600, messages=2) == 232
