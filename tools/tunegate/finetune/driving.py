"""From the trainings that are wanted to jobs that are over, each created once whatever is killed in between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from http import HTTPStatus

from tunegate.errors import WireError
from tunegate.finetune.finding import Sought, find_jobs
from tunegate.finetune.folder import GONE, Kept, TrainingFolder
from tunegate.finetune.planning import TrainingFile, Wanted
from tunegate.finetune.watching import Watcher
from tunegate.wire.fine_tuning import FineTuningClient, JobOrder, JobState
from tunegate.wire.patience import MOST_PAUSES, Patience, grow_pauses, may_help_again

_LISTED_AFTER_S = 5.0
"""A job that was just created may be missing from the endpoint's list for a moment."""
COMPLAINTS_APART_S = 60.0


class Complaints:
    """Says that an endpoint is no use just now: at once, and then no more than once in `COMPLAINTS_APART_S`.

    `clock` returns seconds.
    """

    def __init__(self, say: Callable[[str], None], *, clock: Callable[[], float]) -> None:
        self._say = say
        self._clock = clock
        self._said_at: float | None = None

    def tell(self, problem: str) -> None:
        """Hear of a question that was in vain and will be asked again."""
        now = self._clock()
        if self._said_at is None or not 0 <= now - self._said_at < COMPLAINTS_APART_S:
            self._said_at = now
            self._say(problem)


class Driver:
    """Drives trainings at one endpoint.

    Before a job is created, one of the same training is looked for: in the folder, then at the endpoint. That a create
    is begun is written down first; where its reply was lost, the job is looked for, twice, before it is tried again.

    Args:
        client: speaks to the endpoint.
        folder: what is known of the trainings; the caller holds its lock.
        show: hears of all trainings whenever something has changed.
        say: hears of everything else that a person may want to know, such as an endpoint that does not reply.
        sleep: takes seconds.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        client: FineTuningClient,
        folder: TrainingFolder,
        *,
        show: Callable[[Sequence[Kept]], None] = lambda _: None,
        say: Callable[[str], None] = lambda _: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._folder = folder
        self._show = show
        self._say = say
        self._sleep = sleep
        self._clock = clock
        self._patience = Patience(sleep)
        self._complaints = Complaints(say, clock=clock)
        self._watcher = Watcher(client, patience=self._patience, say=say, complain=self._complaints.tell)
        self._trainings: dict[str, Kept] = {}
        self._models: dict[str, str] = {}
        """That each training begins with, by its key, as the endpoint knows it."""
        self._others: set[str] = set()
        """Ids of the jobs that are kept of other trainings at this endpoint."""

    async def train(self, wanted: Sequence[Wanted], *, again: bool = False) -> list[Kept]:
        """Create the jobs that do not exist yet, wait until all are over, and return what came of them, in that order.

        Where the endpoint takes no more jobs at once, the rest is created as earlier ones are over. A job that failed,
        was cancelled or is gone is left as it is, unless it is to be created `again`.

        Raises:
            WireError: the endpoint refused something, or did not reply for too long; jobs that exist go on there.
            RunError: the folder cannot be read or written.
        """
        await self._take_up(wanted, again=again)
        files = await self._upload(wanted)
        uncreated = [one for one in wanted if self._trainings[one.key].job is None]
        while True:
            while uncreated and await self._create(uncreated[0], files):
                uncreated.pop(0)
            await self._watch(until_one_is_over=bool(uncreated))
            if not uncreated:
                return [self._trainings[one.key] for one in wanted]

    async def cancel(self, wanted: Sequence[Wanted]) -> list[Kept]:
        """End those jobs that exist and are not over, and return all trainings.

        Raises:
            WireError: some could not be ended, after all others were.
            RunError: the folder cannot be read or written.
        """
        await self._take_up(wanted, again=False)
        problems = []
        for one in wanted:
            kept = self._trainings[one.key]
            if kept.job is None or kept.is_over:
                continue
            try:
                self._keep(kept.with_job(await self._end(kept.job)))
            except WireError as problem:
                problems.append(problem)
        if problems:
            raise problems[0]
        return [self._trainings[one.key] for one in wanted]

    async def _end(self, id_: str) -> JobState:
        """Cancel a job, which may have ended by itself since it was last heard of."""
        job = await self._patience.ask(lambda: self._client.retrieve(id_), told=self._complaints.tell)
        if job.is_over:
            return job
        try:
            return await self._client.cancel(id_)
        except WireError:
            job = await self._patience.ask(lambda: self._client.retrieve(id_), told=self._complaints.tell)
            if job.is_over:
                return job
            raise

    async def _take_up(self, wanted: Sequence[Wanted], *, again: bool) -> None:
        """Find what exists already of each training."""
        there = self._folder.load()
        known = {(kept.key, kept.base_url): kept for kept in there}
        self._models = {one.key: one.base.model for one in wanted}
        urls = {one.base.endpoint.base_url for one in wanted}
        self._others = {
            kept.job for kept in there if kept.job and kept.base_url in urls and kept.key not in self._models
        }
        for one in wanted:
            # A job of another endpoint is none here.
            kept = known.get((one.key, one.base.endpoint.base_url))
            if kept is None or (again and kept.is_fruitless):
                kept = Kept.of(one)
            self._trainings[one.key] = replace(kept, base=one.base.name, set=one.file.set, label=one.label)
        homeless = [kept for kept in self._trainings.values() if kept.job is None]
        for key, job in (await self._find(homeless, again=again)).items():
            self._keep(self._trainings[key].with_job(job))
        self._show(list(self._trainings.values()))

    async def _find(self, homeless: Sequence[Kept], *, again: bool) -> dict[str, JobState]:
        """Return the jobs of trainings that have none as far as is known, by their keys."""
        if not homeless:
            return {}
        sought = [Sought(kept, self._models[kept.key]) for kept in homeless]
        taken = self._others | {kept.job for kept in self._trainings.values() if kept.job is not None}

        async def look() -> dict[str, JobState]:
            return await find_jobs(self._client, sought, taken=taken, takes_fruitless=not again)

        found = await self._patience.ask(look, told=self._complaints.tell)
        if any(kept.asked_at is not None and kept.key not in found for kept in homeless):
            await self._sleep(_LISTED_AFTER_S)
            found = await self._patience.ask(look, told=self._complaints.tell)
        return found

    async def _upload(self, wanted: Sequence[Wanted]) -> dict[str, str]:
        """Return the id of each file that a job is still to be created with, by its name; the same bytes go up once."""
        missing = [one for one in wanted if self._trainings[one.key].job is None]
        needed = {file.upload_name: file for one in missing for file in (one.file, one.validation) if file is not None}
        if not needed:
            return {}

        async def look() -> dict[str, str]:
            return {
                file.name: file.id
                async for file in self._client.list_files()
                if file.is_usable and file.name in needed and file.size == len(needed[file.name].content)
            }

        async def send(file: TrainingFile) -> str:
            return (await self._client.upload(file.content, name=file.upload_name)).id

        there = await self._patience.ask(look, told=self._complaints.tell)
        for name, file in needed.items():
            if name not in there:
                there[name] = await self._patience.ask(partial(send, file), told=self._complaints.tell)
        return there

    async def _create(self, one: Wanted, files: dict[str, str]) -> bool:
        """Create a job, and say whether there was room for it."""
        order = JobOrder(
            model=one.base.model,
            training_file=files[one.file.upload_name],
            validation_file=files[one.validation.upload_name] if one.validation else None,
            hyperparameters=one.hyperparameters.sent,
            seed=one.seed,
            suffix=one.suffix,
            metadata=one.metadata,
        )
        pauses = grow_pauses(MOST_PAUSES)
        self._keep(replace(self._trainings[one.key], training_file=order.training_file, asked_at=self._clock()))
        while True:
            try:
                job = await self._client.create(order)
                break
            except WireError as problem:
                is_full = problem.status == HTTPStatus.TOO_MANY_REQUESTS and may_help_again(problem)
                if is_full and any(kept.job and not kept.is_over for kept in self._trainings.values()):
                    return False
                pause_s = next(pauses, None)
                if pause_s is None or not may_help_again(problem):
                    raise
                self._complaints.tell(str(problem))
            await self._sleep(pause_s)
            # The reply may have been lost, and not the request.
            found = await self._find([self._trainings[one.key]], again=True)
            if found:
                job = found[one.key]
                break
        self._keep(self._trainings[one.key].with_job(job))
        self._show(list(self._trainings.values()))
        return True

    async def _watch(self, *, until_one_is_over: bool) -> None:
        """Ask after every job until all are over, or one more; less and less often while nothing happens."""
        over = self._count_over()
        pauses = grow_pauses()
        while True:
            before = dict(self._trainings)
            for kept in before.values():
                if kept.job is not None and not (kept.is_over and (kept.is_complete or kept.is_fruitless)):
                    self._keep(await self._look_at(kept, kept.job))
            if self._trainings != before:
                self._show(list(self._trainings.values()))
                pauses = grow_pauses()
            if all(kept.is_over for kept in self._trainings.values() if kept.job is not None):
                return
            if until_one_is_over and self._count_over() > over:
                return
            await self._sleep(next(pauses))

    async def _look_at(self, kept: Kept, id_: str) -> Kept:
        try:
            return await self._watcher.look(kept, id_)
        except WireError as problem:
            if problem.status != HTTPStatus.NOT_FOUND:
                raise
            self._say(f"{kept.label}: {problem}; to have it trained anew: the same command with --again")
            return replace(kept, status=GONE)

    def _count_over(self) -> int:
        return sum(kept.is_over for kept in self._trainings.values())

    def _keep(self, kept: Kept) -> None:
        self._folder.keep(kept)
        self._trainings[kept.key] = kept
