"""What a run cost, against sums made by hand."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tunegate.cases import PriceBook
from tunegate.money.run_costs import MIXED, ModelCost, RunCost, cost_run, plain
from tunegate.records import Record, Usage
from tunegate.stats import NotEnoughData

from .priced_runs import PRICES, make_call, write_priced


def price_run(root: Path, records: list[Record], *, as_of: date | None = None, **said: Any) -> RunCost:
    folder = write_priced(root, records, **said)
    book = PriceBook.load(root / "fixtures" / "prices.toml")
    return cost_run(folder, book=book, fixtures=root / "fixtures", as_of=as_of)


def price_model(root: Path, records: list[Record], **said: Any) -> ModelCost:
    (only,) = price_run(root, records, **said).models
    return only


def test_tokens_are_paid_at_their_prices(tmp_path: Path) -> None:
    """Three calls of 1,000 in and 100 out at 1 and 10 USD a million are 3 x 0.002 USD, and 2 USD a thousand."""
    found = price_model(tmp_path, [make_call(f"c{n}") for n in range(3)])
    assert (found.calls, found.live_calls, found.prompt_tokens, found.completion_tokens) == (3, 3, 3000, 300)
    assert found.usd == found.live_usd == pytest.approx(0.006)
    assert found.usd_per_1000_calls == pytest.approx(2.0)
    assert isinstance(found.cached_tokens, NotEnoughData)


def test_cached_tokens_cost_their_own_price(tmp_path: Path) -> None:
    """Of 1,000 tokens 600 cached at 0.5 USD: 400 x 1 + 600 x 0.5 + 100 x 10 a million; who is silent cached nothing."""
    found = price_model(tmp_path, [make_call("c1", usage=Usage(1000, 100, 600)), make_call("c2")])
    assert found.cached_tokens == 600
    assert found.usd == pytest.approx((400 + 300 + 1000 + 2000) / 1e6)


def test_replay_costs_nothing_and_is_priced_as_if_asked(tmp_path: Path) -> None:
    """Live calls alone are paid for; all of them have a price."""
    cost = price_run(tmp_path, [make_call("c1"), *(make_call(f"c{n}", source="cassette") for n in (2, 3))])
    (found,) = cost.models
    assert (found.live_calls, found.replayed_calls) == (1, 2)
    assert found.live_usd == cost.live_usd == pytest.approx(0.002)
    assert found.usd == cost.usd == pytest.approx(0.006)


def test_batch_is_paid_at_its_price(tmp_path: Path) -> None:
    """What a run asked through the Batch API costs the batch price, and what it replayed that of a call."""
    found = price_model(tmp_path, [make_call("c1"), make_call("c2", source="cassette")], options={"via": "batch"})
    assert found.live_usd == pytest.approx((1000 * 0.4 + 100 * 4) / 1e6)
    assert found.usd == pytest.approx(0.0008 + 0.002)


def test_merged_run_of_both_kinds_has_no_price_for_its_live_calls(tmp_path: Path) -> None:
    """A merge writes null where shards differ: what an endpoint answered is unknown, what was replayed is not."""
    records = [make_call("c1"), make_call("c2", source="cassette")]
    found = price_model(tmp_path, records, options={"via": None})
    assert found.live_usd == found.usd == NotEnoughData(MIXED)
    replayed = price_model(tmp_path, records[1:], options={"via": None}, name="b")
    assert (replayed.live_usd, replayed.usd) == (0.0, pytest.approx(0.002))


def test_merged_run_is_priced_where_both_kinds_cost_the_same(tmp_path: Path) -> None:
    """What is free either way is free; what has no token count says that, and not that shards differ."""
    same = PRICES.replace("batch_input_usd_per_mtok = 0.4", "batch_input_usd_per_mtok = 1")
    same = same.replace("batch_output_usd_per_mtok = 4", "batch_output_usd_per_mtok = 10")
    found = price_model(tmp_path, [make_call("c1")], options={"via": None}, prices=same)
    assert found.live_usd == pytest.approx(0.002)
    uncounted = price_model(tmp_path, [make_call("c1", usage=Usage())], options={"via": None}, prices=same, name="b")
    assert uncounted.live_usd == NotEnoughData("1 of 1 calls have no token count that can be priced")


def test_interrupted_run_says_so(tmp_path: Path) -> None:
    """Its cost is that of what it holds."""
    cost = price_run(tmp_path, [make_call("c1")], planned=3)
    assert (cost.status, plain(cost)["status"]) == ("interrupted", "interrupted")
    assert price_run(tmp_path, [make_call("c1")], name="b").status == "finished"


def test_pass_costs_all_calls_over_passes(tmp_path: Path) -> None:
    """Four right answers of eight for two calls of 0.002 USD are 0.001 USD each; misses are paid for too."""
    records = [
        make_call("c1", checks={"answers": [True, True, True, False], "exact": [False], "values": [None]}),
        make_call("c2", checks={"answers": [True, False, False, False], "exact": [False], "values": [None]}),
    ]
    metrics = {one.metric: one for one in price_model(tmp_path, records).metrics}
    assert (metrics["answers"].passed, metrics["answers"].judged) == (4, 8)
    assert metrics["answers"].usd_per_pass == pytest.approx(0.001)
    assert metrics["exact"].usd_per_pass == NotEnoughData("never passed")
    assert metrics["values"].usd_per_pass == NotEnoughData("never judged")


def test_unknown_price_is_unknown_cost(tmp_path: Path) -> None:
    """Without a price no amount is 0: each says why it is not known, and the other model keeps its own."""
    cost = price_run(tmp_path, [make_call("c1"), make_call("c1", model="other", checks={"exact": [True]})])
    priced, other = cost.models
    assert priced.usd == pytest.approx(0.002)
    assert other.usd == other.live_usd == other.usd_per_1000_calls == NotEnoughData("no price is known")
    assert other.metrics[0].usd_per_pass == NotEnoughData("no price is known")
    assert isinstance(cost.usd, NotEnoughData)
    assert cost.prices["other"] is None


def test_uncounted_call_makes_the_sum_unknown(tmp_path: Path) -> None:
    """A sum over calls of which one has no count would be too low: it is unknown, and says how many are missing."""
    found = price_model(tmp_path, [make_call("c1"), make_call("c2", usage=Usage(5, None))])
    assert found.usd == NotEnoughData("1 of 2 calls have no token count that can be priced")
    assert found.completion_tokens == NotEnoughData("1 of 2 replies do not say")
    assert found.prompt_tokens == 1005


def test_what_has_no_reply_is_in_no_amount(tmp_path: Path) -> None:
    """Errors and losses are counted by themselves, refusals and cut replies are calls."""
    states = ("answered", "truncated", "refused", "error", "lost")
    found = price_model(tmp_path, [make_call(f"c{n}", state=state) for n, state in enumerate(states)])
    assert (found.calls, found.without_reply) == (3, 2)
    assert found.usd == pytest.approx(0.006)
    none = price_model(tmp_path, [make_call("c1", state="error")], name="b")
    assert none.usd_per_1000_calls == NotEnoughData("no call has a reply")


def test_evals_and_models_stand_in_order(tmp_path: Path) -> None:
    """Evals by name, models as the matrix has them, whoever reported first."""
    records = [make_call("c", model="large", eval_name="tone"), make_call("c", model="large"), make_call("c")]
    cost = price_run(tmp_path, records)
    assert [(each.eval, each.model) for each in cost.models] == [
        ("format", "large"), ("format", "small"), ("tone", "large"),
    ]  # fmt: skip


def test_prices_are_those_of_the_day(tmp_path: Path) -> None:
    """List prices are looked up for the day of the run, or the day that is named."""
    row = {"name": "o3", "model": "o3", "base_url": "https://api.openai.com/v1"}
    records = [make_call("c1", model="o3")]
    before = price_run(tmp_path, records, rows=[row], as_of=date(2025, 5, 1))
    now = price_run(tmp_path, records, rows=[row], name="b")
    assert (before.priced_on, before.usd) == (date(2025, 5, 1), pytest.approx((1000 * 10 + 100 * 40) / 1e6))
    assert now.usd != before.usd


def test_json_says_what_is_not_known(tmp_path: Path) -> None:
    """Units stand in the names, and an unknown amount is a reason, never 0 or null."""
    told = plain(price_run(tmp_path, [make_call("c1", model="other", checks={"exact": [False]})], cost_usd=0.5))
    assert told["charged_usd"] == 0.5
    assert told["as_if_asked_usd"] == {"not_enough_data": "no price is known"}
    (model,) = told["models"]
    assert (model["calls"], model["prompt_tokens"]) == (1, 1000)
    assert model["metrics"] == [
        {"metric": "exact", "judged": 1, "passed": 0, "usd_per_pass": {"not_enough_data": "never passed"}}
    ]
