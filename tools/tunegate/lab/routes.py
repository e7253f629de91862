"""What the lab answers where."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tunegate.lab.chat import ChatRequest, parse_chat
from tunegate.lab.front import NOTICE, Exchange, Route
from tunegate.lab.refusals import refuse_model
from tunegate.lab.relay import CHAT_PATH, Call, Served
from tunegate.lab.turns import ClientLeft, Presence, Turns

SILENCE_S = 600.0
"""How long an engine may say nothing: longer than a full context takes on a busy machine."""


class Desk:
    """The names the lab serves, and the one queue before them all."""

    def __init__(self, served: Sequence[Served], *, silence_s: float = SILENCE_S) -> None:
        self._served = {row.name: row for row in served}
        self._silence_s = silence_s
        self._since = int(time.time())
        self.turns = Turns()

    @property
    def routes(self) -> list[Route]:
        """Every path of the lab."""
        return [
            Route("GET", "/health", self.send_health),
            Route("GET", "/v1/models", self.send_models),
            Route("GET", "/v1/models/(.+)", self.send_model),
            Route("POST", CHAT_PATH, self.complete_chat),
        ]

    def find(self, name: str) -> Served:
        """The row of a name, or OpenAI's refusal."""
        if name not in self._served:
            raise refuse_model(name)
        return self._served[name]

    def send_health(self, exchange: Exchange) -> None:
        """Alive, and what kind of life it is."""
        exchange.send_json({"status": "ok", "notice": NOTICE, "models": list(self._served)})

    def send_models(self, exchange: Exchange) -> None:
        """All names."""
        exchange.send_json({"object": "list", "data": [self._describe(name) for name in self._served]})

    def send_model(self, exchange: Exchange, name: str) -> None:
        """One name."""
        exchange.send_json(self._describe(self.find(name).name))

    def prepare_call(self, request: ChatRequest) -> Call:
        """The call that answers a request, live or of a batch; it is not started, and must be closed."""
        self.find(request.model)
        return Call(lambda: self.find(request.model), request, silence_s=self._silence_s)

    def swap(self, served: Sequence[Served], retire: Callable[[], None]) -> None:
        """Serve these names from now on; `retire` is called while no request is being worked on."""
        with self.turns.take():
            self._served = {row.name: row for row in served}
            retire()

    def complete_chat(self, exchange: Exchange) -> None:
        """Wait for a turn, let the engine answer, relay what it says; stop all of it if the client leaves."""
        request = parse_chat(exchange.body)
        call = self.prepare_call(request)

        def give_up() -> None:
            call.cancel()
            self.turns.wake()

        with Presence(exchange.connection, on_leave=give_up) as client:
            try:
                with self.turns.take(client):
                    call.start()
                    if request.stream:
                        exchange.send_stream(call.read_events())
                    else:
                        exchange.send_json(call.read_whole())
            except ClientLeft:
                exchange.close_connection = True
            finally:
                call.close()

    def _describe(self, name: str) -> dict[str, object]:
        return {"id": name, "object": "model", "created": self._since, "owned_by": "tunegate-lab-rehearsal"}
