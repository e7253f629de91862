"""One endpoint, asked through the openai package; what comes back is kept byte for byte, with its times."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tunegate.errors import WireError
from tunegate.exchanges import Exchange, Request

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI
    from openai._types import RequestOptions

PATH = "/chat/completions"


class Connection:
    """Sends requests to one endpoint, each of them once: who asks again, and when, is decided elsewhere.

    Belongs to the event loop in which it is first used.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None,
        timeout_s: float = 600.0,
    ) -> None:
        self.base_url = base_url
        self._api_key = api_key
        self._timeout_s = timeout_s
        self._client: AsyncOpenAI | None = None
        self._options: RequestOptions = {}

    async def send(self, request: Request) -> Exchange:
        """Send `request` and return the complete exchange, whatever its status.

        Raises:
            WireError: no complete response came (refused, timed out, broken off).
        """
        import httpx2
        import openai

        try:
            # The response as it is: parsing it into the SDK's models would cost more than sending it.
            response = await self._openai().post(
                PATH, cast_to=httpx2.Response, body=request.body, options=self._options
            )
        except openai.APIStatusError as refused:
            response = refused.response
        except openai.APITimeoutError as problem:
            raise WireError(
                f"no complete reply within timeout_s = {self._timeout_s:g} s from {self.base_url}"
            ) from problem
        except (openai.APIConnectionError, httpx2.InvalidURL) as problem:
            cause = problem.__cause__ or problem
            raise WireError(
                f"no complete reply from {self.base_url}: {type(cause).__name__}: {cause}; is the endpoint up?"
            ) from problem
        return _exchange_of(request, response)

    async def aclose(self) -> None:
        """Close the connections of the pool."""
        if self._client is not None:
            await self._client.close()
            self._client = None
            gc.unfreeze()

    def _openai(self) -> AsyncOpenAI:
        if self._client is None:
            import httpx2
            import openai

            from tunegate.wire.transport import Transport

            # What is loaded now lives as long as the process: the search for garbage need not pass through it again.
            gc.freeze()
            self._client = openai.AsyncOpenAI(
                base_url=self.base_url,
                api_key=self._api_key or "not sent",
                max_retries=0,
                # Compressed bodies would have to be unpacked before anybody could review a cassette.
                default_headers={"Accept-Encoding": "identity"},
                http_client=httpx2.AsyncClient(transport=Transport(self.base_url, timeout_s=self._timeout_s)),
            )
            self._options = {"headers": self._withheld_headers()}
        return self._client

    def _withheld_headers(self) -> dict[str, Any]:
        """Say which headers the SDK must not send: no key where there is none, no account to a third party."""
        import openai

        names = [] if self._api_key else ["Authorization"]
        if not (urlsplit(self.base_url).hostname or "").endswith("openai.com"):
            names += ["OpenAI-Organization", "OpenAI-Project"]
        return {name: openai.Omit() for name in names}


def _exchange_of(request: Request, response: httpx2.Response) -> Exchange:
    from tunegate.wire.transport import RECEPTION, Reception

    reception: Reception = response.extensions[RECEPTION]
    headers: dict[str, tuple[str, ...]] = {}
    for name, value in response.headers.multi_items():
        headers[name] = (*headers.get(name, ()), value)
    return Exchange(
        request=request,
        status=response.status_code,
        reason=response.reason_phrase,
        headers=headers,
        body=response.content,
        timing=reception.timing,
        recorded_at=reception.sent_at,
    )
