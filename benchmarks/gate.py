"""How long a verdict takes, how much memory, and how often it is wrong.

    python benchmarks/gate.py                      all of it, about ten minutes
    python benchmarks/gate.py --only verdict       1,000 cases x 8 candidates x 5 rules
    python benchmarks/gate.py --only million       1,000,000 records (3 GB in a temporary folder)
    python benchmarks/gate.py --only mistakes      simulated gates: false PROMOTE, false BLOCK, and what stopping saves

Each measurement of time is beside a floor in the same run: reading the same file with json.loads and doing nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import numpy as np  # noqa: E402
from measuring import run_command  # noqa: E402

from tunegate.gate.judging import judge  # noqa: E402
from tunegate.gate.measures import Contender, Sheet  # noqa: E402
from tunegate.gate.order import Place, Plan  # noqa: E402
from tunegate.gate.policy import Policy, Rule  # noqa: E402
from tunegate.gate.sheets import Column  # noqa: E402
from tunegate.gate.stopping.sequential import judge_until_decided  # noqa: E402
from tunegate.gate.verdict import Coverage, Verdict  # noqa: E402
from tunegate.records import Cell, Check, Record, Reply, Usage  # noqa: E402
from tunegate.runs import RunFolder  # noqa: E402

METRICS = ("json_list", "keys", "values", "schema", "exact")
RULES = (
    Rule("shape", "min", 0.8, eval="format", metric="schema"),
    Rule("shape kept", "not_worse_by", 0.05, eval="format", metric="schema"),
    Rule("answers kept", "not_worse_by", 0.05, eval="format", metric="answers"),
    Rule("better", "better_by", 0.0, eval="format", metric="json_list"),
    Rule("quicker", "max_ratio", 0.9, eval="format", metric="latency_s"),
)
POLICY = """
[[rules]]
name = "shape"
eval = "format"
metric = "schema"
min = 0.8
[[rules]]
name = "shape kept"
eval = "format"
metric = "schema"
not_worse_by = 0.05
[[rules]]
name = "answers kept"
eval = "format"
metric = "answers"
not_worse_by = 0.05
[[rules]]
name = "better"
eval = "format"
metric = "json_list"
better_by = 0.0
[[rules]]
name = "quicker"
eval = "format"
metric = "latency_s"
max_ratio = 0.9
"""
JUDGE = """
import resource, sys, time
from pathlib import Path
from tunegate.cli import gate as door
from tunegate.gate import contest, policy_file, verdict_file
from tunegate.gate.keeping import certificate
import numpy, scipy.special, scipy.stats
start = time.perf_counter()
policy = policy_file.load_policy(Path("gates.toml"), fixtures=Path())
open_ = contest.open_contest(Path("run"), policy=policy, reports=Path("reports"), fixtures=Path())
read = time.perf_counter()
verdict = certificate.certify(open_.judge(), open_)
verdict_file.write_verdict(Path("run"), verdict)
done = time.perf_counter()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print("RESULT", read - start, done - read, peak, verdict.word)
"""
FLOOR = """
import json, sys, time
start = time.perf_counter()
with open("run/records.jsonl", "rb") as lines:
    for line in lines:
        json.loads(line)
print("RESULT", time.perf_counter() - start)
"""


def write_run(folder: Path, *, cases: int, candidates: int) -> int:
    """Write a run of one baseline and its candidates with replies as long as real ones; return its records."""
    dice = np.random.default_rng(1)
    models = ["production", *(f"ft:small:acme::n{number}" for number in range(candidates))]
    matrix = [{"name": name, "role": "candidate" if place else "baseline"} for place, name in enumerate(models)]
    run = RunFolder.create(folder.parent, folder.name, header={"matrix": matrix, "digests": {}, "cassettes": {}})
    for number in range(cases):
        for place, model in enumerate(models):
            # Made once in a hundred cases, then only renamed: writing is not what is measured.
            if number % 100 == 0 or place not in _TEMPLATES:
                _TEMPLATES[place] = _record(model, dice).to_json()
            line = _TEMPLATES[place].replace('"case":"x"', f'"case":"units-{number:06}"', 1)
            run._records.write(line + "\n")
            run.states["answered"] += 1
    run.finish(planned=cases * len(models))
    return cases * len(models)


_TEMPLATES: dict[int, str] = {}


def _record(model: str, dice: np.random.Generator) -> Record:
    chance = 0.9 if model == "production" else 0.93
    checks = [Check(name, bool(dice.random() < chance), expected="the whole shape", got="a list") for name in METRICS]
    checks += [
        Check("answers", bool(dice.random() < chance / 2), expected='{"1": "3"}', got='{"1": "2"}', question=question)
        for question in range(1, 5)
    ]
    return Record(
        Cell("format", "x", "units", model, temperature=0.0),
        "answered",
        checks=checks,
        messages=[{"role": "system", "content": "s" * 300}, {"role": "user", "content": "u" * 1000}],
        reply=Reply('[{"1": "2"}]' * 4, "stop", model, None, Usage(int(dice.integers(200, 300)), 40)),
        latency_s=float(dice.lognormal(0.5, 0.4)),
        first_token_s=0.3,
        source="live",
        request="0" * 64,
        recorded_at="2026-11-22T12:00:00+00:00",
    )


def time_verdict(*, cases: int, candidates: int, rounds: int) -> None:
    """Time the verdict on a run, beside the floor, in processes of their own."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        records = write_run(folder / "run", cases=cases, candidates=candidates)
        (folder / "gates.toml").write_text(POLICY)
        size = (folder / "run" / "records.jsonl").stat().st_size
        print(f"{records:,} records, {size / 1e6:,.0f} MB, {candidates} candidates x {len(RULES)} rules")
        for _ in range(rounds):
            spent = run_command([sys.executable, "-c", JUDGE], cwd=folder, env={"PYTHONPATH": str(ROOT / "tools")})
            floor = run_command([sys.executable, "-c", FLOOR], cwd=folder)
            if spent.status or floor.status:
                raise SystemExit(spent.out + floor.out)
            read, judged, peak, word = _result(spent.out)
            print(
                f"  after import {float(read) + float(judged):6.2f} s (reading {float(read):.2f}, judging "
                f"{float(judged):.2f}), {float(peak):,.0f} MB, {word}; whole process {spent.wall_s:.2f} s; "
                f"floor json.loads {float(_result(floor.out)[0]):.2f} s"
            )


def _result(out: str) -> list[str]:
    return next(line.split()[1:] for line in out.splitlines() if line.startswith("RESULT"))


@dataclass(frozen=True)
class World:
    """What is true in a simulated gate: chances by metric, the same in every case but for its own difficulty."""

    baseline: float
    difference: float
    cases: int
    candidates: int
    metrics: int
    likeness: float = 0.5
    """Share of cases on which both sides are bound to answer alike."""


def simulate(world: World, dice: np.random.Generator) -> tuple[list[Contender], Contender]:
    """Return candidates and a baseline, each metric a yes or no a case."""
    shape = (world.cases, world.metrics)
    luck = dice.random(shape)
    baseline = luck < world.baseline
    candidates = []
    for number in range(world.candidates):
        own = np.where(dice.random(shape) < world.likeness, luck, dice.random(shape))
        candidates.append(_contender(f"candidate-{number}", own < world.baseline + world.difference))
    return candidates, _contender("production", baseline)


def _contender(model: str, passed: np.ndarray) -> Contender:
    cases = [f"case-{number:04}" for number in range(len(passed))]
    sheet = Sheet(numbers={case: number for number, case in enumerate(cases)}, subjects=["s"] * len(cases))
    sheet.asked = [0] * len(cases)
    for metric in range(passed.shape[1]):
        column = sheet.columns[f"metric-{metric}"] = Column()
        for number, good in enumerate(passed[:, metric]):
            column.add(number, float(good))
    whole = Coverage(planned=len(cases), scored=len(cases), errors=0, lost=0, not_run=0)
    return Contender("run", model, {"eval": sheet}, whole)


def measure_mistakes(gates: int) -> Iterator[str]:
    """Yield how often whole gates were wrong, and what it saved to stop when everything was decided."""
    margin = 0.05
    policy = Policy((Rule("kept", "not_worse_by", margin, eval="eval"),))
    better = Policy((Rule("better", "better_by", 0.0, eval="eval"),))
    at_margin = World(0.8, -margin, cases=200, candidates=4, metrics=2)
    yield _rate("any PROMOTE of 4 candidates, one metric at its margin", gates, "PROMOTE",
                policy, replace(at_margin, metrics=1))  # fmt: skip
    yield _rate("any PROMOTE of 4 candidates, both metrics at their margins", gates, "PROMOTE", policy, at_margin)
    equal = World(0.8, 0.0, cases=200, candidates=7, metrics=5)
    yield _rate("any BLOCK of 7 equal candidates x 5 metrics, 'better'", gates, "BLOCK", better, equal)
    single = World(0.8, -margin, cases=400, candidates=1, metrics=1)
    yield _rate("PROMOTE at the margin, asked until decided", gates, "PROMOTE", policy, single, until_decided=True)
    yield _rate("BLOCK of an equal one, asked until decided", gates, "BLOCK", better,
                replace(single, difference=0.0), until_decided=True)  # fmt: skip


def _rate(what: str, gates: int, word: str, policy: Policy, world: World, *, until_decided: bool = False) -> str:
    dice = np.random.default_rng(7)
    wrong, words, used = 0, Counter[str](), 0
    for _ in range(gates):
        candidates, baseline = simulate(world, dice)
        verdict = _judge(candidates, baseline, policy, until_decided=until_decided)
        found = [decision.word for decision in verdict.decisions]
        wrong += word in found
        words.update(found)
        used += sum(decision.cases_used or world.cases for decision in verdict.decisions)
    rate = wrong / gates
    error = 2 * (rate * (1 - rate) / gates) ** 0.5
    cases = used / gates / world.candidates
    return f"  {what:62} {100 * rate:5.2f} % +- {100 * error:.2f}  ({dict(words)}, {cases:.0f} of {world.cases} cases)"


def _judge(candidates: Sequence[Contender], baseline: Contender, policy: Policy, *, until_decided: bool) -> Verdict:
    if not until_decided:
        return judge(candidates, baseline=baseline, policy=policy)
    places = [Place("eval", case, "s") for case in baseline.sheets["eval"].cases]
    return judge_until_decided(candidates, baseline=baseline, policy=policy, plan=Plan.of(places, seed=0))


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("verdict", "million", "mistakes"), help="one measurement (default: all)")
    parser.add_argument("--gates", type=int, default=1000, help="simulated gates of each kind (default: 1000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of a timed measurement (default: 3)")
    arguments = parser.parse_args()
    parts: dict[str, Callable[[], None]] = {
        "verdict": lambda: time_verdict(cases=1000, candidates=8, rounds=arguments.rounds),
        "million": lambda: time_verdict(cases=111_112, candidates=8, rounds=min(arguments.rounds, 2)),
        "mistakes": lambda: [print(line, flush=True) for line in measure_mistakes(arguments.gates)] and None,
    }
    for name, part in parts.items():
        if arguments.only in (None, name):
            start = time.perf_counter()
            print(f"{name}:", flush=True)
            part()
            print(f"  ({time.perf_counter() - start:.0f} s)")


if __name__ == "__main__":
    main()
