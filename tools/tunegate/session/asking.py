"""One reply for one cell: from its recording where there is one, from the endpoint where that is allowed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from tunegate.cases import Endpoint, Model
from tunegate.cassettes import Library
from tunegate.errors import CassetteError, RecordingMissing, UsageError, WireError
from tunegate.exchanges import Exchange, Request
from tunegate.records import Cell, Source
from tunegate.session.circuit import Circuit
from tunegate.session.engine import Engine
from tunegate.wire import Connection, Reading, read_exchange

RecordMode = Literal["none", "missing", "all"]
_ACCOUNT_VARIABLES = ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID")


@dataclass(frozen=True)
class Answer:
    """What came back for a cell, and where from."""

    exchange: Exchange
    reading: Reading
    source: Source


def secrets_in(variables: Iterable[str | None]) -> list[str]:
    """Return the values that must never reach a file: of the given environment variables and of OpenAI's own."""
    names = {*_ACCOUNT_VARIABLES, *filter(None, variables)}
    return [value for name in sorted(names) if (value := os.environ.get(name, "").strip())]


class Session:
    """Answers cells from the library of recordings and, unless `mode` is none, from their endpoints.

    With `mode="none"` there is no engine, so there is nothing that could reach a network.
    """

    def __init__(self, library: Library, *, mode: RecordMode = "none") -> None:
        self.library = library
        self.mode = mode
        self._engine = Engine(connect) if mode != "none" else None
        self._circuit = Circuit()

    def ask(self, cell: Cell, *, model: Model, request: Request) -> Answer:
        """Return the answer to `request` for `cell`.

        Raises:
            RecordingMissing: nothing was recorded for it and recording is off.
            WireError: the endpoint gave no usable reply; it is not recorded, so the next recording asks again.
            CassetteError: a recording cannot be read or written.
        """
        cassette = self.library.cassette(cell.eval, cell.model)
        if self.mode != "all":
            # Another process may have recorded it in the meantime: look again before paying for it.
            recorded = cassette.find(request, repeat=cell.repeat, refresh=self.mode == "missing")
            if recorded is not None:
                return Answer(recorded, read_exchange(recorded), "cassette")
        if self._engine is None:
            raise RecordingMissing(cassette.explain(request, case=cell.case, repeat=cell.repeat))
        self._send_and_record(self._engine, cell, model=model, request=request)
        # Read back what was kept, not what came: a live record and its replay are then equal by construction.
        kept = cassette.find(request, repeat=cell.repeat)
        if kept is None:
            raise CassetteError(f"{cassette.path}: a recording that was just written is not found again")
        return Answer(kept, read_exchange(kept), "live")

    def close(self) -> None:
        """Close the connections, if any were opened."""
        if self._engine is not None:
            self._engine.close()

    def _send_and_record(self, engine: Engine, cell: Cell, *, model: Model, request: Request) -> None:
        self._circuit.check(model)
        try:
            exchange = engine.send(model.endpoint, request)
            reading = read_exchange(exchange)
        except WireError as problem:
            # Servers like to quote the key that they refuse.
            redacted = WireError(self.library.redactor.text(str(problem)), status=problem.status)
            self._circuit.note_failure(model, redacted)
            raise redacted from None
        self._circuit.note_reply(model)
        note = _note(cell, reading)
        self.library.cassette(cell.eval, cell.model).add(replace(exchange, repeat=cell.repeat, note=note))


def connect(endpoint: Endpoint) -> Connection:
    """Return a connection with the key that the environment holds for `endpoint`.

    Raises:
        UsageError: the endpoint needs a key, and the variable is not set or holds what no header can carry.
    """
    key = os.environ.get(endpoint.key_env, "").strip() if endpoint.key_env else None
    if endpoint.key_env and not key:
        raise UsageError(
            f"{endpoint.base_url} needs a key in the environment variable {endpoint.key_env}, which is not set\n"
            f"  to set it: export {endpoint.key_env}=...   (it is sent to that endpoint only, and never written)"
        )
    if key and not (key.isascii() and key.isprintable()):
        raise UsageError(
            f"the key in {endpoint.key_env} holds characters that no key has (a quote from copying?)\n"
            f"  to set it again: export {endpoint.key_env}=..."
        )
    return Connection(endpoint.base_url, api_key=key, timeout_s=endpoint.limits.timeout_s)


def _note(cell: Cell, reading: Reading) -> dict[str, Any]:
    """Return what a reviewer of the cassette wants to see without decoding a stream."""
    reply = reading.reply
    return {
        "case": cell.case,
        "text": reply.text,
        "finish_reason": reply.finish_reason,
        "model": reply.model,
        "fingerprint": reply.fingerprint,
        "usage": asdict(reply.usage),
    }
