"""`tunegate verify` says yes to what is as it was certified, and names the first thing that is not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunegate.gate.keeping.certificate import digest_of_verdict

from ..gate.judged import OUT_OF_REACH, POLICY, copy_project, judge, make_judged
from ..project import ROOT, Project, Result
from .calling import call

OTHER_SETTINGS = ("--limit", "2", "--seed", "7", "--shots", "1", "--repeat", "2", "--no-stream")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_judged(tmp_path_factory.mktemp("judged"))


@pytest.fixture
def project(template: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with the run `a`, not yet judged, in which the command then works; its endpoint is gone."""
    project = copy_project(template, tmp_path)
    monkeypatch.chdir(project.root)
    return Project(Path())


def steps_of(result: Result) -> list[str]:
    """Return the names of what was looked at."""
    lines = [line for line in result.out.splitlines() if line.startswith("  ") and not line.startswith("   ")]
    return [line[2:].split("  ")[0] for line in lines]


def edit(path: str, old: str, new: str) -> None:
    text = Path(path).read_text()
    assert old in text
    Path(path).write_text(text.replace(old, new, 1))


def test_accepted_run_is_as_certified_on_another_machine(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From what stands in git alone, elsewhere, with the endpoint gone and the rows out of the matrix."""
    judge(project)
    assert call(capsys, "accept", "a").status == 0
    elsewhere = tmp_path.with_name(f"{tmp_path.name}-elsewhere")
    shutil.copytree(tmp_path, elsewhere, ignore=shutil.ignore_patterns("runs"))
    monkeypatch.chdir(elsewhere)
    shutil.rmtree(tmp_path)
    Path("fixtures/models.toml").write_text("")
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    done = call(capsys, "verify")
    assert done.status == 0, done.out
    assert steps_of(done) == [
        "accepted", "certificate", "policy", "case files", "cassettes", "records", "replay", "verdict",
    ]  # fmt: skip
    assert "replay        candidate: 12 records of plain, prose\n" in done.out
    assert "verdict       PROMOTE, made again from the records\n" in done.out
    after = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert after == {path: content for path, content in before.items() if path.suffix != ".pyc"}


def change_cassette() -> None:
    edit("cassettes/format/plain.json", '\\"2\\"', '\\"3\\"')


def remove_cassette() -> None:
    Path("cassettes/format/prose.json").unlink()


def change_question() -> None:
    edit("fixtures/questions/test/sums_test.csv", "sums 3", "sums 4")


def remove_schema() -> None:
    Path("fixtures/schemas/answer_list.json").unlink()


def change_record() -> None:
    edit("reports/runs/a/records.jsonl", '"latency_s":0', '"latency_s":1')


def change_header() -> None:
    edit("reports/runs/a/run.json", '"repeat": 1', '"repeat": 2')


def change_policy() -> None:
    edit("fixtures/gates.toml", "not_worse_by = 0.5", "not_worse_by = 0.4")


def break_policy() -> None:
    edit("fixtures/gates.toml", "not_worse_by = 0.5", "not_worse_by = 0.5.")


def change_verdict() -> None:
    edit("reports/runs/a/verdict.json", '"word": "PROMOTE"', '"word": "BLOCK"')


def change_prompt() -> None:
    edit("evals/test_format.py", "Answer every", "Please answer every")


def change_check() -> None:
    edit("evals/test_format.py", '"keys", keys_hold', '"keys", not keys_hold')


def change_request() -> None:
    edit("evals/test_format.py", "max_tokens=64", "max_tokens=65")


def break_eval() -> None:
    edit("evals/test_format.py", "import json", "import jsom")


@pytest.mark.parametrize(
    ("change", "step", "said"),
    [
        (change_cassette, "cassettes", ["differs: cassettes/format/plain.json\n    wanted SHA-256"]),
        (remove_cassette, "cassettes", ["differs: cassettes/format/prose.json\n", "found  no such file"]),
        (change_question, "case files", ["differs: fixtures/questions/test/sums_test.csv\n"]),
        (remove_schema, "case files", ["differs: fixtures/schemas/answer_list.json\n", "found  no such file"]),
        (change_record, "records", ["differs: reports/runs/a/records.jsonl\n"]),
        (change_header, "records", ["differs: reports/runs/a/run.json\n"]),
        (
            change_policy,
            "policy",
            [
                "rules[1].threshold\n    wanted 0.5\n    found  0.4\n",
                "gates.toml differs from the policy of this verdict",
            ],
        ),
        (break_policy, "policy", ["differs: fixtures/gates.toml\n"]),
        (change_verdict, "certificate", ["differs: reports/runs/a/verdict.json\n"]),
        (
            change_prompt,
            "replay",
            [': messages[0].content\n    wanted "Answer every', "the prompt of the eval 'format' is another"],
        ),
        (change_check, "replay", [": checks[1].passed\n"]),
        (change_request, "replay", [": request\n"]),
        (break_eval, "replay", ["No module named 'jsom'"]),
    ],
    ids=lambda value: value.__name__ if callable(value) else "" if isinstance(value, list) else None,
)
def test_first_thing_that_differs_is_named(
    project: Project, capsys: pytest.CaptureFixture[str], change: Callable[[], None], step: str, said: list[str]
) -> None:
    """After any one change the status is 1, the thing is named, and nothing after it is looked at."""
    judge(project)
    change()
    found = call(capsys, "verify", "a")
    assert found.status == 1, found.out
    assert not [text for text in said if text not in found.out], found.out
    assert steps_of(found)[-1] == step


def forge(change: Callable[[dict[str, Any]], None]) -> None:
    """Change verdict.json and give it the digest that it then has to have."""
    path = Path("reports/runs/a/verdict.json")
    plain = json.loads(path.read_text())
    change(plain)
    plain["certificate"]["digest"] = digest_of_verdict(plain)
    path.write_text(json.dumps(plain))


def test_forged_digest_does_not_help(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """A verdict that was changed together with its digest is found out when it is made again."""

    def promote(plain: dict[str, Any]) -> None:
        plain["decisions"][0]["word"] = "PROMOTE"

    judge(project, policy=OUT_OF_REACH)
    forge(promote)
    found = call(capsys, "verify", "a", "--no-replay")
    assert found.status == 1
    assert 'made again, decisions[0].word\n    wanted "PROMOTE"\n    found  "INCONCLUSIVE"\n' in found.out


def test_forged_policy_does_not_help(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Rules that were made easier inside verdict.json are not the certified ones."""

    def loosen(plain: dict[str, Any]) -> None:
        plain["policy"]["rules"][0]["threshold"] = 0.1

    judge(project)
    forge(loosen)
    found = call(capsys, "verify", "a", "--no-replay")
    assert found.status == 1
    assert "differs: the policy in verdict.json" in found.out


def test_forged_records_are_found_by_the_replay(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Records that were made better before the verdict was made are not those that the recordings give."""
    records = Path("reports/runs/a/records.jsonl")
    lines = records.read_text().splitlines(keepends=True)
    number = next(n for n, line in enumerate(lines) if '"model":"prose"' in line and '"case":"sums-02"' in line)
    lines[number] = lines[number].replace('"passed":false', '"passed":true')
    records.write_text("".join(lines))
    judge(project)
    assert call(capsys, "verify", "a", "--no-replay").status == 0
    found = call(capsys, "verify", "a")
    assert found.status == 1
    assert "differs: format[sums-02] of 'prose': checks[0].passed\n    wanted true\n    found  false" in found.out


def test_policy_file_that_has_gone_has_no_say(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """The rules stand in the verdict: neither their file nor a comment in it is needed."""
    judge(project)
    edit("fixtures/gates.toml", "[[rules]]", "# another comment\n[[rules]]")
    assert call(capsys, "verify", "a", "--no-replay").status == 0
    Path("fixtures/gates.toml").unlink()
    assert call(capsys, "verify", "a", "--no-replay").status == 0


def test_replay_may_be_left_out(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """`--no-replay` says that it did, and then does not see a changed prompt."""
    judge(project)
    change_prompt()
    done = call(capsys, "verify", "a", "--no-replay")
    assert done.status == 0
    assert "replay        candidate: left out" in done.out


def test_run_with_other_settings_is_replayed_with_them(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Limit, seed, shots, repeats and streaming are those of the run."""
    assert project.run("evals/test_format.py", "--run", "b", *OTHER_SETTINGS).status == 0
    judge(project, "b", policy=POLICY.replace("0.3", "0.1").replace("0.5", "0.9"))
    done = call(capsys, "verify", "b")
    assert done.status == 0, done.out
    assert "candidate: 8 records of" in done.out


def test_run_of_some_cases_is_held_against_them_alone(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """What a run left out (`-k`, `--subject`) is not missed, whatever its replay asks besides."""
    assert project.run("--run", "b", "-k", "sums-01 or sums-02", "--subject", "su*").status == 0
    judge(project, "b")
    done = call(capsys, "verify", "b")
    assert done.status == 0, done.out
    assert "candidate: 4 records of" in done.out


def test_eval_that_was_not_asked_is_no_obstacle(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """A later eval of which nothing is recorded does not keep the others from being replayed."""
    judge(project)
    text = Path("evals/test_format.py").read_text()
    Path("evals/test_later.py").write_text(text.replace('@evaluates("format"', '@evaluates("later"'))
    assert call(capsys, "verify", "a").status == 0


def test_questions_from_elsewhere_are_found_or_asked_for(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bank outside the project is not here on another machine: it can be named, and must be the same one."""
    there, here = (tmp_path.with_name(f"{tmp_path.name}-{name}") for name in ("there", "here"))
    shutil.move("fixtures/questions", there)
    assert project.run("--run", "b", f"--questions={there}").status == 0
    judge(project, "b")
    assert call(capsys, "verify", "b").status == 0
    shutil.move(there, here)
    ended = call(capsys, "verify", "b")
    assert ended.status == 4
    assert f"it asked questions from {there}, which is not here" in ended.out
    assert "say where they are: --questions WHERE" in ended.out
    assert call(capsys, "verify", "b", "--questions", str(here)).status == 0
    edit(str(here / "test" / "sums_test.csv"), "sums 3", "sums 4")
    changed = call(capsys, "verify", "b", "--questions", str(here))
    assert changed.status == 1
    assert f"differs: questions from {here}" in changed.out


def test_merged_run_is_replayed_whole(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that was joined from shards is verified like one that was never cut."""
    for shard in ("1/2", "2/2"):
        assert project.run("--run", f"s{shard[0]}", "--shard", shard).status == 0
    assert call(capsys, "merge", "s1", "s2", "--run", "b").status == 0
    judge(project, "b")
    done = call(capsys, "verify", "b")
    assert done.status == 0, done.out
    assert "candidate: 12 records of" in done.out


def test_verdict_that_stopped_early_is_made_again(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """A verdict that was made case by case is made again case by case."""
    verdict = judge(project, until_decided=True)
    assert verdict.decisions[0].cases_used is not None
    done = call(capsys, "verify", "a")
    assert done.status == 0, done.out


def test_run_that_was_gated_as_it_ended_is_verified(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """A verdict of `pytest --gate` holds although the run then ends with the verdict's own exit status."""
    assert project.run("--gate", "--run", "b").status == 0
    assert call(capsys, "verify", "b").status == 0
    stopped = project.run("--gate", "--until-decided", "--run", "c")
    assert stopped.status == 0, stopped.out
    assert call(capsys, "verify", "c").status == 0
    assert call(capsys, "accept", "c").status == 0
    assert call(capsys, "verify").status == 0


def test_baseline_of_another_run_is_replayed_too(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Each side is replayed as it was run; from the accepted folder alone, when both runs are gone."""
    assert project.run("--model", "plain", "--run", "c").status == 0
    assert project.run("--model", "prose", "--run", "b").status == 0
    judge(project, "c", baseline="b", against="prose")
    assert call(capsys, "verify", "c").status == 0
    assert call(capsys, "accept", "c").status == 0
    shutil.rmtree("reports/runs")
    done = call(capsys, "verify", "accepted/plain")
    assert done.status == 0, done.out
    assert "candidate: 6 records of plain\n" in done.out
    assert "baseline: 6 records of prose\n" in done.out
    edit("reports/accepted/plain/baseline/records.jsonl", '"passed":false', '"passed":true')
    changed = call(capsys, "verify")
    assert changed.status == 1
    assert "differs: reports/accepted/plain/baseline/records.jsonl" in changed.out


def test_older_baseline_is_not_replayed_from_newer_case_files(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """A baseline that was asked before the case files changed has its records and no replay, and that is said."""
    assert project.run("--model", "prose", "--run", "b").status == 0
    Path("fixtures/schemas/later.json").write_text("{}")
    edit("fixtures/schemas/answer_list.json", "{", "{ ")
    assert project.run("--model", "plain", "--run", "c").status == 0
    judge(project, "c", baseline="b", against="prose")
    done = call(capsys, "verify", "c")
    assert done.status == 0, done.out
    assert "baseline: left out, its run had another fixtures/schemas/answer_list.json than the candidate's" in done.out


def test_baseline_that_is_nowhere_cannot_be_checked(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the baseline's records nothing can be said: status 4, and which run is missing."""
    assert project.run("--model", "plain", "--run", "c").status == 0
    assert project.run("--model", "prose", "--run", "b").status == 0
    judge(project, "c", baseline="b", against="prose")
    shutil.move("reports/runs/b", "b-is-here")
    ended = call(capsys, "verify", "c", "--no-replay")
    assert ended.status == 4
    assert "the run b, which the baseline of reports/runs/c comes from" in ended.out
    assert call(capsys, "verify", "c", "--no-replay", "--baseline", "b-is-here").status == 0


def test_errors_and_losses_are_not_replayed(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """A cell without a score was our failure once: it is left out of the replay, and counted."""
    text = Path("evals/test_format.py").read_text()
    edit("evals/test_format.py", "    score(", "    assert case.id != 'sums-02'\n    score(")
    assert project.run("--run", "b").status == 1
    Path("evals/test_format.py").write_text(text)
    verdict = judge(project, "b")
    assert verdict.word == "INCONCLUSIVE"
    done = call(capsys, "verify", "b")
    assert done.status == 0, done.out
    assert "candidate: 10 records of plain, prose, 2 without a score cannot be replayed" in done.out


def test_environment_cannot_change_a_replay(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Options of pytest that stand in the environment neither leave out cases nor reach the network."""
    judge(project)
    monkeypatch.setenv("PYTEST_ADDOPTS", "--record=all -k nothing")
    assert call(capsys, "verify", "a").status == 0


def test_every_accepted_model_is_looked_at(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """One that differs does not keep the others from being looked at; it counts for more than one not checked."""
    judge(project)
    assert call(capsys, "accept", "a").status == 0
    shutil.copytree("reports/accepted/plain", "reports/accepted/aaa")
    shutil.copytree("reports/accepted/plain", "reports/accepted/zzz")
    edit("reports/accepted/aaa/verdict.json", "{", "[")
    edit("reports/accepted/zzz/records.jsonl", '"passed":false', '"passed":true')
    done = call(capsys, "verify", "--no-replay")
    assert done.status == 1
    assert "reports/accepted/aaa could not be checked" in done.out
    assert "reports/accepted/plain: PROMOTE on the run a" in done.out
    assert "differs: reports/accepted/zzz/records.jsonl" in done.out
    shutil.rmtree("reports/accepted/zzz")
    assert call(capsys, "verify", "--no-replay").status == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nothing is accepted in reports/accepted"),
        (("nowhere",), "no run called 'nowhere'"),
        (("a",), "no verdict in reports/runs/a"),
        (("accepted/plain",), "accepted: none yet"),
    ],
)
@pytest.mark.usefixtures("project")
def test_what_is_not_there_cannot_be_checked(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    """Where there is nothing to look at, the status is 4: a check that looked at nothing has not passed."""
    ended = call(capsys, "verify", *arguments)
    assert ended.status == 4
    assert said in ended.out


def test_shipped_recordings_are_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A verdict on the shipped recordings of real models, with the shipped policy, comes out again."""
    for part in ("evals", "fixtures", "cassettes"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / file, tmp_path)
    (tmp_path / "tools").symlink_to(ROOT / "tools")
    monkeypatch.chdir(tmp_path)
    project = Project(Path())
    # The shipped policy is about the format eval, and so is the count below: of the models that were not tuned here.
    models = [word for name in ("smollm2-135m", "smollm2-135m-3shot", "gemma3-270m") for word in ("--model", name)]
    done = project.run("evals/test_format.py", "--run", "a", *models)
    assert done.status == 0, done.out
    verdict = judge(project, against="smollm2-135m-3shot")
    assert verdict.word == "BLOCK"
    done = call(capsys, "verify", "a")
    assert done.status == 0, done.out
    assert "candidate: 600 records of smollm2-135m, gemma3-270m, smollm2-135m-3shot" in done.out
    edit("cassettes/format/gemma3-270m.json", "gemma", "gemmb")
    changed = call(capsys, "verify", "a")
    assert changed.status == 1
    assert "differs: cassettes/format/gemma3-270m.json" in changed.out
