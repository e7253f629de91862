"""What a request will weigh before it is sent: tokens against the limits, and a price that it cannot exceed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tunegate.cases import Model
from tunegate.cost import Price, cost_usd, estimate_tokens, upper_bound_usd
from tunegate.records import Usage
from tunegate.session.plan import Prepared

_LEARNING = 0.2
"""Weight of the newest reply in what a model's tokens are taken to be long."""


@dataclass(frozen=True)
class Quote:
    """What a request may take."""

    tokens: int
    """Prompt and longest reply together, as providers count them against tokens per minute on arrival."""
    most_usd: float | None
    """No request of its kind costs more; None where its price or its longest reply is not known."""


class Prices(Protocol):
    """Where prices are looked up."""

    def price_of(self, model: Model) -> Price | None:
        """Return the price of a model, None where nobody says."""


class Pricing:
    """Quotes requests, and learns from the replies how long a model's tokens are."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._known: dict[str, Price | None] = {}
        self._tokens_per_byte: dict[str, float] = {}

    def price_of(self, model: Model) -> Price | None:
        """Return the price of a model, None where nobody says."""
        if model.name not in self._known:
            self._known[model.name] = self._prices.price_of(model)
        return self._known[model.name]

    def quote(self, prepared: Prepared, *, batch: bool = False) -> Quote:
        """Return what a request may take, live or in a batch."""
        size = prepared.body_bytes
        longest = longest_reply(prepared)
        most_usd = upper_bound_usd(
            self.price_of(prepared.model),
            prompt_bytes=size,
            messages=len(prepared.messages),
            max_tokens=longest,
            batch=batch,
        )
        learned = self._tokens_per_byte.get(prepared.model.name)
        prompt = prompt_tokens(prepared) if learned is None else round(size * learned)
        return Quote(prompt + (longest or 0), most_usd)

    def count(self, prepared: Prepared, usage: Usage) -> int | None:
        """Return the tokens that a reply says were used, and learn from it; None where it does not say."""
        if usage.prompt_tokens is None or usage.completion_tokens is None:
            return None
        name, seen = prepared.model.name, usage.prompt_tokens / prepared.body_bytes
        known = self._tokens_per_byte.get(name, seen)
        self._tokens_per_byte[name] = known + _LEARNING * (seen - known)
        return usage.prompt_tokens + usage.completion_tokens

    def charge(self, prepared: Prepared, usage: Usage, *, batch: bool = False) -> float | None:
        """Return what a reply cost in USD, None where its price or its tokens are unknown."""
        return cost_usd(
            self.price_of(prepared.model),
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=usage.cached_tokens or 0,
            batch=batch,
        )


def prompt_tokens(prepared: Prepared) -> int:
    """Return about how many tokens the messages of a request have."""
    size = sum(len(message["content"].encode("utf-8", "surrogatepass")) for message in prepared.messages)
    return estimate_tokens(size, messages=len(prepared.messages))


def longest_reply(prepared: Prepared) -> int | None:
    """Return the tokens at which a reply is cut, all choices together; None where the request sets no limit."""
    body = prepared.request.body
    limits = [limit for name in ("max_tokens", "max_completion_tokens") if isinstance(limit := body.get(name), int)]
    return max(limits) * int(body.get("n") or 1) if limits else None
