"""What a request is quoted at is never less than what it costs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.cost import MESSAGE_TOKENS, REQUEST_TOKENS, Price, Rates
from tunegate.exchanges import Request
from tunegate.records import Message, Usage
from tunegate.session.plan import Prepared
from tunegate.session.pricing import Pricing, longest_reply
from tunegate.wire import chat_request

from .bench import PRICED, FixedPrices, one_model, plan

MODEL = one_model("http://h/v1")


def prepared(*texts: str, **extra: Any) -> Prepared:
    """Return a request with a message for each text and a limit of 9 tokens, unless `extra` says otherwise."""
    (planned,) = plan(MODEL, "case")
    messages: list[Message] = [{"role": "user", "content": text} for text in texts]
    body: dict[str, Any] = {"max_tokens": 9} | extra
    request = chat_request("http://h/v1", "m", messages=messages, max_tokens=0, temperature=0.0, extra=body)
    return Prepared(planned, tuple(messages), request, 9)


USD = st.floats(0, 1000)
RATES = st.builds(Rates, USD, USD, st.none() | USD, st.none() | USD)


@given(
    rates=RATES,
    texts=st.lists(st.text(), min_size=1, max_size=5),
    share=st.floats(0, 1),
    reply=st.tuples(st.integers(1, 4), st.integers(0, 9)),
    learned=st.lists(st.integers(1, 10_000), max_size=3),
)
def test_no_reply_costs_more_than_its_quote(
    rates: Rates, texts: list[str], share: float, reply: tuple[int, int], learned: list[int]
) -> None:
    """However the server counts (a token is at least a byte), and whatever was learned: the charge is in the quote."""
    choices, completion_tokens = reply
    asked = prepared(*texts, n=choices)
    pricing = Pricing(FixedPrices(Price(rates, "a test")))
    for tokens in learned:
        pricing.count(asked, Usage(tokens, 1))
    text_bytes = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    most = text_bytes + len(texts) * MESSAGE_TOKENS + REQUEST_TOKENS
    usage = Usage(prompt_tokens=round(share * most), completion_tokens=completion_tokens * choices)
    charge, quote = pricing.charge(asked, usage), pricing.quote(asked)
    assert charge is not None
    assert quote.most_usd is not None
    assert charge <= quote.most_usd * (1 + 1e-12)


def test_tokens_are_estimated_until_a_reply_tells() -> None:
    """The first requests are estimated by their length; each reply moves the estimate towards what was counted."""
    asked = prepared("x" * 300)
    pricing = Pricing(FixedPrices())
    assert pricing.quote(asked).tokens == 300 / 3 + MESSAGE_TOKENS + 9
    assert pricing.count(asked, Usage(400, 5)) == 405
    assert pricing.quote(asked).tokens == 400 + 9
    seen = [pricing.count(asked, Usage(200, 5)) and pricing.quote(asked).tokens - 9 for _ in range(30)]
    assert seen == sorted(seen, reverse=True)
    assert 200 < seen[0] < 400
    assert seen[-1] == 200
    longer = prepared("x" * 3000)
    assert pricing.quote(longer).tokens == pytest.approx(200 * longer.body_bytes / asked.body_bytes + 9, abs=2)


def test_models_are_learned_apart() -> None:
    """Another model's tokens have another length."""
    asked = prepared("x" * 300)
    planned = replace(asked.planned, model=replace(MODEL, name="other"))
    other = replace(asked, planned=planned)
    pricing = Pricing(FixedPrices())
    before = pricing.quote(other)
    pricing.count(asked, Usage(1, 1))
    assert pricing.quote(other) == before
    assert pricing.quote(asked).tokens == 1 + 9


@pytest.mark.parametrize("usage", [Usage(), Usage(7, None), Usage(None, 3)])
def test_uncounted_reply_teaches_nothing(usage: Usage) -> None:
    """Where the server does not say what it counted, tokens and price are unknown, and not nothing."""
    asked = prepared("2 + 2?")
    pricing = Pricing(FixedPrices(PRICED))
    before = pricing.quote(asked)
    assert pricing.count(asked, usage) is None
    assert pricing.charge(asked, usage) is None
    assert pricing.quote(asked) == before


def test_cached_tokens_are_charged_their_own_price() -> None:
    """What the provider read from its cache costs the cached price; of more than the prompt has, nothing is known."""
    priced = Price(Rates(2.0, 10.0, cached_input_usd_per_mtok=0.5), "a list")
    charge = partial(Pricing(FixedPrices(priced)).charge, prepared("2 + 2?"))
    assert charge(Usage(1000, 100, 600)) == pytest.approx((400 * 2 + 600 * 0.5 + 100 * 10) / 1e6)
    assert charge(Usage(1000, 100, 0)) == charge(Usage(1000, 100))
    assert charge(Usage(1000, 100, 1001)) is None


def test_without_price_or_limit_there_is_no_bound() -> None:
    """A request whose price or longest reply nobody knows has no upper bound; a free one costs nothing anyhow."""
    free = Price(Rates(0.0, 0.0), "this machine")
    endless = replace(prepared("2 + 2?"), request=Request("http://h/v1", {"model": "m"}))
    assert Pricing(FixedPrices()).quote(prepared("2 + 2?")).most_usd is None
    assert Pricing(FixedPrices(PRICED)).quote(endless).most_usd is None
    assert Pricing(FixedPrices(free)).quote(endless).most_usd == 0.0
    assert Pricing(FixedPrices(free)).charge(endless, Usage()) == 0.0


def test_longest_reply_is_that_of_all_choices() -> None:
    """The limit counts for each choice, under either of its two names."""
    assert longest_reply(prepared("x")) == 9
    assert longest_reply(prepared("x", n=3)) == 27
    assert longest_reply(prepared("x", max_tokens=None, max_completion_tokens=5, n=2)) == 10
    assert longest_reply(prepared("x", max_tokens=None)) is None


def test_price_is_looked_up_once() -> None:
    """A thousand requests of one model ask the price book once."""
    asked: list[str] = []

    class Book(FixedPrices):
        def price_of(self, model: Any) -> Price | None:
            asked.append(model.name)
            return super().price_of(model)

    pricing = Pricing(Book())
    for _ in range(3):
        pricing.quote(prepared("x"))
    assert asked == ["m"]
