"""What a run cost, or would cost as if asked: its records at the prices of a book."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from tunegate.cases import PriceBook
from tunegate.cases.kept_models import kept_models
from tunegate.cost import Price, cost_usd
from tunegate.records import SCORED, Record, Usage
from tunegate.runs import read_records, read_run
from tunegate.stats import NotEnoughData

NO_PRICE = "no price is known"
MIXED = "some shards asked live and some by batch, at different prices, and no record says which"


@dataclass(frozen=True)
class MetricCost:
    """What it takes until a check passes once more."""

    metric: str
    judged: int
    passed: int
    usd_per_pass: float | NotEnoughData
    """What all calls of the model in this eval cost, over how often the check passed: a miss is paid for too."""


@dataclass(frozen=True)
class ModelCost:
    """What one model's calls in one eval of a run cost."""

    eval: str
    model: str
    live_calls: int
    """Paid for in this run."""
    replayed_calls: int
    """Replies from recordings: they cost nothing now."""
    without_reply: int
    """Errors and losses. Whether anything was charged for them is not known, and they are in no amount."""
    prompt_tokens: int | NotEnoughData
    cached_tokens: int | NotEnoughData
    """Of the prompt tokens; unknown where no reply says it."""
    completion_tokens: int | NotEnoughData
    usd: float | NotEnoughData
    """Of all calls, replayed ones as if asked."""
    live_usd: float | NotEnoughData
    """Of the live calls alone."""
    metrics: tuple[MetricCost, ...]

    @property
    def calls(self) -> int:
        """Calls with a reply."""
        return self.live_calls + self.replayed_calls

    @property
    def usd_per_1000_calls(self) -> float | NotEnoughData:
        """A thousand calls like these."""
        if isinstance(self.usd, NotEnoughData):
            return self.usd
        return 1000 * self.usd / self.calls if self.calls else NotEnoughData("no call has a reply")


@dataclass(frozen=True)
class RunCost:
    """What a run cost."""

    run: str
    models: tuple[ModelCost, ...]
    prices: Mapping[str, Price | None]
    """By model; None is unknown."""
    priced_on: date
    """Day for which prices were looked up."""
    status: str
    """`finished`, or what became of it: then not all that was planned is in it."""
    charged_usd: float | None
    """What the run itself counted while it was made, repeated attempts among them; None where it does not know."""

    @property
    def live_usd(self) -> float | NotEnoughData:
        """What the live calls of all models cost."""
        return _sum(each.live_usd for each in self.models)

    @property
    def usd(self) -> float | NotEnoughData:
        """What all calls of all models cost, replayed ones as if asked."""
        return _sum(each.usd for each in self.models)


def cost_run(folder: Path, *, book: PriceBook, fixtures: Path, as_of: date | None = None) -> RunCost:
    """Price the records of the run folder `folder`, at the prices of a day (None is that of the run).

    What was asked through the Batch API costs the batch price. Of a run that was merged from shards of both kinds it
    is not known which calls were: they have a cost where both prices come to the same.

    Raises:
        RunError: there is no run, or a line that cannot be read.
    """
    header = read_run(folder)
    at = datetime.combine(as_of, time(12), UTC) if as_of else datetime.fromisoformat(str(header["started_at"]))
    models = kept_models(header, fixtures=fixtures)
    prices = {name: book.price_of(model, at=at) for name, model in models.items()}
    # A merge writes null where its shards differ; a run older than the option asked live.
    via = (header.get("options") or {}).get("via", "live")
    is_batch = None if via is None else via == "batch"
    tallies: dict[tuple[str, str], _Tally] = {}
    for record in read_records(folder):
        key = (record.cell.eval, record.cell.model)
        tally = tallies.get(key)
        if tally is None:
            price = prices.setdefault(record.cell.model, None)
            tally = tallies[key] = _Tally(price, is_batch=is_batch)
        tally.add(record)
    order = {name: place for place, name in enumerate(prices)}
    asked = sorted(tallies.items(), key=lambda item: (item[0][0], order[item[0][1]]))
    names = {model for _, model in tallies}
    return RunCost(
        run=str(header["run"]),
        models=tuple(tally.close(*key) for key, tally in asked),
        prices={name: price for name, price in prices.items() if name in names},
        priced_on=at.date(),
        status=str(header["status"]),
        charged_usd=header.get("cost_usd"),
    )


@dataclass
class _Tally:
    price: Price | None
    is_batch: bool | None
    """How live calls were asked; None is either way."""
    is_undecided: bool = False
    """Whether a live call's cost depends on which way that was."""
    live: int = 0
    replayed: int = 0
    without_reply: int = 0
    usages: list[Usage] = field(default_factory=list)
    live_usd: list[float | None] = field(default_factory=list)
    replayed_usd: list[float | None] = field(default_factory=list)
    metrics: dict[str, list[int]] = field(default_factory=dict)
    """metric -> [judged, passed]"""

    def add(self, record: Record) -> None:
        if record.state not in SCORED:
            self.without_reply += 1
            return
        usage = record.reply.usage if record.reply else Usage()
        self.usages.append(usage)
        is_live = record.source == "live"
        self.live += is_live
        self.replayed += not is_live
        if is_live:
            self.live_usd.append(self._live_usd(usage))
        else:
            self.replayed_usd.append(self._usd(usage, batch=False))
        for check in record.checks:
            counts = self.metrics.setdefault(check.name, [0, 0])
            if check.passed is not None:
                counts[0] += 1
                counts[1] += check.passed

    def _live_usd(self, usage: Usage) -> float | None:
        if self.is_batch is not None:
            return self._usd(usage, batch=self.is_batch)
        either = {self._usd(usage, batch=batch) for batch in (False, True)}
        self.is_undecided = self.is_undecided or len(either) > 1
        return None if self.is_undecided else either.pop()

    def _usd(self, usage: Usage, *, batch: bool) -> float | None:
        return cost_usd(
            self.price,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=usage.cached_tokens or 0,
            batch=batch,
        )

    def close(self, eval_name: str, model: str) -> ModelCost:
        usd = self._total([*self.live_usd, *self.replayed_usd])
        return ModelCost(
            eval=eval_name,
            model=model,
            live_calls=self.live,
            replayed_calls=self.replayed,
            without_reply=self.without_reply,
            prompt_tokens=_count([usage.prompt_tokens for usage in self.usages]),
            cached_tokens=self._count_cached(),
            completion_tokens=_count([usage.completion_tokens for usage in self.usages]),
            usd=usd,
            live_usd=self._total(self.live_usd),
            metrics=tuple(
                MetricCost(name, judged, passed, _per_pass(usd, judged=judged, passed=passed))
                for name, (judged, passed) in self.metrics.items()
            ),
        )

    def _count_cached(self) -> int | NotEnoughData:
        told = [usage.cached_tokens for usage in self.usages if usage.cached_tokens is not None]
        return sum(told) if told else NotEnoughData("no reply says how much of the prompt was cached")

    def _total(self, amounts: list[float | None]) -> float | NotEnoughData:
        known = [usd for usd in amounts if usd is not None]
        missing = len(amounts) - len(known)
        if not missing:
            return math.fsum(known)
        if self.price is None:
            return NotEnoughData(NO_PRICE)
        if self.is_undecided:
            return NotEnoughData(MIXED)
        if (self.price.batch if self.is_batch else self.price.live) is None and not known:
            return NotEnoughData(f"{NO_PRICE} for {'batches' if self.is_batch else 'calls'}")
        return NotEnoughData(f"{missing:,} of {len(amounts):,} calls have no token count that can be priced")


def _per_pass(usd: float | NotEnoughData, *, judged: int, passed: int) -> float | NotEnoughData:
    if not passed:
        return NotEnoughData("never passed" if judged else "never judged")
    return usd if isinstance(usd, NotEnoughData) else usd / passed


def _count(counts: list[int | None]) -> int | NotEnoughData:
    known = [count for count in counts if count is not None]
    if len(known) == len(counts):
        return sum(known)
    return NotEnoughData(f"{len(counts) - len(known):,} of {len(counts):,} replies do not say")


def _sum(amounts: Iterable[float | NotEnoughData]) -> float | NotEnoughData:
    known: list[float] = []
    for usd in amounts:
        if isinstance(usd, NotEnoughData):
            return usd
        known.append(usd)
    return math.fsum(known)


def plain(cost: RunCost) -> dict[str, Any]:
    """Return a run's cost for programs; what is not known is `{"not_enough_data": "why"}`."""
    return {
        "run": cost.run,
        "status": cost.status,
        "priced_on": cost.priced_on.isoformat(),
        "charged_usd": cost.charged_usd,
        "live_usd": plain_amount(cost.live_usd),
        "as_if_asked_usd": plain_amount(cost.usd),
        "models": [_plain_model(each) for each in cost.models],
    }


def _plain_model(each: ModelCost) -> dict[str, Any]:
    return {
        "eval": each.eval,
        "model": each.model,
        "calls": each.calls,
        "live_calls": each.live_calls,
        "replayed_calls": each.replayed_calls,
        "without_reply": each.without_reply,
        "prompt_tokens": plain_amount(each.prompt_tokens),
        "cached_tokens": plain_amount(each.cached_tokens),
        "completion_tokens": plain_amount(each.completion_tokens),
        "live_usd": plain_amount(each.live_usd),
        "as_if_asked_usd": plain_amount(each.usd),
        "usd_per_1000_calls": plain_amount(each.usd_per_1000_calls),
        "metrics": [
            {
                "metric": one.metric,
                "judged": one.judged,
                "passed": one.passed,
                "usd_per_pass": plain_amount(one.usd_per_pass),
            }
            for one in each.metrics
        ],
    }


def plain_amount(amount: float | NotEnoughData) -> float | dict[str, str]:
    """Return an amount for programs."""
    return {"not_enough_data": amount.reason} if isinstance(amount, NotEnoughData) else amount
