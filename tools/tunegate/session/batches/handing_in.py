"""Handing requests in as batches, each once, whatever is killed or lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from tunegate.errors import WireError
from tunegate.session.batches.submissions import Submission, SubmissionFolder, new_token
from tunegate.session.batches.wanted import Wanted, render_group
from tunegate.wire.batches import BatchClient, BatchState
from tunegate.wire.patience import MOST_PAUSES, Patience, grow_pauses, may_help_again

TOKEN_NAME = "tunegate"  # noqa: S105  # what the metadata calls it, and no secret
LOOK_AGAIN_S = 5.0
"""A batch may be missing from the list for a moment after it was created."""
CLOCK_SKEW_S = 3600.0


@dataclass(frozen=True)
class BatchProgress:
    """Where one batch stands: `planned`, `uploaded`, `created`, then as its endpoint says, at last `kept`."""

    model: str
    status: str
    total: int
    """Requests in it."""
    batch_id: str | None = None
    completed: int = 0
    failed: int = 0
    note: str = ""
    """What people should know besides, such as an endpoint that does not answer for the moment."""


def describe_progress(
    submission: Submission, status: str, *, state: BatchState | None = None, note: str = ""
) -> BatchProgress:
    """Return where a submission stands."""
    return BatchProgress(
        model=submission.model,
        status=status,
        total=len(submission.lines),
        batch_id=submission.batch_id,
        completed=state.completed if state else 0,
        failed=state.failed if state else 0,
        note=note,
    )


class Submitter:
    """Takes submissions from the intent to the batch. Belongs to one event loop."""

    def __init__(
        self,
        folder: SubmissionFolder,
        *,
        progress: Callable[[BatchProgress], None],
        patience: Patience,
        clock: Callable[[], float],
    ) -> None:
        self._folder = folder
        self._progress = progress
        self._patience = patience
        self._clock = clock
        # A file of 100 MB is in memory while it is uploaded.
        self._one_upload = asyncio.Lock()

    def plan(self, group: Mapping[str, Wanted], *, attempt: int = 1) -> Submission:
        """Write down that a group is to be handed in."""
        first = next(iter(group.values()))
        submission = Submission(
            token=new_token(),
            base_url=first.endpoint.base_url,
            key_env=first.endpoint.key_env,
            model=first.model,
            attempt=attempt,
            created_at=self._clock(),
            lines={key: item.request.fingerprint for key, item in group.items()},
        )
        # Written first: whatever happens from here on, the token says whether it was handed in.
        self._folder.keep(submission)
        self._tell(submission, "planned")
        return submission

    async def resume(self, submission: Submission, client: BatchClient, *, group: Mapping[str, Wanted]) -> Submission:
        """Return what an earlier command meant to hand in: with its batch if there is one, else planned anew."""
        if submission.batch_id is not None:
            return submission
        # Without a file there was nothing to create a batch from.
        found = await self._find(submission, client) if submission.file_id else None
        if found is not None:
            return self._note_created(submission, found)
        self._folder.forget(submission)
        return self.plan(group, attempt=submission.attempt)

    async def hand_in(self, submission: Submission, client: BatchClient, *, group: Mapping[str, Wanted]) -> Submission:
        """Upload the file of a planned submission and create its batch.

        Raises:
            WireError: the endpoint refused, or did not reply for too long.
        """
        async with self._one_upload:
            file_id = await client.upload(render_group(group), name=f"tunegate-{submission.token}.jsonl")
        submission = replace(submission, file_id=file_id)
        self._folder.keep(submission)
        self._tell(submission, "uploaded")
        pauses = grow_pauses(MOST_PAUSES)
        while True:
            try:
                state = await client.create(file_id, metadata={TOKEN_NAME: submission.token})
                return self._note_created(submission, state)
            except WireError as problem:
                if not may_help_again(problem):
                    self._folder.forget(submission)
                    raise
                pause_s = next(pauses, None)
                if pause_s is None:
                    raise
                self._tell(submission, "waiting", note=str(problem))
            await self._patience.sleep(pause_s)
            # No reply is no proof that nothing was created.
            if found := await self._find(submission, client):
                return self._note_created(submission, found)

    def _note_created(self, submission: Submission, state: BatchState) -> Submission:
        submission = replace(submission, batch_id=state.id)
        self._folder.keep(submission)
        self._tell(submission, "created", state=state)
        return submission

    async def _find(self, submission: Submission, client: BatchClient) -> BatchState | None:
        """Return the batch that was created for a submission, if one was."""

        async def look() -> BatchState | None:
            async for state in client.list_batches(since=submission.created_at - CLOCK_SKEW_S):
                if state.metadata.get(TOKEN_NAME) == submission.token or state.input_file_id == submission.file_id:
                    return state
            return None

        def told(note: str) -> None:
            self._tell(submission, "waiting", note=note)

        found = await self._patience.ask(look, told=told)
        if found is None:
            await self._patience.sleep(LOOK_AGAIN_S)
            found = await self._patience.ask(look, told=told)
        return found

    def _tell(self, submission: Submission, status: str, *, state: BatchState | None = None, note: str = "") -> None:
        self._progress(describe_progress(submission, status, state=state, note=note))
