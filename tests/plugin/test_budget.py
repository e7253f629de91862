"""What a run will ask and cost is said before its first call, and the cap on it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tunegate.testing import Scripted, ScriptedEndpoint

from ..project import Project
from .crowd import Crowd

ALL = 12  # 2 subjects x 3 batches x 2 models
LONGEST = 64
"""Tokens at which the format eval cuts replies."""
WORDS = 50
USD_A_WORD = 0.001
PRICES = """
[[prices]]
model = "*"
input_usd_per_mtok = 0
output_usd_per_mtok = 1000
source = "this test"
"""


@pytest.fixture
def crowd() -> Crowd:
    return Crowd()


@pytest.fixture
def endpoint(crowd: Crowd) -> Iterator[ScriptedEndpoint]:
    """An endpoint that charges 50 words a reply."""

    def tell(body: Mapping[str, Any]) -> Scripted:
        crowd(body)
        return Scripted(" ".join(["word"] * WORDS))

    with ScriptedEndpoint(tell) as running:
        yield running


@pytest.mark.parametrize("workers", ["0", "2"])
def test_dry_run_asks_nothing(project: Project, endpoint: ScriptedEndpoint, workers: str) -> None:
    """`--dry-run` tells calls, recordings, tokens and cost, needs neither --record nor a key, and leaves no run."""
    assert project.run("--record=missing", "--model", "plain", "-k", "sums").status == 0
    matrix = project.root / "fixtures" / "models.toml"
    matrix.write_text(matrix.read_text().replace("attempts = 2\n", 'attempts = 2\nkey_env = "HERE_KEY"\n'))
    before = sorted(path for path in project.root.rglob("*") if "__pycache__" not in path.parts)
    endpoint.seen.clear()
    unpriced = project.run("--dry-run", "-n", workers)
    (project.root / "fixtures" / "prices.toml").write_text(PRICES)
    priced = project.run("--dry-run", "-n", workers)
    (project.root / "fixtures" / "prices.toml").unlink()
    assert (unpriced.status, priced.status) == (0, 0), unpriced.out + priced.out
    plan = unpriced.line("plan:")
    assert plan.startswith("plan: 9 live calls, 3 recorded, about ")
    assert "at most 576 out, of unknown cost: plain 3 for ?, prose 6 for ?" in plan
    assert "price unknown: plain, prose; fixtures/prices.toml can say it" in unpriced.out
    assert "at most 576 out, at most $0.58: plain 3 for $0.19, prose 6 for $0.38" in priced.line("plan:")
    assert not endpoint.seen
    assert sorted(path for path in project.root.rglob("*") if "__pycache__" not in path.parts) == before


def test_dry_run_tells_of_a_model_outside_the_matrix(project: Project, endpoint: ScriptedEndpoint) -> None:
    """What a model would cost can be asked before it is written into the matrix, and before anything is recorded."""
    told = project.run("--dry-run", "--model", "new", "--base-url", endpoint.base_url)
    assert told.status == 0, told.out
    assert told.line("plan:").startswith("plan: 6 live calls, 0 recorded, about ")
    assert not endpoint.seen


@pytest.mark.parametrize("workers", ["0", "2"])
def test_cap_on_cost_is_never_exceeded(
    project: Project, endpoint: ScriptedEndpoint, crowd: Crowd, workers: str
) -> None:
    """By the endpoint's own count all workers together stay below `--max-cost`; the rest says why it was not asked."""
    (project.root / "fixtures" / "prices.toml").write_text(PRICES)
    crowd.size = 5  # as many as the cap could pay for, were each reply the longest
    result = project.run("--record=missing", "--max-cost", "0.35", "-n", workers, "--run", "a")
    assert result.status == 1, result.out
    cost_usd = len(endpoint.seen) * WORDS * USD_A_WORD
    assert 0.35 - LONGEST * USD_A_WORD < cost_usd <= 0.35, "as much as possible, and not more"
    assert crowd.peak == 5
    header = project.header("a")
    assert header["cost_usd"] == pytest.approx(cost_usd)
    assert header["states"] == {"answered": 6, "error": 6}
    assert "at most $0.77: plain 6 for $0.38, prose 6 for $0.38" in result.line("plan:")
    assert "that may be more than --max-cost $0.35: the run stops asking there" in result.out
    reasons = {record.error for record in project.records("a") if record.state == "error"}
    assert reasons == {
        "not asked: the budget of 0.35 USD is used up: 0.30 USD spent, and the next request may cost up to 0.064 USD"
    }


@pytest.mark.parametrize("workers", ["0", "2"])
def test_what_cannot_be_asked_is_said_once(project: Project, endpoint: ScriptedEndpoint, workers: str) -> None:
    """A cap without a price, and a key that is not set, end with status 4 and one sentence before anything is sent."""
    capped = project.run("--record=missing", "--max-cost", "5", "-n", workers)
    assert capped.status == 4, capped.out
    assert capped.out.count("--max-cost cannot hold: nobody knows what plain, prose costs") == 1
    assert "fixtures/prices.toml" in capped.out
    matrix = project.root / "fixtures" / "models.toml"
    matrix.write_text(matrix.read_text().replace("attempts = 2\n", 'attempts = 2\nkey_env = "HERE_KEY"\n'))
    keyless = project.run("--record=missing", "-n", workers)
    assert keyless.status == 4, keyless.out
    assert keyless.out.count("needs a key in the environment variable HERE_KEY, which is not set") == 1
    assert not endpoint.seen
    for result in (capped, keyless):
        assert "Traceback" not in result.out
        assert "INTERNALERROR" not in result.out
    assert not (project.root / "reports").exists()
