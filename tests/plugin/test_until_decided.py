"""`--until-decided` asks cases in a random order and stops when nothing more is wanted, with and without workers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tunegate.records import Record
from tunegate.session import case_order
from tunegate.testing import ScriptedEndpoint

from ..project import Project, Result, make_project
from .crowd import asked_in, asked_of, durable, in_order

CASES = 24  # 2 subjects x 12 batches
ALL = 2 * CASES
ENOUGH = 5
ONE = ("--max-connections", "1", "-n", "0")
FIRST_CASES = f"""
from collections import Counter


class FirstCases:
    def __init__(self, cells, most):
        self.most = most
        self.missing = Counter(cell.case for cell in cells)
        self.complete = 0

    def take(self, record):
        self.missing[record.cell.case] -= 1
        self.complete += self.missing[record.cell.case] == 0

    def wants(self, cell):
        return self.complete < self.most


def pytest_tunegate_watch(cells):
    return FirstCases(cells, {ENOUGH})
"""
MODEL_BY_MODEL = """

class ModelByModel(FirstCases):
    def take(self, record):
        self.missing[record.cell.model, "told"] += 1

    def wants(self, cell):
        return self.missing[cell.model, "told"] < (3 if cell.model == "prose" else 6)


def pytest_tunegate_watch(cells):
    return ModelByModel(cells, 0)
"""


@pytest.fixture
def project(tmp_path: Path, endpoint: ScriptedEndpoint) -> Project:
    """The project with more cases, and a rule that has enough of them early."""
    return lay_out(tmp_path, endpoint)


def lay_out(root: Path, endpoint: ScriptedEndpoint) -> Project:
    project = make_project(root, base_url=endpoint.base_url)
    for subject in ("colours", "sums"):
        rows = [f"test {subject} {n}?,{n},{n + 1},{n + 2},{n + 3},B" for n in range(2 * CASES)]
        (root / "fixtures" / "questions" / "test" / f"{subject}_test.csv").write_text("\n".join(rows) + "\n")
    stop_by(project, FIRST_CASES)
    return project


def stop_by(project: Project, text: str) -> None:
    path = project.root / "conftest.py"
    path.write_text(path.read_text() + text)


def ask(project: Project, *arguments: str) -> Result:
    return project.run("--until-decided", *arguments)


def told(project: Project, run: str) -> list[tuple[str, str, str]]:
    """Return what a run measured, in the order in which it was written."""
    return [(record.cell.case, record.cell.model, record.state) for record in in_order(project, run)]


def count(project: Project, run: str) -> list[object]:
    header = project.header(run)
    return [header[name] for name in ("status", "exit_status", "planned", "not_needed", "not_run")]


def test_exactly_what_is_needed_is_asked(project: Project, endpoint: ScriptedEndpoint) -> None:
    """One request at a time, a decision after five cases has cost five cases; the run is finished and says so."""
    result = ask(project, "--record=missing", *ONE, "--run", "a")
    assert result.status == 0, result.out
    assert count(project, "a") == ["finished", 0, ALL, ALL - 2 * ENOUGH, 0]
    assert project.header("a")["live_calls"] == project.header("a")["attempts"] == len(endpoint.seen) == 2 * ENOUGH
    assert asked_of(endpoint.seen) == asked_in(in_order(project, "a"))
    assert result.line("decided") == f"decided after {ENOUGH} of {CASES} cases: 38 of {ALL} calls not needed"
    assert "items were not run" not in result.out


def test_cases_are_asked_in_the_order_of_their_seed(project: Project) -> None:
    """The models of one case follow each other, in the matrix's order; another seed asks other cases first."""
    stop_by(project, "\n\ndef pytest_tunegate_watch(cells):\n    return FirstCases(cells, 99)\n")
    orders = []
    for seed in (0, 1):
        run = f"s{seed}"
        assert ask(project, "--record=missing", "-n", "0", "--seed", str(seed), "--run", run).status == 0
        records = in_order(project, run)
        plain, prose = records[::2], records[1::2]
        assert [record.cell.case for record in plain] == [record.cell.case for record in prose]
        assert {record.cell.model for record in plain} == {"plain"}
        assert records == sorted(records, key=lambda record: case_order(seed=seed)(record.cell))
        orders.append([record.cell.case for record in plain])
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]


def test_failed_items_do_not_come_first(project: Project) -> None:
    """Cases stay in their random order with `--ff`: those that failed the last time would make a sample of bad ones."""
    first, again = (
        project.run("--until-decided", "--fail-on-miss", *arguments, "-n", "0", "--run", run, remembers=True)
        for run, arguments in (("first", ("--record=missing",)), ("again", ("--ff",)))
    )
    assert (first.status, again.status) == (1, 1), again.out
    assert "run-last-failure: rerun previous 5 failures first" in again.out
    assert told(project, "again") == told(project, "first")


@pytest.mark.parametrize("workers", ["0", "2"])
def test_what_is_never_decided_is_asked_to_the_end(project: Project, endpoint: ScriptedEndpoint, workers: str) -> None:
    """A rule that wants everything gets everything, and the run reads like any other."""
    stop_by(project, "\n\ndef pytest_tunegate_watch(cells):\n    return FirstCases(cells, 99)\n")
    result = ask(project, "--record=missing", "-n", workers, "--run", "a")
    assert result.status == 0, result.out
    assert count(project, "a") == ["finished", 0, ALL, 0, 0]
    assert len(endpoint.seen) == ALL
    assert "not needed" not in result.out


@pytest.mark.parametrize("workers", ["0", "2"])
@pytest.mark.parametrize("connections", [4, 64])
def test_decision_wastes_what_is_under_way(
    project: Project, endpoint: ScriptedEndpoint, workers: str, connections: int
) -> None:
    """With many requests in flight the run is the same; what was asked in vain is bounded, and it is recorded."""
    result = ask(project, "--record=missing", "-n", workers, "--max-connections", str(connections), "--run", "a")
    assert result.status == 0, result.out
    assert count(project, "a") == ["finished", 0, ALL, ALL - 2 * ENOUGH, 0]
    in_vain = len(endpoint.seen) - 2 * ENOUGH
    held = connections if workers == "0" else 2 * max(8, connections // 2 + 1) + 1
    assert 0 <= in_vain <= held
    assert sorted(durable(project)) == sorted(asked_of(endpoint.seen))
    endpoint.seen.clear()
    assert ask(project, *ONE, "--run", "b").status == 0
    assert told(project, "b") == told(project, "a")
    assert not endpoint.seen


@pytest.mark.parametrize("workers", ["0", "2", "3"])
def test_run_that_stopped_early_replays(project: Project, endpoint: ScriptedEndpoint, workers: str) -> None:
    """Offline nobody misses a recording that was never made, and the records are those of the live run."""
    assert ask(project, "--record=missing", *ONE, "--run", "live").status == 0
    endpoint.seen.clear()
    result = ask(project, "-n", workers, "-v", "--junitxml", "junit.xml", "--run", "again")
    assert result.status == 0, result.out
    assert not endpoint.seen
    assert count(project, "again") == ["finished", 0, ALL, ALL - 2 * ENOUGH, 0]
    assert told(project, "again") == told(project, "live")
    assert "error" not in result.out.lower()
    junit = (project.root / "junit.xml").read_text()
    assert junit.count("<testcase") == 2 * ENOUGH
    names = {line.split(" ")[0] for line in result.out.splitlines() if line.startswith("evals/")}
    assert len(names) <= 2 * ENOUGH


@pytest.mark.parametrize("workers", ["0", "2"])
def test_recording_that_is_needed_is_missed(project: Project, workers: str) -> None:
    """Of the recordings that are missing, those fail the run that come before the decision; no others are heard of."""
    assert ask(project, "--record=missing", *ONE, "--run", "live").status == 0
    case, model = [(record.cell.case, record.cell.model) for record in in_order(project, "live")][6]
    forget(project, in_order(project, "live")[6])
    result = ask(project, "-n", workers, "--run", "again")
    assert result.status == 1, result.out
    assert told(project, "again") == [
        (*found[:2], "error" if found[:2] == (case, model) else "answered") for found in told(project, "live")
    ]
    assert count(project, "again") == ["finished", 1, ALL, ALL - 2 * ENOUGH, 0]
    assert result.out.count("FAILED ") == 1, result.out
    assert "1 failed" in result.out
    stopped = ask(project, "-n", workers, "-x", "--run", "stopped")
    assert stopped.status == (1 if workers == "0" else 2), stopped.out
    assert told(project, "stopped") == told(project, "again")[:7]


def forget(project: Project, record: Record) -> None:
    """Take a recording out of its cassette."""
    path = project.cassette(record.cell.model)
    cassette = json.loads(path.read_text())
    kept = [entry for entry in cassette["interactions"] if not asks(entry, record)]
    assert len(kept) == len(cassette["interactions"]) - 1
    path.write_text(json.dumps({**cassette, "interactions": kept}))


def asks(entry: dict[str, dict[str, object]], record: Record) -> bool:
    return bool(json.loads(str(entry["request"]["body"]))["messages"] == list(record.messages))


@pytest.mark.parametrize("workers", ["0", "2"])
def test_models_are_decided_one_by_one(project: Project, endpoint: ScriptedEndpoint, workers: str) -> None:
    """A model of which enough is known is asked no more, while others are."""
    stop_by(project, MODEL_BY_MODEL)
    result = ask(project, "--record=missing", "-n", workers, "--max-connections", "1", "--run", "a")
    assert result.status == 0, result.out
    models = [model for _, model, _ in told(project, "a")]
    assert models == ["plain", "prose"] * 3 + ["plain"] * 3
    assert result.line("decided") == f"decided after 6 of {CASES} cases: {ALL - 9} of {ALL} calls not needed"
    if workers == "0":
        assert len(endpoint.seen) == 9


@pytest.mark.parametrize("workers", ["0", "2"])
def test_run_of_which_nothing_is_needed_is_a_run(project: Project, endpoint: ScriptedEndpoint, workers: str) -> None:
    """A rule that wants nothing from the start ends the run at once, in good order."""
    stop_by(project, "\n\ndef pytest_tunegate_watch(cells):\n    return FirstCases(cells, 0)\n")
    result = ask(project, "--record=missing", "-n", workers, "--run", "a")
    assert result.status == 0, result.out
    assert count(project, "a") == ["finished", 0, ALL, ALL, 0]
    assert not endpoint.seen


ANOTHER_EVAL = """
import pytest

LOG = "module.log"


@pytest.fixture(scope="module", autouse=True)
def noted(request):
    yield
    with open(LOG, "a") as log:
        log.write(request.module.__name__.rpartition(".")[2] + "\\n")
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_other_tests_and_fixtures_run_as_ever(project: Project, workers: str) -> None:
    """A test that is no eval runs whatever is decided, and a module's fixtures end when its last item has run."""
    evals = project.root / "evals"
    text = (evals / "test_format.py").read_text() + ANOTHER_EVAL
    (evals / "test_format.py").write_text(text)
    (evals / "test_second.py").write_text(text.replace('"format"', '"second"').replace("test_format", "test_second"))
    (evals / "test_third.py").write_text("def test_plain():\n    pass\n\n\ndef test_broken():\n    raise ValueError\n")
    stop_by(project, MODEL_BY_MODEL)
    result = ask(project, "--record=missing", "-n", workers, "--run", "a")
    assert result.status == 1, result.out
    assert "1 failed" in result.out
    assert "not torn down" not in result.out
    assert "internal" not in result.out.lower()
    evals_asked = [record.cell.eval for record in in_order(project, "a")]
    assert len(evals_asked) == 9
    assert set(evals_asked) == {"format", "second"}
    log = (project.root / "module.log").read_text().split()
    if workers == "0":
        changes = [
            name for name, following in zip(evals_asked, [*evals_asked[1:], ""], strict=True) if name != following
        ]
        assert log == [f"test_{name}" for name in changes]


DIES = """\
    import os, pathlib
    if case.id == pathlib.Path("victim").read_text():
        os._exit(3)
"""


@pytest.mark.parametrize("restarts", ["2", "0"])
def test_crash_is_heard_of_and_the_rest_goes_on(project: Project, restarts: str) -> None:
    """The item that a worker died with is lost; the order holds for the others, whoever takes them over."""
    assert ask(project, "--record=missing", *ONE, "--run", "live").status == 0
    victim = told(project, "live")[2][0]
    (project.root / "victim").write_text(victim)
    path = project.root / "evals" / "test_format.py"
    path.write_text(path.read_text().replace("    score(", f"{DIES}    score("))
    result = ask(project, "--model", "plain", "-n", "2", "--max-worker-restart", restarts, "--run", "a")
    assert result.status == 1, result.out
    plain = [case for case, model, _ in told(project, "live") if model == "plain"]
    states = {case: state for case, _, state in told(project, "a")}
    assert states == {case: "lost" if case == victim else "answered" for case in plain}
    # What a worker died with is heard of at once; all others in their order.
    assert [case for case in states if case != victim] == [case for case in plain if case != victim]
    assert count(project, "a") == ["finished", 1, CASES, CASES - len(plain), 0]


NOT_TOGETHER = [
    (("--shard", "1/2"), "--until-decided looks at all cases, and --shard at a part of them"),
    (("--via", "batch", "--record=missing"), "--via batch hands them in all at once"),
    (("-n", "2", "--dist", "loadscope"), "--dist loadscope does not allow"),
    (("-n", "2", "--dist", "worksteal"), "--dist worksteal does not allow"),
]


@pytest.mark.parametrize(("arguments", "told"), NOT_TOGETHER, ids=lambda value: value[-1] if value else "")
def test_what_does_not_go_together_is_said(project: Project, arguments: tuple[str, ...], told: str) -> None:
    """Options that would deal out the items in another way are refused before anything is collected."""
    result = ask(project, *arguments)
    assert result.status == 4, result.out
    assert told in result.out


NOBODY = "\n\ndef pytest_tunegate_watch(cells):\n    return None\n"
REFUSES = """

def pytest_tunegate_watch(config, cells):
    from tunegate.errors import UsageError

    raise UsageError(f"{len(cells)} cells are too few")
"""


@pytest.mark.parametrize("workers", ["0", "2"])
@pytest.mark.parametrize(
    ("rule", "why"), [(NOBODY, "nothing says when enough is known"), (REFUSES, f"{ALL} cells are")]
)
def test_run_without_a_rule_does_not_begin(
    project: Project, endpoint: ScriptedEndpoint, workers: str, rule: str, why: str
) -> None:
    """Where nobody can say when to stop, or whoever could refuses, nothing is asked and no run is written."""
    stop_by(project, rule)
    result = ask(project, "--record=missing", "-n", workers)
    assert result.status == 4, result.out
    assert why in result.out
    assert not endpoint.seen
    assert not (project.root / "reports" / "runs").exists()
