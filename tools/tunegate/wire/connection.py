"""One endpoint, asked through the openai package; what comes back is kept byte for byte, with its times."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tunegate.errors import WireError
from tunegate.exchanges import Exchange, Request, Timing

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI


class EventClock:
    """Notes when each server-sent event was complete, whatever pieces the network made of them."""

    def __init__(self) -> None:
        self.events_s: list[float] = []
        self._line = b""
        self._has_data = False

    def feed(self, piece: bytes, at_s: float) -> None:
        """Take the next piece of the body, which arrived `at_s` seconds after the request was sent."""
        lines = (self._line + piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")).split(b"\n")
        self._line = lines.pop()
        for line in lines:
            if line.startswith(b"data:"):
                self._has_data = True
            elif not line and self._has_data:
                self.events_s.append(round(at_s, 6))
                self._has_data = False


class Connection:
    """Sends requests to one endpoint. Belongs to the event loop in which it is first used."""

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

    async def send(self, request: Request) -> Exchange:
        """Send `request` and return the complete exchange, whatever its status.

        Raises:
            WireError: no complete response came (refused, timed out, broken off).
        """
        import httpx2
        import openai

        body: dict[str, Any] = dict(request.body)
        named = {name: body.pop(name) for name in ("model", "messages", "stream") if name in body}
        try:
            async with self._openai().chat.completions.with_streaming_response.create(
                **named, extra_body=body, extra_headers=self._withheld_headers()
            ) as response:
                return await _receive(request, response.http_response)
        except openai.APIStatusError as refused:
            return await _receive(request, refused.response)
        except (openai.APITimeoutError, httpx2.TimeoutException) as problem:
            raise WireError(
                f"no complete reply within timeout_s = {self._timeout_s:g} s from {self.base_url}"
            ) from problem
        except (openai.APIConnectionError, httpx2.HTTPError, httpx2.InvalidURL) as problem:
            cause = problem.__cause__ or problem
            raise WireError(
                f"no complete reply from {self.base_url}: {type(cause).__name__}: {cause}; is the endpoint up?"
            ) from problem

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
                # Compressed bodies would have to be unpacked before anybody could review a cassette.
                default_headers={"Accept-Encoding": "identity"},
                http_client=httpx2.AsyncClient(
                    transport=self._transport,
                    timeout=httpx2.Timeout(self._timeout_s, connect=5.0),
                    event_hooks={"request": [_stamp]},
                ),
            )
        return self._client

    def _withheld_headers(self) -> dict[str, Any]:
        """Say which headers the SDK must not send: no key where there is none, no account to a third party."""
        import openai

        names = [] if self._api_key else ["Authorization"]
        if not (urlsplit(self.base_url).hostname or "").endswith("openai.com"):
            names += ["OpenAI-Organization", "OpenAI-Project"]
        return {name: openai.Omit() for name in names}


async def _stamp(request: httpx2.Request) -> None:
    """Note when an attempt leaves: the SDK may try again, and only the last attempt is what the reply took."""
    request.extensions["tunegate_sent_at"] = datetime.now(UTC).isoformat(timespec="seconds")
    request.extensions["tunegate_start"] = time.perf_counter()


async def _receive(request: Request, response: httpx2.Response) -> Exchange:
    start: float = response.request.extensions["tunegate_start"]
    clock = EventClock()
    pieces: list[bytes] = []
    async for piece in _pieces(response):
        clock.feed(piece, time.perf_counter() - start)
        pieces.append(piece)
    total_s = round(time.perf_counter() - start, 6)
    headers: dict[str, tuple[str, ...]] = {}
    for name, value in response.headers.multi_items():
        headers[name] = (*headers.get(name, ()), value)
    streamed = response.headers.get("content-type", "").startswith("text/event-stream")
    return Exchange(
        request=request,
        status=response.status_code,
        reason=response.reason_phrase,
        headers=headers,
        body=b"".join(pieces),
        timing=Timing(total_s, tuple(clock.events_s) if streamed else ()),
        recorded_at=response.request.extensions["tunegate_sent_at"],
    )


async def _pieces(response: httpx2.Response) -> AsyncIterator[bytes]:
    if response.is_stream_consumed:  # an error response, which the SDK has read already
        yield response.content
        return
    async for piece in response.aiter_bytes():
        yield piece
