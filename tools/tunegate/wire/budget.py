"""What a run may cost, what it has cost, and what is promised to attempts in flight."""

from __future__ import annotations

import math

_ALMOST = 1e-9


class Budget:
    """Money in USD; without a cap everything fits."""

    __slots__ = ("_promises", "cap_usd", "reserved_usd", "spent_usd")

    def __init__(self, cap_usd: float | None) -> None:
        self.cap_usd = math.inf if cap_usd is None else cap_usd
        self.spent_usd = 0.0
        self.reserved_usd = 0.0
        self._promises = 0

    def fits(self, cost_usd: float) -> bool:
        """Whether `cost_usd` is there, even if all that is in flight costs its upper bound."""
        return self.spent_usd + self.reserved_usd + cost_usd <= self.cap_usd + _ALMOST

    def is_beyond(self, cost_usd: float) -> bool:
        """Whether `cost_usd` can never fit again, since what is spent does not come back."""
        return self.spent_usd + cost_usd > self.cap_usd + _ALMOST

    @property
    def is_settled(self) -> bool:
        """Whether nothing is in flight that could give money back."""
        return self._promises == 0

    def reserve(self, cost_usd: float) -> None:
        """Set `cost_usd` aside for an attempt."""
        if cost_usd:
            self._promises += 1
            self.reserved_usd += cost_usd

    def settle(self, reserved_usd: float, cost_usd: float | None) -> None:
        """Replace a reservation by what the attempt cost; None is unknown, and keeps the reservation as spent."""
        if reserved_usd:
            self._promises -= 1
            # Sums of floats drift: with nothing in flight it is exactly nothing.
            self.reserved_usd = self.reserved_usd - reserved_usd if self._promises else 0.0
        self.spent_usd += reserved_usd if cost_usd is None else cost_usd

    def describe(self, cost_usd: float) -> str:
        """Say why `cost_usd` does not fit."""
        return (
            f"the budget of {_usd(self.cap_usd)} is used up: {_usd(self.spent_usd)} spent, "
            f"and the next request may cost up to {_usd(cost_usd)}"
        )


def _usd(amount: float) -> str:
    """Write an amount so that small prices do not vanish: at least two decimals, and two digits that count."""
    return f"{amount:.2f} USD" if amount >= 0.1 or amount <= 0 else f"{amount:.2g} USD"
