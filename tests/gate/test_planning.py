"""A plan's cases and money are those of the formula, and what is not known is said."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from statsmodels.stats.power import normal_sample_size_one_tail

from tunegate.cost import Price, Rates
from tunegate.errors import UsageError
from tunegate.gate.measures import measure_run
from tunegate.gate.noise.measuring import Variance
from tunegate.gate.planning import (
    Basis,
    Demand,
    measure_bases,
    plan_cases,
    plan_difference,
    state_basis,
)
from tunegate.gate.probes import Match
from tunegate.records import Record, Usage
from tunegate.stats import Interval, difference_variance, tango

from .made_runs import record_of, write_run

PRICE = Price(live=Rates(1.0, 4.0), source="a list")


def two_models(*, cases: int = 100, lost: int = 8, gained: int = 4) -> list[Record]:
    """`new` loses and gains some of the cases; a call of it takes 300 tokens and 20, one of `old` 1300 and 20."""
    records: list[Record] = []
    for number in range(cases):
        for model, passed, prompt in (
            ("old", number >= gained, 1300),
            ("new", not gained <= number < gained + lost, 300),
        ):
            checks = {"schema": passed, "recoverable": True}
            usage = Usage(prompt, 20)
            records.append(record_of(f"c{number}", checks, model=model, usage=usage, advisory=["recoverable"]))
    return records


def match_of(folder: Path, records: list[Record]) -> Match:
    run = measure_run(write_run(folder, "a", records))
    return Match(run.contender("new"), run.contender("old"))


@pytest.mark.parametrize("flips", [0.05, 0.1, 0.4])
@pytest.mark.parametrize("difference", [0.01, 0.02, 0.03])
@pytest.mark.parametrize("tests", [1, 5])
def test_cases_agree_with_statsmodels(flips: float, difference: float, tests: int) -> None:
    """The number is statsmodels' for a one-sided normal test at the level that the tests share."""
    demand = Demand(power=0.9, tests=tests)
    deviation = math.sqrt(flips)
    expected = normal_sample_size_one_tail(
        difference, 0.9, 0.025 / tests, std_null=deviation, std_alternative=deviation
    )
    basis = state_basis(share=None, flips=flips)
    assert plan_cases(basis, difference, demand=demand) == math.ceil(expected)


@pytest.mark.parametrize("flips", [0.001, 0.02, 0.3])
def test_differences_are_the_inverse_of_cases(flips: float) -> None:
    """As many cases as a difference needs show that difference, and one less does not."""
    basis = state_basis(share=None, flips=flips)
    for difference in (0.01, 0.05, 0.2):
        cases = plan_cases(basis, difference, demand=Demand())
        assert plan_difference(basis, cases, demand=Demand()) <= difference * (1 + 1e-9)
        assert plan_difference(basis, cases - 1, demand=Demand()) > difference


def test_few_flips_do_not_make_a_plan_of_few_cases() -> None:
    """With as many cases as planned, an interval without a flip is narrow enough; the bare formula would say 8."""
    basis = state_basis(share=None, flips=0.0025)
    cases = plan_cases(basis, 0.05, demand=Demand())
    assert cases == 73
    for count, fits in ((cases, True), (cases - 1, False)):
        interval = tango(0, 0, n=count)
        assert isinstance(interval, Interval)
        assert (interval.low >= -0.05) == fits


def test_a_plan_keeps_its_promise() -> None:
    """In 80 percent of gates of the planned size an equal model is shown to be not worse by the difference."""
    dice = np.random.default_rng(11)
    cases = plan_cases(state_basis(share=None, flips=0.1), 0.05, demand=Demand())
    shown = 0
    for _ in range(800):
        gained, lost, _same = dice.multinomial(cases, [0.05, 0.05, 0.9])
        interval = tango(float(gained), float(lost), n=cases)
        assert isinstance(interval, Interval)
        shown += interval.low > -0.05
    assert shown / 800 == pytest.approx(0.8, abs=0.05)


def test_a_share_alone_bounds_the_flips() -> None:
    """Two models that pass 90 % each flip in at most 18 %, if chance alone decides where."""
    variance = state_basis(share=0.9, flips=None).variance
    assert variance.is_bound
    assert variance.value == pytest.approx(0.18)


def test_impossible_statements_are_refused() -> None:
    """At 90 % on both sides no more than 20 % can flip; and nothing stated is no plan."""
    assert state_basis(share=0.9, flips=0.2).variance.value == 0.2
    with pytest.raises(UsageError, match="cannot differ in 30 % of the cases"):
        state_basis(share=0.9, flips=0.3)
    with pytest.raises(UsageError, match="--flips"):
        state_basis(share=None, flips=None)


def test_a_run_says_the_variance_of_its_models(tmp_path: Path) -> None:
    """The variance is that of the paired difference; a glob leaves advisory checks out, a name does not."""
    match = match_of(tmp_path, two_models())
    (basis,) = measure_bases(match, prices={})
    new = [(float(not 4 <= n < 12), 1) for n in range(100)]
    old = [(float(n >= 4), 1) for n in range(100)]
    assert (basis.eval, basis.metric, basis.cases) == ("format", "schema", 100)
    assert basis.flips is not None
    assert (basis.flips.gained, basis.flips.lost) == (4, 8)
    assert basis.variance == Variance(difference_variance(new, old), is_bound=False)  # type: ignore[arg-type]
    assert [one.metric for one in measure_bases(match, prices={}, metric_glob="recoverable")] == ["recoverable"]
    assert measure_bases(match, prices={}, eval_glob="tone") == []


def test_a_run_without_flips_bounds_the_plan(tmp_path: Path) -> None:
    """No flip in 100 cases is no variance of 0: the plan is for the most that it can be."""
    (basis,) = measure_bases(match_of(tmp_path, two_models(lost=0, gained=0)), prices={})
    z = 1.959963984540054
    assert basis.variance.is_bound
    assert basis.variance.value == pytest.approx(z * z / (100 + z * z))


def test_money_is_tokens_times_price(tmp_path: Path) -> None:
    """A case costs what its calls of both models cost on the average."""
    (basis,) = measure_bases(match_of(tmp_path, two_models()), prices={"new": PRICE, "old": PRICE})
    assert [one.cost_usd for one in basis.spending] == pytest.approx([380e-6, 1380e-6])
    assert basis.usd_per_case == pytest.approx(1760e-6)
    assert (basis.spending[0].prompt_tokens, basis.spending[0].completion_tokens) == (300, 20)


def test_repeats_are_calls(tmp_path: Path) -> None:
    """A run that asked three times plans for three calls a case and model."""
    records = [
        record_of(f"c{n}", {"schema": (n + repeat) % 5 > 0}, model=model, repeat=repeat, usage=Usage(100, 10))
        for n in range(10)
        for model in ("old", "new")
        for repeat in (1, 2, 3)
    ]
    (basis,) = measure_bases(match_of(tmp_path, records), prices={"new": PRICE, "old": PRICE})
    assert basis.calls_per_case == 6
    assert basis.usd_per_case == pytest.approx(6 * 140e-6)


def test_unknown_cost_is_not_nothing(tmp_path: Path) -> None:
    """Where one model's price is missing, the sum is unknown, and so it is without a run."""
    (basis,) = measure_bases(match_of(tmp_path, two_models()), prices={"new": PRICE, "old": None})
    assert basis.usd_per_case is None
    assert Basis("e", "m", Variance(0.1, is_bound=False)).usd_per_case is None
    assert state_basis(share=0.5, flips=0.1).usd_per_case is None
