"""A random order that every machine agrees on, drawn by hashing: for statistics that need cases in a random order."""

from __future__ import annotations

import hashlib


def order_key(eval_name: str, case: str, *, seed: int) -> int:
    """Return the place of a case, as a number below 2**64: sorted by it, cases stand in a seeded random order.

    The first 8 bytes of the SHA-256 of seed and names decide. So the order is the same everywhere, and a case does
    not move among the others when cases are added or taken away.
    """
    text = f"{seed}\0{eval_name}\0{case}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big")
