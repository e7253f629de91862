"""Kill recording runs at random moments, many times over, and see that each is truthful and goes on where it stopped.

    python benchmarks/kills.py --kills 30

makes that many trials of each kind: a worker killed with SIGKILL, the controller killed with SIGKILL, Ctrl-C (SIGINT
to the whole process group, as a terminal sends it) with workers and without. A trial records into a project of its
own, `pytest -n 2 --record=missing`, and strikes between the first request and the end of the run. Then

- every process of the run goes, within 20 s; where a worker was killed, the run first ends by itself;
- run.json tells the truth, and records.jsonl holds nothing but replies that are durable;
- the same command again asks for exactly what is not durable, each once, by the endpoint's own log;
- a replay of it all asks for nothing.

It prints a line a kind, and ends with status 1 where anything else happened; what it saw then is kept. It needs
/proc, where the processes of a run are found.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

from kill_trial import Outcome, Trial
from mock_process import RunningMock, run_mock
from project import Limits, Project
from victims import IN_FLIGHT, KINDS, Kind

LATENCY_MS, JITTER_MS = 150, 100
MOST_TRIES = 4
"""Kills that come too late, for each that does not: a run on a busy machine is not always equally long."""


@dataclass
class Tally:
    """What the kills of one kind came to."""

    outcomes: list[Outcome] = field(default_factory=list)
    late: int = 0
    """Runs that had ended before the kill; each was repeated."""

    @property
    def violations(self) -> int:
        """What must be none."""
        return sum(len(outcome.violations) for outcome in self.outcomes)

    def line(self, kind: Kind, *, cases: int) -> str:
        """Return what is printed of the kind."""
        durable = [outcome.durable for outcome in self.outcomes]
        twice = [outcome.twice for outcome in self.outcomes]
        spread = f"{min(durable)}/{statistics.median(durable):g}/{max(durable)}"
        return (
            f"{kind.what}: {len(durable)} trials ({self.late} more came too late), durable at the kill {spread} of "
            f"{cases} (min/median/max), asked twice {sum(twice)} (at most {max(twice)} in a trial, "
            f"{kind.most_twice} in hand), {self.violations} violations"
        )


def kill_runs(kind: Kind, mock: RunningMock, *, kills: int, cases: int, seed: int, evidence: Path) -> Tally:
    """Make `kills` trials of a kind; the folders of those with a violation stay in `evidence`."""
    tally = Tally()
    chance = random.Random(f"{seed} {kind.what}")
    wanted, length_s = _open_trial(evidence / "whole", kind, mock, cases=cases).measure()
    shutil.rmtree(evidence / "whole")
    for number in range(kills * MOST_TRIES):
        if len(tally.outcomes) == kills:
            break
        root = evidence / f"{kind.victim}-{kind.workers}-{number}"
        delay_s = chance.uniform(0, length_s)
        trial = _open_trial(root, kind, mock, cases=cases, wanted=wanted)
        outcome = trial.make(delay_s, chance)
        if outcome is None:
            tally.late += 1
        else:
            tally.outcomes.append(outcome)
        if outcome is None or not outcome.violations:
            shutil.rmtree(root)
            continue
        print(f"{kind.what}, {delay_s:.3f} s after the first request: evidence in {root}", file=sys.stderr)
        print("".join(f"  {problem}\n" for problem in outcome.violations), end="", file=sys.stderr, flush=True)
    if len(tally.outcomes) < kills:
        raise SystemExit(f"{kind.what}: only {len(tally.outcomes)} of {kills * MOST_TRIES} kills came in time")
    return tally


def _open_trial(
    root: Path, kind: Kind, mock: RunningMock, *, cases: int, wanted: frozenset[str] = frozenset()
) -> Trial:
    project = Project(root, cases=cases, base_url=mock.base_url, limits=Limits(max_connections=IN_FLIGHT))
    return Trial(kind, project, mock, wanted)


def main() -> None:
    """Kill what was asked for, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30, help="of each kind (default: 30)")
    parser.add_argument("--cases", type=int, default=150, help="of each run (default: 150)")
    parser.add_argument("--only", action="append", choices=tuple(KINDS), help="repeatable (default: all)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (default: 1)")
    given = parser.parse_args()
    # Whoever starts this in the background may have it ignore Ctrl-C, and its children would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    evidence = Path(tempfile.mkdtemp(prefix="tunegate-kills-"))
    violations = 0
    with run_mock(latency_ms=LATENCY_MS, jitter_ms=JITTER_MS) as mock:
        for name in given.only or KINDS:
            kind = KINDS[name]
            tally = kill_runs(kind, mock, kills=given.kills, cases=given.cases, seed=given.seed, evidence=evidence)
            violations += tally.violations
            print(tally.line(kind, cases=given.cases), flush=True)
    if violations:
        raise SystemExit(1)
    shutil.rmtree(evidence)


if __name__ == "__main__":
    main()
