"""pytest-benchmark beside recorded latencies: what is compared with what was saved, and what is said otherwise."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import pytest

from tunegate.testing import Scripted, ScriptedEndpoint

from ..project import Project, Result
from .test_latency import EVAL, LIMITS, Counting, lay_out

FAIL = "--benchmark-compare-fail=median:10%"
TOTAL = re.compile(r'("total_s": ?)([0-9.]+)')
"""How long a reply took, in a cassette."""
PROSE = ["latency-8[prose]", "latency-32[prose]"]
WORKERS_AND_STATUS = pytest.mark.parametrize(
    ("workers", "options", "status"), [("0", (), 0), ("2", (FAIL,), 1)], ids=["told", "failed"]
)
"""What was not compared is told, and fails where a comparison may fail."""


@dataclass(frozen=True)
class House:
    """A project with two models, recorded once, and the endpoint that answered."""

    project: Project
    endpoint: ScriptedEndpoint

    def run(self, *arguments: str) -> Result:
        return self.project.run(EVAL, LIMITS, *arguments)


@dataclass(frozen=True)
class Store:
    """Where pytest-benchmark keeps what a house's runs have saved: not below the folder that it runs in."""

    house: House
    path: Path

    @property
    def option(self) -> str:
        return f"--benchmark-storage={self.path}"

    def save(self, *arguments: str) -> Path:
        """Save a run, and return the file."""
        done = self.house.run(self.option, "--benchmark-save=before", *arguments)
        assert done.status == 0, done.out
        (file,) = self.path.rglob("*_before.json")
        return file

    def compare(self, *arguments: str) -> Result:
        # Last: a word behind it would be the name of what is compared with.
        done = self.house.run(self.option, *arguments, "--benchmark-compare")
        assert "INTERNALERROR" not in done.out
        assert "Traceback" not in done.out
        return done


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with ScriptedEndpoint(Counting()) as endpoint:
        project = lay_out(tmp_path_factory.mktemp("house"), endpoint.base_url)
        done = project.run(EVAL, LIMITS, "--record=missing")
        assert done.status == 0, done.out
        for cassette in (project.root / "cassettes").rglob("*.json"):
            # An endpoint in the next thread takes next to no time, and what is a share of that says nothing.
            slower = re.sub(TOTAL, lambda found: f"{found[1]}{float(found[2]) + 0.5:.6f}", cassette.read_text())
            cassette.write_text(slower)
        yield House(project, endpoint)


@pytest.fixture
def store(house: House, tmp_path: Path) -> Store:
    return Store(house, tmp_path / "store")


def change(file: Path, how: Callable[[Any], object]) -> None:
    saved = json.loads(file.read_text())
    how(saved)
    file.write_text(json.dumps(saved))


def move(saved: Any) -> None:
    """Let a file be of another CI runner, with a newer kernel."""
    saved["machine_info"].update(node="runner-7", release="99.1.0")
    saved["machine_info"]["cpu"].update(brand_raw="Another CPU", hz_actual=[1, 0])


@pytest.mark.parametrize("workers", ["0", "2"])
def test_machine_that_saved_does_not_matter(store: Store, workers: str) -> None:
    """A duration is the endpoint's: what another machine saved is compared like what this one did."""
    change(store.save(), move)
    done = store.compare(FAIL, "-n", workers)
    assert done.status == 0, done.out
    assert done.out.count("(0001_before)") == 4
    assert "machine" not in done.out
    assert "not compared" not in done.out


@WORKERS_AND_STATUS
def test_empty_store_is_told(store: Store, workers: str, options: tuple[str, ...], status: int) -> None:
    """A first comparison has nothing beside it: it says so and what saves something, and only fails if asked to."""
    run = f"first-{workers}-{status}"
    done = store.compare(*options, "-n", workers, "--run", run)
    assert done.status == status, done.out
    assert f"nothing to compare with yet: no benchmarks are saved in {store.path}" in done.out
    assert "to save what is measured: --benchmark-save=NAME" in done.out
    assert store.house.project.header(run)["exit_status"] == status


def test_first_of_many_runs_saves_what_the_next_compares_with(store: Store) -> None:
    """One command that saves and compares says that it had nothing to compare with, and has it the next time."""
    first = store.compare("--benchmark-save=each")
    assert first.status == 0, first.out
    assert "nothing to compare with yet" in first.out
    assert "to save what is measured" not in first.out
    second = store.compare("--benchmark-save=each", FAIL)
    assert second.status == 0, second.out
    assert "nothing to compare with yet" not in second.out
    assert second.out.count("(0001_each)") == 4


def test_name_of_nothing_that_was_saved_is_told(store: Store) -> None:
    """Where files are there and none has the name that was asked for, the name is in the line."""
    store.save()
    done = store.house.run(store.option, "--benchmark-compare=0007", FAIL)
    assert done.status == 1, done.out
    assert f"no benchmarks are saved in {store.path} as '0007'" in done.out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((FAIL,), "--benchmark-compare-fail says when a comparison fails, and nothing is to be compared"),
        (("--benchmark-compare=a/b/c",), "--benchmark-compare: 'a/b/c' isn't an existing file or acceptable glob"),
        (("--benchmark-compare=a/b/c", "-n", "2"), "--benchmark-compare: 'a/b/c' isn't an existing file"),
    ],
    ids=["fail alone", "no glob", "no glob with workers"],
)
def test_unusable_comparison_is_refused(house: House, options: tuple[str, ...], told: str) -> None:
    """Before anything is asked or written it is said why, and nothing is raised in the midst of a summary."""
    asked = len(house.endpoint.seen)
    done = house.run("--record=all", "--run", "never", *options)
    assert done.status == pytest.ExitCode.USAGE_ERROR
    assert told in done.out
    assert "Traceback" not in done.out
    assert len(house.endpoint.seen) == asked
    assert not (house.project.root / "reports" / "runs" / "never").exists()


@WORKERS_AND_STATUS
def test_lines_without_counterpart_are_named(store: Store, workers: str, options: tuple[str, ...], status: int) -> None:
    """A candidate that was never saved is not a candidate that got no slower: each line is named, and may fail."""
    file = store.save("--model", "plain")
    run = f"new-{workers}-{status}"
    done = store.compare(*options, "-n", workers, "--run", run)
    assert done.status == status, done.out
    told = f"2 of 4 lines were not compared: {file.relative_to(store.path)} has none of these"
    assert [line.strip() for line in done.out.partition(told)[2].splitlines()[1:3]] == PROSE
    assert store.house.project.header(run)["exit_status"] == status
    assert done.out.count("plain (recorded) (0001_before)") == 2


def test_lines_without_any_latency_are_named(store: Store, tmp_path: Path) -> None:
    """A model whose recordings tell no time has no line at all, and that is no success of a comparison either."""
    store.save()
    shutil.copytree(store.house.project.root / "cassettes", tmp_path / "untimed")
    cassette = tmp_path / "untimed" / "latency" / "prose.json"
    cassette.write_text(re.sub(r'"(total_s|events_s)": ?(\[[^]]*\]|[0-9.]+), ', "", cassette.read_text()))
    done = store.compare(FAIL, "-o", f"tunegate_cassettes={tmp_path / 'untimed'}")
    assert done.status == 1, done.out
    assert "4 replies have no latency on record" in done.out
    told = "--benchmark-compare-fail: not compared, as no reply has a latency that counts:"
    assert [line.strip() for line in done.out.partition(told)[2].splitlines()[1:3]] == sorted(PROSE)


def test_loads_are_lines_of_their_own(tmp_path: Path) -> None:
    """What was measured under a load is not mixed with what was asked alone, nor are replies that are no answers."""

    def answer(body: Mapping[str, Any]) -> Scripted | str:
        return Scripted("", finish_reason="stop") if body["model"] == "prose" else Counting()(body)

    with ScriptedEndpoint(answer) as endpoint:
        project = lay_out(tmp_path, endpoint.base_url)
        done = project.run(EVAL, "--max-tokens=8", "--in-flight=1,2", "--record=missing", "--benchmark-json=told.json")
    found = json.loads((tmp_path / "told.json").read_text())["benchmarks"]
    assert [(line["fullname"], line["stats"]["rounds"]) for line in found] == [
        ("latency-8[plain]", 2),
        ("latency-8-x2[plain]", 2),
    ]
    assert "benchmark 'latency: 8 tokens': 1 tests" in done.out
    assert "benchmark 'latency: 8 tokens, 2 in flight': 1 tests" in done.out
    assert "4 replies were refused or missed a check, and are in no benchmark" in done.out


def test_file_that_cannot_be_read_is_told(store: Store) -> None:
    """A broken file in the store is a line of the summary; what could be read last is compared."""
    file = store.save()
    file.with_name("0002_broken.json").write_text("{")
    done = store.compare(FAIL)
    assert done.status == 0, done.out
    assert "Failed to load" in done.out
    assert "0002_broken.json" in done.line("Failed to load")
    assert done.out.count("(0001_before)") == 4


def test_nothing_to_save_is_told(store: Store) -> None:
    """Where nothing was measured nothing is saved: a line says so, whatever a project makes of warnings."""
    own = store.house.project.root / "evals" / "test_own.py"
    own.write_text("def test_own():\n    pass\n")
    try:
        done = store.house.project.run(str(own), store.option, "--benchmark-save=none", "-n", "0")
    finally:
        own.unlink()
    assert done.status == 0, done.out
    assert "no benchmarks were saved: no line was measured" in done.out


def test_machine_matters_where_its_own_time_is_measured(store: Store) -> None:
    """A test with the `benchmark` fixture measures a machine: a line names it where another machine's is beside it."""
    own = store.house.project.root / "evals" / "test_own.py"
    own.write_text("def test_own(benchmark):\n    benchmark(len, 'a')\n")
    try:
        change(store.save(str(own)), move)
        done = store.compare(str(own))
    finally:
        own.unlink()
    assert done.status == 0, done.out
    told = done.out.partition("compared with the time of another machine, as ")[2].splitlines()
    assert "was saved on 'runner-7':" in told[0]
    assert told[1].strip() == "evals/test_own.py::test_own"
    assert "[plain]" not in told[2]


def test_what_measures_nothing_compares_nothing(store: Store) -> None:
    """A look at the items is no comparison, and does not fail as one; nor does a run with benchmarks switched off."""
    looked = store.compare(FAIL, "--collect-only", "-q")
    assert looked.status == 0, looked.out
    off = store.compare(FAIL, "--benchmark-disable")
    assert off.status == 0, off.out
    assert "nothing to compare" not in looked.out + off.out


@pytest.mark.parametrize("workers", ["0", "auto"])
def test_replay_tells_what_was_recorded_to_the_last_digit(house: House, tmp_path: Path, workers: str) -> None:
    """A replay's statistics are those of the durations of the live run, with workers and without."""
    done = house.run("-n", workers, f"--benchmark-json={tmp_path / 'told.json'}", "--benchmark-time-unit=ms")
    assert done.status == 0, done.out
    found = json.loads((tmp_path / "told.json").read_text())["benchmarks"]
    assert len(found) == 4
    for line in found:
        size, model, stats = line["params"]["max_tokens"], line["params"]["model"], line["stats"]
        cassette = json.loads((house.project.root / "cassettes" / "latency" / f"{model}.json").read_text())
        recorded = [interaction["response"]["tunegate"] for interaction in cassette["interactions"]]
        took = {reply["case"]: reply["total_s"] for reply in recorded}
        times = [took[f"bubble-{size}"], took[f"rome-{size}"]]
        assert stats["data"] == times
        assert [stats[name] for name in ("min", "max", "mean", "median", "stddev")] == [
            min(times), max(times), mean(times), median(times), stdev(times)
        ]  # fmt: skip
        (table,) = re.findall(rf" {size} tokens': 2 tests -+\n(.*?)\n\n", done.out, re.DOTALL)
        assert re.search(rf"^{model} \(recorded\) .* {median(times) * 1000:.4f} ", table, re.MULTILINE)
