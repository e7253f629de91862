"""The openai package's client at one endpoint, for what is no chat: files, batches, fine-tuning jobs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from tunegate.errors import WireError

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

T = TypeVar("T")


class Sdk:
    """Speaks with one endpoint, and tells its refusals as ours. Belongs to the event loop in which it is first used."""

    def __init__(
        self,
        base_url: str,
        *,
        api: str,
        api_key: str | None,
        timeout_s: float,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.base_url = base_url
        self._api = api
        """What the endpoint may lack, as people call it: "Batch API"."""
        self._api_key = api_key
        self._timeout_s = timeout_s
        self._transport = transport
        self._client: AsyncOpenAI | None = None

    @property
    def client(self) -> AsyncOpenAI:
        """The client, made when it is first needed."""
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

    @property
    def once(self) -> AsyncOpenAI:
        """The client, for what must not be tried twice: after a lost reply it would be done, and paid, twice."""
        return self.client.with_options(max_retries=0)

    async def aclose(self) -> None:
        """Close the connections of the pool."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def checked(self, answer: T) -> T:
        """Return an answer of the SDK, which is a text where the endpoint sent no JSON.

        Raises:
            ValueError: it did not.
        """
        if isinstance(answer, str):
            raise ValueError(f"no JSON but {answer[:60]!r}; has this endpoint a {self._api}?")
        return answer

    @contextmanager
    def explained(self, doing: str) -> Iterator[None]:
        """Tell what goes wrong inside as a WireError that says what was being done, and where."""
        import csv

        import httpx2
        import openai

        try:
            yield
        except openai.APIStatusError as refused:
            said = message_of({"error": refused.body}) or str(refused)
            code = refused.code
            if code and code not in said:  # "insufficient_quota" stands nowhere else
                said = f"{said} ({code})"
            if self._api_key:  # servers like to quote the key that they refuse
                said = said.replace(self._api_key, "[redacted]")
            hint = f"; has this endpoint a {self._api}?" if refused.status_code in {405, 501} else ""
            raise WireError(
                f"cannot {doing} at {self.base_url}: {refused.status_code} {said}{hint}", status=refused.status_code
            ) from refused
        except (openai.APITimeoutError, httpx2.TimeoutException) as problem:
            raise WireError(
                f"cannot {doing} at {self.base_url}: no complete reply within timeout_s = {self._timeout_s:g} s"
            ) from problem
        except (openai.APIError, httpx2.HTTPError, httpx2.InvalidURL) as problem:
            cause = problem.__cause__ or problem
            raise WireError(
                f"cannot {doing} at {self.base_url}: {type(cause).__name__}: {cause}; is the endpoint up?"
            ) from problem
        except (ValueError, AttributeError, TypeError, LookupError, csv.Error) as problem:
            # A reply came, and it was not what this API says; asking again would bring the same.
            raise WireError(
                f"cannot {doing} at {self.base_url}: the reply is none that this API gives: {problem}",
                status=HTTPStatus.OK,
            ) from problem

    async def _withhold(self, request: httpx2.Request) -> None:
        """Send no key where there is none, and no account to a third party."""
        names = [] if self._api_key else ["Authorization"]
        if not (urlsplit(self.base_url).hostname or "").endswith("openai.com"):
            names += ["OpenAI-Organization", "OpenAI-Project"]
        for name in names:
            request.headers.pop(name, None)


def message_of(body: object) -> str:
    """Return the message of an error in the API's shape, and nothing of any other body."""
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) else ""
