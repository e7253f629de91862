"""What it takes to be accepted, and what is then kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tunegate.errors import RunError, UsageError
from tunegate.gate.contest import open_contest
from tunegate.gate.keeping.acceptance import Acceptance, accept_run
from tunegate.gate.keeping.certificate import digest_of_verdict
from tunegate.gate.policy import DEFAULT
from tunegate.gate.verdict_file import read_verdict, to_plain, write_verdict

from ..project import Project
from .judged import OUT_OF_REACH, POLICY, Places, copy_project, judge, make_judged

AT = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_judged(tmp_path_factory.mktemp("judged"))


@pytest.fixture
def places(template: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """The folders of a project with the run `a`, not yet judged; the working folder is the project's."""
    project = copy_project(template, tmp_path)
    monkeypatch.chdir(project.root)
    return Places(Project(Path()))


def accept(places: Places, run: str = "a", **arguments: Any) -> Acceptance:
    return accept_run(places.run(run), reports=places.reports, fixtures=places.fixtures, **{"at": AT, **arguments})


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_promoted_run_is_kept_byte_for_byte(places: Places) -> None:
    """Records and run.json are the run's, the verdict says when it was accepted, and nothing else is written."""
    judge(places.project)
    (places.run("a") / "noise.json").write_text("{}")
    (places.run("a") / "report.html").write_text("drawn again at any time")
    accepted = accept(places)
    assert accepted.folder == places.reports / "accepted" / "plain"
    assert (accepted.model, accepted.run, accepted.because, accepted.replaced) == ("plain", "a", None, None)
    kept, run = files_of(accepted.folder), files_of(places.run("a"))
    assert set(kept) == {"run.json", "records.jsonl", "verdict.json", "noise.json"}
    assert all(kept[name] == run[name] for name in set(kept) - {"verdict.json"})
    note = {"at": "2026-11-22T12:30:00+00:00", "model": "plain", "because": None}
    assert read_verdict(accepted.folder) == replace(read_verdict(places.run("a")), accepted=note)
    assert {path.name for path in places.reports.iterdir()} == {"runs", "accepted"}


def test_accepted_run_is_what_later_runs_are_held_against(places: Places) -> None:
    """Without a baseline in the run itself, the accepted one is found."""
    judge(places.project)
    accept(places)
    done = places.project.run("--model", "plain", "--run", "later")
    assert done.status == 0, done.out
    contest = open_contest(
        places.run("later"), policy=DEFAULT, reports=places.reports, fixtures=places.fixtures, patterns=["plain"]
    )
    assert contest.baseline_folder == places.reports / "accepted" / "plain"


def test_baseline_of_another_run_is_kept_beside(places: Places) -> None:
    """The accepted folder is enough to make the verdict again: it holds the baseline's records, wherever they lay."""
    assert places.project.run("--model", "plain", "--run", "c").status == 0
    assert places.project.run("--model", "prose", "--run", "b").status == 0
    judge(places.project, "c", baseline="b", against="prose")
    accepted = accept(places, "c")
    kept = files_of(accepted.folder)
    assert kept["baseline/records.jsonl"] == (places.run("b") / "records.jsonl").read_bytes()
    assert kept["baseline/run.json"] == (places.run("b") / "run.json").read_bytes()


def test_baseline_elsewhere_has_to_be_named(places: Places, tmp_path: Path) -> None:
    """Where the baseline's run has gone, it is said which one is missing; a folder that is named is taken."""
    assert places.project.run("--model", "plain", "--run", "c").status == 0
    assert places.project.run("--model", "prose", "--run", "b").status == 0
    judge(places.project, "c", baseline="b", against="prose")
    elsewhere = tmp_path / "elsewhere"
    shutil.move(places.run("b"), elsewhere)
    with pytest.raises(RunError, match=r"the run b, which the baseline of .* comes from"):
        accept(places, "c")
    assert (accept(places, "c", baseline=elsewhere).folder / "baseline" / "records.jsonl").exists()


def change_record(places: Places) -> None:
    path = places.run("a") / "records.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"passed":false', b'"passed":true ', 1))


def change_header(places: Places) -> None:
    path = places.run("a") / "run.json"
    path.write_bytes(path.read_bytes().replace(b'"not_run": 0', b'"not_run": 1'))


def change_verdict(places: Places) -> None:
    path = places.run("a") / "verdict.json"
    path.write_bytes(path.read_bytes().replace(b'"INCONCLUSIVE"', b'"PROMOTE"'))


def change_policy(places: Places) -> None:
    path = places.fixtures / "gates.toml"
    path.write_text(path.read_text().replace("not_worse_by = 0.5", "not_worse_by = 0.25"))


def remove_certificate(places: Places) -> None:
    path = places.run("a") / "verdict.json"
    plain = json.loads(path.read_text())
    del plain["certificate"]
    path.write_text(json.dumps(plain))


@pytest.mark.parametrize("policy", [POLICY, OUT_OF_REACH], ids=["promote", "inconclusive"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (change_record, "records.jsonl is not what the verdict was made from"),
        (change_header, "run.json is not what the verdict was made from"),
        (change_policy, "gates.toml, rules[1].threshold is not what the verdict was made from"),
        (remove_certificate, "has no certificate"),
    ],
)
def test_verdict_is_on_exactly_these_records(
    places: Places, change: Callable[[Places], None], said: str, policy: str
) -> None:
    """After a change of records or policy nothing is accepted, for no reason whatever, and it is said what changed."""
    judge(places.project, policy=policy)
    change(places)
    with pytest.raises((UsageError, RunError)) as refused:
        accept(places, because="it has to be")
    assert said in str(refused.value)
    assert "tunegate gate" in str(refused.value)
    assert not (places.reports / "accepted").exists()


def test_verdict_that_was_written_by_hand_is_refused(places: Places) -> None:
    """A word that was changed in verdict.json does not promote."""
    judge(places.project, policy=OUT_OF_REACH)
    change_verdict(places)
    with pytest.raises(UsageError, match="was changed after it was written"):
        accept(places)


def test_only_a_promoted_model_is_accepted(places: Places) -> None:
    """A verdict that is not PROMOTE refuses, with its reasons; a reason to accept all the same is kept."""
    judge(places.project, policy=OUT_OF_REACH)
    with pytest.raises(UsageError, match="is INCONCLUSIVE, not PROMOTE: undecided: shape: format schema"):
        accept(places)
    with pytest.raises(UsageError, match="--because"):
        accept(places, because="   ")
    accepted = accept(places, because="six cases are all there are")
    kept = read_verdict(accepted.folder)
    assert (kept.word, accepted.because) == ("INCONCLUSIVE", "six cases are all there are")
    assert kept.accepted == {"at": AT.isoformat(), "model": "plain", "because": "six cases are all there are"}


def test_reason_does_not_stand_for_a_verdict(places: Places) -> None:
    """Without any verdict there is nothing to override: it is made first, whatever it says."""
    with pytest.raises(UsageError, match="no verdict on the run a"):
        accept(places, because="it has to be")


def test_unfinished_run_is_refused(places: Places) -> None:
    """What a stopped run would have shown is not known, and no reason replaces it."""
    stopped = places.project.run("--model", "prose", "--fail-on-miss", "-x", "--run", "stopped")
    assert stopped.status == 1
    with pytest.raises(UsageError, match="the run stopped is interrupted, not finished"):
        accept(places, "stopped", because="it has to be")


def test_one_of_several_candidates_is_named(places: Places) -> None:
    """Where a verdict is on two models, each is accepted by its name, by its own word."""
    matrix = places.fixtures / "models.toml"
    matrix.write_text(matrix.read_text().replace('role = "baseline"', 'role = "candidate"'))
    assert places.project.run("--run", "two").status == 0
    verdict = judge(places.project, "two", policy='[[rules]]\nmetric = "schema"\nmin = 0.3\n')
    assert {decision.candidate: decision.word for decision in verdict.decisions} == {
        "prose": "INCONCLUSIVE",
        "plain": "PROMOTE",
    }
    with pytest.raises(UsageError, match="--model prose or --model plain"):
        accept(places, "two")
    with pytest.raises(UsageError, match="the verdict is on prose, plain, not on other"):
        accept(places, "two", model="other")
    with pytest.raises(UsageError, match="the verdict on prose is INCONCLUSIVE"):
        accept(places, "two", model="prose")
    assert accept(places, "two", model="plain").model == "plain"


def test_older_acceptance_goes_when_the_new_one_is_whole(places: Places) -> None:
    """The new folder holds nothing of the old one, and it is said what the old one was."""
    judge(places.project)
    accept(places)
    (places.reports / "accepted" / "plain" / "noise.json").write_text("{}")
    assert places.project.run("--run", "again").status == 0
    judge(places.project, "again")
    accepted = accept(places, "again", at=AT.replace(day=23))
    assert accepted.replaced is not None
    assert (accepted.replaced.run, accepted.replaced.at) == ("a", AT.isoformat())
    assert set(files_of(accepted.folder)) == {"run.json", "records.jsonl", "verdict.json"}
    assert read_verdict(accepted.folder).candidate_run == "again"


def test_failure_leaves_the_older_acceptance(places: Places) -> None:
    """An acceptance that cannot be written changes nothing."""
    judge(places.project)
    accepted = accept(places)
    before = files_of(accepted.folder)
    (places.run("a") / "noise.json").mkdir()
    with pytest.raises(RunError, match="cannot write"):
        accept(places)
    assert files_of(accepted.folder) == before
    assert {path.name for path in places.reports.iterdir()} == {"runs", "accepted"}


def test_acceptance_that_was_killed_half_way_is_mended(places: Places) -> None:
    """A draft that a killed process left goes; an older acceptance that it moved away is replaced like any other."""
    judge(places.project)
    accepted = accept(places)
    (places.reports / ".accepting-plain").mkdir()
    (places.reports / ".accepting-plain" / "left.txt").write_text("left")
    accepted.folder.rename(places.reports / ".replaced-plain")
    again = accept(places)
    assert again.replaced is not None
    assert again.replaced.run == "a"
    assert set(files_of(again.folder)) == {"run.json", "records.jsonl", "verdict.json"}
    assert {path.name for path in places.reports.iterdir()} == {"runs", "accepted"}


def test_accepted_run_can_be_accepted_again(places: Places) -> None:
    """Its folder is a run like any other."""
    judge(places.project)
    folder = accept(places).folder
    before = read_verdict(folder)
    again = accept_run(folder, reports=places.reports, fixtures=places.fixtures, at=AT)
    assert again.folder == folder
    assert read_verdict(folder) == before
    assert digest_of_verdict(to_plain(before)) == (before.certificate or {})["digest"]


def test_unreadable_verdict_is_replaced_and_named(places: Places) -> None:
    """What stood in the place before need not be sound to be replaced."""
    place = places.reports / "accepted" / "plain"
    place.mkdir(parents=True)
    (place / "verdict.json").write_text("{")
    write_verdict(places.run("a"), judge(places.project))
    replaced = accept(places).replaced
    assert replaced is not None
    assert (replaced.run, replaced.at) == ("plain", None)
