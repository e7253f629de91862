"""How many cases, calls and dollars a difference between two models needs before it can be shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tunegate.cost import Price
from tunegate.errors import UsageError
from tunegate.gate.noise.measuring import Variance, measure_difference
from tunegate.gate.policy import COST, RATING
from tunegate.gate.probes import Match
from tunegate.gate.sheets import Sheet
from tunegate.gate.verdict import Flips
from tunegate.stats import NotEnoughData, cases_needed, minimal_detectable_difference
from tunegate.stats.interval import quantile_of


@dataclass(frozen=True)
class Demand:
    """How surely a difference is to be shown."""

    level: float = 0.95
    power: float = 0.8
    """Chance that it is shown, if it is there."""
    tests: int = 1
    """Findings of the family that share the chance of an error."""

    @property
    def test_level(self) -> float:
        """The level of each test that lets all of them be decided (Bonferroni's)."""
        return 1 - (1 - self.level) / self.tests


@dataclass(frozen=True)
class Spending:
    """What one case costs with one model."""

    model: str
    calls: int
    prompt_tokens: float | None
    """Mean of a call; None where the server did not count."""
    completion_tokens: float | None
    cost_usd: float | None
    """Of all calls of a case; None where its price or its tokens are not known."""


@dataclass(frozen=True)
class Basis:
    """What a plan rests on, for one metric."""

    eval: str
    metric: str
    variance: Variance
    """What one case contributes to the variance of the difference."""
    pairs_per_case: float = 1.0
    """Independent pairs of yes and no that a case is worth."""
    cases: int = 0
    """That it was measured on; 0 where it was stated."""
    flips: Flips | None = None
    """That were seen; None where it was stated."""
    spending: tuple[Spending, ...] = ()

    @property
    def calls_per_case(self) -> int:
        """Calls of all models."""
        return sum(one.calls for one in self.spending)

    @property
    def usd_per_case(self) -> float | None:
        """What all models cost; None where one of them is not known."""
        costs = [one.cost_usd for one in self.spending]
        known = [cost for cost in costs if cost is not None]
        return math.fsum(known) if costs and len(known) == len(costs) else None


def state_basis(*, share: float | None, flips: float | None, repeats: int = 1) -> Basis:
    """Return the basis of a plan without a run: yes or no, a share that passes, a share of cases that flip.

    Without `flips`, two models that pass `share` each are taken to agree no more than chance would have it.

    Raises:
        UsageError: neither is given, or there are no two models of that share that flip so often.
    """
    spending = tuple(Spending(name, repeats, None, None, None) for name in ("candidate", "baseline"))
    if flips is None:
        if share is None:
            raise UsageError(
                "a plan needs to know how often two models differ\n"
                "  from a run: --run RUN --model NAME --against NAME\n"
                "  or stated: --flips 0.1 (share of cases that change), or --share 0.9 (that pass)"
            )
        return Basis("", "stated", Variance(2 * share * (1 - share), is_bound=True), spending=spending)
    if share is not None and flips > 2 * min(share, 1 - share) + 1e-9:
        raise UsageError(
            f"two models that pass {100 * share:g} % each cannot differ in {100 * flips:g} % of the cases\n"
            f"  at most {200 * min(share, 1 - share):g} % can flip: state another --flips or --share"
        )
    return Basis("", "stated", Variance(flips, is_bound=False), spending=spending)


def measure_bases(
    match: Match,
    *,
    prices: Mapping[str, Price | None],
    eval_glob: str = "*",
    metric_glob: str = "*",
    level: float = 0.95,
) -> list[Basis]:
    """Return what a run says of each metric that both models were judged on; advisory ones only by their own name.

    Ratings are left out: their differences are not shares.
    """
    found: list[Basis] = []
    for name, cases in sorted(match.cases.items()):
        if not fnmatchcase(name, eval_glob):
            continue
        mine, theirs = match.sides(name)
        spending = tuple(_spending(match, name, prices=prices))
        for metric in mine.columns:
            is_meant = metric == metric_glob or (
                fnmatchcase(metric, metric_glob) and not mine.columns[metric].is_advisory
            )
            if metric == RATING or not is_meant:
                continue
            pairs = [(mine.judged(metric, case), theirs.judged(metric, case)) for case in cases]
            seen = measure_difference(name, metric, pairs, source="runs", repeats=mine.repeats, level=level)
            variance = seen.variance(level=level)
            if not isinstance(variance, NotEnoughData):
                found.append(Basis(name, metric, variance, seen.pairs_per_case, seen.cases, seen.flips, spending))
    return found


def plan_cases(basis: Basis, difference: float, *, demand: Demand) -> int:
    """Return the cases that show a difference from the threshold, a share.

    Miller's formula (`cases_needed`), and not fewer than those with which the interval is narrow enough if no case
    flips at all: z^2 (1 - d) / d, Tango's.
    """
    level = demand.test_level
    z = quantile_of(level)
    unflipped = z * z * (1 - difference) / (difference * basis.pairs_per_case)
    needed = cases_needed(difference, variance=basis.variance.value, level=level, power=demand.power)
    return max(needed, math.ceil(unflipped * (1 - 1e-12)))


def plan_difference(basis: Basis, cases: int, *, demand: Demand) -> float:
    """Return the smallest difference from the threshold that some cases show: the inverse of `plan_cases`."""
    level = demand.test_level
    z = quantile_of(level)
    shown = minimal_detectable_difference(cases, variance=basis.variance.value, level=level, power=demand.power)
    return max(shown, z * z / (basis.pairs_per_case * cases + z * z))


def _spending(match: Match, eval_name: str, *, prices: Mapping[str, Price | None]) -> list[Spending]:
    contenders = (match.candidate, match.baseline)
    sides = match.sides(eval_name)
    return [
        _spend(sheet, contender.model, price=prices.get(contender.model))
        for contender, sheet in zip(contenders, sides, strict=True)
        if contender is not None
    ]


def _spend(sheet: Sheet, model: str, *, price: Price | None) -> Spending:
    costs = sheet.values(COST, price=price)
    per_call = math.fsum(costs.values()) / len(costs) if costs else None
    return Spending(
        model=model,
        calls=sheet.repeats,
        prompt_tokens=_mean_known(sheet.calls.prompt_tokens),
        completion_tokens=_mean_known(sheet.calls.completion_tokens),
        cost_usd=None if per_call is None else per_call * sheet.repeats,
    )


def _mean_known(tokens: Sequence[int]) -> float | None:
    known = [count for count in tokens if count >= 0]
    return sum(known) / len(known) if known else None
