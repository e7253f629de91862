"""The Batch API of one endpoint: many requests in a file, answered within a day for about half the price."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from tunegate.errors import WireError
from tunegate.wire.sdk import Sdk, message_of

if TYPE_CHECKING:
    import httpx2
    from openai.types import Batch

CHAT_URL: Final = "/v1/chat/completions"
"""How a batch names the chat completions API, whatever address its endpoint has."""
OVER = frozenset({"failed", "completed", "expired", "cancelled"})


@dataclass(frozen=True)
class BatchFault:
    """Why an endpoint did not run a batch, in its own words; lines are counted from 1."""

    code: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        where = "" if self.line is None else f"line {self.line}: "
        return f"{where}{self.message} ({self.code})"


@dataclass(frozen=True)
class BatchState:
    """A batch as its endpoint described it when it was asked."""

    id: str
    status: str
    """validating, failed, in_progress, finalizing, completed, expired, cancelling or cancelled."""
    input_file_id: str
    created_at: int
    """Unix time in seconds."""
    output_file_id: str | None = None
    error_file_id: str | None = None
    total: int = 0
    completed: int = 0
    failed: int = 0
    faults: tuple[BatchFault, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether the endpoint has done with it."""
        return self.status in OVER


@dataclass(frozen=True)
class BatchLine:
    """What became of one request of a batch."""

    custom_id: str
    status: int | None
    """HTTP status of the response; None where the request was not answered at all."""
    body: bytes = b""
    """The response's JSON, without spaces."""
    code: str = ""
    """Why it was not answered, such as `batch_expired`."""
    message: str = ""
    """What the endpoint says of a request without an answer, or with an error for one."""


def render_line(custom_id: str, body: Mapping[str, Any]) -> bytes:
    """Return the line of an input file that asks for a chat completion.

    `stream` and its options are left out: the Batch API answers with whole responses only.
    """
    sent = {name: value for name, value in body.items() if name not in {"stream", "stream_options"}}
    return compact_json({"custom_id": custom_id, "method": "POST", "url": CHAT_URL, "body": sent}) + b"\n"


def read_line(text: bytes) -> BatchLine:
    """Read a line of an output or error file.

    Raises:
        WireError: it is none.
    """
    try:
        value = json.loads(text)
        custom_id, response, error = value["custom_id"], value.get("response"), value.get("error")
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError) as problem:
        raise WireError(f"a batch's output holds a line that is none: {text[:120]!r}") from problem
    if isinstance(response, dict) and isinstance(response.get("status_code"), int):
        body = response.get("body")
        status = response["status_code"] or None  # 0 has been seen where nothing was answered
        return BatchLine(custom_id, status, compact_json(body), message=message_of(body))
    told = error if isinstance(error, dict) else {}
    return BatchLine(custom_id, None, code=str(told.get("code") or ""), message=str(told.get("message") or ""))


def compact_json(value: object) -> bytes:
    """Return `value` as JSON without spaces, readable where UTF-8 can say it."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half a surrogate pair, which some models say
        return json.dumps(value, separators=(",", ":")).encode()


class BatchClient:
    """Speaks the Batch API of one endpoint. Belongs to the event loop in which it is first used."""

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None,
        timeout_s: float = 600.0,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.base_url = base_url
        self._sdk = Sdk(base_url, api="Batch API", api_key=api_key, timeout_s=timeout_s, transport=transport)

    async def upload(self, content: bytes, *, name: str) -> str:
        """Upload an input file called `name` (`*.jsonl`) and return its id.

        Raises:
            WireError: the endpoint refused it, or gave no reply.
        """
        with self._sdk.explained("upload a batch's file"):
            file = await self._sdk.client.files.create(file=(name, content), purpose="batch")
            return self._sdk.checked(file).id

    async def create(self, file_id: str, *, metadata: Mapping[str, str]) -> BatchState:
        """Start a batch.

        It is tried once: a second try after a lost reply would have every line answered, and paid, twice.

        Raises:
            WireError: the endpoint refused it, or gave no reply; in that case it may run all the same.
        """
        with self._sdk.explained("start a batch"):
            return self._state(
                await self._sdk.once.batches.create(
                    input_file_id=file_id,
                    endpoint=CHAT_URL,
                    completion_window="24h",
                    metadata=dict(metadata),
                )
            )

    async def retrieve(self, id_: str) -> BatchState:
        """Return a batch as it stands.

        Raises:
            WireError: the endpoint does not know it, or gave no reply.
        """
        with self._sdk.explained(f"read the batch {id_}"):
            return self._state(await self._sdk.client.batches.retrieve(id_))

    async def cancel(self, id_: str) -> BatchState:
        """Ask for the end of a batch; lines that were answered by then stay answered, and paid.

        Raises:
            WireError: the endpoint does not know it, it is over, or there was no reply.
        """
        with self._sdk.explained(f"cancel the batch {id_}"):
            return self._state(await self._sdk.client.batches.cancel(id_))

    async def list_batches(self, *, since: float) -> AsyncIterator[BatchState]:
        """Yield the batches that were created at `since` (Unix time in seconds) or later, the newest first.

        Raises:
            WireError: the endpoint cannot list its batches, or gave no reply.
        """
        with self._sdk.explained("list the batches"):
            async for batch in self._sdk.client.batches.list(limit=100):
                if batch.created_at < since:
                    return
                yield self._state(batch)

    async def read_lines(self, file_id: str) -> AsyncIterator[BatchLine]:
        """Yield the lines of an output or error file.

        Raises:
            WireError: there is no such file (any more), it holds something else, or it came incomplete.
        """
        with self._sdk.explained(f"read the file {file_id}"):
            async with self._sdk.client.files.with_streaming_response.content(file_id) as response:
                rest = b""
                async for piece in response.iter_bytes():
                    # Not iter_lines, which also ends lines at U+2028 and its like: models say those inside of texts.
                    *lines, rest = (rest + piece).split(b"\n")
                    for text in lines:
                        if text.strip():
                            yield read_line(text)
                if rest.strip():
                    yield read_line(rest)

    async def aclose(self) -> None:
        """Close the connections of the pool."""
        await self._sdk.aclose()

    def _state(self, batch: Batch) -> BatchState:
        return _state_of(self._sdk.checked(batch))


def _state_of(batch: Batch) -> BatchState:
    counts = batch.request_counts
    faults = (batch.errors.data if batch.errors else None) or ()
    return BatchState(
        id=batch.id,
        status=batch.status,
        input_file_id=batch.input_file_id,
        created_at=batch.created_at,
        output_file_id=batch.output_file_id,
        error_file_id=batch.error_file_id,
        total=counts.total if counts else 0,
        completed=counts.completed if counts else 0,
        failed=counts.failed if counts else 0,
        faults=tuple(BatchFault(fault.code or "", fault.message or "", fault.line) for fault in faults),
        metadata=cast("Mapping[str, str]", batch.metadata or {}),
    )
