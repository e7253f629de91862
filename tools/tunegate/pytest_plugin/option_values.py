"""How the values of options are read; what is wrong with one is told in the words of the command line."""

from __future__ import annotations

import math
from argparse import ArgumentTypeError
from typing import Literal

from tunegate.errors import UsageError
from tunegate.session import Shard


def positive(text: str) -> int:
    """Read a whole number from 1 up."""
    value = whole(text)
    if value < 1:
        raise ArgumentTypeError(f"a number from 1 up is wanted, not {text}")
    return value


def numbers(text: str) -> str:
    """Look at a number from 1 up, or several behind commas, and keep the text: xdist carries options to its workers."""
    return ",".join(str(positive(part.strip())) for part in text.split(","))


def split_numbers(text: str | None) -> tuple[int, ...]:
    """Return what `numbers` has looked at; nothing where the option was not given."""
    return tuple(map(int, text.split(","))) if text else ()


def limit(text: str) -> int | Literal["all"]:
    """Read a whole number from 1 up, or `all`."""
    return "all" if text == "all" else positive(text)


def natural(text: str) -> int:
    """Read a whole number from 0 up."""
    value = whole(text)
    if value < 0:
        raise ArgumentTypeError(f"a number from 0 up is wanted, not {text}")
    return value


def dollars(text: str) -> float:
    """Read an amount in dollars, with or without the sign."""
    try:
        value = float(text.removeprefix("$"))
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise ArgumentTypeError(f"an amount in dollars from 0 up is wanted, not {text!r}")
    return value


def shard(text: str) -> str:
    """Look at a shard and keep its text: xdist carries the options of a run to its workers."""
    try:
        return str(Shard.parse(text))
    except UsageError as problem:
        raise ArgumentTypeError(str(problem)) from None


def whole(text: str) -> int:
    """Read a whole number."""
    try:
        return int(text)
    except ValueError:
        raise ArgumentTypeError(f"a whole number is wanted, not {text!r}") from None


def temperature(text: str) -> float:
    """Read a sampling temperature."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 2.0:
        raise ArgumentTypeError(f"a temperature from 0 to 2 is wanted, not {text!r}")
    return value
