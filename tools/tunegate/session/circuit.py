"""Which endpoints are not worth asking any more: what is down or refuses us is said once, not a thousand times."""

from __future__ import annotations

from collections import Counter

from tunegate.cases import Endpoint, Model
from tunegate.errors import WireError

PATIENCE = 3
"""Requests in a row without any reply before an endpoint counts as down."""
_REFUSES_US = frozenset({401, 403})
_KNOWS_NO_SUCH_MODEL = 404


class Circuit:
    """Opens for an endpoint that refuses our key or is down, and for a model that its endpoint does not know."""

    def __init__(self) -> None:
        self._open: dict[Endpoint | tuple[Endpoint, str], str] = {}
        self._silent: Counter[Endpoint] = Counter()

    def check(self, model: Model) -> None:
        """Let a request to `model` pass.

        Raises:
            WireError: its endpoint would only refuse it once more.
        """
        reason = self._open.get(model.endpoint) or self._open.get((model.endpoint, model.model))
        if reason is not None:
            raise WireError(f"not asked any more, since every request would end like an earlier one: {reason}")

    def note_failure(self, model: Model, problem: WireError) -> None:
        """Take note of a request without a usable reply."""
        endpoint = model.endpoint
        if problem.status in _REFUSES_US:
            self._open[endpoint] = str(problem)
        elif problem.status == _KNOWS_NO_SUCH_MODEL:
            self._open[endpoint, model.model] = str(problem)
        elif problem.status is None:
            self._silent[endpoint] += 1
            if self._silent[endpoint] >= PATIENCE:
                self._open[endpoint] = str(problem)

    def note_reply(self, model: Model) -> None:
        """Take note of a reply: the endpoint is there."""
        self._silent[model.endpoint] = 0
