"""What happens where something is wrong with the project itself: a sentence, the right status, and nothing lost."""

from __future__ import annotations

import json
import shutil

from ..project import Project


def change_eval(project: Project, *changes: tuple[str, str]) -> None:
    path = project.root / "evals" / "test_format.py"
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def test_damaged_recordings_do_not_cost_the_run(project: Project) -> None:
    """A cassette that cannot be read fails its items with a sentence; the run's own records are complete."""
    project.run("--record=missing", "--run", "live")
    project.cassette("prose").write_text("<<<<<<< HEAD\n")
    result = project.run("--run", "a")
    assert result.status == 1
    assert "Traceback" not in result.out
    assert "INTERNALERROR" not in result.out
    header = project.header("a")
    assert (header["status"], header["states"]) == ("finished", {"answered": 6, "error": 6})
    assert header["problems"]


def test_broken_matrix_leaves_ordinary_tests_alone(project: Project) -> None:
    """A typing error in models.toml stops the evals with a sentence and nothing else."""
    (project.root / "fixtures" / "models.toml").write_text("[models\n")
    (project.root / "test_plain.py").write_text("def test_plain():\n    pass\n")
    assert project.run("test_plain.py").status == 0
    result = project.run()
    assert result.status != 0
    assert "models.toml: wanted TOML" in result.out
    assert "Traceback" not in result.out


def test_bank_without_dev_part_can_be_asked(project: Project) -> None:
    """A JSONL file of questions is a bank; without worked examples there are no shots to be had, that is all."""
    lines = [
        json.dumps({"question": f"q{n}?", "choices": ["a", "b", "c", "d"], "answer": 1, "subject": "own"})
        for n in range(8)
    ]
    (project.root / "q.jsonl").write_text("\n".join(lines))
    result = project.run("--record=missing", "--model", "plain", "--questions", "q.jsonl", "--run", "a")
    assert result.status == 0, result.out
    assert project.header("a")["states"] == {"answered": 2}
    shots = project.run("--record=missing", "--model", "plain", "--questions", "q.jsonl", "--shots", "1")
    assert shots.status != 0
    assert shots.out.count("wanted a dev part") == 1, "said once, not for every item"


OWN_BATCHES = """\
def own_batches():
    from tunegate.cases import Question
    one = Question("q", ("a", "b", "c", "d"), 2, "s")
    return [Batch("s-01", "s", (one,) * 4)]


"""


def test_eval_may_bring_its_own_cases(project: Project) -> None:
    """An eval that needs no bank runs in a project that has none."""
    shutil.rmtree(project.root / "fixtures" / "questions")
    change_eval(
        project,
        ("    return sources.batches(of=4, sample=200)", "    return own_batches()"),
        ("def batches(sources", OWN_BATCHES + "def batches(sources"),
    )
    result = project.run("--record=missing", "--model", "plain", "--run", "a")
    assert result.status == 0, result.out
    assert project.header("a")["questions"] is None


def test_eval_without_cases_is_said(project: Project) -> None:
    """An eval whose cases are an empty list is a mistake, not a pass."""
    change_eval(project, ("    return sources.batches(of=4, sample=200)", "    return []"))
    result = project.run()
    assert result.status != 0
    assert "the eval 'format' has no cases to ask" in result.out
    assert "INTERNALERROR" not in result.out


def test_cell_is_measured_once(project: Project) -> None:
    """A further parametrization would count each cell twice: it is refused before anything is asked."""
    change_eval(
        project,
        ('@evaluates("format"', 'import pytest\n\n\n@pytest.mark.parametrize("more", [1, 2])\n@evaluates("format"'),
        ("    case: Batch,\n", "    more: int,\n    case: Batch,\n"),
    )
    result = project.run("--record=missing")
    assert result.status == 4, result.out
    assert "cells stand in several items" in result.out


def test_fixtures_of_an_eval_reach_no_network_either(project: Project) -> None:
    """What runs before the question is held to the same rule."""
    project.run("--record=missing", "--model", "plain", "--run", "live")
    (project.root / "evals" / "conftest.py").write_text(
        "import socket, pytest\n\n@pytest.fixture(autouse=True)\n"
        "def call_home():\n    socket.create_connection(('127.0.0.1', 9))\n"
    )
    result = project.run("--model", "plain", "-k", "sums-01", "--run", "a")
    assert result.status == 1
    assert "without --record nothing reaches the network" in result.out
    assert project.header("a")["states"] == {"error": 1}


def test_paid_reply_is_kept_where_the_eval_breaks(project: Project) -> None:
    """A reply whose checks raise is an error of ours, and its record still says what came and what was asked."""
    change_eval(project, ("    score(", "    1 / 0\n    score("), ("ask().text", "'x'"))
    change_eval(project, ("    1 / 0\n", "    ask()\n    1 / 0\n"))
    result = project.run("--record=missing", "--model", "plain", "-k", "sums-01", "--run", "a")
    assert result.status == 1
    (record,) = project.records("a")
    assert (record.state, record.source) == ("error", "live")
    assert record.reply is not None
    assert record.request is not None
    assert "ZeroDivisionError" in (record.error or "")


def test_item_that_measures_nothing_cannot_pass(project: Project) -> None:
    """A score without a check is a mistake in the eval: an error, not a pass."""
    change_eval(project, ('score(checks(case, ask().text, schema("answer_list")))', "ask()\n    score([])"))
    result = project.run("--record=missing", "--model", "plain", "-k", "sums-01", "--run", "a")
    assert result.status == 1
    assert "score() was called without a check" in result.out
    assert project.header("a")["states"] == {"error": 1}


def test_name_of_an_eval_belongs_to_one_test(project: Project) -> None:
    """Two evals of one name would share their recordings."""
    shutil.copy(project.root / "evals" / "test_format.py", project.root / "evals" / "test_other.py")
    result = project.run("--record=missing")
    assert result.status != 0
    assert "two evals are called 'format'" in result.out
