"""How quick and how lean: live runs, replays and memory, each beside its floor in the same round."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from measuring import Row, Spent, Unmeasured, compare, run_command, state
from mock_process import RunningMock, run_mock
from project import Limits, Project

BARE = Path(__file__).with_name("bare_script.py")
LATENCY_MS = 200
IN_FLIGHT = 64
EVENTS = 8
"""Writes of a streamed reply, each an event with text: a few dozen bytes of text, as the format eval has."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    cases: int = 1000
    many: int = 10_000
    most: int = 16_000
    rounds: int = 3
    paced_s: float = 150.0
    """For how long a rate limit is kept busy."""


@contextmanager
def open_project(mock: RunningMock, *, cases: int, limits: Limits | None = None) -> Iterator[Project]:
    """Lay out a project for `mock`, and run it once with one case so that no round compiles anything."""
    with TemporaryDirectory(prefix="tunegate-benchmark-") as folder:
        project = Project(Path(folder), cases=cases, base_url=mock.base_url, limits=limits)
        project.pytest("evals", "--limit=1", "--record=all", "-n0", "--run=warm")
        project.pytest("empty", "-n0", "-k=test_empty[0]")
        project.forget()
        mock.reset()
        yield project


def run_bare(project: Project) -> Spent:
    """Ask everything of `project` with the bare script."""
    prompts, replies = project.root / "prompts.jsonl", project.root / "replies.jsonl"
    project.write_prompts(prompts)
    command = [sys.executable, str(BARE), str(prompts), str(replies), f"--base-url={project.base_url}"]
    spent = run_command([*command, f"--in-flight={IN_FLIGHT}"], cwd=project.root)
    if spent.status:
        raise Unmeasured(f"{' '.join(command)} ended with {spent.status}:\n{spent.out}")
    return spent


def measure_live(sizes: Sizes) -> list[Row]:
    """Wall of a live run against the bare script's, replies after 200 ms, not streamed."""
    bare, plain, spread, peaks = [], [], [], [0, 0]
    with run_mock(latency_ms=LATENCY_MS) as mock, open_project(mock, cases=sizes.cases) as project:
        for _ in range(sizes.rounds):
            bare.append(run_bare(project).wall_s)
            mock.reset()
            plain.append(project.record("-n0", "--no-stream").wall_s)
            peaks[0] = max(peaks[0], mock.stats().peak_in_flight)
            mock.reset()
            spread.append(project.record("-nauto", "--no-stream").wall_s)
            peaks[1] = max(peaks[1], mock.stats().peak_in_flight)
    what = f"live run of {sizes.cases} cases, wall, replies after {LATENCY_MS} ms"
    return [
        compare("live", f"{what}, -n0", ours=plain, floor=bare, at_most=1.1, remark=f"{peaks[0]} in flight"),
        compare("live", f"{what}, -n auto", ours=spread, floor=bare, at_most=1.3, remark=f"{peaks[1]} in flight"),
    ]


def measure_cpu(sizes: Sizes) -> list[Row]:
    """CPU per case of a live run against the bare script's, replies at once, not streamed.

    Whole processes, start and imports included; and a further case alone, from a run of a tenth of the cases.
    """
    few = max(1, sizes.cases // 10)
    spent: dict[tuple[str, int], list[float]] = {}
    with run_mock() as mock:
        for cases in (few, sizes.cases):
            with open_project(mock, cases=cases) as project:
                for _ in range(sizes.rounds):
                    spent.setdefault(("bare", cases), []).append(run_bare(project).cpu_s)
                    spent.setdefault(("ours", cases), []).append(project.record("-n0", "--no-stream").cpu_s)
    whole = {who: [1000 * cpu / sizes.cases for cpu in spent[who, sizes.cases]] for who in ("ours", "bare")}
    further = {
        who: [
            1000 * (more - less) / (sizes.cases - few)
            for more, less in zip(spent[who, sizes.cases], spent[who, few], strict=True)
        ]
        for who in ("ours", "bare")
    }
    what = f"CPU per case of a live run of {sizes.cases} cases, -n0"
    return [
        compare("cpu", what, ours=whole["ours"], floor=whole["bare"], at_most=1.3, unit="ms"),
        compare("cpu", f"{what}, start left out", ours=further["ours"], floor=further["bare"], at_most=1.3, unit="ms"),
    ]


def measure_replay(sizes: Sizes) -> list[Row]:
    """Wall of a replay against as many empty parametrized items, with the same options."""
    rows = []
    with run_mock(chunks=EVENTS) as mock, open_project(mock, cases=sizes.cases) as project:
        project.record("-n0")
        for workers in ("-n0", "-nauto"):
            floor, ours = [], []
            for _ in range(sizes.rounds):
                floor.append(project.pytest("empty", workers).wall_s)
                ours.append(project.replay(workers).wall_s)
            what = f"replay of {sizes.cases} cases beside as many empty items, wall, {workers}"
            rows.append(compare("replay", what, ours=ours, floor=floor, at_most=2.0))
    return rows


def measure_growth(sizes: Sizes) -> list[Row]:
    """Wall of a replay of many cases against one of few: ten times the cases may take eleven times as long."""
    walls: dict[int, list[float]] = {}
    with run_mock(chunks=EVENTS) as mock:
        for cases in (sizes.cases, sizes.many):
            with open_project(mock, cases=cases) as project:
                project.record("-n0")
                walls[cases] = [project.replay("-n0").wall_s for _ in range(sizes.rounds)]
    what = f"replay of {sizes.many} cases beside {sizes.cases}, wall, -n0"
    at_most = 1.1 * sizes.many / sizes.cases
    return [compare("growth", what, ours=walls[sizes.many], floor=walls[sizes.cases], at_most=at_most)]


def measure_memory(sizes: Sizes) -> list[Row]:
    """Resident memory of the largest process of a live run and of a replay, with workers and without."""
    rows = []
    with run_mock(chunks=EVENTS) as mock, open_project(mock, cases=sizes.most) as project:
        for workers in ("-n0", "-nauto"):
            for kind, run in (("live run", project.record), ("replay", project.replay)):
                peak = run(workers).peak_mb
                what = f"{kind} of {sizes.most} cases, largest process, {workers}"
                rows.append(state("memory", what, values=[peak], target="≤ 300 MB", is_met=peak <= 300, unit="MB"))
    return rows


def measure_vcr(sizes: Sizes) -> list[Row]:
    """Wall of a replay against the same job in stock vcrpy, one cassette a test."""
    floor, ours = [], []
    with run_mock() as mock, open_project(mock, cases=sizes.cases) as project:
        project.write_vcr_tests()
        project.record("-n0", "--no-stream")
        project.pytest("taped", "-n0")  # records
        mock.reset()
        for _ in range(sizes.rounds):
            floor.append(project.pytest("taped", "-n0").wall_s)
            ours.append(project.replay("-n0", "--no-stream").wall_s)
        if asked := mock.stats().requests:
            raise Unmeasured(f"the replays were to ask nobody, and {asked} requests came")
    what = f"replay of {sizes.cases} cases beside vcrpy with a cassette a test, wall, -n0"
    return [compare("vcrpy", what, ours=ours, floor=floor, at_most=0.2)]
