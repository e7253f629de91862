"""What came back for a cell."""

from __future__ import annotations

from dataclasses import dataclass

from tunegate.exchanges import Exchange
from tunegate.records import Source
from tunegate.session.plan import Prepared
from tunegate.wire import Reading

IN_FLIGHT = "in_flight"
"""Note of a recording: the most requests that were under way at once while it was made, itself among them."""


@dataclass(frozen=True)
class Answer:
    """What was asked, what came back, and where from."""

    prepared: Prepared
    exchange: Exchange
    reading: Reading
    source: Source
