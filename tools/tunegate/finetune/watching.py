"""What an endpoint tells of a job: its state, the steps of its training, its checkpoints."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from tunegate.errors import WireError
from tunegate.finetune.folder import Kept
from tunegate.wire.fine_tuning import FineTuningClient, JobState
from tunegate.wire.patience import Patience, may_help_again
from tunegate.wire.training_steps import TrainingStep

T = TypeVar("T")


class Watcher:
    """Looks at jobs; what an endpoint has no such thing of is told once, and done without."""

    def __init__(
        self,
        client: FineTuningClient,
        *,
        patience: Patience,
        say: Callable[[str], None],
        complain: Callable[[str], None],
    ) -> None:
        self._client = client
        self._complain = complain
        self._patience = patience
        self._say = say
        self._seen: dict[str, str] = {}
        """Newest event that was read of each job."""
        self._told: set[str] = set()

    async def look(self, kept: Kept, id_: str) -> Kept:
        """Return a training as its endpoint tells of it now.

        Raises:
            WireError: the endpoint does not know the job, or did not reply for too long.
        """
        job = await self._patience.ask(lambda: self._client.retrieve(id_), told=self._complain)
        # Events after the job: whatever it has come to by then, they tell.
        now = (await self._with_events(kept, id_)).with_job(job)
        return await self._with_results(now, job) if job.status == "succeeded" else now

    async def _with_events(self, kept: Kept, id_: str) -> Kept:
        async def look() -> tuple[dict[int, TrainingStep], int | None, str, list[str]]:
            steps: dict[int, TrainingStep] = {}
            total, newest, warnings = None, "", []
            async for event in self._client.list_events(id_):
                newest = newest or event.id
                if event.id == self._seen.get(id_):
                    break
                total = total or event.total_steps
                if event.step is not None:
                    steps.setdefault(event.step.step, event.step)
                if event.level != "info":
                    warnings.append(event.message)
            return steps, total, newest, warnings

        read = await self._ask_optional(look, kept)
        if read is None:
            return kept
        steps, total, newest, warnings = read
        self._seen[id_] = newest
        for warning in reversed(warnings):
            self._say(f"{kept.label}: {warning}")
        return kept.with_steps(steps, total_steps=total)

    async def _with_results(self, kept: Kept, job: JobState) -> Kept:
        """Add the whole loss curve and the checkpoints."""
        for file_id in job.result_files:
            steps = await self._ask_optional(partial(self._client.read_steps, file_id), kept)
            if steps is not None:
                kept = kept.with_steps({step.step: step for step in steps}, total_steps=len(steps))
        checkpoints = await self._ask_optional(lambda: self._client.list_checkpoints(job.id), kept)
        return replace(kept, checkpoints=tuple(checkpoints or ()), is_complete=True)

    async def _ask_optional(self, ask: Callable[[], Awaitable[T]], kept: Kept) -> T | None:
        """Return what an endpoint may lack, and None where it refuses it.

        Raises:
            WireError: it did not reply for too long.
        """
        try:
            return await self._patience.ask(ask, told=self._complain)
        except WireError as problem:
            if may_help_again(problem):
                raise
            told = f"{kept.label}: {problem}"
            if told not in self._told:
                self._told.add(told)
                self._say(told)
            return None
