"""The fine-tuning API as we speak it: what endpoints other than the lab send, and what none should."""

from __future__ import annotations

import asyncio
import base64
import json
import math
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx2
import pytest

from tunegate.errors import WireError
from tunegate.wire.fine_tuning import FineTuningClient, JobEvent, JobOrder
from tunegate.wire.patience import may_help_again
from tunegate.wire.training_steps import TrainingStep, parse_steps

T = TypeVar("T")
TABLE = b"step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy\n1,2.5,0.25,,\n2,1.25,0.5,1.5,0.75\n"
STEPS = [TrainingStep(1, 2.5, 0.25), TrainingStep(2, 1.25, 0.5, 1.5, 0.75)]
JOB: dict[str, Any] = {
    "id": "ftjob-1",
    "object": "fine_tuning.job",
    "model": "m",
    "created_at": 1,
    "organization_id": "org",
    "status": "running",
    "training_file": "file-1",
    "validation_file": None,
    "result_files": [],
    "seed": 3,
    "hyperparameters": {"n_epochs": "auto"},
}
ORDER = JobOrder("m", "file-1", None, {"n_epochs": 2}, 3, "s", {"tunegate": "k"})


def use(
    work: Callable[[FineTuningClient], Awaitable[T]],
    answer: Callable[[httpx2.Request], httpx2.Response],
    *,
    api_key: str | None = None,
) -> T:
    async def run() -> T:
        client = FineTuningClient("http://h/v1", api_key=api_key, transport=httpx2.MockTransport(answer))
        try:
            return await work(client)
        finally:
            await client.aclose()

    return asyncio.run(run())


@pytest.mark.parametrize(
    "content", [TABLE, base64.encodebytes(TABLE), b"\xef\xbb\xbf" + TABLE], ids=["csv", "64", "bom"]
)
def test_result_file_is_csv_or_base64_of_it(content: bytes) -> None:
    """The lab sends CSV as it is, OpenAI in base64: both are the same steps."""
    assert parse_steps(content) == STEPS


@pytest.mark.parametrize("content", [b"", b"<html>no</html>", b"a,b\n1,2\n"])
def test_what_is_no_table_of_steps_is_refused(content: bytes) -> None:
    """Another table, or none, is told by what was there."""
    with pytest.raises(ValueError, match="wanted CSV with a column 'step'"):
        parse_steps(content)


def test_loss_that_is_no_number_is_kept() -> None:
    """A loss of `NaN` or `inf` says that the training has exploded."""
    losses = [step.train_loss for step in parse_steps(b"step,train_loss\n1,NaN\n2,inf\n3,None\n")]
    assert [loss is not None and not math.isfinite(loss) for loss in losses] == [True, True, True]


async def one_job(client: FineTuningClient) -> list[Any]:
    return [await client.retrieve("ftjob-1")]


def test_job_says_what_it_was_given() -> None:
    """The hyperparameters stand under `method` where there is one, else at the top; an error is told in words."""
    supervised = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2, "batch_size": "auto"}}}
    failed = {"status": "failed", "error": {"code": "invalid", "message": "Line 3", "param": None}}
    jobs = [JOB, {**JOB, "method": supervised}, {**JOB, **failed}]

    async def work(client: FineTuningClient) -> list[Any]:
        return [await client.retrieve("ftjob-1") for _ in jobs]

    replies = iter(jobs)
    chosen = {**JOB, "hyperparameters": {"n_epochs": 3}, "method": supervised}
    chosen["method"] = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": "auto"}}}
    (told,) = use(one_job, lambda _: httpx2.Response(200, json=chosen))
    assert dict(told.hyperparameters) == {"n_epochs": 3}, "a number goes before the auto that asked for it"
    old, new, bad = use(work, lambda _: httpx2.Response(200, json=next(replies)))
    assert dict(old.hyperparameters) == {"n_epochs": "auto"}
    assert dict(new.hyperparameters) == {"n_epochs": 2, "batch_size": "auto"}
    assert (bad.failure, bad.is_over) == ("Line 3 (invalid)", True)


def test_job_is_created_once() -> None:
    """A create whose reply is an error that might pass is not repeated by the SDK: it might run all the same."""
    tries: list[dict[str, Any]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        tries.append(json.loads(request.content))
        return httpx2.Response(503, json={"error": {"message": "busy"}})

    with pytest.raises(WireError, match=r"cannot create a fine-tuning job at http://h/v1: 503 busy") as told:
        use(lambda client: client.create(ORDER), answer)
    assert told.value.status == 503
    (sent,) = tries
    assert sent["method"] == {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}}
    assert (sent["seed"], sent["suffix"], sent["metadata"]) == (3, "s", {"tunegate": "k"})
    assert "validation_file" not in sent or sent["validation_file"] is None


def test_key_is_never_told() -> None:
    """A server that quotes the key it refuses does not bring it into our words."""
    refusal = httpx2.Response(401, json={"error": {"message": "Incorrect API key: sk-secret"}})
    with pytest.raises(WireError) as told:
        use(lambda client: client.retrieve("x"), lambda _: refusal, api_key="sk-secret")
    assert "sk-secret" not in str(told.value)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx2.Response(405, json={}), "has this endpoint a fine-tuning API"),
        (httpx2.Response(200, text="<html>"), "has this endpoint a fine-tuning API"),
    ],
    ids=["405", "html"],
)
def test_endpoint_without_the_api_is_told(answer: httpx2.Response, words: str) -> None:
    """An endpoint that has no such API is asked whether it has one, in words."""
    with pytest.raises(WireError, match=words):
        use(lambda client: client.retrieve("x"), lambda _: answer)


def test_reply_of_another_shape_is_told() -> None:
    """What is JSON and none of this API's is a WireError that says so, in lists too, and is not asked again."""

    async def work(client: FineTuningClient) -> list[Any]:
        return [job async for job in client.list_jobs()]

    for body in (httpx2.Response(200, text="<html>"), httpx2.Response(200, json={"data": [{"error": "text"}]})):
        with pytest.raises(WireError, match="the reply is none that this API gives") as told:
            use(work, lambda _, body=body: body)  # type: ignore[misc]
        assert not may_help_again(told.value)


def test_account_without_credit_is_not_asked_again() -> None:
    """The code says it, where the message does not."""
    told = {"message": "You exceeded your current quota", "code": "insufficient_quota"}
    with pytest.raises(WireError) as refused:
        use(lambda client: client.create(ORDER), lambda _: httpx2.Response(429, json={"error": told}))
    assert not may_help_again(refused.value)


def test_checkpoint_without_metrics_is_one() -> None:
    """Some endpoints tell of checkpoints and not what they measured."""
    row = {"id": "c", "object": "fine_tuning.job.checkpoint", "created_at": 1, "fine_tuning_job_id": "f",
           "fine_tuned_model_checkpoint": "ft:m", "step_number": 5}  # fmt: skip
    page = {"object": "list", "data": [row], "has_more": False}
    (found,) = use(lambda client: client.list_checkpoints("f"), lambda _: httpx2.Response(200, json=page))
    assert (found.step, found.model, dict(found.metrics)) == (5, "ft:m", {})


def test_events_are_steps_where_they_hold_metrics() -> None:
    """An event of type `metrics` is a step; all others are words."""
    base = {"object": "fine_tuning.job.event", "created_at": 1, "level": "info"}
    rows = [
        {**base, "id": "b", "message": "Step 2", "type": "metrics",
         "data": {"step": 2, "total_steps": 9, "train_loss": 1.25, "train_mean_token_accuracy": 0.5}},
        {**base, "id": "a", "message": "hello", "type": "message", "data": {}},
    ]  # fmt: skip

    async def work(client: FineTuningClient) -> list[JobEvent]:
        return [event async for event in client.list_events("ftjob-1")]

    page = {"object": "list", "data": rows, "has_more": False}
    step, words = use(work, lambda _: httpx2.Response(200, json=page))
    assert (step.step, step.total_steps) == (TrainingStep(2, 1.25, 0.5), 9)
    assert (words.step, words.message) == (None, "hello")
