"""Fine-tuning jobs of the lab, as OpenAI's client sees them; the training process and the engine are scripts."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import reduce
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.fine_tuning import FineTuningJob

from tunegate.lab import Lab
from tunegate.lab.fine_tuning.process import WORKER
from tunegate.lab.models import architecture_of

from .. import tuning_site
from ..tuning_site import PATIENCE_S, TRAINER, Site, gguf_head, is_alive, wait_until

TOOLS = Path(sys.modules["tunegate"].__file__ or "").parents[1]
InBackground = Callable[..., Future[Any]]
LEARNED = f"adapter {reduce(lambda weight, step: (weight * 31 + step) % 1009, range(1, 31), 5)}"
"""What the scripted trainer makes of ten examples, three epochs and the seed 5."""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.syspath_prepend(str(tmp_path))
    return Site(tmp_path)


@pytest.fixture
def lab(site: Site) -> Iterator[Lab]:
    with site.start() as lab:
        yield lab


@pytest.fixture
def client(lab: Lab) -> Iterator[openai.OpenAI]:
    with connect(lab) as client:
        yield client


def connect(lab: Lab) -> openai.OpenAI:
    return openai.OpenAI(base_url=lab.base_url, api_key="none", max_retries=0, timeout=PATIENCE_S)


def example(answer: object = "blue", **changes: object) -> dict[str, object]:
    asked = {"role": "user", "content": "What colour is the sky?"}
    return {"messages": [asked, {"role": "assistant", "content": answer}], **changes}


def upload(client: openai.OpenAI, lines: Sequence[object]) -> str:
    content = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    return client.files.create(file=("lines.jsonl", content), purpose="fine-tune").id


def submit(client: openai.OpenAI, *, lines: Sequence[object] | None = None, **options: Any) -> FineTuningJob:
    file_id = upload(client, lines if lines is not None else [example()] * 10)
    return client.fine_tuning.jobs.create(**({"model": "tiny", "training_file": file_id, "seed": 5} | options))


def wait_for(client: openai.OpenAI, job: FineTuningJob, *statuses: str) -> FineTuningJob:
    wanted = statuses or ("succeeded", "failed", "cancelled")
    wait_until(lambda: client.fine_tuning.jobs.retrieve(job.id).status in wanted)
    return client.fine_tuning.jobs.retrieve(job.id)


def messages_of(client: openai.OpenAI, job: FineTuningJob) -> list[str]:
    """What was told of a job, the oldest first."""
    return [event.message for event in client.fine_tuning.jobs.list_events(job.id, limit=1000)][::-1]


def ask(client: openai.OpenAI, model: str) -> str | None:
    reply = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}])
    assert reply.model == model
    return reply.choices[0].message.content


# --- From a file to a served model ------------------------------------------------------------------------------


def test_job_makes_a_model_that_is_served(client: openai.OpenAI) -> None:
    """A created job is validated, trained and served under its name, without a restart of the lab."""
    held_out = upload(client, [example()])
    job = submit(client, suffix="sky", validation_file=held_out, metadata={"size": "10"})
    assert (job.object, job.status, job.fine_tuned_model, job.error) == (
        "fine_tuning.job", "validating_files", None, None,
    )  # fmt: skip
    done = wait_for(client, job)
    assert done.status == "succeeded", done.error
    assert done.fine_tuned_model == f"ft:tiny:lab:sky:{job.id[6:14]}"
    assert (done.trained_tokens, done.seed, done.metadata, done.validation_file) == (210, 5, {"size": "10"}, held_out)
    assert done.finished_at is not None
    assert [model.id for model in client.models.list()] == ["tiny", done.fine_tuned_model, "other"]
    assert (ask(client, done.fine_tuned_model), ask(client, "tiny")) == (LEARNED, "base")
    (result,) = done.result_files
    assert client.files.retrieve(result).purpose == "fine-tune-results"
    assert client.files.content(result).text == "step,train_loss\n"


def test_events_tell_the_training_step_by_step(client: openai.OpenAI) -> None:
    """Events are OpenAI's, the newest first: what happened in words, and the metrics of each step as data."""
    job = submit(client, validation_file=upload(client, [example()]), hyperparameters={"n_epochs": 1})
    wait_for(client, job)
    told = messages_of(client, job)
    assert told[:4] == [
        f"Created fine-tuning job: {job.id}",
        f"Validating training file: {job.training_file}",
        "Files validated, moving job to queued state",
        "Fine-tuning job started",
    ]
    assert told[4:14] == [
        *(f"Step {step}/10: training loss={1 / step:.2f}" for step in range(1, 10)),
        "Step 10/10: training loss=0.10, validation loss=0.25",
    ]
    assert told[14:] == [
        "Checkpoint created at step 10",
        f"New fine-tuned model created: ft:tiny:lab::{job.id[6:14]}",
        "The job has successfully completed",
    ]
    metrics = [event for event in client.fine_tuning.jobs.list_events(job.id, limit=3) if event.type == "metrics"]
    assert metrics[0].data == {
        "step": 10, "total_steps": 10, "train_loss": 0.1, "train_mean_token_accuracy": 0.5, "valid_loss": 0.25,
    }  # fmt: skip
    assert "valid_loss" not in metrics[1].data


def test_checkpoints_stand_after_each_epoch(client: openai.OpenAI) -> None:
    """Each epoch leaves a checkpoint with its metrics, the newest first; the last is the model itself."""
    done = wait_for(client, submit(client, validation_file=upload(client, [example()])))
    checkpoints = list(client.fine_tuning.jobs.checkpoints.list(done.id, limit=2))
    assert [checkpoint.step_number for checkpoint in checkpoints] == [30, 20, 10]
    assert checkpoints[0].fine_tuned_model_checkpoint == done.fine_tuned_model
    assert checkpoints[2].fine_tuned_model_checkpoint == f"{done.fine_tuned_model}:ckpt-step-10"
    metrics = checkpoints[2].metrics
    assert (metrics.step, metrics.train_loss, metrics.valid_loss, metrics.full_valid_loss) == (10, 0.1, 0.25, 0.25)


def test_recipe_is_told_as_it_is_used(client: openai.OpenAI) -> None:
    """`auto` and silence become the documented numbers, what is asked for stays, wherever it stands."""
    auto = submit(client, hyperparameters={"n_epochs": "auto"})
    assert auto.hyperparameters.to_dict() == {"n_epochs": 3, "batch_size": 1, "learning_rate_multiplier": 1.0}
    wanted = {"n_epochs": 2, "batch_size": 5, "learning_rate_multiplier": 0.5}
    asked = submit(client, method={"type": "supervised", "supervised": {"hyperparameters": wanted}}, seed=None)
    assert asked.method is not None
    assert asked.method.supervised is not None
    assert asked.method.supervised.hyperparameters is not None
    assert asked.hyperparameters.to_dict() == asked.method.supervised.hyperparameters.to_dict() == wanted
    assert asked.seed >= 0
    assert wait_for(client, asked).trained_tokens == 2 * 2 * 7


# --- What is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "status", "code", "param"),
    [
        ({"model": "gpt-nine"}, 404, "model_not_found", "model"),
        ({"model": "other"}, 400, "model_not_available", "model"),
        ({"training_file": "file-nowhere"}, 404, "file_not_found", "training_file"),
        ({"validation_file": "file-nowhere"}, 404, "file_not_found", "validation_file"),
        ({"training_file": 7}, 400, "invalid_type", "training_file"),
        ({"suffix": "a/b"}, 400, "invalid_value", "suffix"),
        ({"suffix": "x" * 65}, 400, "invalid_value", "suffix"),
        ({"seed": -1}, 400, "invalid_value", "seed"),
        ({"seed": True}, 400, "invalid_value", "seed"),
        ({"hyperparameters": {"n_epochs": 0}}, 400, "invalid_value", "hyperparameters.n_epochs"),
        ({"hyperparameters": {"batch_size": 1.5}}, 400, "invalid_value", "hyperparameters.batch_size"),
        (
            {"method": {"type": "supervised", "supervised": {"hyperparameters": {"learning_rate_multiplier": 0}}}},
            400, "invalid_value", "method.supervised.hyperparameters.learning_rate_multiplier",
        ),
        ({"hyperparameters": {"rank": 8}}, 400, "unknown_parameter", "hyperparameters.rank"),
        ({"hyperparameters": [3]}, 400, "invalid_type", "hyperparameters"),
        ({"method": {"type": "dpo"}}, 400, "invalid_value", "method.type"),
        ({"method": "supervised"}, 400, "invalid_value", "method.type"),
        ({"integrations": [{"type": "wandb", "wandb": {"project": "x"}}]}, 400, "invalid_value", "integrations"),
        ({"metadata": {"a": "x" * 513}}, 400, "invalid_value", "metadata"),
    ],
)  # fmt: skip
def test_jobs_that_cannot_be_meant_are_refused(
    client: openai.OpenAI, options: dict[str, Any], status: int, code: str, param: str
) -> None:
    """What the lab cannot do is refused at once, in the API's shape, and no job comes of it."""
    with pytest.raises(openai.APIStatusError) as caught:
        submit(client, **options)
    assert (caught.value.status_code, caught.value.code, caught.value.param) == (status, code, param)
    assert caught.value.body["type"] == "invalid_request_error"  # type: ignore[index]
    assert list(client.fine_tuning.jobs.list()) == []


def test_files_for_batches_train_nothing(client: openai.OpenAI) -> None:
    """A file that was uploaded for another purpose is refused with the one that is wanted."""
    other = client.files.create(file=("a.jsonl", b"{}"), purpose="batch").id
    with pytest.raises(openai.BadRequestError, match="'batch', not 'fine-tune'"):
        submit(client, training_file=other)


def test_tuned_models_are_not_tuned_again(client: openai.OpenAI) -> None:
    """A second training on top of the first is refused, since adapters do not add up."""
    tuned = wait_for(client, submit(client)).fine_tuned_model or ""
    with pytest.raises(openai.BadRequestError, match="fine-tuned already") as caught:
        submit(client, model=tuned)
    assert caught.value.code == "model_not_available"


USER, SAYS = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (b"{", "not valid JSON"),
        (b'{"messages": "\xff"}', "not valid JSON"),
        ([], '"messages"'),
        ({"prompt": "a", "completion": "b"}, '"messages"'),
        ({"messages": []}, "at least one message"),
        ({"messages": ["a"]}, r'"messages\[0\]".*"role"'),
        ({"messages": [{"role": "robot", "content": "a"}]}, r'"messages\[0\]".*"role"'),
        ({"messages": [USER, {"role": "assistant", "content": None}]}, r'"messages\[1\]".*must be a text'),
        ({"messages": [USER, {"role": "assistant", "content": ""}]}, "empty"),
        ({"messages": [SAYS, USER]}, "last message must be from the assistant"),
        ({"messages": [USER, {**SAYS, "weight": 2}]}, '"weight" must be 0 or 1'),
        ({"messages": [{**USER, "weight": 1}, SAYS]}, '"weight" must be 0 or 1'),
        ({"messages": [USER, {**SAYS, "weight": 0}]}, "nothing would be learned"),
    ],
)
def test_wrong_lines_fail_the_job(client: openai.OpenAI, site: Site, line: object, named: str) -> None:
    """A file that is wrong in one line fails the job with that line and what is wrong, and nothing is trained."""
    failed = wait_for(client, submit(client, lines=[*[example()] * 11, line]))
    assert (failed.status, failed.fine_tuned_model) == ("failed", None)
    assert failed.error is not None
    assert (failed.error.code, failed.error.param) == ("invalid_training_file", "training_file")
    assert re.search(f"Line 12: .*{named}", failed.error.message)
    assert [event.level for event in client.fine_tuning.jobs.list_events(failed.id, limit=1)][:1] == ["error"]
    assert site.pids == []


def test_ten_examples_are_the_fewest(client: openai.OpenAI) -> None:
    """As at OpenAI, nine examples fail the job and ten do not; empty lines are none."""
    failed = wait_for(client, submit(client, lines=[*[example()] * 9, b""]))
    assert failed.error is not None
    assert "has 9 example(s), but must have at least 10" in failed.error.message
    assert wait_for(client, submit(client)).status == "succeeded"


def test_wrong_validation_file_fails_the_job(client: openai.OpenAI) -> None:
    """The file that is wrong is named in the error."""
    failed = wait_for(client, submit(client, validation_file=upload(client, [b"{"])))
    assert failed.error is not None
    assert (failed.error.code, failed.error.param) == ("invalid_validation_file", "validation_file")


# --- The queue --------------------------------------------------------------------------------------------------


def test_one_job_at_a_time_in_their_order(site: Site) -> None:
    """Jobs train one after the other as they were created; one with a mistake fails while another trains."""
    site.stop_at = 2
    with site.start() as lab, connect(lab) as client:
        first, second, third = (submit(client) for _ in range(3))
        wait_for(client, first, "running")
        wrong = submit(client, lines=[b"{"])
        assert wait_for(client, wrong).status == "failed"
        assert [wait_for(client, job, "queued").status for job in (second, third)] == ["queued", "queued"]
        wait_until(lambda: len(site.pids) == 1)
        site.gate.touch()
        done = [wait_for(client, job) for job in (third, first, second)]
        assert [job.status for job in done] == ["succeeded"] * 3
        started = [
            next(e.created_at for e in client.fine_tuning.jobs.list_events(job.id) if e.message.startswith("New"))
            for job in (first, second, third)
        ]
        assert started == sorted(started)
        assert len(set(site.pids)) == 3
        assert ask(client, done[0].fine_tuned_model or "") == LEARNED
        assert len([model for model in client.models.list() if model.id.startswith("ft:tiny:")]) == 3


def test_cancelled_job_ends_at_once(site: Site) -> None:
    """A running training is killed, one that waits never starts, and the next job has its turn."""
    site.stop_at = 2
    with site.start() as lab, connect(lab) as client:
        running, waiting, last = (submit(client) for _ in range(3))
        wait_until(lambda: len(site.pids) == 1)
        assert client.fine_tuning.jobs.cancel(waiting.id).status == "cancelled"
        assert client.fine_tuning.jobs.cancel(running.id).status == "cancelled"
        wait_until(lambda: not is_alive(site.pids[0]))
        site.gate.touch()
        assert wait_for(client, last).status == "succeeded"
        assert wait_for(client, running).fine_tuned_model is None
        assert len(site.pids) == 2
        for over in (running, last):
            with pytest.raises(openai.BadRequestError, match="cannot be cancelled"):
                client.fine_tuning.jobs.cancel(over.id)
        with pytest.raises(openai.NotFoundError) as caught:
            client.fine_tuning.jobs.cancel("ftjob-nowhere")
        assert caught.value.code == "fine_tune_not_found"


def test_files_of_a_job_stay(site: Site) -> None:
    """A training file is not deleted from under the job that reads it."""
    site.stop_at = 2
    with site.start() as lab, connect(lab) as client:
        job = submit(client)
        with pytest.raises(openai.BadRequestError, match=job.id):
            client.files.delete(job.training_file)
        site.gate.touch()
        wait_for(client, job)
        assert client.files.delete(job.training_file).deleted


def test_lists_are_in_pages(client: openai.OpenAI) -> None:
    """Jobs and events come page by page, the newest first; metadata selects jobs."""
    jobs = [submit(client, metadata={"size": str(size)}) for size in (10, 20, 50)]
    assert [job.id for job in client.fine_tuning.jobs.list(limit=2)] == [job.id for job in reversed(jobs)]
    assert [job.id for job in client.fine_tuning.jobs.list(metadata={"size": "20"})] == [jobs[1].id]
    wait_for(client, jobs[2])
    one_by_one = [event.message for event in client.fine_tuning.jobs.list_events(jobs[2].id, limit=1)]
    assert one_by_one[::-1] == messages_of(client, jobs[2])
    with pytest.raises(openai.BadRequestError, match="limit"):
        client.fine_tuning.jobs.list(limit=0)


# --- Engines ----------------------------------------------------------------------------------------------------


def test_request_that_waits_is_answered_by_the_new_engine(site: Site, in_background: InBackground) -> None:
    """Engines change between two requests: the one in hand is finished by the old, the next is answered by the new."""
    reached, opened = site.gate.with_name("reached"), site.gate.with_name("opened")

    def hold() -> None:
        reached.touch()
        wait_until(opened.exists)

    with site.start() as lab, connect(lab) as client:
        site.hold = hold
        in_hand = in_background(ask, client, "tiny")
        wait_until(reached.exists)
        job = submit(client)
        # The engine before, of the other model, and the new one, which waits for its turn.
        wait_until(lambda: len(site.engines) == 3 and lab.desk.turns.waiting == 2)
        late = in_background(ask, client, "tiny")
        wait_until(lambda: lab.desk.turns.waiting == 3)
        assert not site.engines[0].is_closed
        opened.touch()
        assert (in_hand.result(), late.result()) == ("base", "base")
        assert wait_for(client, job).status == "succeeded"
        assert [engine.is_closed for engine in site.engines] == [True, False, False]


def test_base_never_has_a_clients_adapter(client: openai.OpenAI) -> None:
    """Whatever a client asks of the engine behind the lab, a name is answered with its own adapter or none."""
    assert ask(client, wait_for(client, submit(client)).fine_tuned_model or "") == LEARNED
    asked = {"extra_body": {"lora": [{"id": 0, "scale": 1}]}}
    reply = client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": "hi"}], **asked)
    assert reply.choices[0].message.content == "base"


def test_adapters_have_fingerprints_of_their_own(client: openai.OpenAI) -> None:
    """Replies of a tuned name name its adapter too: another training is another fingerprint."""
    names = ["tiny", *(wait_for(client, submit(client, seed=seed)).fine_tuned_model or "" for seed in (1, 2))]
    prints = [
        client.chat.completions.create(model=name, messages=[{"role": "user", "content": "hi"}]).system_fingerprint
        for name in names
    ]
    assert prints[0] == "fp_base"
    assert len(set(prints)) == 3


def test_adapter_that_does_not_load_fails_its_job(site: Site) -> None:
    """A model that cannot be served is a failed job with the reason, and what was served before still is."""
    site.refuses_adapters = True
    with site.start() as lab, connect(lab) as client:
        failed = wait_for(client, submit(client))
        assert failed.error is not None
        assert "no such tensor" in failed.error.message
        assert ask(client, "tiny") == "base"


@pytest.mark.parametrize(("content", "found"), [(gguf_head("llama"), "llama"), (b"GGUF", "")])
def test_architecture_is_read_from_the_file(tmp_path: Path, content: bytes, found: str) -> None:
    """A GGUF says what its model is built like, or nothing."""
    (tmp_path / "a.gguf").write_bytes(content)
    assert architecture_of(tmp_path / "a.gguf") == found


# --- Trainings that fail ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "code", "named"),
    [
        ("fail", "training_diverged", "no number any more"),
        ("crash", "server_error", "status 3: MemoryError: out of it"),
        ("babble", "server_error", "loss is fine, thank you"),
    ],
)
def test_failed_training_says_why(site: Site, mode: str, code: str, named: str) -> None:
    """A training that gives up, crashes or talks nonsense is a failed job with its last words."""
    site.mode = mode
    with site.start() as lab, connect(lab) as client:
        failed = wait_for(client, submit(client))
        assert failed.error is not None
        assert failed.error.code == code
        assert named in failed.error.message
        assert list(client.fine_tuning.jobs.checkpoints.list(failed.id)) == []


def test_killed_training_fails_its_job_alone(site: Site) -> None:
    """A training that the system kills, as it does for want of memory, is said, and the next job runs."""
    site.stop_at = 2
    with site.start() as lab, connect(lab) as client:
        job = submit(client)
        wait_until(lambda: len(site.pids) == 1)
        os.kill(site.pids[0], signal.SIGKILL)
        failed = wait_for(client, job)
        assert failed.error is not None
        assert "ended by signal 9" in failed.error.message
        site.gate.touch()
        assert wait_for(client, submit(client)).status == "succeeded"


def test_missing_libraries_fail_the_job_with_the_command(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyTorch or one of the others the real worker fails the job, and says how to install them."""
    broken = site.gate.with_name("broken")
    broken.mkdir()
    (broken / "gguf.py").write_text("raise ImportError('libmissing.so.9: cannot open')", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(broken))
    site.worker = WORKER
    with site.start() as lab, connect(lab) as client:
        failed = wait_for(client, submit(client))
        assert failed.error is not None
        assert failed.error.code == "training_unavailable"
        assert "libmissing.so.9" in failed.error.message
        assert "make lab-tuning" in failed.error.message


# --- Restarts ---------------------------------------------------------------------------------------------------


def test_tuned_models_outlive_the_server(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """The next server serves what earlier ones tuned, each with its own adapter; one whose file is gone is named."""
    with site.start() as lab, connect(lab) as client:
        names = [wait_for(client, submit(client, seed=seed)).fine_tuned_model or "" for seed in (1, 2, 3)]
        said = [ask(client, name) for name in names]
        assert len(set(said)) == 3
    with site.start() as lab, connect(lab) as client:
        assert [ask(client, name) for name in names] == said
        assert len(list(client.fine_tuning.jobs.list())) == 3
    (gone,) = (path for path in site.storage.folder.glob("fine_tuning/*/adapter.gguf") if path.read_text() == said[0])
    gone.unlink()
    with site.start() as lab, connect(lab) as client:
        assert [ask(client, name) for name in names[1:]] == said[1:]
        assert f"{names[0]} is not served" in capsys.readouterr().err


def test_training_goes_on_after_a_restart(site: Site) -> None:
    """A stopped server ends the training; the next goes on from the last epoch, tells no step twice, and what
    comes out is what would have come out at once."""
    site.stop_at = 15
    with site.start() as lab, connect(lab) as client:
        job = submit(client)
        wait_until(lambda: any(m.startswith("Step 14/") for m in messages_of(client, job)))
        assert wait_for(client, job, "running").finished_at is None
    assert not is_alive(site.pids[0])
    site.gate.touch()
    with site.start() as lab, connect(lab) as client:
        done = wait_for(client, job)
        assert (done.status, done.created_at) == ("succeeded", job.created_at)
        told = messages_of(client, job)
        assert "Fine-tuning job started, again after a restart of the server" in told
        assert [m for m in told if m.startswith("Step")] == [
            f"Step {step}/30: training loss={1 / step:.2f}" for step in range(1, 31)
        ]
        assert [c.step_number for c in client.fine_tuning.jobs.checkpoints.list(job.id)] == [30, 20, 10]
        assert ask(client, done.fine_tuned_model or "") == LEARNED
        assert len(list(client.files.list(purpose="fine-tune-results"))) == 1


SERVER = (
    "import sys; from pathlib import Path\n"
    "sys.path.insert(0, sys.argv[1]); import site_of_tests as tests\n"
    "site = tests.Site(Path(sys.argv[2])); site.stop_at = 15\n"
    "print(site.start().base_url, flush=True); sys.stdin.read()"
)


def test_killed_server_leaves_no_training_behind(site: Site, tmp_path: Path) -> None:
    """After SIGKILL of the server its training ends too, and the next server ends the job, torn lines or not."""
    (tmp_path / "site_of_tests.py").write_bytes(Path(tuning_site.__file__).read_bytes())
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / TRAINER.name).write_bytes(TRAINER.read_bytes())
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": f"{TOOLS}{os.pathsep}{tmp_path}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with openai.OpenAI(base_url=process.stdout.readline().strip(), api_key="none", max_retries=0) as client:
        job = submit(client)
        wait_until(lambda: any(m.startswith("Step 14/") for m in messages_of(client, job)))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    wait_until(lambda: not is_alive(site.pids[0]))
    folder = site.storage.folder / "fine_tuning" / job.id
    events = folder / "events.jsonl"
    events.write_bytes(events.read_bytes()[:-20])
    (folder.parent / "ftjob-unborn").mkdir()
    site.gate.touch()
    with site.start() as lab, connect(lab) as client:
        done = wait_for(client, job)
        assert (done.status, [row.id for row in client.fine_tuning.jobs.list()]) == ("succeeded", [job.id])
        steps = [m for m in messages_of(client, job) if m.startswith("Step")]
        assert steps == [f"Step {step}/30: training loss={1 / step:.2f}" for step in range(1, 31)]
        assert ask(client, done.fine_tuned_model or "") == LEARNED


def test_vanished_file_fails_the_job(site: Site) -> None:
    """A job whose file somebody removed from the folder ends, instead of holding up the others."""
    site.stop_at = 2
    with site.start() as lab, connect(lab) as client:
        job = submit(client)
        wait_until(lambda: len(site.pids) == 1)
    place = site.storage.folder / "files" / job.training_file
    for part in place.iterdir():
        part.unlink()
    place.rmdir()
    site.gate.touch()
    with site.start() as lab, connect(lab) as client:
        failed = wait_for(client, job)
        assert failed.error is not None
        assert job.training_file in failed.error.message
        assert wait_for(client, submit(client)).status == "succeeded"
