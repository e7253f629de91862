"""What measures time: asked alone and in turns, told by pytest-benchmark, compared with what was saved."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

import pytest

from tunegate.records import Record
from tunegate.testing import Scripted, ScriptedEndpoint

from ..project import Project, Result, copy_evals, make_project
from .crowd import Crowd

SIZES = (8, 32)
CALLS = 2 * 2 * 2
"""2 prompts x 2 limits x 2 models."""
EVAL = "evals/test_latency.py"
LIMITS = "--max-tokens=8,32"
TABLE = " benchmark '"
"""Head of a table of pytest-benchmark's."""
WORKERS = pytest.mark.parametrize("workers", ["0", "2"])


class Counting(Crowd):
    """Fills every limit with words, and knows how many requests were there at once."""

    def __call__(self, body: Mapping[str, Any]) -> Scripted | str:
        super().__call__(body)
        return Scripted(" ".join(["bubble"] * body["max_tokens"]), finish_reason="length")


@dataclass(frozen=True)
class House:
    """A project with two models, recorded once, and the endpoint that answered."""

    project: Project
    endpoint: ScriptedEndpoint
    peak: int
    out: str

    def replay(self, *arguments: str) -> Result:
        return self.project.run(EVAL, LIMITS, *arguments)

    def benchmarks(self, name: str) -> list[dict[str, Any]]:
        """Return the benchmarks of a file that a run wrote."""
        found: list[dict[str, Any]] = json.loads((self.project.root / name).read_text())["benchmarks"]
        return found


def lay_out(root: Path, base_url: str) -> Project:
    project = make_project(root, base_url=base_url)
    copy_evals(root, "test_latency.py")
    (root / "fixtures" / "latency_prompts.toml").write_text(
        '[[prompts]]\nid = "bubble"\ntext = "Repeat the word bubble 500 times."\n'
        '[[prompts]]\nid = "rome"\ntext = "Describe Rome."\n'
    )
    return project


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Recorded with two workers, so that what one of them asks alone is seen."""
    crowd = Counting()
    with ScriptedEndpoint(crowd) as endpoint:
        project = lay_out(tmp_path_factory.mktemp("house"), endpoint.base_url)
        done = project.run(EVAL, LIMITS, "--record=missing", "-n", "2", "--run", "live")
        assert done.status == 0, done.out
        yield House(project, endpoint, crowd.peak, done.out)


def test_one_worker_asks_one_request_at_a_time(house: House) -> None:
    """Two workers and room for 64 requests: what is timed has nothing beside it, on the wire and on the record."""
    assert house.peak == 1
    assert [record.in_flight for record in house.project.records("live")] == [1] * CALLS
    assert "latency: measured with one request at a time, the models in turns, all from one worker" in house.out


def test_models_are_asked_in_turns(house: House) -> None:
    """Whatever drifts hits both models alike: each case is asked of both, one right after the other."""
    bodies = [seen.body for seen in house.endpoint.seen]
    asked = [(body["messages"][-1]["content"], body["max_tokens"], body["model"]) for body in bodies]
    assert len(asked) == CALLS
    for one, other in zip(asked[::2], asked[1::2], strict=True):
        assert one[:2] == other[:2]
        assert {one[2], other[2]} == {"plain", "prose"}


def test_record_tells_limit_pieces_and_end(house: House) -> None:
    """A timed record holds where it was cut and when each piece came: a replay has the same, to the last digit."""
    live = house.project.records("live")
    for record in live:
        assert record.max_tokens in SIZES
        assert len(record.pieces_s) == record.max_tokens
        assert record.first_token_s == record.pieces_s[0]
        assert record.latency_s is not None
        assert record.pieces_s[-1] <= record.latency_s
        assert [check.passed for check in record.checks] == [True] * 4
    assert house.replay("--run", "again").status == 0
    assert [timeless(record) for record in house.project.records("again")] == [timeless(record) for record in live]


def timeless(record: Record) -> tuple[object, ...]:
    return record.cell, record.latency_s, record.pieces_s, record.max_tokens, record.in_flight, record.recorded_at


def test_benchmarks_are_the_records_with_and_without_workers(house: House) -> None:
    """A replay prints statistics of the recorded durations, the same to the last digit whoever replays."""
    told = {}
    for workers in ("0", "2"):
        done = house.replay("-n", workers, "--run", f"w{workers}", "--benchmark-json", f"w{workers}.json")
        assert done.status == 0, done.out
        assert done.out.count("plain (recorded)") == len(SIZES)
        assert "benchmark 'latency:  8 tokens': 2 tests" in done.out
        told[workers] = (
            house.benchmarks(f"w{workers}.json"),
            re.findall(r"^(?:plain|prose) \(.*$", done.out, re.MULTILINE),
        )
    assert told["0"] == told["2"]
    records = house.project.records("w0")
    for benchmark in told["0"][0]:
        size, model = benchmark["params"]["max_tokens"], benchmark["params"]["model"]
        times = [
            r.latency_s for r in records if (r.max_tokens, r.cell.model) == (size, model) and r.latency_s is not None
        ]
        assert benchmark["stats"]["data"] == times
        assert (benchmark["stats"]["median"], benchmark["stats"]["mean"]) == (median(times), mean(times))
        extra = benchmark["extra_info"]
        assert (extra["source"], extra["completion_tokens"], extra["cut_at_limit"]) == ("cassette", 2 * size, 2)


@WORKERS
@pytest.mark.parametrize(("factor", "status"), [(1.02, 0), (1.2, 1)], ids=["2 %", "20 %"])
def test_slow_down_is_the_exit_status(house: House, tmp_path: Path, workers: str, factor: float, status: int) -> None:
    """--benchmark-compare-fail=median:10% passes where a model got slower by 2 %, and fails at 20 %, in every mode."""
    store = f"--benchmark-storage={tmp_path / 'store'}"
    assert house.replay(store, "--benchmark-save=before").status == 0
    shutil.copytree(house.project.root / "cassettes", tmp_path / "slow")
    cassette = tmp_path / "slow" / "latency" / "prose.json"
    text = cassette.read_text()
    slowed = re.sub(r'("total_s": ?)([0-9.]+)', lambda found: f"{found[1]}{float(found[2]) * factor!r}", text)
    assert slowed != text
    cassette.write_text(slowed)
    done = house.replay(
        store, "--benchmark-compare", "--benchmark-compare-fail=median:10%", "-n", workers,
        "-o", f"tunegate_cassettes={tmp_path / 'slow'}", "--run", f"slow-{workers}-{status}",
    )  # fmt: skip
    assert done.status == status, done.out
    assert ("Performance has regressed" in done.out) == bool(status)
    assert "Traceback" not in done.out
    assert house.project.header(f"slow-{workers}-{status}")["exit_status"] == status


def test_comparison_of_nothing_fails(house: House, tmp_path: Path) -> None:
    """Where nothing that was saved is measured now, no regression was looked for, and that is no success."""
    store = f"--benchmark-storage={tmp_path}"
    saved = house.project.run(EVAL, "--max-tokens=8", store, "--benchmark-save=before")
    assert saved.status == 0, saved.out
    done = house.project.run(
        EVAL, "--max-tokens=32", store, "--benchmark-compare", "--benchmark-compare-fail=median:10%"
    )
    assert done.status == 1
    assert "nothing was compared" in done.out


def test_table_of_times_is_shown_where_it_is_asked_for(house: House, tmp_path: Path) -> None:
    """A run of other evals shows no benchmarks unless an option asks for them; then each eval has its lines."""
    few = ("--limit", "2", "--max-tokens", "8")
    with ScriptedEndpoint(Counting()) as endpoint:
        project = lay_out(tmp_path, endpoint.base_url)
        recorded = project.run(*few, "--record=missing")
    assert recorded.status == 0, recorded.out
    assert TABLE not in recorded.out
    plain = project.run(*few)
    assert TABLE not in plain.out
    asked = project.run(*few, "--benchmark-columns=median,rounds")
    assert "benchmark 'format': 2 tests" in asked.out
    assert "benchmark 'latency: 8 tokens': 2 tests" in asked.out
    assert TABLE not in house.replay("--benchmark-disable").out


def test_rows_without_a_recording_are_left_out_and_told(house: House) -> None:
    """A partial eval replays the rows that it has; the summary names the others, with the command that records them."""
    matrix = house.project.root / "fixtures" / "models.toml"
    before = matrix.read_text()
    matrix.write_text(f'{before}[models.late]\nendpoint = "here"\nrole = "candidate"\n')
    try:
        for workers in ("0", "2"):
            done = house.replay("-n", workers)
            assert done.status == 0, done.out
            assert "latency: nothing is recorded of late; left out" in done.out
            assert f"to record: pytest {EVAL} --record=missing --model late" in done.out
        named = house.replay("--model", "late")
        assert named.status != 0
        assert "nothing is recorded of late in the eval 'latency', and recording is off" in named.out
    finally:
        matrix.write_text(before)


def test_eval_of_which_nothing_is_recorded_is_no_item(project: Project) -> None:
    """A run of everything passes over it and says so; a run of its file alone says what is missing, and fails."""
    copy_evals(project.root, "test_latency.py")
    shutil.copy(Path(__file__).parents[2] / "fixtures" / "latency_prompts.toml", project.root / "fixtures")
    assert project.run("evals/test_format.py", "--record=missing", "--limit=2").status == 0
    everything = project.run("--limit=2")
    assert everything.status == 0, everything.out
    assert "skipped" not in everything.out
    assert "latency: nothing is recorded of plain, prose; left out" in everything.out
    alone = project.run(EVAL)
    assert alone.status != 0
    assert "nothing is recorded of plain, prose in the eval 'latency'" in alone.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("--max-tokens=8,32",),
            "the eval 'format' cuts all replies at one limit, and --max-tokens 8,32 names several",
        ),
        ((EVAL, "--record=all", "--via=batch"), "'latency' measures time, which the replies of a batch do not tell"),
        (
            (EVAL, "--record=all", "-n", "2", "--dist=loadfile"),
            "'latency' measures time with one worker asking everything, which --dist loadfile does not allow",
        ),
    ],
    ids=["several limits", "batch", "dist"],
)
def test_what_does_not_go_together_is_refused(house: House, arguments: tuple[str, ...], told: str) -> None:
    """Before anything is asked it is said why, and what to do."""
    done = house.project.run(*arguments)
    assert done.status != 0
    assert told in done.out
    assert len(house.endpoint.seen) == CALLS


@pytest.mark.parametrize("workers", ["0", "2"])
def test_loads_are_swept_one_after_the_other(tmp_path: Path, workers: str) -> None:
    """With --in-flight 1,2,3 a load begins when the one before it is done, and is reached; a replay has each."""
    with ScriptedEndpoint(Counting()) as endpoint:
        project = lay_out(tmp_path, endpoint.base_url)
        sweep = (EVAL, LIMITS, "--in-flight", "1,2,3")
        done = project.run(*sweep, "--record=missing", "--run", "load", "-n", workers)
        assert done.status == 0, done.out
        assert "latency: measured with 1, 2 and 3 requests at a time" in done.out
        records = project.records("load")
        most = {load: [one.in_flight or 0 for one in records if one.cell.load == load] for load in (1, 2, 3)}
        assert {load: (max(seen), len(seen)) for load, seen in most.items()} == {n: (n, CALLS) for n in (1, 2, 3)}
        again = project.run(*sweep, "--run", "again")
    assert again.status == 0, again.out
    assert [timing_of(one) for one in project.records("again")] == [timing_of(one) for one in records]
    assert sorted(path.name for path in (tmp_path / "cassettes").iterdir()) == [
        "latency",
        "latency.load-2",
        "latency.load-3",
    ]


def timing_of(record: Record) -> tuple[object, ...]:
    return record.cell, record.latency_s, record.in_flight, record.recorded_at


def test_recording_under_a_load_is_none_of_a_request_alone(tmp_path: Path) -> None:
    """What was recorded four at a time is not replayed as if it had been asked alone."""
    with ScriptedEndpoint(Counting()) as endpoint:
        project = lay_out(tmp_path, endpoint.base_url)
        assert project.run(EVAL, LIMITS, "--record=missing", "--in-flight", "4").status == 0
        alone = project.run(EVAL, LIMITS)
        assert alone.status != 0
        assert "nothing is recorded of" in alone.out
        kept = project.run(EVAL, LIMITS, "--in-flight", "4")
    assert kept.status == 0, kept.out


def test_load_that_an_endpoint_does_not_take_is_refused(house: House) -> None:
    """A load above what may be in flight is told before anything is asked: it could not be measured."""
    asked = len(house.endpoint.seen)
    done = house.project.run(EVAL, "--record=all", "--in-flight", "1,8", "--max-connections", "4")
    assert done.status == 4, done.out
    assert "'latency' is to be measured with 8 requests at a time, and --max-connections is 4" in done.out
    assert len(house.endpoint.seen) == asked
