"""Jobs at the lab, driven through everything that can come between."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import httpx2
import openai
import pytest

from tunegate.errors import UsageError, WireError
from tunegate.finetune import Driver, Hyperparameters, Kept, TrainingFolder, Wanted
from tunegate.finetune.finding import Sought, is_job_of
from tunegate.lab import Lab
from tunegate.wire.fine_tuning import FineTuningClient, JobState

from ..tuning_site import Site, wait_until
from .trainings import want

Spoil = Callable[[httpx2.Request], Exception | None]


class Harmed(httpx2.AsyncBaseTransport):
    """Delivers every request, and loses the replies that it is told to lose."""

    def __init__(self, spoil: Spoil) -> None:
        self._spoil = spoil
        self._inner = httpx2.AsyncHTTPTransport()
        self.sent: list[str] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._inner.handle_async_request(request)
        self.sent.append(f"{request.method} {request.url.path}")
        problem = self._spoil(request)
        if problem is not None:
            await response.aread()
            await response.aclose()
            raise problem
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


async def no_pause(_: float) -> None:
    await asyncio.sleep(0.003)


def drive(
    base_url: str,
    folder: TrainingFolder,
    wanted: list[Wanted],
    *,
    transport: httpx2.AsyncBaseTransport | None = None,
    again: bool = False,
    cancels: bool = False,
    said: list[str] | None = None,
    clock: Callable[[], float] = time.time,
) -> list[Kept]:
    async def run() -> list[Kept]:
        client = FineTuningClient(base_url, api_key=None, transport=transport)
        driver = Driver(client, folder, sleep=no_pause, say=(said if said is not None else []).append, clock=clock)
        try:
            return await (driver.cancel(wanted) if cancels else driver.train(wanted, again=again))
        finally:
            await client.aclose()

    wait_until(lambda: is_free(folder))
    with folder.locked():
        return asyncio.run(run())


def is_free(folder: TrainingFolder) -> bool:
    """Whether nobody holds a folder's lock: the lab of this process starts trainers, each a copy of us for a moment."""
    try:
        with folder.locked():
            return True
    except UsageError:
        return False


def jobs_at(lab: Lab) -> list[str]:
    with openai.OpenAI(base_url=lab.base_url, api_key="none") as client:
        return [job.status for job in client.fine_tuning.jobs.list()]


def files_at(lab: Lab) -> int:
    with openai.OpenAI(base_url=lab.base_url, api_key="none") as client:
        return len([file for file in client.files.list() if file.purpose == "fine-tune"])


def test_trainings_are_driven_to_their_models(lab: Lab, tmp_path: Path) -> None:
    """Sizes x seeds become models, with the loss of every step and the checkpoint of every epoch."""
    wanted = want(tmp_path / "set", lab.base_url, sizes=(10, 20), seeds=(1, 2))
    trained = drive(lab.base_url, TrainingFolder(tmp_path / "kept"), wanted)
    assert [(kept.label, kept.status) for kept in trained] == [
        (label, "succeeded") for label in ("n10-s1", "n10-s2", "n20-s1", "n20-s2")
    ]
    assert [kept.fine_tuned_model for kept in trained] == [
        f"ft:tiny:lab:{kept.label}:{(kept.job or '')[6:14]}" for kept in trained
    ]
    assert [len(kept.losses) for kept in trained] == [20, 20, 40, 40]
    assert trained[0].losses[:2] == [1.0, 0.5]
    assert [checkpoint.step for checkpoint in trained[2].checkpoints] == [20, 40]
    assert trained[0].hyperparameters == {"n_epochs": 2, "batch_size": 1, "learning_rate_multiplier": 1.0}
    # Two sizes, whatever the seeds.
    assert files_at(lab) == 2


def test_same_command_creates_no_second_job(lab: Lab, tmp_path: Path) -> None:
    """Run again, with what was kept or without it, nothing is created and the result is the same."""
    wanted = want(tmp_path / "set", lab.base_url, seeds=(1, 2))
    first = drive(lab.base_url, TrainingFolder(tmp_path / "kept"), wanted)
    assert drive(lab.base_url, TrainingFolder(tmp_path / "kept"), wanted) == first
    assert drive(lab.base_url, TrainingFolder(tmp_path / "elsewhere"), wanted) == first
    assert jobs_at(lab) == ["succeeded", "succeeded"]
    assert files_at(lab) == 1


@pytest.mark.parametrize("path", ["/v1/files", "/v1/fine_tuning/jobs"])
def test_lost_reply_creates_nothing_twice(lab: Lab, tmp_path: Path, path: str) -> None:
    """A request whose reply was lost has been done: its job is found, not created again."""
    lost: list[str] = []

    def spoil(request: httpx2.Request) -> Exception | None:
        if request.method != "POST" or request.url.path != path or lost:
            return None
        lost.append(request.url.path)
        return httpx2.ReadError("cut off")

    wanted = want(tmp_path / "set", lab.base_url)
    said: list[str] = []
    trained = drive(lab.base_url, TrainingFolder(tmp_path / "kept"), wanted, transport=Harmed(spoil), said=said)
    assert [kept.status for kept in trained] == ["succeeded"]
    assert jobs_at(lab) == ["succeeded"]
    assert lost
    assert bool(said) == (path != "/v1/files"), "what the SDK tries again by itself is not told"


def test_any_request_may_be_the_last(lab: Lab, tmp_path: Path) -> None:
    """Whichever request of a whole training the command dies at, its next run ends with one job."""
    counting = Harmed(lambda _: None)
    drive(lab.base_url, TrainingFolder(tmp_path / "counted"), want(tmp_path / "set", lab.base_url), transport=counting)
    assert [line.partition(" ")[2] for line in counting.sent][:4] == [
        "/v1/fine_tuning/jobs", "/v1/files", "/v1/files", "/v1/fine_tuning/jobs",
    ]  # fmt: skip
    # After the create there are polls, as many as the machine is slow: the first two, and those that end it.
    deaths = (*range(6), len(counting.sent) - 2, len(counting.sent) - 1)
    for number in deaths:
        left = [number]

        def spoil(_: httpx2.Request, left: list[int] = left) -> Exception | None:
            left[0] -= 1
            return KeyboardInterrupt() if left[0] < 0 else None  # type: ignore[return-value]

        (one,) = want(tmp_path / "set", lab.base_url, seeds=(100 + number,))
        folder = TrainingFolder(tmp_path / f"kept{number}")
        # The number of polls is the machine's: a run may be over before its turn to die comes.
        with suppress(KeyboardInterrupt):
            drive(lab.base_url, folder, [one], transport=Harmed(spoil))
        (kept,) = drive(lab.base_url, folder, [one])
        assert (kept.status, len(kept.losses), kept.is_complete) == ("succeeded", 20, True)
    assert len(jobs_at(lab)) == 1 + len(set(deaths))


class WithoutMetadata(Harmed):
    """An endpoint that keeps no metadata of its jobs, as some providers do not."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        if "/fine_tuning/jobs" not in request.url.path or request.url.path.endswith(("/events", "/checkpoints")):
            return response
        body = json.loads(await response.aread())
        for job in body.get("data", [body]):
            job.pop("metadata", None)
        return httpx2.Response(response.status_code, json=body)


def test_endpoint_without_metadata_gets_one_job(lab: Lab, tmp_path: Path) -> None:
    """Where a reply was lost and jobs carry no key, the job is recognised by its file, seed and time."""
    lost: list[str] = []

    def spoil(request: httpx2.Request) -> Exception | None:
        if request.method != "POST" or not request.url.path.endswith("/jobs") or lost:
            return None
        lost.append(request.url.path)
        return httpx2.ReadError("cut off")

    wanted = want(tmp_path / "set", lab.base_url)
    (kept,) = drive(lab.base_url, TrainingFolder(tmp_path / "kept"), wanted, transport=WithoutMetadata(spoil))
    assert lost
    assert kept.status == "succeeded"
    assert jobs_at(lab) == ["succeeded"]


def test_another_recipes_job_is_not_adopted(lab: Lab, tmp_path: Path) -> None:
    """Without metadata, a reply that is lost is not made up for by a job of another rate, on the same file and seed."""
    folder = TrainingFolder(tmp_path / "kept")
    recipes = [Hyperparameters(epochs=2, batch_size=1, learning_rate_multiplier=rate) for rate in (0.4, 100.0)]
    (mild,), (wild,) = (want(tmp_path / "set", lab.base_url, hyperparameters=recipe) for recipe in recipes)
    (first,) = drive(lab.base_url, folder, [mild], transport=WithoutMetadata(lambda _: None))
    refused: list[str] = []

    class Refusing(WithoutMetadata):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            if request.method == "POST" and request.url.path.endswith("/jobs") and not refused:
                refused.append(request.url.path)
                return httpx2.Response(503, json={"error": {"message": "busy"}})
            return await super().handle_async_request(request)

    for place in (folder, TrainingFolder(tmp_path / "elsewhere")):
        refused.clear()
        (second,) = drive(lab.base_url, place, [wild], transport=Refusing(lambda _: None))
        assert refused
        assert second.job != first.job
        assert second.hyperparameters["learning_rate_multiplier"] == 100.0


def test_jobs_kept_of_other_trainings_are_not_adopted(lab: Lab, tmp_path: Path) -> None:
    """Where both leave the recipe to the endpoint, what is kept here says whose a job is."""
    folder = TrainingFolder(tmp_path / "kept")
    (auto,) = want(tmp_path / "set", lab.base_url, hyperparameters=Hyperparameters(epochs=2))
    (first,) = drive(lab.base_url, folder, [auto], transport=WithoutMetadata(lambda _: None))
    (other,) = want(tmp_path / "set", lab.base_url, hyperparameters=Hyperparameters())
    with folder.locked():
        folder.keep(replace(Kept.of(other), training_file=first.training_file, asked_at=time.time()))
    (second,) = drive(lab.base_url, folder, [other], transport=WithoutMetadata(lambda _: None))
    assert second.job != first.job


@pytest.mark.parametrize(
    ("told", "is_same"),
    [
        ("tiny", True),
        ("tiny-2025-04-14", True),
        ("tiny-nano", False),
        ("tiny-nano-2025-04-14", False),
        ("other", False),
    ],
)
def test_model_may_be_told_with_its_date(tmp_path: Path, told: str, is_same: bool) -> None:
    """Endpoints answer with a model's date; the name of another model is none of this one's."""
    kept = replace(Kept.of(want(tmp_path, "http://h/v1")[0]), training_file="file-1", asked_at=1000.0)
    job = JobState("ftjob-1", "running", told, created_at=1001, training_file="file-1", seed=1)
    assert is_job_of(Sought(kept, "tiny"), job) is is_same
    assert not is_job_of(Sought(kept, "tiny"), replace(job, hyperparameters={"n_epochs": 3}))


@pytest.mark.parametrize(("step_s", "most"), [(1.0, 1), (31.0, 11)])
def test_endpoint_that_is_down_is_told_once_a_minute(tmp_path: Path, step_s: float, most: int) -> None:
    """However often it is asked: at once, and then once a minute at most."""

    class Down(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            raise httpx2.ConnectError(f"{request.url.host} refused")

    now = [0.0]

    def clock() -> float:
        now[0] += step_s
        return now[0]

    said: list[str] = []
    with pytest.raises(WireError):
        drive(
            "http://127.0.0.1:9/v1",
            TrainingFolder(tmp_path / "kept"),
            want(tmp_path / "set", "http://127.0.0.1:9/v1"),
            transport=Down(),
            said=said,
            clock=clock,
        )
    assert 1 <= len(said) <= most


class Full(Harmed):
    """An endpoint that takes two jobs at a time."""

    def __init__(self, base_url: str) -> None:
        super().__init__(lambda _: None)
        self._jobs = f"{base_url}/fine_tuning/jobs"
        self.refused = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "POST" and request.url.path.endswith("/jobs"):
            jobs = await self._inner.handle_async_request(httpx2.Request("GET", self._jobs))
            states = [job["status"] for job in json.loads(await jobs.aread())["data"]]
            if sum(state not in {"succeeded", "failed", "cancelled"} for state in states) >= 2:
                self.refused += 1
                told = {"message": "too many active jobs", "code": "rate_limit_exceeded"}
                return httpx2.Response(429, json={"error": told})
        return await super().handle_async_request(request)


def test_full_endpoint_gets_the_rest_later(lab: Lab, tmp_path: Path) -> None:
    """Where only a few jobs may be active, the others are created as those are over, each once."""
    full = Full(lab.base_url)
    wanted = want(tmp_path / "set", lab.base_url, seeds=(1, 2, 3, 4, 5))
    trained = drive(lab.base_url, TrainingFolder(tmp_path / "kept"), wanted, transport=full)
    assert [kept.status for kept in trained] == ["succeeded"] * 5
    assert full.refused
    assert jobs_at(lab) == ["succeeded"] * 5


def test_job_that_is_gone_keeps_nobody_waiting(site: Site, tmp_path: Path) -> None:
    """A job that the endpoint knows no more is told, the others go on, and `again` trains it anew."""
    folder = TrainingFolder(tmp_path / "kept")
    with site.start() as lab:
        wanted = want(tmp_path / "set", lab.base_url, seeds=(1, 2))
        with folder.locked():
            folder.keep(replace(Kept.of(wanted[0]), job="ftjob-nowhere", status="running"))
        said: list[str] = []
        gone, other = drive(lab.base_url, folder, wanted, said=said)
        assert (gone.status, other.status) == ("gone", "succeeded")
        assert any("ftjob-nowhere" in line and "--again" in line for line in said)
        anew, other = drive(lab.base_url, folder, wanted, again=True)
        assert (anew.status, other.status) == ("succeeded", "succeeded")
        assert len(jobs_at(lab)) == 2


def test_another_endpoints_job_is_none_here(site: Site, tmp_path: Path) -> None:
    """What is kept of one endpoint does not pass for a model of another."""
    folder = TrainingFolder(tmp_path / "kept")
    with site.start() as lab:
        (kept,) = want(tmp_path / "set", lab.base_url)
        with folder.locked():
            other = replace(Kept.of(kept), base_url="http://other/v1", job="ftjob-x", status="succeeded")
            folder.keep(replace(other, fine_tuned_model="ft:elsewhere"))
        (trained,) = drive(lab.base_url, folder, [kept])
        assert trained.fine_tuned_model != "ft:elsewhere"
        assert jobs_at(lab) == ["succeeded"]
        # Nor is it lost: its job is paid, and its command goes on with it.
        assert {one.job for one in folder.load()} == {"ftjob-x", trained.job}
        assert drive(lab.base_url, TrainingFolder(tmp_path / "kept"), [kept]) == [trained]


def test_restart_of_the_lab_is_waited_for(site: Site, tmp_path: Path) -> None:
    """An endpoint that goes down and comes back does not end the command, nor begin the training anew."""
    site.stop_at = 5
    with site.start() as lab:
        port = int(lab.base_url.rsplit(":", 1)[1].removesuffix("/v1"))
        wanted = want(tmp_path / "set", lab.base_url)
        folder = TrainingFolder(tmp_path / "kept")
        restarted: list[Lab] = []

        async def pause(_: float) -> None:
            await asyncio.sleep(0.003)
            kept = folder.load()
            if kept and len(kept[0].steps) == 4 and not restarted:
                lab.close()
                site.gate.touch()
                restarted.append(site.start(port=port))

        async def run() -> list[Kept]:
            client = FineTuningClient(lab.base_url, api_key=None)
            try:
                return await Driver(client, folder, sleep=pause).train(wanted)
            finally:
                await client.aclose()

        with folder.locked():
            (kept,) = asyncio.run(run())
        assert restarted
        assert (kept.status, len(kept.losses)) == ("succeeded", 20)
        assert jobs_at(restarted[0]) == ["succeeded"]
        restarted[0].close()


def test_failed_job_is_left_until_it_is_wanted_again(site: Site, tmp_path: Path) -> None:
    """A job that failed is told with its reason and not paid again, unless that is what was asked for."""
    site.mode = "fail"
    folder = TrainingFolder(tmp_path / "kept")
    with site.start() as lab:
        wanted = want(tmp_path / "set", lab.base_url)
        for _ in range(2):
            (kept,) = drive(lab.base_url, folder, wanted)
            assert (kept.status, kept.failure) == ("failed", "no number any more (training_diverged)")
        assert jobs_at(lab) == ["failed"]
    site.mode = "train"
    with site.start() as lab:
        wanted = want(tmp_path / "set", lab.base_url)
        (kept,) = drive(lab.base_url, folder, wanted, again=True)
        assert kept.status == "succeeded"
        assert jobs_at(lab) == ["succeeded", "failed"]
        (found,) = drive(lab.base_url, TrainingFolder(tmp_path / "elsewhere"), wanted)
        assert found.job == kept.job, "of several jobs the one that succeeded is taken up"


def test_cancel_ends_what_is_not_over(site: Site, tmp_path: Path) -> None:
    """--cancel ends jobs that run, also those that only the endpoint knows of, and leaves those that are over."""
    site.stop_at = 15  # of the twenty steps that ten examples make
    with site.start() as lab, openai.OpenAI(base_url=lab.base_url, api_key="none") as client:
        wanted = want(tmp_path / "set", lab.base_url, seeds=(1,))
        file = client.files.create(file=(wanted[0].file.upload_name, wanted[0].file.content), purpose="fine-tune")
        job = client.fine_tuning.jobs.create(
            model="tiny", training_file=file.id, seed=1, metadata=dict(wanted[0].metadata)
        )
        wait_until(lambda: client.fine_tuning.jobs.retrieve(job.id).status == "running")
        folder = TrainingFolder(tmp_path / "kept")
        with folder.locked():
            # It has ended since it was last heard of: that must not keep the next one running.
            over = client.fine_tuning.jobs.create(model="tiny", training_file=file.id, seed=2)
            client.fine_tuning.jobs.cancel(over.id)
            (first,) = want(tmp_path / "set", lab.base_url, seeds=(2,))
            folder.keep(replace(Kept.of(first), job=over.id, status="running"))
        ended, kept = drive(lab.base_url, folder, [first, *wanted], cancels=True)
        assert (ended.status, kept.job, kept.status) == ("cancelled", job.id, "cancelled")
        (left,) = drive(lab.base_url, TrainingFolder(tmp_path / "kept"), wanted)
        assert left.status == "cancelled"
        assert jobs_at(lab) == ["cancelled", "cancelled"]


def test_refusal_is_told_in_the_endpoints_words(lab: Lab, tmp_path: Path) -> None:
    """A model that cannot be tuned ends the command with what the endpoint says of it."""
    (one,) = want(tmp_path / "set", lab.base_url)
    wrong = replace(one, base=replace(one.base, name="other", base="other"))
    with pytest.raises(WireError, match=r"cannot create a fine-tuning job .* 400 .*not available for fine-tuning"):
        drive(lab.base_url, TrainingFolder(tmp_path / "kept"), [wrong])
    assert jobs_at(lab) == []
