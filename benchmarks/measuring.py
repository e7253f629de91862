"""What one command costs: wall, CPU and memory of it and of every process that it started and waited for."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PER_MB = 1024**2 if sys.platform == "darwin" else 1024
# Compiled modules are written down as on any machine of a user: else each process compiles pytest's plugins anew.
_KEPT_OUT = ("OPENAI_", "PYTEST_", "COV_", "PYTHONDONTWRITEBYTECODE")


class Unmeasured(Exception):
    """A measurement that came to nothing; its message says why."""


@dataclass(frozen=True)
class Spent:
    """A command's cost."""

    wall_s: float
    cpu_s: float
    """User and system, workers included."""
    peak_mb: float
    """Resident memory of its largest process, a worker or itself."""
    status: int
    out: str


def run_command(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None, limit_s: float = 1800.0
) -> Spent:
    """Run `command` in `cwd` and return its cost, whatever its exit status; after `limit_s` it is killed.

    The numbers are the kernel's for this one command (wait4), not what getrusage keeps for all children together.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith(_KEPT_OUT)}
    with tempfile.TemporaryFile("w+") as out:
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**clean, "COLUMNS": "80", **(env or {})},
        )
        guard = threading.Timer(limit_s, process.kill)
        guard.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            guard.cancel()
        wall_s = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        return Spent(
            wall_s=wall_s,
            cpu_s=usage.ru_utime + usage.ru_stime,
            peak_mb=usage.ru_maxrss / _PER_MB,
            status=process.returncode,
            out=out.read(),
        )


@dataclass(frozen=True)
class Row:
    """One line of the table: ours beside its floor, and their ratio, in every round."""

    name: str
    what: str
    ours: tuple[float, ...]
    floor: tuple[float, ...]
    unit: str
    target: str
    is_met: bool | None
    """None where there is no target, or it could not be measured."""
    remark: str = ""

    @property
    def ratios(self) -> tuple[float, ...]:
        """Ours over its floor, round by round."""
        return tuple(ours / floor for ours, floor in zip(self.ours, self.floor, strict=True))


def compare(
    name: str,
    what: str,
    *,
    ours: Iterable[float],
    floor: Iterable[float],
    at_most: float,
    unit: str = "s",
    remark: str = "",
) -> Row:
    """Return the row of a ratio whose median may be `at_most`."""
    row = Row(name, what, tuple(ours), tuple(floor), unit, f"≤ {at_most:g} ×", None, remark)
    met = statistics.median(row.ratios) <= at_most
    return Row(name, what, row.ours, row.floor, unit, row.target, met, remark)


def state(
    name: str, what: str, *, values: Iterable[float], target: str, is_met: bool | None, unit: str = "", remark: str = ""
) -> Row:
    """Return the row of a number that stands for itself."""
    return Row(name, what, tuple(values), (), unit, target, is_met, remark)


def render_table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table: medians, with the range of the rounds behind them."""
    lines = [
        "| | measured | tunegate | floor | ratio | target | |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        verdict = {True: "met", False: "MISSED", None: "–"}[row.is_met]
        ratio = _spread(row.ratios, "×") if row.floor else "–"
        floor = _spread(row.floor, row.unit) if row.floor else "–"
        what = f"{row.what}; {row.remark}" if row.remark else row.what
        lines.append(
            f"| {row.name} | {what} | {_spread(row.ours, row.unit)} | {floor} | {ratio} | {row.target} | {verdict} |"
        )
    return "\n".join(lines)


def _spread(values: Sequence[float], unit: str) -> str:
    if not values:
        return "–"
    middle = f"{statistics.median(values):.3g} {unit}".strip()
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):.3g}–{max(values):.3g})"
