"""`tunegate finetune` makes rows of the matrix out of training files, one job each, whatever is killed on the way."""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tunegate.cases import Matrix
from tunegate.cli.finetune import add_command
from tunegate.cli.finetuning import Finetuning
from tunegate.errors import RunError
from tunegate.lab import Lab

from ..finetune.trainings import write_lines
from ..project import OURS, ROOT, Result
from ..tuning_site import Site
from .calling import call as call_tunegate

SET = Path("reports/training/sky")
MATRIX = Path("fixtures/models.toml")


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> Result:
    return call_tunegate(capsys, "finetune", *arguments)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.syspath_prepend(str(tmp_path))
    return Site(tmp_path)


@pytest.fixture
def lab(site: Site) -> Iterator[Lab]:
    with site.start() as lab:
        yield lab


@pytest.fixture
def house(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a matrix and a training set of two sizes, in which the command works."""
    root = tmp_path / "house"
    lay_out(root, lab.base_url)
    monkeypatch.chdir(root)
    return root


def lay_out(root: Path, base_url: str) -> None:
    (root / "fixtures").mkdir(parents=True)
    (root / MATRIX).write_text(
        f'[endpoints.lab]\nbase_url = "{base_url}"\n'
        '[models.tiny]\nendpoint = "lab"\nrole = "candidate"\nbase = "tiny"\nexamples = 0\n'
    )
    files = [
        {
            "path": f"n{size}.jsonl",
            "examples": size,
            "tokens": 100 * size,
            "sha256": hashlib.sha256(write_lines(root / SET / f"n{size}.jsonl", size).read_bytes()).hexdigest(),
        }
        for size in (10, 20)
    ]
    write_lines(root / SET / "validation.jsonl", 2)
    validation = {"path": "validation.jsonl", "examples": 2}
    (root / SET / "manifest.json").write_text(
        json.dumps({"format": 1, "files": files, "validation": validation, "epochs": 1})
    )


def jobs_at(base_url: str) -> list[Any]:
    with openai.OpenAI(base_url=base_url, api_key="none") as client:
        return list(client.fine_tuning.jobs.list())


def test_training_set_becomes_rows(house: Path, lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """Every size with every seed is trained, kept, and listed with where it came from."""
    done = call(capsys, str(SET), "--model", "tiny", "--seeds", "1-2", "--batch-size", "1")
    assert done.status == 0, done.out
    assert "4 trainings of tiny" in done.line("plan:")
    rows = {model.name: model for model in Matrix.load(MATRIX).models if model.training}
    assert sorted((row.examples, row.training_seed) for row in rows.values()) == [(10, 1), (10, 2), (20, 1), (20, 2)]
    for job in jobs_at(lab.base_url):
        row = rows[job.fine_tuned_model]
        assert row.training is not None
        assert (row.base, row.training.job, row.training.set, row.training.epochs) == ("tiny", job.id, "sky", 1)
        assert row.training.tokens == job.trained_tokens
        assert job.validation_file is not None
    kept = sorted(path.name[:7] for path in (house / "reports/finetunes/sky-tiny").glob("*.json"))
    assert kept == ["n10-s1-", "n10-s2-", "n20-s1-", "n20-s2-"]


def test_same_command_again_changes_nothing(house: Path, lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """No second job, no second row, not a byte of what is kept."""
    command = (str(SET), "--model", "tiny", "--sizes", "10")
    assert call(capsys, *command).status == 0
    before = {path: path.read_bytes() for path in house.rglob("*") if path.is_file()}
    assert call(capsys, *command).status == 0
    assert {path: path.read_bytes() for path in house.rglob("*") if path.is_file()} == before
    assert len(jobs_at(lab.base_url)) == 1


def test_dry_run_creates_nothing(house: Path, lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what would be trained, and what nobody knows of the cost, and stops."""
    told = call(capsys, str(SET), "--model", "tiny", "--dry-run")
    assert told.status == 0
    assert told.line("all of them may cost:").endswith("unknown")
    assert jobs_at(lab.base_url) == []
    assert not (house / "reports/finetunes").exists()


def test_budget_is_held(house: Path, lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """With --max-cost nothing is created that may cost more, or of which nobody knows what it costs."""
    unknown = call(capsys, str(SET), "--model", "tiny", "--max-cost", "5")
    assert unknown.status == 4
    assert "--max-cost 5 cannot be held" in unknown.out
    (house / "fixtures" / "prices.toml").write_text(
        '[[prices]]\nmodel = "tiny"\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 1\n'
        'training_usd_per_mtok = 1000\nsource = "a list"\n'
    )
    # 1,000 and 2,000 tokens, one epoch: $3.00. A line is 98 bytes, of two messages in one example: 258 tokens at most.
    line = len((house / SET / "n10.jsonl").read_bytes().splitlines()[0]) + 2 * 16 + 128
    most = f"{30 * line / 1000:.2f}"
    dear = call(capsys, str(SET), "--model", "tiny", "--max-cost", "3")
    assert dear.status == 4
    assert dear.line("all of them may cost:").endswith(f"about $3.00 by an estimate, ${most} at most")
    assert f"may cost ${most}, more than --max-cost 3" in dear.out
    assert jobs_at(lab.base_url) == []
    assert call(capsys, str(SET), "--model", "tiny", "--sizes", "10", "--max-cost", most).status == 0
    # What is paid already counts no more.
    rest = f"{20 * line / 1000:.2f}"
    told = call(capsys, str(SET), "--model", "tiny", "--max-cost", rest)
    assert told.status == 0, told.out
    assert told.line("the 1 of them that have no job yet may cost:").endswith(f"${rest} at most")
    assert "n10-s1: n10.jsonl, seed 1; it has its job" in told.out
    assert call(capsys, str(SET), "--model", "tiny", "--max-cost", "0").status == 0
    assert len(jobs_at(lab.base_url)) == 2


def test_sizes_get_seeds_of_their_own(house: Path, lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """With --own-seeds no two sizes share a seed; files and models are still named by the replicate."""
    done = call(capsys, str(SET), "--model", "tiny", "--own-seeds")
    assert done.status == 0, done.out
    jobs = {job.seed: job.fine_tuned_model for job in jobs_at(lab.base_url)}
    assert sorted(jobs) == [10001, 20001]
    assert ":n20-s1:" in jobs[20001]
    rows = {model.name: model for model in Matrix.load(MATRIX).models if model.training}
    assert {name: row.training_seed for name, row in rows.items()} == {name: seed for seed, name in jobs.items()}
    assert sorted(path.name[:7] for path in (house / "reports/finetunes/sky-tiny").glob("*.json")) == [
        "n10-s1-", "n20-s1-",
    ]  # fmt: skip


def test_repeated_set_is_another_recipe(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A set whose examples stand three times in their file is told from one in which they stand once."""
    manifest = json.loads((house / SET / "manifest.json").read_text())
    (house / SET / "manifest.json").write_text(json.dumps(manifest | {"repetitions": 3}))
    done = call(capsys, str(SET), "--model", "tiny", "--sizes", "10")
    assert done.status == 0, done.out
    (row,) = [model for model in Matrix.load(MATRIX).models if model.training]
    assert row.training is not None
    assert (row.training.epochs, row.training.repetitions) == (1, 3)
    assert row.training.recipe[0] == 3


def finetuning(*, say: Callable[[str], None]) -> Finetuning:
    """Return the command's work on the house's set, for what only its own process can be stopped by."""
    parser = argparse.ArgumentParser()
    add_command(parser.add_subparsers())
    return Finetuning(parser.parse_args(["finetune", str(SET), "--model", "tiny", "--sizes", "10"]), say=say)


@pytest.mark.parametrize("harm", ["damaged file", "lost base"])
def test_what_stopped_the_command_is_not_hidden(
    house: Path, lab: Lab, capsys: pytest.CaptureFixture[str], harm: str
) -> None:
    """Ctrl-C stays Ctrl-C, although a kept file is damaged meanwhile or a row is gone; what can be listed is."""
    assert call(capsys, str(SET), "--model", "tiny", "--sizes", "10", "--no-rows").status == 0
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        # The job of the training that is there already is shown before anything is asked.
        if line.startswith("n10-s1 (ftjob-"):
            if harm == "damaged file":
                (house / "reports/finetunes/sky-tiny/n20-s1-abc12345.json").write_text("{")
            else:
                MATRIX.write_text(MATRIX.read_text().replace("[models.tiny]", "[models.other]"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finetuning(say=say).train()
    (job,) = jobs_at(lab.base_url)
    if harm == "damaged file":
        assert any("n20-s1-abc12345.json is damaged" in line for line in said)
        assert job.fine_tuned_model in Matrix.load(MATRIX).names
    else:
        assert any("does not list any more" in line for line in said)


def test_damaged_file_does_not_keep_models_from_their_rows(house: Path, lab: Lab) -> None:
    """A file that was damaged while the jobs ran is told after everything else was listed, with status 4."""
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if line.startswith("n10-s1 (ftjob-") and line.endswith("succeeded"):
            (house / "reports/finetunes/sky-tiny/n20-s1-abc12345.json").write_text("{")

    with pytest.raises(RunError, match=r"n20-s1-abc12345\.json is damaged"):
        finetuning(say=say).train()
    (job,) = jobs_at(lab.base_url)
    assert job.fine_tuned_model in Matrix.load(MATRIX).names


def test_single_file_is_a_set(house: Path, lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that somebody wrote otherwise is trained on as it is."""
    path = write_lines(house / "mine" / "data.jsonl", 12)
    done = call(capsys, str(path), "--model", "tiny", "--epochs", "1", "--suffix", "mine")
    assert done.status == 0, done.out
    (job,) = jobs_at(lab.base_url)
    assert job.fine_tuned_model.startswith("ft:tiny:lab:mine-n12-s1:")
    assert job.validation_file is None


def test_changed_file_is_not_trained_on(house: Path, lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is not what its manifest counted would be priced by another's tokens: it is refused by name."""
    with (house / SET / "n10.jsonl").open("a") as file:
        file.write("\n")
    told = call(capsys, str(SET), "--model", "tiny")
    assert told.status == 4
    assert "n10.jsonl was changed after it was written" in told.out
    assert jobs_at(lab.base_url) == []


def test_exploded_training_is_flagged_before_any_call(
    house: Path, site: Site, lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    """A loss that did not fall is said at once, ends the command with 1, and stands in the row."""
    (house / "trainer.py").write_text(EXPLODING)
    lab.close()
    site.worker = (sys.executable, str(house / "trainer.py"))
    with site.start() as again:
        text = MATRIX.read_text().replace(lab.base_url, again.base_url)
        MATRIX.write_text(text)
        done = call(capsys, str(SET), "--model", "tiny", "--sizes", "20", "--learning-rate", "100")
    assert done.status == 1
    assert "NOT CONVERGED" in done.out
    (row,) = [model for model in Matrix.load(MATRIX).models if model.training]
    assert row.training is not None
    assert "its loss did not fall" in (row.training.not_converged or "")


EXPLODING = f"""
import sys
from functools import partial
from pathlib import Path
sys.path.insert(0, {str(ROOT / "tools")!r})
from tunegate.lab.fine_tuning.order import ADAPTER, METRICS, Checkpoint, Done, Step
from tunegate.lab.fine_tuning.worker import tell_server
folder, tell = Path(sys.argv[1]), partial(tell_server, sys.stdout)
losses = [2.5, 2.4, 6.1, 9.3, 8.7] + [7.9, 8.3, 8.1] * 5
for step, loss in enumerate(losses, 1):
    tell(Step(step, len(losses), loss, 0.1))
(folder / METRICS).write_text(
    "step,train_loss\\n" + "".join(f"{{step}},{{loss}}\\n" for step, loss in enumerate(losses, 1))
)
(folder / ADAPTER).write_text("adapter")
tell(Done(1))
"""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere.jsonl", "--model", "tiny"), "cannot read nowhere.jsonl"),
        ((str(SET), "--model", "huge"), "no row 'huge'"),
        ((str(SET), "--model", "tiny", "--sizes", "15"), "has no file of 15 examples\n  there are: 10, 20"),
        (("fixtures", "--model", "tiny"), "no training set at fixtures"),
        ((str(MATRIX), "--model", "tiny"), 'models.toml, line 1: wanted {"messages": [...]}'),
        ((str(SET), "--model", "tiny", "--max-cost", "nan"), "an amount from 0 on is wanted"),
        ((str(SET), "--model", "tiny", "--learning-rate", "0"), "a number above 0 is wanted"),
    ],
    ids=["file", "model", "size", "folder", "no chat", "nan", "rate"],
)
def test_bad_input_is_told(
    house: Path,  # noqa: ARG001  # the folder in which the command works
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    words: str,
) -> None:
    """What was wanted, what was there, and status 4."""
    told = call(capsys, *arguments)
    assert told.status == 4
    assert words in told.out


def test_killed_command_goes_on(house: Path, site: Site, lab: Lab) -> None:
    """Killed at random moments and run again, it ends with one job a training, one row each, and the same losses."""
    dice = random.Random(7)
    site.gate.touch()
    command = [sys.executable, "-m", "tunegate", "finetune", str(SET), "--model", "tiny", "--seeds", "1-3"]
    command += ["--batch-size", "1"]
    env = {**OURS, "PYTHONPATH": str(ROOT / "tools")}
    killed = 0
    for _ in range(40):
        process = subprocess.Popen(
            command, cwd=house, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            process.wait(timeout=dice.uniform(0.3, 2.5))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            killed += 1
        out, _ = process.communicate()
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, out
    else:
        process = subprocess.Popen(command, cwd=house, env=env, stdout=subprocess.DEVNULL)
        assert process.wait(timeout=60) == 0
    assert killed
    jobs = jobs_at(lab.base_url)
    assert sorted(job.metadata["examples"] for job in jobs) == ["10"] * 3 + ["20"] * 3
    assert len({job.metadata["tunegate"] for job in jobs}) == 6
    rows = [model for model in Matrix.load(house / MATRIX).models if model.training]
    assert {row.name for row in rows} == {job.fine_tuned_model for job in jobs}
    kept = [json.loads(path.read_text()) for path in (house / "reports/finetunes/sky-tiny").glob("*.json")]
    for one in kept:
        assert [step["train_loss"] for step in one["steps"]] == pytest.approx(
            [1 / step for step in range(1, one["examples"] + 1)]
        )
