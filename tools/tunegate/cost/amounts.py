"""Amounts of money for people: one way to write them for the whole house."""

from __future__ import annotations

from decimal import Decimal


def dollars(usd: float) -> str:
    """Return US dollars as text: cents, and below ten cents three digits, for cents say nothing there."""
    sign, usd = "-" if usd < 0 else "", abs(usd)
    if usd >= 0.1 or usd == 0:
        return f"{sign}${usd:,.2f}"
    digits = Decimal(f"{usd:.3g}")
    # 0.05 is five cents, not 0.050 of anything, and 0.1 that was rounded up is ten.
    return f"{sign}${digits:.2f}" if digits == round(digits, 2) else f"{sign}${digits.normalize():f}"
