"""What is kept of an exchange: the reply without secrets, transfer and account; times to the microsecond."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tunegate.cassettes.entry import RESERVED_NOTES
from tunegate.cassettes.redaction import Redactor, kept_headers
from tunegate.cassettes.stock import decompress
from tunegate.exchanges import Exchange, Timing


def kept_exchange(exchange: Exchange, *, redactor: Redactor) -> Exchange:
    """Return `exchange` as it is found again; its request stays the one that was asked.

    What needs no change is the very same object: the body, the timing, the note, or all of it.

    Raises:
        CassetteError: the body is compressed in a way that is not decoded here.
    """
    note = exchange.note
    if not RESERVED_NOTES.isdisjoint(note):
        note = {key: value for key, value in note.items() if key not in RESERVED_NOTES}
    headers = kept_headers(exchange.headers, redactor=redactor)
    reason = redactor.text(exchange.reason).encode("ascii", "replace").decode()
    kept: dict[str, Any] = {
        "reason": exchange.reason if exchange.reason == reason else reason,
        "headers": exchange.headers if exchange.headers == headers else headers,
        "body": redactor.bytes(decompress(exchange.body, headers=exchange.headers)),
        "timing": _rounded(exchange.timing) if exchange.timing else None,
        "recorded_at": redactor.text(exchange.recorded_at) if exchange.recorded_at else None,
        "note": redactor.value(note),
    }
    if all(getattr(exchange, name) is value for name, value in kept.items()):
        return exchange
    return replace(exchange, **kept)


def _rounded(timing: Timing) -> Timing:
    events_s = tuple([round(moment, 6) for moment in timing.events_s])
    rounded = Timing(round(timing.total_s, 6), events_s)
    return timing if rounded == timing else rounded
