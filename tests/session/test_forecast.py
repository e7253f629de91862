"""What a run will ask is told before it asks, and what nobody knows is not told as nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tunegate.cases import Training
from tunegate.cassettes import Library
from tunegate.cost import MESSAGE_TOKENS, Price, Rates
from tunegate.errors import CaseFileError, UsageError
from tunegate.session.forecast import Forecast, ModelForecast, forecast_run
from tunegate.session.plan import Planned
from tunegate.session.pricing import Pricing
from tunegate.testing import ScriptedEndpoint

from .bench import PRICED, FixedPrices, one_model, opened, plan, replaying

MODEL = one_model("http://h/v1")
ASKED = ModelForecast("a", calls=1200, recorded=30, prompt_tokens=50_000, reply_tokens=9_000, cost_usd=1.5, price="us")
REPLAYED = ModelForecast("b", calls=0, recorded=70, prompt_tokens=0, reply_tokens=0, cost_usd=0.0)
UNPRICED = ModelForecast("c", calls=3, recorded=0, prompt_tokens=5, reply_tokens=None, cost_usd=None)


def forecast(
    library: Library, *cells: Planned, price: Price | None = PRICED, records_all: bool = False, batch: bool = False
) -> Forecast:
    return forecast_run(
        cells,
        prepare=replaying(library).prepare,
        library=library,
        pricing=Pricing(FixedPrices(price)),
        records_all=records_all,
        batch=batch,
    )


def test_forecast_counts_calls_tokens_and_cost(library: Library) -> None:
    """Prompts are estimated by their length, replies taken at their longest, and the price of both added up."""
    cells = plan(MODEL, "x" * 30, "y" * 60)
    (told,) = forecast(library, *cells).models
    prompt_tokens = 30 // 3 + 60 // 3 + 2 * MESSAGE_TOKENS
    assert (told.model, told.calls, told.recorded, told.price) == ("m", 2, 0, "a test")
    assert (told.prompt_tokens, told.reply_tokens) == (prompt_tokens, 18)
    assert told.cost_usd == pytest.approx((prompt_tokens * 1.0 + 18 * 2.0) / 1e6)


def test_forecast_follows_the_order_of_the_cells(library: Library) -> None:
    """Models stand in the order in which they are asked."""
    names = ["late", "early", "mid"]
    cells = [cell for name in names for cell in plan(one_model("http://h/v1", name=name), "1", "2")]
    assert [told.model for told in forecast(library, *cells).models] == names


def test_recordings_are_not_asked_again_unless_all_are(library: Library) -> None:
    """What is recorded costs nothing, except where every recording is made anew."""
    with ScriptedEndpoint(lambda body: "four") as endpoint:
        cells = plan(one_model(endpoint.base_url), "1", "2", "3")
        with opened(library, cells[0].model) as bench:
            bench.session.ask(cells[1])
    missing, every = forecast(library, *cells), forecast(library, *cells, records_all=True)
    assert (missing.calls, missing.recorded) == (2, 1)
    assert (every.calls, every.recorded) == (3, 0)
    assert missing.cost_usd == pytest.approx((every.cost_usd or 0) * 2 / 3)
    assert forecast(library, cells[1]).lines() == ["plan: 0 live calls, 1 recorded"]


def test_unknown_price_makes_the_whole_cost_unknown(library: Library) -> None:
    """One model without a price leaves the sum unknown, never smaller; a model that is not asked does not count."""
    told = forecast(library, *plan(MODEL, "1"), price=None)
    assert (told.cost_usd, told.unpriced) == (None, ("m",))
    assert Forecast((ASKED, UNPRICED)).cost_usd is None
    assert Forecast((ASKED, replace(UNPRICED, calls=0))).cost_usd == ASKED.cost_usd
    assert Forecast((ASKED, replace(UNPRICED, calls=0))).unpriced == ()


def test_reply_without_a_limit_has_no_longest_price(library: Library) -> None:
    """A request without a limit may cost anything; at a model that costs nothing it costs nothing."""
    endless = replace(MODEL, omit=("max_tokens",))
    (told,) = forecast(library, *plan(endless, "1", "2")).models
    assert (told.calls, told.reply_tokens, told.cost_usd) == (2, None, None)
    (free,) = forecast(library, *plan(endless, "1"), price=Price(Rates(0.0, 0.0), "this machine")).models
    assert (free.reply_tokens, free.cost_usd) == (None, 0.0)


def test_batches_have_prices_of_their_own(library: Library) -> None:
    """Handed in as a batch, a run costs what batches cost, and the unknown where nobody says that."""
    half = replace(PRICED, batch=Rates(0.5, 1.0))
    cells = plan(MODEL, "1")
    live = forecast(library, *cells, price=half).cost_usd
    assert live is not None
    assert forecast(library, *cells, price=half, batch=True).cost_usd == pytest.approx(live / 2)
    assert forecast(library, *cells, batch=True).cost_usd is None


def test_forecast_survives_the_way_between_processes() -> None:
    """What one process writes another reads as the same."""
    told = Forecast((ASKED, REPLAYED, UNPRICED))
    assert Forecast.from_json(told.to_json()) == told


@pytest.mark.parametrize(
    ("models", "line"),
    [
        ((REPLAYED,), "plan: 0 live calls, 70 recorded"),
        ((), "plan: 0 live calls, 0 recorded"),
        (
            (ASKED, REPLAYED),
            "plan: 1,200 live calls, 100 recorded, about 50,000 tokens in, at most 9,000 out, at most $1.50: a",
        ),
        (
            (UNPRICED,),
            "plan: 3 live calls, 0 recorded, about 5 tokens in, replies without a limit, of unknown cost: c",
        ),
        (
            (ASKED, UNPRICED),
            (
                "plan: 1,203 live calls, 30 recorded, about 50,005 tokens in, replies without a limit, "
                "of unknown cost: a 1,200 for $1.50, c 3 for ?"
            ),
        ),
    ],
)
def test_plan_is_one_line(models: tuple[ModelForecast, ...], line: str) -> None:
    """Calls, recordings, tokens and cost stand in one line, with each model's share where several are asked."""
    assert Forecast(models).lines()[0] == line


def test_second_line_says_what_to_know_before_it_begins() -> None:
    """A price that nobody knows, and a budget that may not do, are said before the first call; else nothing is."""
    assert Forecast((ASKED,)).lines()[1:] == []
    assert Forecast((ASKED,)).lines(max_cost_usd=1.5)[1:] == []
    assert Forecast((ASKED,)).lines(max_cost_usd=0.05)[1:] == [
        "that may be more than --max-cost $0.05: the run stops asking there"
    ]
    assert Forecast((UNPRICED,)).lines()[1:] == ["price unknown: c; fixtures/prices.toml can say it"]


def test_training_that_did_not_converge_is_named_before_the_first_call(library: Library) -> None:
    """A row whose training did not work is named with the reason where it will be asked, and only there."""
    trained = replace(MODEL, name="ft", training=Training(not_converged="its loss rose"))
    plan_of = forecast(library, *plan(trained, "1", "2"), *plan(replace(MODEL, training=Training()), "1"))
    assert plan_of.lines()[1:] == ["ft did not converge: its loss rose; its 2 calls are likely wasted"]
    assert Forecast.from_json(plan_of.to_json()) == plan_of
    (told,) = forecast(library, *plan(trained, "1")).models
    assert Forecast((told,)).lines()[1:] == ["ft did not converge: its loss rose; its call is likely wasted"]
    assert Forecast((replace(told, calls=0, recorded=1),)).lines()[1:] == []


def test_budget_needs_a_price() -> None:
    """A budget for what nobody can price is refused, with the name of the model and what to do about it."""
    Forecast((ASKED, UNPRICED)).check_budget(None)
    Forecast((ASKED, REPLAYED)).check_budget(0.01)
    with pytest.raises(UsageError, match=r"--max-cost cannot hold: nobody knows what c costs(.|\n)*prices\.toml"):
        Forecast((ASKED, UNPRICED)).check_budget(0.01)


def test_prompt_that_cannot_be_written_stops_the_forecast(library: Library) -> None:
    """What would fail for an item is said before anything is paid for."""

    def broken(*_: object) -> list[object]:
        raise CaseFileError("no such table")

    with pytest.raises(CaseFileError, match="no such table"):
        forecast(library, *plan(MODEL, "1", prompt=broken))  # type: ignore[arg-type]  # it never returns
