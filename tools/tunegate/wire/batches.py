"""The Batch API of one endpoint: many requests in a file, answered within a day for about half the price."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from urllib.parse import urlsplit

from tunegate.errors import WireError

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI
    from openai.types import Batch

T = TypeVar("T")
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
        return BatchLine(custom_id, status, compact_json(body), message=_message_of(body))
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
        self._api_key = api_key
        self._timeout_s = timeout_s
        self._transport = transport
        self._client: AsyncOpenAI | None = None

    async def upload(self, content: bytes, *, name: str) -> str:
        """Upload an input file called `name` (`*.jsonl`) and return its id.

        Raises:
            WireError: the endpoint refused it, or gave no reply.
        """
        with self._explained("upload a batch's file"):
            file = await self._openai().files.create(file=(name, content), purpose="batch")
            return _checked(file).id

    async def create(self, file_id: str, *, metadata: Mapping[str, str]) -> BatchState:
        """Start a batch.

        It is tried once: a second try after a lost reply would have every line answered, and paid, twice.

        Raises:
            WireError: the endpoint refused it, or gave no reply; in that case it may run all the same.
        """
        with self._explained("start a batch"):
            once = self._openai().with_options(max_retries=0)
            return _state_of(
                await once.batches.create(
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
        with self._explained(f"read the batch {id_}"):
            return _state_of(await self._openai().batches.retrieve(id_))

    async def cancel(self, id_: str) -> BatchState:
        """Ask for the end of a batch; lines that were answered by then stay answered, and paid.

        Raises:
            WireError: the endpoint does not know it, it is over, or there was no reply.
        """
        with self._explained(f"cancel the batch {id_}"):
            return _state_of(await self._openai().batches.cancel(id_))

    async def list_batches(self, *, since: float) -> AsyncIterator[BatchState]:
        """Yield the batches that were created at `since` (Unix time in seconds) or later, the newest first.

        Raises:
            WireError: the endpoint cannot list its batches, or gave no reply.
        """
        with self._explained("list the batches"):
            async for batch in self._openai().batches.list(limit=100):
                if batch.created_at < since:
                    return
                yield _state_of(batch)

    async def read_lines(self, file_id: str) -> AsyncIterator[BatchLine]:
        """Yield the lines of an output or error file.

        Raises:
            WireError: there is no such file (any more), it holds something else, or it came incomplete.
        """
        with self._explained(f"read the file {file_id}"):
            async with self._openai().files.with_streaming_response.content(file_id) as response:
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
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _openai(self) -> AsyncOpenAI:
        if self._client is None:
            import httpx2
            import openai

            self._client = openai.AsyncOpenAI(
                base_url=self.base_url,
                api_key=self._api_key or "not sent",
                http_client=httpx2.AsyncClient(
                    transport=self._transport,
                    timeout=httpx2.Timeout(self._timeout_s, connect=5.0),
                    event_hooks={"request": [self._withhold]},
                ),
            )
        return self._client

    async def _withhold(self, request: httpx2.Request) -> None:
        """Send no key where there is none, and no account to a third party."""
        names = [] if self._api_key else ["Authorization"]
        if not (urlsplit(self.base_url).hostname or "").endswith("openai.com"):
            names += ["OpenAI-Organization", "OpenAI-Project"]
        for name in names:
            request.headers.pop(name, None)

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        import httpx2
        import openai

        try:
            yield
        except openai.APIStatusError as refused:
            said = _message_of({"error": refused.body}) or str(refused)
            if self._api_key:  # servers like to quote the key that they refuse
                said = said.replace(self._api_key, "[redacted]")
            hint = "; has this endpoint a Batch API?" if refused.status_code in {405, 501} else ""
            raise WireError(
                f"cannot {doing} at {self.base_url}: {refused.status_code} {said}{hint}", status=refused.status_code
            ) from refused
        except (openai.APITimeoutError, httpx2.TimeoutException) as problem:
            raise WireError(
                f"cannot {doing} at {self.base_url}: no complete reply within timeout_s = {self._timeout_s:g} s"
            ) from problem
        except (openai.APIError, httpx2.HTTPError, httpx2.InvalidURL, ValueError) as problem:
            cause = problem.__cause__ or problem
            raise WireError(f"cannot {doing} at {self.base_url}: {type(cause).__name__}: {cause}") from problem


def _checked(answer: T) -> T:
    """Return an answer of the SDK, which is a text where the endpoint sent no JSON."""
    if isinstance(answer, str):
        raise ValueError(f"no JSON but {answer[:60]!r}; has this endpoint a Batch API?")
    return answer


def _state_of(batch: Batch) -> BatchState:
    counts = _checked(batch).request_counts
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


def _message_of(body: object) -> str:
    """Return the message of an error in the API's shape, and nothing of any other body."""
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) else ""
