"""What a run of pytest leaves behind and how it ends, as people use it."""

from __future__ import annotations

import json

import pytest

from tunegate.records import Record
from tunegate.testing import ScriptedEndpoint

from ..project import Project

ALL = 12  # 2 subjects x 3 batches x 2 models


def without_clock(records: list[Record]) -> list[str]:
    """Return the records without what differs between two live runs."""
    return [record.to_json() for record in records]


def test_recorded_run_replays_without_a_network(project: Project, endpoint: ScriptedEndpoint) -> None:
    """Record once, then replay: no request is made again, and every record is the same but for its source."""
    first = project.run("--record=missing", "--run", "a")
    assert first.status == 0, first.out
    assert len(endpoint.seen) == ALL
    second = project.run("--run", "b")
    assert second.status == 0, second.out
    assert len(endpoint.seen) == ALL
    assert f"0 live calls, {ALL} replayed, 0 unused recordings" in second.out
    live, replayed = project.records("a"), project.records("b")
    assert {record.source for record in live} == {"live"}
    assert {record.source for record in replayed} == {"cassette"}
    assert [json.loads(r.to_json()) | {"source": 0} for r in live] == [
        json.loads(r.to_json()) | {"source": 0} for r in replayed
    ]


def test_workers_change_nothing_but_the_order(project: Project, endpoint: ScriptedEndpoint) -> None:
    """Under `-n 2` and without workers a replay gives the same records, header and table."""
    assert project.run("--record=missing", "-n", "2", "--run", "live").status == 0
    assert len(endpoint.seen) == ALL
    alone, spread = project.run("--run", "a", "-n", "0"), project.run("--run", "b", "-n", "2")
    assert (alone.status, spread.status) == (0, 0), spread.out
    assert without_clock(project.records("a")) == without_clock(project.records("b"))
    same = (
        "states",
        "planned",
        "not_run",
        "prompts",
        "cassettes",
        "digests",
        "questions",
        "matrix",
        "replayed",
    )
    assert {name: project.header("a")[name] for name in same} == {name: project.header("b")[name] for name in same}
    table = [line for line in alone.out.splitlines() if " % " in line]
    assert table
    assert table == [line for line in spread.out.splitlines() if " % " in line]


def test_miss_is_a_measurement(project: Project) -> None:
    """A model that answers wrongly misses; the run has measured it and ends with 0."""
    result = project.run("--record=missing", "--model", "prose", "--run", "a")
    assert result.status == 0
    assert "6 missed" in result.out
    assert project.header("a")["states"] == {"answered": 6}
    assert result.line("json_list").split()[:5] == ["json_list", "prose", "6", "0.0", "%"]
    assert result.line("recoverable").split()[:5] == ["recoverable", "prose", "6", "100.0", "%"]


def test_fail_on_miss_makes_it_a_failure(project: Project) -> None:
    """With `--fail-on-miss` the same reply fails its item, and shows every check it missed."""
    result = project.run("--record=missing", "--model", "prose", "--fail-on-miss", "-k", "sums-01")
    assert result.status == 1
    assert "format[sums-01] of 'prose' missed 8 of 8 checks" in result.out
    assert "Here you are" in result.out
    assert "1 failed" in result.out


@pytest.mark.parametrize(("flag", "shown"), [("-rm", "MISSED evals/test_format.py::test_format[sums-01-prose]"),
                                             ("-v", "answers 4")])  # fmt: skip
def test_misses_are_shown_on_demand(project: Project, flag: str, shown: str) -> None:
    """`-rm` lists what was missed, `-v` shows each check with what was expected and what came."""
    project.run("--record=missing", "--model", "prose", "--run", "live")
    quiet = project.run("--model", "prose")
    assert shown not in quiet.out
    assert shown in project.run("--model", "prose", flag).out


def test_missing_recording_fails_with_the_way_out(project: Project, endpoint: ScriptedEndpoint) -> None:
    """Without a recording nothing is asked: the item is an error that names the command which records it."""
    project.run("--record=missing", "--model", "plain", "--run", "live")
    asked = len(endpoint.seen)
    result = project.run("--model", "plain", "-k", "sums-01", "--run", "a", "--shots", "1")
    assert result.status == 1
    assert len(endpoint.seen) == asked
    assert "no recording for format[sums-01] of 'plain', repeat 1" in result.out
    assert "to record it: pytest evals/test_format.py --record=missing --model plain --shots 1 -k sums-01" in result.out
    assert project.header("a")["states"] == {"error": 1}
    assert project.records("a")[0].messages


def test_server_error_is_never_a_wrong_answer(project: Project, endpoint: ScriptedEndpoint) -> None:
    """An endpoint that refuses gives errors: unscored, in the denominator of the plan, and the run fails."""
    (project.root / "fixtures" / "models.toml").write_text(
        '[endpoints.gone]\nbase_url = "http://127.0.0.1:9/v1"\n[models.plain]\nendpoint = "gone"\nrole = "candidate"\n'
    )
    result = project.run("--record=missing", "--run", "a", "-k", "sums-01")
    assert result.status == 1
    assert project.header("a")["states"] == {"error": 1}
    assert "is the endpoint up?" in (project.records("a")[0].error or "")
    assert not endpoint.seen


def test_repeats_are_asked_and_kept_apart(project: Project, endpoint: ScriptedEndpoint) -> None:
    """`--repeat 3` asks each case three times; a later run finds each repeat's own recording."""
    assert project.run("--record=missing", "--model", "plain", "--repeat", "3", "--run", "a").status == 0
    assert len(endpoint.seen) == 18
    result = project.run("--model", "plain", "--repeat", "3", "--run", "b")
    assert "0 live calls, 18 replayed, 0 unused recordings" in result.out
    assert sorted({record.cell.repeat for record in project.records("b")}) == [1, 2, 3]
    assert "12 unused recordings" in project.run("--model", "plain").out


def test_crashed_worker_counts_as_lost(project: Project) -> None:
    """An item whose worker dies is in the run as `lost`, in the denominator, and the run fails."""
    project.run("--record=missing", "--model", "plain", "--run", "live")
    eval_file = project.root / "evals" / "test_format.py"
    eval_file.write_text(
        eval_file.read_text().replace(
            "    score(", "    if case.id == 'sums-02': __import__('os')._exit(3)\n    score("
        )
    )
    result = project.run("--model", "plain", "-n", "2", "--run", "a")
    assert result.status == 1, result.out
    header = project.header("a")
    assert header["states"] == {"answered": 5, "lost": 1}
    assert (header["planned"], header["not_run"]) == (6, 0)
    lost = [record for record in project.records("a") if record.state == "lost"]
    assert [record.cell.case for record in lost] == ["sums-02"]


def test_items_that_never_ran_fail_the_run(project: Project) -> None:
    """When workers may not be replaced, what they leave undone is counted and the run does not pass."""
    project.run("--record=missing", "--model", "plain", "--run", "live")
    eval_file = project.root / "evals" / "test_format.py"
    eval_file.write_text(eval_file.read_text().replace("    score(", "    __import__('os')._exit(3)\n    score("))
    result = project.run("--model", "plain", "-n", "1", "--max-worker-restart", "0", "--run", "a")
    assert result.status != 0
    header = project.header("a")
    assert header["not_run"] + sum(header["states"].values()) == header["planned"] == 6


def test_eval_that_forgets_to_score_is_an_error(project: Project) -> None:
    """A test that ends without a score has measured nothing: an error, not a pass."""
    eval_file = project.root / "evals" / "test_format.py"
    eval_file.write_text(eval_file.read_text().replace("    score(", "    len("))
    result = project.run("--record=missing", "--model", "plain", "-k", "sums-01", "--run", "a")
    assert result.status == 1
    assert project.header("a")["states"] == {"error": 1}


def test_ordinary_tests_are_left_alone(project: Project) -> None:
    """A test that is no eval runs as always, makes no run and may use the network."""
    (project.root / "evals" / "test_plain.py").write_text(
        "import socket\n\ndef test_plain():\n    socket.getaddrinfo('127.0.0.1', 80)\n"
    )
    result = project.run("evals/test_plain.py")
    assert result.status == 0
    assert "tunegate" not in result.out
    assert not (project.root / "reports").exists()


def test_eval_cannot_reach_the_network_on_its_own(project: Project) -> None:
    """Without `--record` a connection from inside an eval is refused, whoever opens it."""
    project.run("--record=missing", "--model", "plain", "--run", "live")
    eval_file = project.root / "evals" / "test_format.py"
    call = "    import socket\n    socket.create_connection(('127.0.0.1', 9))\n"
    eval_file.write_text(eval_file.read_text().replace("    score(", f"{call}    score("))
    result = project.run("--model", "plain", "-k", "sums-01")
    assert result.status == 1
    assert "without --record nothing reaches the network" in result.out


def test_collecting_makes_no_run(project: Project) -> None:
    """`--collect-only` names the items and leaves nothing behind."""
    result = project.run("--collect-only", "-q")
    assert "evals/test_format.py::test_format[colours-01-plain]" in result.out
    assert not (project.root / "reports").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--model", "plian"), "did you mean: plain"),
        (("--model", "zz*"), "plain"),
        (("--questions", "nowhere"), "nowhere"),
        (("--subject", "colour"), "colours"),
        (("--repeat", "0"), "from 1 up"),
        (("--temperature", "warm"), "from 0 to 2"),
        (("--run", "a/b"), "cannot be called"),
    ],
)
def test_typing_errors_cost_nothing(
    project: Project, endpoint: ScriptedEndpoint, arguments: tuple[str, ...], said: str
) -> None:
    """What does not exist is said before anything is asked, with what does exist, and the status is 4."""
    result = project.run("--record=missing", *arguments)
    assert result.status == 4, result.out
    assert said in result.out
    assert "Traceback" not in result.out
    assert not endpoint.seen


def test_taken_run_name_is_refused_first(project: Project, endpoint: ScriptedEndpoint) -> None:
    """A second run of the same name stops before its first question."""
    project.run("--record=missing", "--model", "plain", "-k", "sums-01", "--run", "a")
    result = project.run("--record=all", "--model", "plain", "--run", "a")
    assert result.status == 4
    assert "choose another --run" in result.out
    assert len(endpoint.seen) == 1


def test_unlisted_model_replays_from_its_recordings(project: Project, endpoint: ScriptedEndpoint) -> None:
    """A name outside the matrix is recorded at --base-url, and replayed later by its name alone."""
    name = "ft:gpt-3.5-turbo:acme::9x"
    recorded = project.run("--record=missing", "--model", name, "--base-url", endpoint.base_url)
    assert recorded.status == 0, recorded.out
    result = project.run("--model", name, "-n", "2", "--run", "b")
    assert result.status == 0, result.out
    assert "0 live calls, 6 replayed" in result.out
    assert {record.cell.model for record in project.records("b")} == {name}


def test_works_from_another_folder(project: Project) -> None:
    """The evals run from any working folder."""
    project.run("--record=missing", "--model", "plain", "--run", "a")
    outside = project.root.parent
    result = project.run(str(project.root / "evals"), "--rootdir", str(project.root), "-c",
                         str(project.root / "pyproject.toml"), "--model", "plain", cwd=outside)  # fmt: skip
    assert result.status == 0, result.out
    assert "6 replayed" in result.out


def test_stopping_early_is_an_interrupted_run(project: Project) -> None:
    """`-x` stops at the first failure; run.json says how many were not run."""
    result = project.run("--record=missing", "--model", "prose", "--fail-on-miss", "-x", "--run", "a")
    assert result.status == 1
    header = project.header("a")
    assert (header["status"], header["states"], header["not_run"]) == ("interrupted", {"answered": 1}, 5)
    assert "5 of 6 planned items were not run" in result.out


def test_model_without_recordings_is_said_once(project: Project, endpoint: ScriptedEndpoint) -> None:
    """A replay names the models of which nothing is recorded, and how to record them or leave them out."""
    project.run("--record=missing", "--model", "plain")
    asked = len(endpoint.seen)
    result = project.run()
    assert result.status != 0
    assert len(endpoint.seen) == asked
    assert "nothing is recorded of prose in the eval 'format', and recording is off" in result.out
    assert "to record: pytest evals/test_format.py --record=missing --model prose" in result.out
    assert "to replay what there is: pytest --model plain" in result.out
    assert result.out.count("prose") < 5


@pytest.mark.parametrize("workers", ["0", "2"])
def test_endpoint_that_is_down_is_not_asked_for_every_item(project: Project, workers: str) -> None:
    """Once a request has used up its attempts in vain no other is asked, and the terminal says so once."""
    (project.root / "fixtures" / "models.toml").write_text(
        '[endpoints.gone]\nbase_url = "http://127.0.0.1:9/v1"\nattempts = 2\n'
        '[models.m]\nendpoint = "gone"\nrole = "candidate"\n'
    )
    result = project.run("--record=missing", "-n", workers, "--max-connections", "1", "--run", "a")
    assert result.status == 1
    errors = [record.error or "" for record in project.records("a")]
    assert sum(error.startswith("no complete reply") and error.endswith("(attempt 2)") for error in errors) == 1
    assert sum(error.startswith("not asked any more") and "is the endpoint up?" in error for error in errors) == 5
    said_at_once, _, captured = result.out.partition("= FAILURES =")
    assert said_at_once.count("gone is not asked any more") == 1
    assert "gone is not asked any more" not in captured


def test_many_missing_recordings_are_explained_once(project: Project) -> None:
    """Where a whole setting was never recorded, the first items say what to do and the others refer to them."""
    project.run("--record=missing", "--model", "plain", "--run", "live")
    result = project.run("--model", "plain", "--shots", "1", "--run", "a")
    assert result.status == 1
    assert project.header("a")["states"] == {"error": 6}
    assert result.out.count("to record it: pytest") == 3
    assert result.out.count("see there") == 3
    assert all("nearest recording differs" in (record.error or "") for record in project.records("a"))
