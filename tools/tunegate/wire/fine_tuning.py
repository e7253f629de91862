"""The fine-tuning API of one endpoint: files up, jobs created, watched and cancelled, whoever provides it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from tunegate.wire.sdk import Sdk
from tunegate.wire.training_steps import TrainingStep, parse_steps, read_step

if TYPE_CHECKING:
    import httpx2
    from openai.types import FileObject
    from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent
    from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint

PURPOSE: Final = "fine-tune"
OVER = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True)
class UploadedFile:
    """A file that lies at the endpoint."""

    id: str
    name: str
    size: int
    """In bytes."""
    is_usable: bool


@dataclass(frozen=True)
class JobOrder:
    """What a job is to be created with."""

    model: str
    training_file: str
    """Its id at the endpoint, like the other one's."""
    validation_file: str | None
    hyperparameters: Mapping[str, int | float]
    """By the API's names; what is left out is the endpoint's to choose."""
    seed: int
    suffix: str
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class JobState:
    """A job as its endpoint described it when it was asked."""

    id: str
    status: str
    """validating_files, queued, running, paused, succeeded, failed or cancelled."""
    model: str
    created_at: int
    """Unix time in seconds."""
    training_file: str
    seed: int | None = None
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    fine_tuned_model: str | None = None
    trained_tokens: int | None = None
    result_files: tuple[str, ...] = ()
    failure: str | None = None
    """Why it failed, in the endpoint's words."""
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether the endpoint has done with it."""
        return self.status in OVER


@dataclass(frozen=True)
class JobEvent:
    """Something that an endpoint told of a job."""

    id: str
    created_at: int
    level: str
    """info, warn or error."""
    message: str
    step: TrainingStep | None = None
    total_steps: int | None = None


@dataclass(frozen=True)
class CheckpointState:
    """A model as it was after some step."""

    step: int
    model: str
    metrics: Mapping[str, float]


class FineTuningClient:
    """Speaks the fine-tuning API of one endpoint. Belongs to the event loop in which it is first used."""

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None,
        timeout_s: float = 600.0,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.base_url = base_url
        self._sdk = Sdk(base_url, api="fine-tuning API", api_key=api_key, timeout_s=timeout_s, transport=transport)

    async def list_files(self) -> AsyncIterator[UploadedFile]:
        """Yield the files that were uploaded for fine-tuning.

        Raises:
            WireError: the endpoint cannot list its files, or gave no reply.
        """
        with self._sdk.explained("list the files"):
            async for file in self._sdk.client.files.list(purpose=PURPOSE):
                yield _file_of(self._sdk.checked(file))

    async def upload(self, content: bytes, *, name: str) -> UploadedFile:
        """Upload a training or validation file called `name` (`*.jsonl`).

        Raises:
            WireError: the endpoint refused it, or gave no reply.
        """
        with self._sdk.explained(f"upload {name}"):
            return _file_of(
                self._sdk.checked(await self._sdk.client.files.create(file=(name, content), purpose=PURPOSE))
            )

    async def create(self, order: JobOrder) -> JobState:
        """Create a supervised job. It is tried once: after a lost reply it may run all the same.

        Raises:
            WireError: the endpoint refused it, or gave no reply.
        """
        hyperparameters = cast("Any", dict(order.hyperparameters))
        with self._sdk.explained("create a fine-tuning job"):
            job = await self._sdk.once.fine_tuning.jobs.create(
                model=order.model,
                training_file=order.training_file,
                validation_file=order.validation_file,
                method={"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
                seed=order.seed,
                suffix=order.suffix,
                metadata=dict(order.metadata),
            )
            return _job_of(self._sdk.checked(job))

    async def retrieve(self, id_: str) -> JobState:
        """Return a job as it stands.

        Raises:
            WireError: the endpoint does not know it, or gave no reply.
        """
        with self._sdk.explained(f"read the job {id_}"):
            return _job_of(self._sdk.checked(await self._sdk.client.fine_tuning.jobs.retrieve(id_)))

    async def cancel(self, id_: str) -> JobState:
        """End a job.

        Raises:
            WireError: the endpoint does not know it, it is over, or there was no reply.
        """
        with self._sdk.explained(f"cancel the job {id_}"):
            return _job_of(self._sdk.checked(await self._sdk.client.fine_tuning.jobs.cancel(id_)))

    async def list_jobs(self) -> AsyncIterator[JobState]:
        """Yield the jobs of the account, the newest first.

        Raises:
            WireError: the endpoint cannot list its jobs, or gave no reply.
        """
        with self._sdk.explained("list the fine-tuning jobs"):
            async for job in self._sdk.client.fine_tuning.jobs.list(limit=100):
                yield _job_of(self._sdk.checked(job))

    async def list_events(self, id_: str) -> AsyncIterator[JobEvent]:
        """Yield the events of a job, the newest first.

        Raises:
            WireError: the endpoint does not know the job, or gave no reply.
        """
        with self._sdk.explained(f"read the events of {id_}"):
            async for event in self._sdk.client.fine_tuning.jobs.list_events(id_, limit=100):
                yield _event_of(self._sdk.checked(event))

    async def list_checkpoints(self, id_: str) -> list[CheckpointState]:
        """Return the checkpoints of a job by their steps.

        Raises:
            WireError: the endpoint does not know the job, or gave no reply.
        """
        with self._sdk.explained(f"read the checkpoints of {id_}"):
            found = [
                CheckpointState(
                    checkpoint.step_number,
                    checkpoint.fine_tuned_model_checkpoint,
                    _metrics_of(checkpoint),
                )
                async for checkpoint in self._sdk.client.fine_tuning.jobs.checkpoints.list(id_)
            ]
            return sorted(found, key=lambda checkpoint: checkpoint.step)

    async def read_steps(self, file_id: str) -> list[TrainingStep]:
        """Return the steps that a job's result file tells of.

        Raises:
            WireError: there is no such file, or it is no table of steps.
        """
        with self._sdk.explained(f"read the metrics in {file_id}"):
            content = await self._sdk.client.files.content(file_id)
            return parse_steps(content.content)

    async def aclose(self) -> None:
        """Close the connections of the pool."""
        await self._sdk.aclose()


def _file_of(file: FileObject) -> UploadedFile:
    return UploadedFile(file.id, file.filename or "", file.bytes or 0, file.status not in {"error", "deleted"})


def _job_of(job: FineTuningJob) -> JobState:
    told: list[Any] = [job.hyperparameters]
    if job.method is not None and job.method.supervised is not None:
        told.append(job.method.supervised.hyperparameters)
    chosen: dict[str, Any] = {}
    for part in told:
        for name, value in (part.model_dump(exclude_none=True) if part is not None else {}).items():
            # What was chosen goes before the `auto` that asked for a choice, wherever either stands.
            if value != "auto" or name not in chosen:
                chosen[name] = value
    failure = None
    if job.error is not None and job.error.message:
        failure = f"{job.error.message} ({job.error.code})" if job.error.code else job.error.message
    return JobState(
        id=job.id,
        status=job.status,
        model=job.model,
        created_at=job.created_at,
        training_file=job.training_file,
        seed=job.seed,
        hyperparameters=chosen,
        fine_tuned_model=job.fine_tuned_model,
        trained_tokens=job.trained_tokens,
        result_files=tuple(job.result_files or ()),
        failure=failure,
        metadata=cast("Mapping[str, str]", job.metadata or {}),
    )


def _metrics_of(checkpoint: FineTuningJobCheckpoint) -> dict[str, float]:
    metrics: Any = checkpoint.metrics
    return {name: value for name, value in (metrics.model_dump() if metrics else {}).items() if value is not None}


def _event_of(event: FineTuningJobEvent) -> JobEvent:
    data: Any = event.data if isinstance(event.data, dict) else {}
    is_step = event.type == "metrics" and data.get("step") is not None
    return JobEvent(
        id=event.id,
        created_at=event.created_at,
        level=event.level,
        message=event.message,
        step=read_step(data) if is_step else None,
        total_steps=data.get("total_steps") if is_step else None,
    )
