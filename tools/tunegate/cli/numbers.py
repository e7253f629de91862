"""Numbers on a command line, as argparse takes them."""

from __future__ import annotations

import argparse


def natural(text: str) -> int:
    """Return an integer, 0 or more."""
    count = int(text)
    if count < 0:
        raise argparse.ArgumentTypeError(f"a number from 0 on is wanted, not {text}")
    return count


def positive(text: str) -> int:
    """Return an integer, 1 or more."""
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"a number from 1 on is wanted, not {text}")
    return count


def dollars(text: str) -> float:
    """Return an amount, 0 or more; what is no number would switch a cap off."""
    amount = float(text)
    if not 0 <= amount < float("inf"):
        raise argparse.ArgumentTypeError(f"an amount from 0 on is wanted, not {text}")
    return amount
