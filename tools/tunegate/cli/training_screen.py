"""What is shown of jobs while they run: a line that is written over on a terminal, elsewhere a line for each change."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TextIO

from tunegate.finetune import Kept

_WIDTH = 24
"""Signs of the bar."""


class TrainingScreen:
    """Shows trainings. `say` writes a whole line."""

    def __init__(
        self,
        say: Callable[[str], None],
        *,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write_line = say
        self._stream = stream or sys.stderr
        self._clock = clock
        self._began_s: float | None = None
        self._done_at_first = 0.0
        self._said: dict[str, str] = {}

    def show(self, trainings: Sequence[Kept]) -> None:
        """Show how far they are."""
        if self._stream.isatty():
            self._stream.write(f"\r{self.line(trainings)}\x1b[K")
            self._stream.flush()
            return
        for kept in trainings:
            state = _describe(kept)
            if kept.job is not None and self._said.get(kept.key) != state:
                self._said[kept.key] = state
                self._write_line(f"{kept.label} ({kept.job}): {state}")

    def say(self, line: str) -> None:
        """Write a line between what is written over."""
        if self._stream.isatty():
            self._stream.write("\r\x1b[K")
        self._write_line(line)

    def end(self) -> None:
        """Leave the line as it stands."""
        if self._stream.isatty():
            self._stream.write("\n")

    def line(self, trainings: Sequence[Kept]) -> str:
        """Return `[#####----]  2 of 9 over  n50-s1 step 34/150, loss 0.412  4:10 left`."""
        shares = [_share(kept) for kept in trainings]
        done = sum(shares)
        over = sum(kept.is_over for kept in trainings)
        parts = [
            f"[{'#' * int(_WIDTH * done / len(trainings)):-<{_WIDTH}}]",
            f"{over} of {len(trainings)} over",
            *(f"{kept.label} {_step(kept)}" for kept in trainings if kept.steps and not kept.is_over),
            *self._time_left(done, len(trainings)),
        ]
        return "  ".join(parts)

    def _time_left(self, done: float, total: int) -> list[str]:
        if self._began_s is None:
            self._began_s, self._done_at_first = self._clock(), done
            return []
        rate = (done - self._done_at_first) / max(1e-9, self._clock() - self._began_s)
        if not 0 < done < total or rate <= 0:
            return []
        minutes, seconds = divmod(round((total - done) / rate), 60)
        return [f"{minutes}:{seconds:02} left"]


def _share(kept: Kept) -> float:
    """Return which part of a training is done."""
    if kept.is_over:
        return 1.0
    return len(kept.steps) / kept.total_steps if kept.total_steps else 0.0


def _step(kept: Kept) -> str:
    last = kept.steps[-1]
    loss = "" if last.train_loss is None else f", loss {last.train_loss:.3g}"
    return f"step {last.step}/{kept.total_steps or '?'}{loss}"


def _describe(kept: Kept) -> str:
    """Say what changes seldom: the state, and each tenth of a training."""
    if kept.status == "running" and kept.total_steps:
        tenth = 10 * len(kept.steps) // kept.total_steps
        return f"running, {10 * tenth} %"
    return kept.status + (f": {kept.failure}" if kept.failure else "")
