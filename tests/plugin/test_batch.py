"""`--via batch`: the same items, answered by the Batch API of a lab whose models are scripted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tunegate.lab import Lab, Storage
from tunegate.lab.relay import Served
from tunegate.testing import Scripted, ScriptedEndpoint

from ..project import Project, answer, make_project


class Models:
    """Answers like the project's own endpoint, but for questions that are to fail."""

    def __init__(self) -> None:
        self.asked = 0
        self.failing: dict[str, Scripted] = {}

    def __call__(self, body: Mapping[str, Any]) -> Scripted | str:
        self.asked += 1
        text = body["messages"][-1]["content"]
        for part, failure in self.failing.items():
            if part in text and body["model"] == "plain":
                return failure
        return answer(body)


@pytest.fixture
def models() -> Models:
    return Models()


@pytest.fixture
def batched(tmp_path: Path, models: Models) -> Iterator[Project]:
    storage = Storage(tmp_path / "store")
    with ScriptedEndpoint(models) as engine:
        host, port = engine.base_url.removeprefix("http://").removesuffix("/v1").split(":")
        served = [Served(name, (host, int(port))) for name in ("plain", "prose")]
        with Lab(served, host="127.0.0.1", port=0, storage=storage) as lab:
            yield make_project(tmp_path / "project", base_url=lab.base_url)


def test_batches_record_what_a_live_run_would(batched: Project, models: Models) -> None:
    """A run through the Batch API has the records of a live one but for the times, and replays without a network."""
    run = batched.run("--record=missing", "--via", "batch", "--run", "a", "-n", "2")
    assert run.status == 0, run.out
    assert "12 live calls, 0 replayed, 0 unused recordings" in run.out
    assert "completed, 6 of 6" in run.out
    assert models.asked == 12
    replay = batched.run("--run", "b")
    assert "0 live calls, 12 replayed, 0 unused recordings" in replay.out
    batch, again = batched.records("a"), batched.records("b")
    assert [record.source for record in batch] == ["live"] * 12
    assert [(record.cell, record.reply, record.checks) for record in batch] == [
        (record.cell, record.reply, record.checks) for record in again
    ]
    assert {record.latency_s for record in batch} == {None}
    assert batched.run("--record=missing", "--via", "batch", "--run", "c").out.count("12 replayed") == 1
    assert models.asked == 12


def test_what_a_batch_could_not_answer_is_an_error_of_its_item(batched: Project, models: Models) -> None:
    """A line that the endpoint refuses is an error with the endpoint's words, and is asked again the next time."""
    models.failing = {"test colours 0?": Scripted("too long for me", status=400)}
    run = batched.run("--record=missing", "--via", "batch", "--run", "a")
    assert run.status == 1
    assert batched.header("a")["states"] == {"answered": 11, "error": 1}
    (error,) = [record.error for record in batched.records("a") if record.error]
    assert "400 too long for me" in error
    models.failing = {}
    again = batched.run("--record=missing", "--via", "batch", "--run", "b")
    assert again.status == 0, again.out
    assert "1 live calls, 11 replayed" in again.out


def test_budget_of_batches_is_looked_at_before(batched: Project, models: Models) -> None:
    """What is handed in cannot be stopped half-way: a batch that may cost more than the cap is not handed in."""
    (batched.root / "fixtures" / "prices.toml").write_text(
        '[[prices]]\nmodel = "*"\ninput_usd_per_mtok = 2000\noutput_usd_per_mtok = 2000\n'
        "batch_input_usd_per_mtok = 1000\nbatch_output_usd_per_mtok = 1000\n"
        'since = 2026-01-01\nsource = "the test"\n'
    )
    run = batched.run("--record=missing", "--via", "batch", "--max-cost", "0.01")
    assert run.status == 4, run.out
    assert "nothing was handed in" in run.out
    assert models.asked == 0
