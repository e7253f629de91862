"""What a run will ask and what that may cost, told before its first call."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TypeVar

from tunegate.cassettes import Library
from tunegate.cost import cost_usd, dollars
from tunegate.errors import UsageError
from tunegate.session.plan import Planned, Preparer
from tunegate.session.pricing import Pricing, longest_reply, prompt_tokens

N = TypeVar("N", int, float)


@dataclass(frozen=True)
class ModelForecast:
    """What one model will be asked."""

    model: str
    calls: int
    recorded: int
    """Cells whose recording will be replayed."""
    prompt_tokens: int
    """An estimate."""
    reply_tokens: int | None
    """At most; None where some request sets no limit."""
    cost_usd: float | None
    """An estimate with every reply at its longest; None where the price or the longest reply is not known."""
    price: str | None = None
    """Who says so."""
    not_converged: str | None = None
    """Why its training did not work; None where nothing speaks against it."""


@dataclass(frozen=True)
class Forecast:
    """What a run will ask, by model, in the matrix's order."""

    models: tuple[ModelForecast, ...]

    @property
    def calls(self) -> int:
        """Live calls of all models."""
        return sum(model.calls for model in self.models)

    @property
    def recorded(self) -> int:
        """Cells of all models that will be replayed."""
        return sum(model.recorded for model in self.models)

    @property
    def cost_usd(self) -> float | None:
        """The estimate for all models; None where a model's is not known."""
        costs = [model.cost_usd for model in self.models if model.calls]
        return sum(cost for cost in costs if cost is not None) if None not in costs else None

    @property
    def unpriced(self) -> tuple[str, ...]:
        """Models that will be asked and whose cost is not known."""
        return tuple(model.model for model in self.models if model.calls and model.cost_usd is None)

    def check_budget(self, max_cost_usd: float | None) -> None:
        """Look whether a budget can be kept at all.

        Raises:
            UsageError: a model's price, or the length of its replies, is not known.
        """
        if max_cost_usd is not None and self.unpriced:
            names = ", ".join(self.unpriced)
            raise UsageError(
                f"--max-cost cannot hold: nobody knows what {names} costs, or a request sets no max_tokens\n"
                "  to say it: add the price to fixtures/prices.toml ([[prices]]), with its source\n"
                "  to go without: leave --max-cost out"
            )

    def lines(self, *, max_cost_usd: float | None = None) -> list[str]:
        """Say it in one line, and in further ones what somebody should know before it begins."""
        told = [f"plan: {self._totals()}{self._each()}"]
        if self.unpriced:
            told.append(f"price unknown: {', '.join(self.unpriced)}; fixtures/prices.toml can say it")
        told += [
            f"{model.model} did not converge: {model.not_converged}; its {_count_calls(model.calls)} likely wasted"
            for model in self.models
            if model.calls and model.not_converged is not None
        ]
        cost = self.cost_usd
        if max_cost_usd is not None and cost is not None and cost > max_cost_usd:
            told.append(f"that may be more than --max-cost {dollars(max_cost_usd)}: the run stops asking there")
        return told

    def to_json(self) -> str:
        """Return it for another process."""
        return json.dumps([asdict(model) for model in self.models])

    @classmethod
    def from_json(cls, text: str) -> Forecast:
        """Read what another process wrote."""
        return cls(tuple(ModelForecast(**model) for model in json.loads(text)))

    def _totals(self) -> str:
        if not self.calls:
            return f"0 live calls, {self.recorded} recorded"
        prompts = sum(model.prompt_tokens for model in self.models)
        replies = [model.reply_tokens for model in self.models if model.calls]
        known = [tokens for tokens in replies if tokens is not None]
        longest = f"at most {sum(known):,} out" if len(known) == len(replies) else "replies without a limit"
        cost = self.cost_usd
        price = "of unknown cost" if cost is None else f"at most {dollars(cost)}"
        calls = f"{self.calls:,} live calls, {self.recorded:,} recorded"
        return f"{calls}, about {prompts:,} tokens in, {longest}, {price}"

    def _each(self) -> str:
        asked = [model for model in self.models if model.calls]
        if len(asked) < 2:
            return f": {asked[0].model}" if asked else ""
        each = (
            f"{model.model} {model.calls:,} for {'?' if model.cost_usd is None else dollars(model.cost_usd)}"
            for model in asked
        )
        return ": " + ", ".join(each)


def forecast_run(
    cells: Iterable[Planned],
    *,
    prepare: Preparer,
    library: Library,
    pricing: Pricing,
    records_all: bool,
    batch: bool = False,
) -> Forecast:
    """Look which cells have a recording, and add up what the others may take.

    With `records_all` every cell is asked, recorded or not; with `batch` at the prices of batches.

    Raises:
        TunegateError: a request cannot be written, or a recording cannot be read.
    """
    sums: dict[str, _Sum] = {}
    for planned in cells:
        prepared = prepare(planned)
        cell = planned.cell
        total = sums.setdefault(cell.model, _Sum())
        cassette = library.cassette(cell.shelf, cell.model)
        if not records_all and cassette.holds(prepared.request, repeat=cell.repeat):
            total.recorded += 1
            continue
        total.calls += 1
        tokens, longest = prompt_tokens(prepared), longest_reply(prepared)
        price = pricing.price_of(planned.model)
        cost = cost_usd(price, prompt_tokens=tokens, completion_tokens=longest, batch=batch)
        total.prompt_tokens += tokens
        total.reply_tokens = _plus(total.reply_tokens, longest)
        total.cost_usd = _plus(total.cost_usd, cost)
        total.price = price.source if price else None
        total.not_converged = planned.model.training.not_converged if planned.model.training else None
    return Forecast(tuple(ModelForecast(name, **vars(total)) for name, total in sums.items()))


@dataclass
class _Sum:
    calls: int = 0
    recorded: int = 0
    prompt_tokens: int = 0
    reply_tokens: int | None = 0
    cost_usd: float | None = 0.0
    price: str | None = None
    not_converged: str | None = None


def _count_calls(calls: int) -> str:
    return "call is" if calls == 1 else f"{calls:,} calls are"


def _plus(known: N | None, more: N | None) -> N | None:
    return None if known is None or more is None else known + more
