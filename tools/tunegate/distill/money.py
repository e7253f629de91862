"""What training costs, and after how many calls a smaller model has earned it back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tunegate.cases import Message, Model, PriceBook
from tunegate.cost import Price, calls_to_break_even, cost_usd, estimate_tokens
from tunegate.cost import training_usd as priced_training_usd
from tunegate.distill.choosing import Example


@dataclass(frozen=True)
class CallCost:
    """What a call of a model costs on average, in US dollars."""

    model: str
    usd: float


@dataclass(frozen=True)
class BreakEven:
    """When a model that was trained has paid for itself; `calls` is None where its calls are no cheaper."""

    calls: int | None
    outlay_usd: float
    """Teaching and training."""
    student: CallCost
    replaced: CallCost


def training_price(book: PriceBook, model: Model) -> Price | None:
    """Return the price of a model's training, None where no row of the book says."""
    return book.training_price_of(model)


def training_usd(price: Price | None, *, tokens: int, epochs: int) -> float | None:
    """Return what it costs to train on `tokens` so many times over; None where the price is unknown."""
    return priced_training_usd(price.training_usd_per_mtok if price else None, tokens=tokens, epochs=epochs)


def mean_call(model: Model, chats: Iterable[Sequence[Message]], *, prices: PriceBook) -> CallCost | None:
    """Estimate what a model's call costs on average, where the last message of each chat is its reply.

    None where the price is unknown, or there is no chat.
    """
    price = prices.price_of(model)
    costs = [_call_usd(price, chat) for chat in chats]
    known = [cost for cost in costs if cost is not None]
    if not known or len(known) < len(costs):
        return None
    return CallCost(model.name, sum(known) / len(known))


def taught_call(model: str, examples: Sequence[Example]) -> CallCost | None:
    """Return what a call of the teacher cost on average, None where that of some example is not known."""
    costs = [example.cost_usd for example in examples if example.cost_usd is not None]
    return CallCost(model, sum(costs) / len(costs)) if costs and len(costs) == len(examples) else None


def break_even(*, outlay_usd: float, student: CallCost, replaced: CallCost) -> BreakEven:
    """Return after how many calls the student has saved what it cost."""
    calls = calls_to_break_even(
        outlay_usd=outlay_usd, candidate_usd_per_call=student.usd, baseline_usd_per_call=replaced.usd
    )
    return BreakEven(calls, outlay_usd, student, replaced)


def _call_usd(price: Price | None, chat: Sequence[Message]) -> float | None:
    prompt = sum(len(message["content"].encode("utf-8", "surrogatepass")) for message in chat[:-1])
    reply = len(chat[-1]["content"].encode("utf-8", "surrogatepass"))
    return cost_usd(
        price,
        prompt_tokens=estimate_tokens(prompt, messages=len(chat) - 1),
        completion_tokens=estimate_tokens(reply, messages=0),
    )
