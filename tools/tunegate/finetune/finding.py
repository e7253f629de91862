"""Jobs that exist at an endpoint and of which nobody here knows: a kill, or a lost reply, came between."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tunegate.finetune.folder import Kept
from tunegate.finetune.planning import KEY
from tunegate.wire.fine_tuning import FineTuningClient, JobState

CLOCKS_DIFFER_S = 300.0
"""By which the endpoint's clock may be behind ours."""


@dataclass(frozen=True)
class Sought:
    """A training whose job is looked for."""

    kept: Kept
    model: str
    """That training begins with, as the endpoint knows it."""


async def find_jobs(
    client: FineTuningClient, homeless: Sequence[Sought], *, taken: Collection[str], takes_fruitless: bool
) -> dict[str, JobState]:
    """Return the job of each training that has one at the endpoint, by key; of several the best, and the newest of
    those. Jobs whose ids are `taken` are other trainings', and no job is two trainings'.

    Raises:
        WireError: the endpoint cannot list its jobs, or gave no reply.
    """
    found: dict[str, JobState] = {}
    async for job in client.list_jobs():
        if job.id in taken or (not takes_fruitless and job.is_over and job.status != "succeeded"):
            continue
        for sought in homeless:
            key = sought.kept.key
            if is_job_of(sought, job) and _rank(job) > _rank(found.get(key)):
                found[key] = job
                break
    return found


def is_job_of(sought: Sought, job: JobState) -> bool:
    """Whether a job is that of a training: it carries its key.

    Not every endpoint keeps metadata. A job without a key is recognised by model, file, seed and whatever of the recipe
    was stated, if it was created after we began to have it created.
    """
    kept = sought.kept
    if KEY in job.metadata:
        return job.metadata[KEY] == kept.key
    if kept.asked_at is None or job.training_file != kept.training_file or job.seed != kept.seed:
        return False
    if job.created_at < kept.asked_at - CLOCKS_DIFFER_S or not _may_be_one_model(sought.model, job.model):
        return False
    return all(_may_be_one_value(value, job.hyperparameters.get(name)) for name, value in kept.hyperparameters.items())


def _may_be_one_model(asked: str, told: str) -> bool:
    """Whether an endpoint may call a model so that was asked for by another name: with its date."""
    return told == asked or re.fullmatch(re.escape(asked) + r"-\d[\d-]*", told) is not None


def _may_be_one_value(asked: object, told: object) -> bool:
    """Whether a hyperparameter may be what was asked for: an endpoint that says nothing of it does not contradict."""
    if isinstance(asked, int | float) and isinstance(told, int | float):
        return math.isclose(asked, told, rel_tol=1e-6)
    return True


def _rank(job: JobState | None) -> int:
    """Say how good a job is as the answer to a training: one that succeeded, one that may, one that failed, none."""
    if job is None:
        return 0
    if job.status == "succeeded":
        return 3
    return 1 if job.is_over else 2
