"""The way of one request to its engine, and of the reply back, under the name that the client asked for."""

from __future__ import annotations

import http
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from tunegate.lab.chat import API_DEFAULTS, ChatRequest
from tunegate.lab.refusals import Refusal, refuse_upstream

CHAT_PATH = "/v1/chat/completions"
DONE = b"data: [DONE]\n\n"

# llama.cpp's own bookkeeping: no part of the API, and different in every recording of the same reply.
OWN_KEYS = ("timings", "__verbose")


@dataclass(frozen=True)
class Served:
    """A name of the matrix, the engine that answers it, and what else that engine must be told.

    Several names may share one engine: `extra` then says what sets them apart, such as an adapter.
    """

    name: str
    address: tuple[str, int]
    extra: Mapping[str, object] = field(default_factory=dict)
    fingerprint: str | None = None
    """What replies call `system_fingerprint`; None keeps llama.cpp's own, which names no weights."""


class Call:
    """One request to the engine that `find` names; cancelling it from another thread makes llama.cpp stop computing."""

    def __init__(self, find: Callable[[], Served], request: ChatRequest, *, silence_s: float) -> None:
        self._find = find
        self._request = request
        self._silence_s = silence_s
        self._name = request.model
        self._fingerprint: str | None = None
        self._connection: http.client.HTTPConnection | None = None
        self._socket: socket.socket | None = None
        self._response: http.client.HTTPResponse | None = None
        self._lock = threading.Lock()
        self._cancelled = False

    def cancel(self) -> None:
        """Hang up, or never call."""
        with self._lock:
            self._cancelled = True
            if self._socket is not None:
                # Only a shutdown wakes the thread that reads from this socket; closing it would not.
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Free the connection."""
        with self._lock:
            self._cancelled, self._socket = True, None
        if self._response is not None:
            self._response.close()
        if self._connection is not None:
            self._connection.close()

    def start(self) -> None:
        """Send the request and wait for the head of the reply, or raise what the engine objects to."""
        # Asked now and not earlier: while the call waited for its turn, another engine may have taken over.
        served = self._find()
        self._fingerprint = served.fingerprint
        body = json.dumps(
            # Last wins: no client may switch on the prompt cache, or another name's adapter.
            {**API_DEFAULTS, **self._request.fields, "model": served.name, "cache_prompt": False, **served.extra}
        ).encode()
        connection = self._connection = http.client.HTTPConnection(*served.address, timeout=self._silence_s)
        try:
            connection.connect()
            with self._lock:
                if self._cancelled:
                    raise ConnectionAbortedError("the client left")
                # Kept here: the connection lets go of its socket once a reply announces that it will close.
                self._socket = connection.sock
            connection.request("POST", CHAT_PATH, body, {"Content-Type": "application/json"})
            response = self._response = connection.getresponse()
            if response.status >= http.HTTPStatus.BAD_REQUEST:
                raise translate_error(response.status, response.read())
        except (OSError, http.client.HTTPException) as error:
            raise refuse_upstream(describe(error)) from error

    def read_whole(self) -> dict[str, object]:
        """The reply to a request without a stream."""
        try:
            return self._rename(json.loads(self._reply.read()))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise refuse_upstream(describe(error)) from error

    def read_events(self) -> Iterator[bytes]:
        """The events of a stream, each the moment it is complete; a broken one ends with an error event."""
        event = b""
        try:
            for line in self._reply:
                event += line
                if line.strip():
                    continue
                yield self._rename_event(event)
                if event == DONE:
                    return
                event = b""
            raise ConnectionError("the stream broke off")
        except (OSError, http.client.HTTPException, ValueError) as error:
            yield encode_event(refuse_upstream(describe(error)).body)

    @property
    def _reply(self) -> http.client.HTTPResponse:
        if self._response is None:
            raise http.client.ResponseNotReady("the call was not started")
        return self._response

    def _rename(self, reply: dict[str, object]) -> dict[str, object]:
        if "model" in reply:
            reply["model"] = self._name
        if "system_fingerprint" in reply and self._fingerprint is not None:
            reply["system_fingerprint"] = self._fingerprint
        return {key: value for key, value in reply.items() if key not in OWN_KEYS}

    def _rename_event(self, event: bytes) -> bytes:
        if not event.startswith(b"data: {"):
            return event
        return encode_event(self._rename(json.loads(event[len(b"data: ") :])))


def encode_event(reply: Mapping[str, object]) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(reply, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def translate_error(status: int, payload: bytes) -> Refusal:
    """What llama.cpp objects to, in OpenAI's words."""
    try:
        error = json.loads(payload)["error"]
        message, kind = str(error["message"]), error.get("type")
    except (ValueError, LookupError, TypeError, AttributeError):
        return refuse_upstream(f"status {status} without a reason")
    if kind == "exceed_context_size_error":
        return Refusal(400, message, code="context_length_exceeded", param="messages")
    return Refusal(status, message)


def describe(error: Exception) -> str:
    """An error in one line; many socket errors have a type and no text."""
    return str(error) or type(error).__name__
