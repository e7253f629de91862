"""Asking an endpoint that may not reply for a while, in growing intervals."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from tunegate.errors import WireError
from tunegate.wire.retries import should_retry

T = TypeVar("T")
FIRST_PAUSE_S, LONGEST_PAUSE_S, GROWTH = 2.0, 60.0, 1.5
MOST_PAUSES = 20
"""In a row without a usable reply before we stop: about a quarter of an hour."""


def grow_pauses(most: int | None = None) -> Iterator[float]:
    """Yield how many seconds to wait between one question and the next; without `most` for ever."""
    pause_s = FIRST_PAUSE_S
    for _ in itertools.count() if most is None else range(most):
        yield pause_s
        pause_s = min(pause_s * GROWTH, LONGEST_PAUSE_S)


def may_help_again(problem: WireError) -> bool:
    """Whether what failed in this way is worth another try."""
    return should_retry(problem.status, {}, message=str(problem))


@dataclass(frozen=True)
class Patience:
    """Waits; `sleep` takes seconds."""

    sleep: Callable[[float], Awaitable[None]]

    async def ask(self, ask: Callable[[], Awaitable[T]], *, told: Callable[[str], None]) -> T:
        """Ask something that may be asked twice without harm; `told` hears of every time that it was in vain.

        Raises:
            WireError: the endpoint refused, or did not reply for too long.
        """
        pauses = grow_pauses(MOST_PAUSES)
        while True:
            try:
                return await ask()
            except WireError as problem:
                pause_s = next(pauses, None)
                if pause_s is None or not may_help_again(problem):
                    raise
                told(str(problem))
            await self.sleep(pause_s)
