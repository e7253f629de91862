"""The stability evals from the command line to the verdict, against a scripted endpoint."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tunegate.cases import Sources
from tunegate.cli import main
from tunegate.stats import mcnemar_exact
from tunegate.testing import ScriptedEndpoint

from ..project import ROOT, Project, copy_evals, write_settings

QUESTIONS = Sources(ROOT / "fixtures").table("stability/questions.toml")["questions"]
ANSWERS = {question["text"]: question["answers"][0] for question in QUESTIONS}
FORGOTTEN = [question["text"] for question in QUESTIONS[:16]]
"""What the fine-tune does not know any more."""
LEARNED = QUESTIONS[16]["text"]
"""What it knows and the base did not."""
LOOP = "so so so so " * 20
REASON = "the last fifth of its losses does not lie below the first five steps"
POLICY = """
[[rules]]
name = "nothing forgotten"
eval = "forgetting"
metric = "knows"
not_worse_by = 0.05

[[rules]]
name = "still speaks"
eval = "degeneration"
metric = "intact"
min = 0.5
per_subject = true
guard = false

[[rules]]
name = "steady"
eval = "forgetting"
metric = "agreement"
min = 0.8
"""


def reply(body: Mapping[str, Any]) -> str:
    """Answer as the models of this test do: `tuned` has forgotten 16 questions, and how to speak at temperature 1."""
    text, tuned = body["messages"][-1]["content"], body["model"] == "tuned"
    if text not in ANSWERS:
        return LOOP if tuned and body["temperature"] == 1 else "Rice is cooked in water. It takes a while."
    knows = text not in FORGOTTEN if tuned else text != LEARNED
    return f"I think that it is {ANSWERS[text]}." if knows else "I cannot say."


@pytest.fixture
def speaking() -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint(reply) as running:
        yield running


@pytest.fixture
def house(tmp_path: Path, speaking: ScriptedEndpoint) -> Project:
    """A project with the stability evals, a base and its fine-tune, whose training did not converge."""
    copy_evals(tmp_path, "test_stability.py")
    shutil.copytree(ROOT / "fixtures" / "stability", tmp_path / "fixtures" / "stability")
    shutil.copy(ROOT / "conftest.py", tmp_path)
    (tmp_path / "fixtures" / "models.toml").write_text(
        f'[endpoints.here]\nbase_url = "{speaking.base_url}"\nattempts = 2\n'
        '[models.base]\nendpoint = "here"\nrole = "baseline"\n'
        '[models.tuned]\nendpoint = "here"\nrole = "candidate"\nbase = "base"\nexamples = 10\n'
        f'training = {{ not_converged = "{REASON}" }}\n'
    )
    (tmp_path / "fixtures" / "gates.toml").write_text(POLICY)
    write_settings(tmp_path)
    return Project(tmp_path)


def test_stability_is_recorded_replayed_and_judged(house: Project, speaking: ScriptedEndpoint) -> None:
    """Each case is sent at its own temperature, and the verdict says what was forgotten and how speech came apart."""
    recorded = house.run("--record=missing", "--repeat", "2", "--temperature", "0.4", "--run", "live")
    assert recorded.status == 0, recorded.out
    asked = {(seen.body["messages"][-1]["content"] in ANSWERS, seen.body["temperature"]) for seen in speaking.seen}
    assert asked == {(True, 0), (False, 0), (False, 1)}
    assert f"tuned did not converge: {REASON}; its 128 calls are likely wasted" in recorded.out
    assert "base did not converge" not in recorded.out

    replayed = house.run("--repeat", "2", "--gate", "--against", "base", "--run", "a")
    assert replayed.status == 1, replayed.out
    assert f"tuned did not converge: {REASON}" in replayed.out
    assert "likely wasted" not in replayed.out
    assert replayed.line("degeneration:") == "degeneration: 24 cases x 2 repeats, temperature 0 and 1"
    assert replayed.line("agreement").split()[:5] == ["agreement", "base", "24", "100.0", "%"]

    verdict = json.loads((house.root / "reports/runs/a/verdict.json").read_text())
    found = {(one["rule"], one["subject"]): one for one in verdict["decisions"][0]["findings"]}
    forgotten = found["nothing forgotten", None]
    assert forgotten["outcome"] == "broken"
    assert (forgotten["flips"]["gained"], forgotten["flips"]["lost"]) == (1, 16)
    # Two repeats make a case more than one yes or no: there is no exact McNemar of it.
    assert forgotten["flips"]["p_value"] is None
    assert found["still speaks", "temperature 0"]["outcome"] == "holds"
    assert found["still speaks", "temperature 1"]["outcome"] == "broken"
    assert found["steady", None]["outcome"] == "holds"


def test_what_was_forgotten_has_an_exact_test(house: Project) -> None:
    """Asked once, the rule on `knows` tells cases gained and lost and the exact p-value of McNemar's test."""
    done = house.run("--record=missing", "--gate", "--against", "base", "--run", "a")
    assert done.status == 1, done.out
    verdict = json.loads((house.root / "reports/runs/a/verdict.json").read_text())
    (forgotten,) = [one for one in verdict["decisions"][0]["findings"] if one["rule"] == "nothing forgotten"]
    assert forgotten["flips"] == {"gained": 1, "lost": 16, "p_value": pytest.approx(mcnemar_exact(1, 16))}
    assert "gained 1 case, lost 16 (exact McNemar: p < 0.001)" in done.out
    # And of agreement nothing is known.
    assert "the candidate answered no case twice, and agreement needs --repeat 2 or more" in done.out


def test_table_of_an_old_run_marks_what_did_not_converge(
    house: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What run.json says of a training is told under the table, long after the run."""
    assert house.run("--record=missing", "--limit", "2", "--run", "a").status == 0
    monkeypatch.chdir(house.root)
    assert main(("table", "a")) == 0
    shown = capsys.readouterr().out
    assert f"tuned did not converge: {REASON}\n" in shown
    assert "forgetting: 2 cases, temperature 0\n" in shown
