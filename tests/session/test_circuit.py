"""An endpoint that is down, or refuses us, is asked a few times and not a thousand."""

from __future__ import annotations

import pytest

from tunegate.cases import Matrix, Model
from tunegate.errors import WireError
from tunegate.session.circuit import PATIENCE, Circuit


def model(name: str = "m") -> Model:
    return Matrix.unlisted(name, base_url="http://h/v1")


@pytest.mark.parametrize("status", [401, 403])
def test_refused_key_ends_it_for_the_endpoint(status: int) -> None:
    """No request with this key will ever be answered, whichever model it asks."""
    circuit = Circuit()
    circuit.note_failure(model("a"), WireError("no", status=status))
    with pytest.raises(WireError, match=r"not asked any more.*no"):
        circuit.check(model("b"))


def test_unknown_model_ends_it_for_that_model() -> None:
    """Other models of the endpoint may exist."""
    circuit = Circuit()
    circuit.note_failure(model("a"), WireError("unknown", status=404))
    circuit.check(model("b"))
    with pytest.raises(WireError):
        circuit.check(model("a"))


def test_silence_in_a_row_means_down() -> None:
    """A reply in between starts the count again; a server's own error is no silence."""
    circuit = Circuit()
    for _ in range(PATIENCE - 1):
        circuit.note_failure(model(), WireError("silent"))
    circuit.note_reply(model())
    for _ in range(PATIENCE - 1):
        circuit.note_failure(model(), WireError("silent"))
    circuit.note_failure(model(), WireError("busy", status=500))
    circuit.check(model())
    circuit.note_failure(model(), WireError("silent"))
    with pytest.raises(WireError, match="silent"):
        circuit.check(model())
