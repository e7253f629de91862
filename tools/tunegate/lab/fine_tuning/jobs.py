"""Fine-tuning jobs and their states, as the API tells them, kept on disk with every change."""

from __future__ import annotations

import secrets
import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tunegate.lab.fine_tuning.diary import Diary
from tunegate.lab.fine_tuning.recipe import Recipe
from tunegate.lab.refusals import Refusal
from tunegate.lab.storage import Storage, read_json, write_json

ORGANISATION = "lab"
"""What stands in the names of tuned models where a provider puts its customer."""
ENDED = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True)
class Failure:
    """Why a job failed, in the API's fields."""

    code: str
    message: str
    param: str | None = None


@dataclass(frozen=True)
class Job:
    """One job at one moment; times are Unix times in seconds."""

    id: str
    number: int
    """Jobs are trained in its order."""
    model: str
    training_file: str
    created_at: float
    recipe: Recipe
    validation_file: str | None = None
    suffix: str | None = None
    metadata: dict[str, str] | None = None
    status: str = "validating_files"
    threads: int | None = None
    """Of the training; the same after a restart, since sums of another number of threads differ in their last bits."""
    is_trained: bool = False
    """Whether only the serving of what it made is left: too late to cancel."""
    finished_at: float | None = None
    fine_tuned_model: str | None = None
    result_files: tuple[str, ...] = ()
    trained_tokens: int | None = None
    failure: Failure | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in ENDED

    @property
    def tuned_name(self) -> str:
        """The name that its model has, or will have."""
        return f"ft:{self.model}:{ORGANISATION}:{self.suffix or ''}:{self.id.removeprefix('ftjob-')[:8]}"

    def checkpoint_name(self, step: int, *, last_step: int) -> str:
        """The name of what the model was after a step; after the last one it is the model itself."""
        return self.tuned_name if step == last_step else f"{self.tuned_name}:ckpt-step-{step}"

    @property
    def body(self) -> dict[str, object]:
        """What the API says of it."""
        return {
            "id": self.id,
            "object": "fine_tuning.job",
            "model": self.model,
            "created_at": int(self.created_at),
            "finished_at": int(self.finished_at) if self.finished_at is not None else None,
            "fine_tuned_model": self.fine_tuned_model,
            "organization_id": ORGANISATION,
            "result_files": list(self.result_files),
            "status": self.status,
            "validation_file": self.validation_file,
            "training_file": self.training_file,
            "hyperparameters": self.recipe.hyperparameters,
            "method": {"type": "supervised", "supervised": {"hyperparameters": self.recipe.hyperparameters}},
            "trained_tokens": self.trained_tokens,
            "error": asdict(self.failure) if self.failure else None,
            "user_provided_suffix": self.suffix,
            "seed": self.recipe.seed,
            "estimated_finish": None,
            "integrations": [],
            "metadata": self.metadata,
        }


class JobShelf:
    """All jobs of a lab. Clients create and cancel, the workshop does the rest."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._folder = folder_of_jobs(storage)
        self._folder.mkdir(exist_ok=True)
        self._lock = threading.Lock()
        for place in self._folder.iterdir():
            if not (place / "job.json").exists():  # killed before it was created: no client knows its id
                shutil.rmtree(place)
        self._jobs = {job.id: job for job in read_jobs(storage)}
        self._diaries = {job.id: Diary(self.folder_of(job), clock=storage.clock) for job in self._jobs.values()}

    def create(self, model: str, recipe: Recipe, **fields: Any) -> Job:
        """Take a new job; `fields` are those of `Job` that a client states."""
        with self._lock:
            number = max((job.number for job in self._jobs.values()), default=0) + 1
            id_ = f"ftjob-{secrets.token_hex(12)}"
            job = Job(id_, number, model, created_at=self.storage.clock(), recipe=recipe, **fields)
            self.folder_of(job).mkdir()
            self._diaries[id_] = Diary(self.folder_of(job), clock=self.storage.clock)
            self._keep(job)
        self.diary_of(job).say(f"Created fine-tuning job: {id_}")
        return job

    def find(self, id_: str) -> Job:
        """The job of an id.

        Raises:
            Refusal: there is none.
        """
        with self._lock:
            if id_ not in self._jobs:
                message = f"Could not find fine tune: {id_}"
                raise Refusal(404, message, code="fine_tune_not_found", param="fine_tuning_job_id")
            return self._jobs[id_]

    def cancel(self, id_: str) -> Job:
        """End a job; a training process that works for it is stopped soon after.

        Raises:
            Refusal: there is none, or it is over.
        """
        job = self.find(id_)
        with self._lock:
            job = self._jobs[id_]
            if job.is_over or job.is_trained:
                state = job.status if job.is_over else "trained"
                message = f"Job {id_} cannot be cancelled: it is {state} already"
                raise Refusal(400, message, code="invalid_state", param="fine_tuning_job_id")
            job = replace(job, status="cancelled", finished_at=self.storage.clock())
            self._keep(job)
        self.diary_of(job).say("The job was cancelled")
        return job

    def advance(self, job: Job, status: str, **changes: Any) -> bool:
        """Let a job enter a state, unless a client has cancelled it in the meantime."""
        with self._lock:
            now = self._jobs[job.id]
            if now.is_over:
                return False
            if status in ENDED:
                changes["finished_at"] = self.storage.clock()
            self._keep(replace(now, status=status, **changes))
            return True

    def select(self) -> Sequence[Job]:
        """All jobs, the oldest first."""
        with self._lock:
            return sorted(self._jobs.values(), key=lambda job: job.number)

    def reader_of(self, file_id: str) -> str | None:
        """The job that still reads a file."""
        readers = (job for job in self.select() if file_id in (job.training_file, job.validation_file))
        return next((job.id for job in readers if not job.is_over), None)

    def folder_of(self, job: Job) -> Path:
        """Where a job keeps what is made for it."""
        return self._folder / job.id

    def diary_of(self, job: Job) -> Diary:
        """Its events and checkpoints."""
        return self._diaries[job.id]

    def _keep(self, job: Job) -> None:
        write_json(self.folder_of(job) / "job.json", asdict(job))
        self._jobs[job.id] = job


def folder_of_jobs(storage: Storage) -> Path:
    """Where all jobs lie."""
    return storage.folder / "fine_tuning"


def read_jobs(storage: Storage) -> Iterator[Job]:
    """The jobs in a folder, in no order."""
    for path in folder_of_jobs(storage).glob("*/job.json"):
        value = read_json(path)
        failure = value["failure"] and Failure(**value["failure"])
        files = tuple(value["result_files"])
        yield Job(**{**value, "recipe": Recipe(**value["recipe"]), "failure": failure, "result_files": files})
