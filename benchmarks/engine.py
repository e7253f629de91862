"""What tunegate costs beside honest floors, measured in the same run, in turns, and printed as a Markdown table.

    python benchmarks/engine.py                      everything, about half an hour
    python benchmarks/engine.py --only live --quick  one measurement, smaller and once

live      wall of a live run beside a bare asyncio script with the openai package, 64 in flight, replies after 200 ms
cpu       CPU per case of a live run beside that script's, replies at once
replay    wall of a replay beside as many empty parametrized items
growth    wall of a replay of ten times the cases
memory    the largest process of runs of 16,000 cases
vcrpy     wall of a replay beside stock vcrpy with one cassette a test
latency   recorded latencies beside the server's own stamps
faults    a run in which 14 of 100 attempts go wrong
pace      a run against a rate limit

A row shows the median of the rounds and their range; a ratio is formed within a round. Wall and CPU are a whole
command's, from its start to its end, with all its workers. Only 127.0.0.1 is asked: a server that answers in the API's
format, in a process of its own. Nothing is pinned to a core: xdist counts the cores that it may use, and to pin the
server alone made no difference beyond the noise on two cores.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

from fidelity import measure_faults, measure_latency, measure_pace
from measuring import Row, Unmeasured, render_table, state
from speed import (
    Sizes,
    measure_cpu,
    measure_growth,
    measure_live,
    measure_memory,
    measure_replay,
    measure_vcr,
)

MEASUREMENTS: dict[str, Callable[[Sizes], list[Row]]] = {
    "live": measure_live,
    "cpu": measure_cpu,
    "replay": measure_replay,
    "growth": measure_growth,
    "memory": measure_memory,
    "vcrpy": measure_vcr,
    "latency": measure_latency,
    "faults": measure_faults,
    "pace": measure_pace,
}
QUICK = Sizes(cases=200, many=2000, most=2000, rounds=1, paced_s=30.0)


def main() -> None:
    """Measure what was asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=tuple(MEASUREMENTS), help="repeatable (default: all)")
    parser.add_argument("--quick", action="store_true", help="smaller, one round: the targets are meant for more")
    parser.add_argument("--cases", type=int, help="instead of 1000 (growth then takes ten times as many)")
    parser.add_argument("--rounds", type=int, help="instead of 3")
    given = parser.parse_args()
    sizes = QUICK if given.quick else Sizes()
    if given.cases:
        sizes = replace(sizes, cases=given.cases, many=10 * given.cases)
    if given.rounds:
        sizes = replace(sizes, rounds=given.rounds)
    rows: list[Row] = []
    for name in given.only or MEASUREMENTS:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        try:
            rows += MEASUREMENTS[name](sizes)
        except Unmeasured as problem:
            # The others are still worth having.
            print(problem, file=sys.stderr, flush=True)
            rows.append(state(name, "could not be measured", values=[], target="–", is_met=False))
    packages = ", ".join(f"{name} {version(name)}" for name in ("pytest", "pytest-xdist", "openai", "vcrpy"))
    print(f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, {packages}; ", end="")
    # Above the number of cores somebody else was at work too, and the numbers say less.
    print(f"{sizes.rounds} rounds{', quick' if given.quick else ''}, load {os.getloadavg()[2]:.1f} at the end\n")
    print(render_table(rows))


if __name__ == "__main__":
    main()
