"""One command's way through the Batch API, from what it wants to what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from tunegate.cases import Endpoint
from tunegate.errors import WireError
from tunegate.exchanges import Exchange
from tunegate.session.batches.handing_in import BatchProgress, Submitter, describe_progress
from tunegate.session.batches.replies import BatchProblem, BatchReply, is_queue_full, read_reply, read_silence
from tunegate.session.batches.submissions import Submission, SubmissionFolder
from tunegate.session.batches.wanted import Wanted, check_wanted, group_wanted, split_group
from tunegate.wire.batches import BatchClient, BatchState
from tunegate.wire.patience import LONGEST_PAUSE_S, Patience, grow_pauses

T = TypeVar("T")
MOST_LINES, LARGEST_BYTES = 50_000, 100_000_000


@dataclass(frozen=True)
class BatchOutcome:
    """What came of all that was wanted."""

    answered: int
    problems: tuple[BatchProblem, ...] = ()


async def answer_in_batches(
    wanted: Sequence[Wanted],
    *,
    connect: Callable[[Endpoint], BatchClient],
    keep: Callable[[Wanted, Exchange], None],
    folder: Path,
    progress: Callable[[BatchProgress], None] = lambda _: None,
    attempts: int = 3,
    most_lines: int = MOST_LINES,
    largest_bytes: int = LARGEST_BYTES,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = time.time,
) -> BatchOutcome:
    """Have `wanted` answered, give each reply to `keep`, and return how many came and why the others did not.

    `keep` returns when the exchange survives a crash. What was handed in is written in `folder`: after a kill the same
    call goes on with it and hands in nothing twice. A request is tried in up to `attempts` batches; each is a file of
    one model, of `most_lines` requests and `largest_bytes` at most. `clock` is Unix time, `sleep` takes seconds.

    Raises:
        UsageError: two requests have one key, one cannot go into a batch, or another process is at it.
        WireError: an endpoint refused to take a batch, or stopped replying; what was handed in goes on there.
        RunError: the folder cannot be used.
    """
    check_wanted(wanted)
    driver = _Driver(
        connect=connect,
        keep=keep,
        folder=SubmissionFolder(folder),
        progress=progress,
        attempts=attempts,
        sleep=sleep,
        clock=clock,
    )
    return await driver.run(wanted, most_lines=most_lines, largest_bytes=largest_bytes)


class _Driver:
    def __init__(
        self,
        *,
        connect: Callable[[Endpoint], BatchClient],
        keep: Callable[[Wanted, Exchange], None],
        folder: SubmissionFolder,
        progress: Callable[[BatchProgress], None],
        attempts: int,
        sleep: Callable[[float], Awaitable[None]],
        clock: Callable[[], float],
    ) -> None:
        self._connect = connect
        self._keep = keep
        self._folder = folder
        self._progress = progress
        self._attempts = attempts
        self._patience = Patience(sleep)
        self._clock = clock
        self._submitter = Submitter(folder, progress=progress, patience=self._patience, clock=clock)
        self._clients: dict[Endpoint, BatchClient] = {}
        self._running = 0
        self._answered = 0
        self._problems: dict[str, BatchProblem] = {}

    async def run(self, wanted: Sequence[Wanted], *, most_lines: int, largest_bytes: int) -> BatchOutcome:
        with self._folder.locked():
            waiting = {item.key: item for item in wanted}
            work: list[Callable[[], Awaitable[None]]] = []
            for submission in self._folder.load(now=self._clock()):
                group = {key: waiting.pop(key) for key in submission.lines if _is_for(submission, waiting.get(key))}
                if group:
                    work.append(partial(self._resume, submission, group))
            for whole in group_wanted(waiting.values()):
                parts = split_group(whole, most_lines=most_lines, largest_bytes=largest_bytes)
                work.extend(partial(self._begin, part) for part in parts)
            try:
                await _run_all(work)
            finally:
                for client in self._clients.values():
                    await client.aclose()
        return BatchOutcome(
            self._answered, tuple(self._problems[item.key] for item in wanted if item.key in self._problems)
        )

    async def _begin(self, group: Mapping[str, Wanted]) -> None:
        await self._follow(self._submitter.plan(group), group)

    async def _resume(self, submission: Submission, group: Mapping[str, Wanted]) -> None:
        await self._follow(await self._submitter.resume(submission, self._client(group), group=group), group)

    async def _follow(self, submission: Submission, group: Mapping[str, Wanted]) -> None:
        """Bring one group of requests to its end, through as many batches as that takes."""
        client = self._client(group)
        while True:
            if submission.batch_id is None:
                submission = await self._submitter.hand_in(submission, client, group=group)
            state = await self._wait(submission, client)
            # While others of ours are before it, being turned away is no attempt.
            is_free = is_queue_full(state) and self._running > 0
            is_last = submission.attempt >= self._attempts and not is_free
            group = await self._collect(submission, client, state=state, group=group, is_last=is_last)
            if not group:
                return
            if is_queue_full(state):
                await self._patience.sleep(LONGEST_PAUSE_S)
            submission = self._submitter.plan(group, attempt=submission.attempt + (0 if is_free else 1))

    async def _wait(self, submission: Submission, client: BatchClient) -> BatchState:
        """Return the batch when it is over."""
        pauses = grow_pauses()
        self._running += 1
        try:
            while True:
                state = await self._ask(partial(client.retrieve, submission.batch_id or ""), submission)
                self._tell(submission, state.status, state=state)
                if state.is_over:
                    return state
                await self._patience.sleep(next(pauses))
        finally:
            self._running -= 1

    async def _collect(
        self,
        submission: Submission,
        client: BatchClient,
        *,
        state: BatchState,
        group: Mapping[str, Wanted],
        is_last: bool,
    ) -> dict[str, Wanted]:
        """Keep what was answered, note what was not, and return what is to be asked again."""
        unread = dict(group)
        again: dict[str, Wanted] = {}

        def settle(item: Wanted, reply: BatchReply) -> None:
            if reply.exchange is not None:
                self._keep(item, reply.exchange)
                self._folder.note_kept(submission, item.key)
                self._answered += 1
            elif reply.may_help_again and not is_last:
                again[item.key] = item
            elif reply.problem is not None:
                self._problems[item.key] = reply.problem

        async def read() -> None:
            for file_id in filter(None, (state.output_file_id, state.error_file_id)):
                async for line in client.read_lines(file_id):
                    if item := unread.pop(line.custom_id, None):
                        settle(item, read_reply(item, line, at=self._clock()))

        await self._ask(read, submission)
        keys = list(submission.lines)
        for item in unread.values():
            settle(item, read_silence(item, state, keys=keys))
        self._folder.settle(submission, done=group)
        self._tell(submission, "kept", state=state)
        return again

    async def _ask(self, ask: Callable[[], Awaitable[T]], submission: Submission) -> T:
        try:
            return await self._patience.ask(ask, told=lambda note: self._tell(submission, "waiting", note=note))
        except WireError as problem:
            if problem.status != 404:
                raise
            raise WireError(
                f"{problem}\n  it was handed in as {submission.batch_id}; to hand its requests in anew, which pays for "
                f"them again, remove {self._folder.describe(submission)}",
                status=404,
            ) from problem

    def _tell(self, submission: Submission, status: str, *, state: BatchState | None = None, note: str = "") -> None:
        self._progress(describe_progress(submission, status, state=state, note=note))

    def _client(self, group: Mapping[str, Wanted]) -> BatchClient:
        endpoint = next(iter(group.values())).endpoint
        if endpoint not in self._clients:
            self._clients[endpoint] = self._connect(endpoint)
        return self._clients[endpoint]


def _is_for(submission: Submission, item: Wanted | None) -> bool:
    """Whether a request that is wanted is the one that was handed in under its key."""
    return (
        item is not None
        and submission.belongs_to(item.endpoint)
        and submission.lines[item.key] == item.request.fingerprint
    )


async def _run_all(work: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Do everything at once; the first that fails stops the others, which go on where they were at the next call."""
    tasks = [asyncio.ensure_future(begin()) for begin in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
