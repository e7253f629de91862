"""The words of admission: who wants to send what, what they are told, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tunegate.wire.retries import Quota

OutcomeKind = Literal["answered", "rejected", "failed", "refused", "cancelled"]
"""answered: a complete reply. rejected: 429, too many. failed: no reply, or one that another attempt may better (5xx,
408, 409, time-out, cut off). refused: another attempt would end alike (400, 401, 403, 404, a 429 for want of credit).
cancelled: never sent, or given up."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """One attempt that wants to be sent."""

    owner: str
    """Which process asks: "gw0", "main"."""
    number: int
    """Tells apart what one owner has waiting or in flight."""
    account: str
    """What limits hold for, by a name that may be shown to people."""
    model: str
    """The name the endpoint knows."""
    tokens: int
    """Estimate of what the provider will charge against tokens per minute."""
    cost_usd: float = 0.0
    """Upper bound of its price; 0.0 where there is no budget or no price."""
    attempt: int = 1
    """Which attempt of the same request: later ones go first."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended."""

    kind: OutcomeKind
    status: int | None = None
    cost_usd: float | None = None
    """What it really cost; None is unknown and keeps the upper bound as spent. A cancelled attempt that was never sent
    says 0.0, and gets its place in the rates back."""
    tokens: int | None = None
    """What the provider really counted; None is unknown and keeps the estimate."""
    retry_after_s: float | None = None
    quota: Quota | None = None
    message: str = ""
    final: bool = False
    """Its request has no attempts left."""


@dataclass(frozen=True, slots=True)
class Go:
    """Send it now."""


@dataclass(frozen=True, slots=True)
class No:
    """It will not be sent, and asking again will not help."""

    reason: str
    kind: Literal["budget", "circuit", "stopped"]


Decision = Go | No
GO = Go()
