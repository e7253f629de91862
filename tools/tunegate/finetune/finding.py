"""Jobs that exist at an endpoint and of which nobody here knows: a kill, or a lost reply, came between."""

from __future__ import annotations

from collections.abc import Sequence

from tunegate.finetune.folder import Kept
from tunegate.finetune.planning import KEY
from tunegate.wire.fine_tuning import FineTuningClient, JobState

CLOCKS_DIFFER_S = 300.0
"""By which the endpoint's clock may be behind ours."""


async def find_jobs(
    client: FineTuningClient, homeless: Sequence[Kept], *, takes_fruitless: bool
) -> dict[str, JobState]:
    """Return the job of each training that has one at the endpoint, by key; of several the best, and the newest of
    those.

    Raises:
        WireError: the endpoint cannot list its jobs, or gave no reply.
    """
    found: dict[str, JobState] = {}
    async for job in client.list_jobs():
        if not takes_fruitless and job.is_over and job.status != "succeeded":
            continue
        for kept in homeless:
            if is_job_of(kept, job) and _rank(job) > _rank(found.get(kept.key)):
                found[kept.key] = job
    return found


def is_job_of(kept: Kept, job: JobState) -> bool:
    """Whether a job is that of a training: it carries its key.

    Not every endpoint keeps metadata. A job without a key is recognised by file and seed, if it was created after we
    began to have it created.
    """
    if KEY in job.metadata:
        return job.metadata[KEY] == kept.key
    if kept.asked_at is None or job.training_file != kept.training_file:
        return False
    return job.seed == kept.seed and job.created_at >= kept.asked_at - CLOCKS_DIFFER_S


def _rank(job: JobState | None) -> int:
    """Say how good a job is as the answer to a training: one that succeeded, one that may, one that failed, none."""
    if job is None:
        return 0
    if job.status == "succeeded":
        return 3
    return 1 if job.is_over else 2
