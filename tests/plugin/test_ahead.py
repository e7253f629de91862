"""Requests leave before their items' turn: many at once, in pytest's order, and none for an item that will not run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tunegate.records import Record
from tunegate.testing import ScriptedEndpoint

from ..project import Project, answer, make_project
from .crowd import Crowd, asked_in, asked_of, in_order

ALL = 12  # 2 subjects x 3 batches x 2 models
MODES = (
    ("-p", "no:xdist"),
    ("-n", "2"),
    ("-n", "2", "--dist", "loadscope"),
    ("-n", "2", "--dist", "loadfile"),
    ("-n", "2", "--dist", "loadgroup"),
    ("-n", "2", "--dist", "worksteal"),
    ("-n", "1", "--dist", "each"),
)


@pytest.fixture
def crowd() -> Crowd:
    return Crowd()


@pytest.fixture
def endpoint(crowd: Crowd) -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint(crowd) as running:
        yield running


@pytest.mark.parametrize("workers", ["0", "2"])
def test_all_requests_are_in_flight_at_once(project: Project, crowd: Crowd, workers: str) -> None:
    """An endpoint that answers nobody before all are there is asked by all items at once."""
    crowd.size = ALL
    result = project.run("--record=missing", "-n", workers, "--run", "a")
    assert result.status == 0, result.out
    assert crowd.peak == ALL
    assert project.header("a")["attempts"] == ALL


@pytest.mark.parametrize(
    ("limit", "arguments"), [("", ("--max-connections", "3")), ("max_connections = 3\n", ())], ids=["option", "matrix"]
)
def test_limit_of_requests_holds_for_all_workers_together(
    project: Project, crowd: Crowd, limit: str, arguments: tuple[str, ...]
) -> None:
    """Neither two workers nor many items bring more requests to an endpoint than it is to have."""
    matrix = project.root / "fixtures" / "models.toml"
    matrix.write_text(matrix.read_text().replace("attempts = 2\n", f"attempts = 2\n{limit}"))
    # A fourth one would be seen, if it came while three are kept waiting for it.
    crowd.size, crowd.patience_s = 4, 0.2
    result = project.run("--record=missing", "-n", "2", *arguments)
    assert result.status == 0, result.out
    assert crowd.peak == 3


def test_requests_leave_in_the_order_of_the_items(project: Project, endpoint: ScriptedEndpoint) -> None:
    """One after the other, requests arrive as pytest sorted their items; a worker's do so among themselves."""
    assert project.run("--record=all", "--max-connections", "1", "-n", "0", "--run", "a").status == 0
    order = asked_in(in_order(project, "a"))
    assert len(order) == ALL
    assert asked_of(endpoint.seen) == order
    endpoint.seen.clear()
    assert project.run("--record=all", "--max-connections", "1", "-n", "2").status == 0
    arrived = asked_of(endpoint.seen)
    for share in (order[::2], order[1::2]):
        assert [asked for asked in arrived if asked in share] == share


class Reference:
    """One project that every way of running records anew, and its records without workers."""

    def __init__(self, project: Project, endpoint: ScriptedEndpoint) -> None:
        self.project = project
        self.endpoint = endpoint
        done = project.run("--record=all", "-n", "0", "--run", "alone")
        assert done.status == 0, done.out
        self.records = timeless(project.records("alone"))


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reference]:
    with ScriptedEndpoint(answer) as running:
        yield Reference(make_project(tmp_path_factory.mktemp("modes"), base_url=running.base_url), running)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode[-1])
def test_every_way_of_running_gives_the_same_records(reference: Reference, mode: tuple[str, ...]) -> None:
    """However items are dealt out, each cell is asked once, and all that differs is order and clock."""
    project, seen = reference.project, reference.endpoint.seen
    seen.clear()
    result = project.run("--record=all", *mode, "--run", mode[-1].replace(":", ""))
    assert result.status == 0, result.out
    records = project.records(mode[-1].replace(":", ""))
    assert timeless(records) == reference.records
    assert sorted(asked_of(seen)) == sorted(asked_in(records))


def test_items_that_run_in_each_worker_count_once(project: Project, endpoint: ScriptedEndpoint) -> None:
    """`--dist each` with two workers asks in both; the run has every cell once, says what happened and fails."""
    result = project.run("--record=missing", "--model", "plain", "-n", "2", "--dist", "each", "--run", "a")
    assert result.status == 1, result.out
    header = project.header("a")
    assert header["states"] == {"answered": 6}
    assert len(header["problems"]) == result.out.count("was reported twice: the first counts") == 6
    assert header["attempts"] == len(endpoint.seen) <= 12


def change_conftest(project: Project, text: str) -> None:
    path = project.root / "conftest.py"
    path.write_text(path.read_text() + text)


MARKERS = """
import pytest


def pytest_collection_modifyitems(items):
    for item in items:
        if "colours-02" in item.nodeid:
            item.add_marker(pytest.mark.skip(reason="not today"))
        if "sums-02" in item.nodeid:
            item.add_marker(pytest.mark.skipif(True, reason="not here"))
        if "sums-01" in item.nodeid:
            item.add_marker(pytest.mark.skipif(False, reason="not elsewhere"))
"""


FAILING_TWICE = """
import pytest


@pytest.fixture(autouse=True)
def fail_at_the_end():
    yield
    raise ValueError
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_items_left_out_or_skipped_are_not_asked(project: Project, endpoint: ScriptedEndpoint, workers: str) -> None:
    """Neither `-k` nor `--deselect` nor markers that a conftest adds cost a request; what they let run is asked."""
    change_conftest(project, MARKERS)
    left_out = "evals/test_format.py::test_format[sums-03-prose]"
    selection = ("-k", "not colours-01", "--deselect", left_out)
    result = project.run("--record=missing", *selection, "-n", workers, "--run", "a")
    assert "4 of 9 planned items were not run" in result.out
    records = project.records("a")
    assert [(record.cell.model, record.cell.case) for record in records] == [
        *(("plain", case) for case in ("colours-03", "sums-01", "sums-03")),
        *(("prose", case) for case in ("colours-03", "sums-01")),
    ]
    assert sorted(asked_of(endpoint.seen)) == sorted(asked_in(records))


def test_stopping_at_failures_asks_what_ran(project: Project, endpoint: ScriptedEndpoint) -> None:
    """With `--maxfail`, `--lf`, `--stepwise` and `-x` exactly the requests leave whose items run."""

    def ran(*arguments: str) -> list[tuple[str, int]]:
        endpoint.seen.clear()
        name = f"r{len(list(project.root.glob('reports/runs/*')))}"
        result = project.run("--record=all", "--fail-on-miss", *arguments, "--run", name, remembers=True)
        assert result.status in (1, 2), result.out  # --stepwise interrupts
        assert sorted(asked_of(endpoint.seen)) == sorted(asked_in(project.records(name))), arguments
        return sorted(Counter(record.cell.model for record in project.records(name)).items())

    assert ran("--maxfail=2") == [("plain", 6), ("prose", 2)]
    assert ran("--lf") == [("prose", 2)]
    assert ran("--stepwise") == [("plain", 6), ("prose", 1)]
    assert ran("--stepwise") == [("prose", 1)]
    change_conftest(project, FAILING_TWICE)
    assert ran("--model", "prose", "--maxfail=2") == [("prose", 1)]


def test_failure_in_one_worker_stops_the_others(project: Project, endpoint: ScriptedEndpoint) -> None:
    """With `-x` a worker asks for the item in hand only, so two workers ask for two at most."""
    result = project.run("--record=missing", "--model", "prose", "--fail-on-miss", "-x", "-n", "2", "--run", "a")
    assert result.status != 0
    asked, ran = asked_of(endpoint.seen), asked_in(project.records("a"))
    assert 1 <= len(ran) <= len(asked) <= 2
    assert set(ran) <= set(asked)
    assert project.header("a")["attempts"] == len(asked)


def test_broken_file_costs_what_pytest_runs_all_the_same(project: Project, endpoint: ScriptedEndpoint) -> None:
    """Where pytest stops at it nothing is asked; where it goes on, as xdist does, the plan is checked first."""
    (project.root / "evals" / "test_broken.py").write_text("def\n")
    assert project.run("--record=missing").status == 2
    matrix = project.root / "fixtures" / "models.toml"
    matrix.write_text(matrix.read_text().replace("attempts = 2\n", 'attempts = 2\nkey_env = "HERE_KEY"\n'))
    listed = project.run("--record=missing", "--collect-only", "-q", "evals/test_format.py")
    assert listed.status == 0, listed.out
    going_on = "--continue-on-collection-errors"
    for arguments in (("-n", "2"), ("-n", "0", going_on)):
        result = project.run("--record=missing", *arguments)
        assert result.status == 4, (arguments, result.out)
        assert result.out.count("HERE_KEY, which is not set") == 1, result.out
    told = project.run("--dry-run", going_on)
    assert told.status == 1, told.out
    assert told.line("plan:").startswith("plan: 12 live calls")
    assert not endpoint.seen
    asked = project.run("--record=missing", "-n", "2", "--run", "a", env={"HERE_KEY": "k"})
    assert asked.status == 1, asked.out
    assert asked.line("plan:").startswith("plan: 12 live calls")
    assert len(endpoint.seen) == ALL


def timeless(records: list[Record]) -> list[Record]:
    """Return records without what a clock says."""
    return [replace(record, latency_s=None, first_token_s=None, recorded_at=None, in_flight=None) for record in records]
