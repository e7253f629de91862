"""What a break-even is computed from: the command line first, then a run, a training set, a scenario, the prices."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from functools import cached_property
from pathlib import Path
from typing import Any

from tunegate.cases import Matrix, Model, PriceBook, Training
from tunegate.cases.cost_scenarios import load_scenario
from tunegate.cases.kept_models import kept_models, listed_models
from tunegate.cases.names import list_names
from tunegate.cli.break_even_outlay import OutlayMaterials, Stated, stated_caller, stated_rates
from tunegate.cost import Caller, Price, Rates, Replacement, Scenario
from tunegate.errors import UsageError
from tunegate.money.callers import MeasuredCall, Measurement, measure_calls
from tunegate.money.price_ages import describe_price, find_doubts
from tunegate.stats import NotEnoughData

REPORTS = Path("reports")
FIXTURES = Path("fixtures")


@dataclass(frozen=True)
class Case:
    """A fine-tune, what it replaces, and where the numbers come from."""

    candidate: str
    baseline: str
    replacement: Replacement
    origins: tuple[str, ...]
    """Where numbers come from, a sentence each."""
    warnings: tuple[str, ...]


def gather_case(given: argparse.Namespace) -> Case:
    """Return what is to be compared.

    Raises:
        UsageError: something is neither stated nor to be found.
        TunegateError: a run, a training set or a case file cannot be read.
    """
    return _Gathering(given).case()


class _Gathering:
    def __init__(self, given: argparse.Namespace) -> None:
        self._given = given
        self._origins: list[str] = []
        self._warnings: list[str] = []
        self._prices: dict[str, Price | None] = {}

    def case(self) -> Case:
        given = self._given
        instructions = given.instruction_tokens
        if instructions is None:
            # Tokens that were measured or stated are whole prompts.
            is_assumed = self._scenario is not None and self._folder is None and given.baseline_tokens is None
            instructions = self._scenario.instruction_tokens if self._scenario and is_assumed else 0.0
        self._check_eval()
        self._check_run()
        candidate = self._caller("candidate")
        baseline = _instruct(self._caller("baseline"), tokens=instructions)
        materials = OutlayMaterials(
            given,
            scenario=self._scenario,
            training=self._training,
            training_price=self._training_price,
            note=self._origins.append,
            warn=self._warnings.append,
        )
        replacement = Replacement(candidate, baseline, materials.outlay(candidate=candidate, baseline=baseline))
        return Case(
            candidate=self._name("candidate"),
            baseline=self._name("baseline"),
            replacement=replacement,
            origins=tuple(self._origins),
            warnings=(*self._warnings, *find_doubts(self._prices, priced_on=self._as_of)),
        )

    # --- Who ---------------------------------------------------------------------------------------------------

    @cached_property
    def _scenario(self) -> Scenario | None:
        name = self._given.scenario
        if name is None:
            return None
        scenario = load_scenario(name, fixtures=FIXTURES)
        self._origins.append(f"scenario {name}: {scenario.says}")
        return scenario

    def _name(self, who: str) -> str:
        name = getattr(self._given, who) or (getattr(self._scenario, who) if self._scenario else None)
        if name is None and getattr(self._given, f"{who}_prices") is None:
            raise UsageError(f"which model is the {who}? name it: --{who} NAME, or state its prices: --{who}-prices")
        return str(name or who)

    def _check_eval(self) -> None:
        """Look whether anything is measured, where it is said in which evals.

        Raises:
            UsageError: nothing is.
        """
        given = self._given
        if given.eval is None:
            return
        if given.run is None:
            raise UsageError(
                "--eval says whose calls are measured, but no run is there to measure\n  name it: --run RUN"
            )
        if None not in (given.candidate_tokens, given.baseline_tokens):
            raise UsageError(
                "--eval says whose calls are measured, but the tokens of both models are stated, and nothing is "
                "measured\n  leave it out, or one of --candidate-tokens and --baseline-tokens"
            )

    def _check_run(self) -> None:
        """Look whether a run has both models, before any price of theirs is asked for.

        Raises:
            UsageError: it has not.
        """
        names = [self._name(who) for who in ("candidate", "baseline")]
        strange = next((name for name in names if name not in self._kept), None)
        if self._folder is not None and strange is not None:
            raise UsageError(
                f"the run {self._header['run']} has no model {strange!r}\n"
                f"  there are: {list_names(strange, tuple(self._kept))}"
            )

    def _model(self, who: str) -> Model:
        name = self._name(who)
        listed = {model.name: model for model in listed_models(FIXTURES)}
        known = self._kept.get(name) or listed.get(name)
        return known or Matrix.unlisted(name, base_url=self._given.base_url)

    # --- Tokens ------------------------------------------------------------------------------------------------

    @cached_property
    def _header(self) -> Mapping[str, Any]:
        from tunegate.runs import read_run

        return {} if self._folder is None else read_run(self._folder)

    @cached_property
    def _folder(self) -> Path | None:
        from tunegate.gate.contest import find_run

        return None if self._given.run is None else find_run(self._given.run, reports=REPORTS)

    @cached_property
    def _kept(self) -> Mapping[str, Model]:
        return kept_models(self._header, fixtures=FIXTURES)

    @cached_property
    def _measured(self) -> Mapping[str, MeasuredCall]:
        """Calls by model; empty without a run."""
        sides = ("candidate", "baseline")
        names = [self._name(who) for who in sides if getattr(self._given, f"{who}_tokens") is None]
        if self._folder is None or not names:
            return {}
        found = measure_calls(self._folder, names, eval_glob=self._given.eval)
        if isinstance(found, NotEnoughData):
            raise UsageError(
                f"the run {self._header['run']} does not say what a call takes: {found.reason}\n"
                "  state it: --candidate-tokens IN,OUT --baseline-tokens IN,OUT"
            )
        self._tell_measured(found)
        return found.calls

    def _tell_measured(self, found: Measurement) -> None:
        """Say whose calls were measured, and what of them was cut."""
        calls = next(iter(found.calls.values())).calls
        left_out = f"; without {', '.join(found.left_out)}, whose limits cut replies" if found.left_out else ""
        self._origins.append(
            f"tokens: the mean of the {calls:,} calls of {' and '.join(found.calls)} in {self._given.run}, on the same "
            f"cases of {', '.join(found.evals)}{left_out}"
        )
        self._warnings.extend(
            f"tokens: {call.truncated:,} of the {call.calls:,} replies of {name} were cut at their limit, and whole "
            "ones are longer than what is counted here"
            for name, call in found.calls.items()
            if call.truncated
        )

    @property
    def _training(self) -> Training | None:
        """How the candidate was trained, by the run or else by the matrix; None where nobody said."""
        name = self._name("candidate")
        models = [*self._kept.values(), *listed_models(FIXTURES)]
        return next((model.training for model in models if model.name == name and model.training), None)

    def _caller(self, who: str) -> Caller:
        stated: Stated | None = getattr(self._given, f"{who}_tokens")
        rates = self._rates(who)
        if stated is not None:
            return stated_caller(rates, stated)
        call = self._measured.get(self._name(who))
        if call is not None:
            return Caller.of(
                rates,
                prompt_tokens=call.prompt_tokens,
                completion_tokens=call.completion_tokens,
                cached_share=call.cached_share,
            )
        if self._scenario is None:
            raise UsageError(
                f"how many tokens has a call of the {who}?\n"
                f"  measure them: --run RUN, state them: --{who}-tokens IN,OUT, or take a --scenario"
            )
        return Caller.of(
            rates, prompt_tokens=self._scenario.prompt_tokens, completion_tokens=self._scenario.completion_tokens
        )

    # --- Prices ------------------------------------------------------------------------------------------------

    @cached_property
    def _as_of(self) -> date:
        day: date | None = self._given.as_of
        return day or datetime.now(UTC).date()

    @cached_property
    def _book(self) -> PriceBook:
        # A scenario's models are those of its time, and so are its prices, unless somebody names others.
        own = self._given.candidate is None and self._given.baseline is None and self._scenario
        if self._given.prices or not own or not own.prices:
            return PriceBook.load_named(self._given.prices, fixtures=FIXTURES)
        try:
            return PriceBook.load_named(own.prices, fixtures=FIXTURES)
        except UsageError as problem:
            raise UsageError(
                f"the scenario {own.name} is priced by a book that is not here: {problem}\n"
                "  take another: --prices NAME, or state prices: --candidate-prices IN,OUT --baseline-prices IN,OUT "
                "--training-price USD"
            ) from problem

    @cached_property
    def _at(self) -> datetime:
        return datetime.combine(self._as_of, time(12), UTC)

    def _rates(self, who: str) -> Rates:
        stated: Stated | None = getattr(self._given, f"{who}_prices")
        if stated is not None:
            return stated_rates(stated)
        model = self._model(who)
        price = self._book.price_of(model, at=self._at)
        if price is None or price.live is None:
            raise UsageError(
                f"no price is known of {model.name}, and unknown is not free\n"
                f"  state it: --{who}-prices IN,OUT in US dollars per million tokens, or write a row into "
                f"{self._book.path}"
            )
        self._told(model.name, price)
        return price.live

    def _told(self, name: str, price: Price) -> None:
        if name not in self._prices:
            self._origins.append(f"price of {name}: {describe_price(price)}")
        self._prices[name] = price

    def _training_price(self) -> float:
        if self._given.training_price is not None:
            return float(self._given.training_price)
        model = self._model("candidate")
        price = self._book.training_price_of(model, at=self._at)
        if price is None or price.training_usd_per_mtok is None:
            raise UsageError(
                f"no price of training {model.name} is known, and unknown is not free\n"
                f"  state it: --training-price USD per million tokens, or write it into {self._book.path}"
            )
        self._told(model.name if self._prices.get(model.name) == price else f"training {model.name}", price)
        return price.training_usd_per_mtok


def _instruct(caller: Caller, *, tokens: float) -> Caller:
    """Return a model whose calls have instructions beside the prompt; they are not among what was cached of it."""
    prompt = caller.prompt_tokens + tokens
    share = caller.cached_share * caller.prompt_tokens / prompt if prompt else 0.0
    return replace(caller, instruction_tokens=tokens, cached_share=share)
