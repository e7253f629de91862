"""What became of a request in a batch: a reply to keep, or a problem, and whether asking again may help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tunegate.errors import WireError
from tunegate.exchanges import Exchange
from tunegate.session.batches.wanted import Wanted
from tunegate.wire.batches import BatchLine, BatchState
from tunegate.wire.reading import read_exchange
from tunegate.wire.retries import should_retry

QUEUE_FULL = "token_limit_exceeded"
"""The endpoint takes the batch once others of the account are done."""
MOST_NAMED = 5


@dataclass(frozen=True)
class BatchProblem:
    """A request that got no reply to keep, and why; `status` is None where there was no response at all."""

    key: str
    status: int | None
    message: str


@dataclass(frozen=True)
class BatchReply:
    """How a request in a batch ended: with an exchange or with a problem."""

    exchange: Exchange | None = None
    problem: BatchProblem | None = None
    may_help_again: bool = False


def is_queue_full(state: BatchState) -> bool:
    """Whether a batch was turned away only because others are before it."""
    return state.status == "failed" and any(fault.code == QUEUE_FULL for fault in state.faults)


def read_reply(item: Wanted, line: BatchLine, *, at: float) -> BatchReply:
    """Read the line that was written about a request; `at` is now, as Unix time in seconds."""
    if line.status is None:
        problem = BatchProblem(item.key, None, f"not answered in its batch: {line.message or line.code or 'no reason'}")
        return BatchReply(problem=problem, may_help_again=line.code != "batch_cancelled")
    if line.status != 200:
        message = line.message or line.body[:120].decode("utf-8", "replace")
        problem = BatchProblem(item.key, line.status, f"{line.status} {message}")
        return BatchReply(problem=problem, may_help_again=should_retry(line.status, {}, message=message))
    exchange = Exchange(
        request=item.request,
        status=200,
        reason="OK",
        headers={"content-type": ("application/json",)},
        body=line.body,
        timing=None,  # nobody measures inside a batch
        recorded_at=datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds"),
    )
    try:
        read_exchange(exchange)
    except WireError as unusable:
        return BatchReply(problem=BatchProblem(item.key, 200, str(unusable)), may_help_again=True)
    return BatchReply(exchange=exchange)


def read_silence(item: Wanted, state: BatchState, *, keys: Sequence[str]) -> BatchReply:
    """Explain a request of which nothing was written; `keys` are those of its file, line by line."""
    if state.status == "failed":
        own = [fault for fault in state.faults if fault.line and keys[fault.line - 1 : fault.line] == [item.key]]
        told = "; ".join(str(fault) for fault in (own or state.faults)[:MOST_NAMED]) or "no reason"
        message = f"the batch {state.id} was not run: {told}"
        return BatchReply(problem=BatchProblem(item.key, None, message), may_help_again=is_queue_full(state))
    if state.status == "cancelled":
        message = f"the batch {state.id} was cancelled before this request was answered"
        return BatchReply(problem=BatchProblem(item.key, None, message))
    message = f"the batch {state.id} is {state.status} without a line about this request"
    return BatchReply(problem=BatchProblem(item.key, None, message), may_help_again=True)
