"""How true the latency eval is: its records beside the server's own stamps, and the line that is fitted to them.

    python benchmarks/latency.py             three rounds, about a minute
    python benchmarks/latency.py --rounds 1

A server on this machine begins after 100 ms and then writes a token every 5 ms; it notes when each request arrived and
when its first and last bytes left. The shipped latency eval asks it, one request at a time. The time to the first token
and to the end of each reply is held against the stamps: the target is 2 ms or 2 %, whichever is more, of the 95th
percentile of errors. The fitted line is held against the line through the stamps (2 %), and against what the server was
told (3 %).
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

from fidelity import match_stamps
from measuring import Row, Unmeasured, render_table, state
from mock_process import RunningMock, Stamped, run_mock
from project import ROOT, Project

from tunegate.records import Record
from tunegate.stats import NotEnoughData, Pace, fit_pace

FIRST_MS, PACE_MS = 100, 5
LIMITS = (8, 32, 64, 128, 256)
MOST_MS, MOST_PERCENT = 2.0, 2.0
MOST_OF_LINE_PERCENT = 3.0


def measure(rounds: int) -> list[Row]:
    """Ask in `rounds` rounds and hold what was recorded against the stamps."""
    first: list[float] = []
    total: list[float] = []
    begin: list[float] = []
    pace: list[float] = []
    told_begin: list[float] = []
    told_pace: list[float] = []
    with (
        run_mock(latency_ms=FIRST_MS, chunk_ms=PACE_MS, fill=True) as mock,
        TemporaryDirectory(prefix="tunegate-latency-") as folder,
    ):
        project = Project(Path(folder), cases=1, base_url=mock.base_url)
        shutil.copy(ROOT / "evals" / "test_latency.py", project.root / "evals")
        shutil.copy(ROOT / "fixtures" / "latency_prompts.toml", project.root / "fixtures")
        for _ in range(rounds):
            pairs = ask_once(project, mock)
            first.append(_worst([_beyond(record, stamped, first=True) for record, stamped in pairs]))
            total.append(_worst([_beyond(record, stamped, first=False) for record, stamped in pairs]))
            ours = _line([record.latency_s or 0.0 for record, _ in pairs], pairs)
            theirs = _line([_stamped_s(stamped, first=False) for _, stamped in pairs], pairs)
            begin.append(_apart(ours.first_token_s, theirs.first_token_s))
            pace.append(_apart(ours.pace_s, theirs.pace_s))
            told_begin.append(_apart(ours.first_token_s, FIRST_MS / 1000))
            told_pace.append(_apart(ours.pace_s, PACE_MS / 1000))
        peak = mock.stats().peak_in_flight
    what = f"{len(pairs)} replies, {peak} in flight"
    return [
        _row("first token", f"{what}: error p95 over 2 ms or 2 %", first, most=1.0, unit="x"),
        _row("end of the reply", f"{what}: error p95 over 2 ms or 2 %", total, most=1.0, unit="x"),
        _row("line's first token", "beside that of a line through the stamps", begin, most=MOST_PERCENT, unit="%"),
        _row("line's pace", "beside that of a line through the stamps", pace, most=MOST_PERCENT, unit="%"),
        _row("line's first token", f"beside the {FIRST_MS} ms set", told_begin, most=MOST_OF_LINE_PERCENT, unit="%"),
        _row("line's pace", f"beside the {PACE_MS} ms set", told_pace, most=MOST_OF_LINE_PERCENT, unit="%"),
    ]


def ask_once(project: Project, mock: RunningMock) -> list[tuple[Record, Stamped]]:
    """Return the records of a live run, each with the server's line for it."""
    mock.reset()
    project.forget()
    limits = ",".join(map(str, LIMITS))
    project.pytest("evals/test_latency.py", "--record=all", f"--max-tokens={limits}", "--run=live", "-n0", "--repeat=1")
    return match_stamps(project.records(), mock.log())


def _row(name: str, what: str, values: Sequence[float], *, most: float, unit: str) -> Row:
    is_met = sorted(values)[len(values) // 2] <= most
    return state(name, what, values=values, target=f"≤ {most:g} {unit}", is_met=is_met, unit=unit)


def _apart(value: float, truth: float) -> float:
    """Return by how many percent a value is off."""
    return 100 * abs(value / truth - 1)


def _beyond(record: Record, stamped: Stamped, *, first: bool) -> float:
    """Return an error as a share of what is allowed of it."""
    recorded_s = record.first_token_s if first else record.latency_s
    if recorded_s is None:
        raise Unmeasured(f"{record.cell.case} was not timed")
    true_s = _stamped_s(stamped, first=first)
    return abs(recorded_s - true_s) / max(MOST_MS / 1000, MOST_PERCENT / 100 * true_s)


def _stamped_s(stamped: Stamped, *, first: bool) -> float:
    until_ns = stamped.first_ns if first else stamped.last_ns
    if until_ns is None:
        raise Unmeasured("the server did not answer a request")
    return (until_ns - stamped.arrival_ns) / 1e9


def _line(times_s: Sequence[float], pairs: Sequence[tuple[Record, Stamped]]) -> Pace:
    counts = [record.max_tokens or 1 for record, _ in pairs]
    line = fit_pace(counts, times_s, seed=0)
    if isinstance(line, NotEnoughData):
        raise Unmeasured(line.reason)
    return line


def _worst(values: Sequence[float]) -> float:
    return quantiles(values, n=20, method="inclusive")[-1]


def main() -> None:
    """Measure and print the table; status 1 where a target was missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="from 1 up (default: 3)")
    rows = measure(max(1, parser.parse_args().rounds))
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    print(render_table(rows))
    sys.exit(any(row.is_met is False for row in rows))


if __name__ == "__main__":
    main()
