"""The way of a request to its engine and back, against an engine that the test plays itself."""

from __future__ import annotations

import socket
import threading

import openai
import pytest

from tunegate.lab import Lab
from tunegate.lab.chat import ChatRequest
from tunegate.lab.refusals import Refusal
from tunegate.lab.relay import DONE, Call, Served
from tunegate.lab.turns import ClientLeft, Presence, Turns

MESSAGES = [{"role": "user", "content": "hi"}]


def test_replies_carry_the_name_that_was_asked_for(client, engine, in_background, llama_completion):
    """The engine's file name becomes the name of the matrix; the fingerprint stays, bookkeeping goes."""
    reply = in_background(client.chat.completions.create, model="tiny", messages=MESSAGES)
    engine.take_call().send_json(llama_completion("good day"))
    got = reply.result()
    assert (got.model, got.system_fingerprint) == ("tiny", "b1-abc")
    assert got.choices[0].message.content == "good day"
    assert "timings" not in got.to_dict()


def test_parameters_reach_the_engine(client, engine, in_background, llama_completion):
    """What the client asks for goes on unchanged; what it leaves out is what OpenAI documents."""
    asked = {
        "seed": 5,
        "max_completion_tokens": 9,
        "stop": ["x"],
        "logprobs": True,
        "top_logprobs": 2,
        "response_format": {"type": "json_object"},
        "temperature": 0,
    }
    reply = in_background(client.chat.completions.create, model="tiny", messages=MESSAGES, **asked)
    call = engine.take_call()
    call.send_json(llama_completion())
    reply.result()
    assert call.request_line.startswith("POST /v1/chat/completions")
    assert {key: call.body[key] for key in asked} == asked
    assert (call.body["top_p"], call.body["top_k"], call.body["min_p"]) == (1.0, 0, 0.0)


def test_no_client_switches_the_prompt_cache_on(client, engine, in_background, llama_completion):
    """Byte-stability is not the client's to give away."""
    reply = in_background(
        client.chat.completions.create, model="tiny", messages=MESSAGES, extra_body={"cache_prompt": True}
    )
    call = engine.take_call()
    call.send_json(llama_completion())
    reply.result()
    assert call.body["cache_prompt"] is False


def test_names_that_share_an_engine_differ_by_their_extra(engine, in_background, llama_completion):
    """Two names on one engine are told apart by what the engine is told besides."""
    rows = [Served(name, engine.address, {"lora": [{"id": 0, "scale": scale}]}) for name, scale in LORAS]
    with (
        Lab(rows, host="127.0.0.1", port=0) as lab,
        openai.OpenAI(base_url=lab.base_url, api_key="none", max_retries=0, timeout=20) as client,
    ):
        for name, scale in LORAS:
            reply = in_background(client.chat.completions.create, model=name, messages=MESSAGES)
            call = engine.take_call()
            call.send_json(llama_completion())
            assert reply.result().model == name
            assert call.body["lora"] == [{"id": 0, "scale": scale}]


LORAS = [("base", 0.0), ("ft:base:acme::9x", 1.0)]


def test_events_arrive_before_the_next_is_sent(client, engine, in_background, llama_event):
    """Nothing is held back: each event is read by the client before the engine has sent the next."""
    opening = in_background(client.chat.completions.create, model="tiny", messages=MESSAGES, stream=True)
    call = engine.take_call()
    call.start_stream()
    for number, text in enumerate(["a", "b", "ü"]):
        call.send_event(llama_event(text))
        if number == 0:
            stream = iter(opening.result())
        chunk = next(stream)
        assert (chunk.choices[0].delta.content, chunk.model) == (text, "tiny")
    call.send_event(DONE)
    assert list(stream) == []


def test_each_event_is_one_chunk(connection, engine, llama_event):
    """The transfer has one event per chunk, so that the chunks of a recording are the stream's events."""
    body = b'{"model":"tiny","stream":true,"messages":[{"role":"user","content":"hi"}]}'
    connection.request("POST", "/v1/chat/completions", body)
    call = engine.take_call()
    call.start_stream()
    # The engine's own chunks do not matter: here one event comes in two, with the end beside it.
    event = llama_event("a")
    call.send_event(event[:20])
    call.send_event(event[20:] + DONE)
    response = connection.getresponse()
    assert response.headers["Transfer-Encoding"] == "chunked"
    assert response.headers["Content-Type"] == "text/event-stream"
    first = response.read1()
    assert first.startswith(b"data: {")
    assert first.endswith(b"}\n\n")
    assert response.read1() == DONE
    assert response.read() == b""


def test_dead_engine_is_a_server_error(client, engine):
    """An engine that nobody can connect to is 502, at once."""
    engine.close()
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="tiny", messages=MESSAGES)
    assert caught.value.status_code == 502
    assert caught.value.code == "upstream_failed"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{",
    ],
    ids=["nothing", "half a body", "no JSON"],
)
def test_engine_that_breaks_off_is_a_server_error(client, engine, in_background, sent):
    """An engine that dies over a reply is 502, never a hang and never half a reply."""
    reply = in_background(client.chat.completions.create, model="tiny", messages=MESSAGES)
    call = engine.take_call()
    call.send(sent)
    call.close()
    with pytest.raises(openai.InternalServerError, match="engine behind the lab failed"):
        reply.result()


def test_silent_engine_is_a_server_error(engine):
    """An engine that says nothing for too long is 502."""
    call = Call(lambda: Served("tiny", engine.address), ChatRequest("tiny", False, {}), silence_s=0.05)
    with pytest.raises(Refusal, match="timed out") as caught:
        call.start()
    call.close()
    assert caught.value.status == 502


def test_broken_stream_ends_with_an_error_event(client, engine, in_background, llama_event):
    """A stream that breaks off raises in the SDK instead of looking like a short answer."""
    opening = in_background(client.chat.completions.create, model="tiny", messages=MESSAGES, stream=True)
    call = engine.take_call()
    call.start_stream()
    call.send_event(llama_event("a"))
    call.close()
    stream = opening.result()
    with pytest.raises(openai.APIError, match="engine behind the lab failed"):
        list(stream)


def test_too_long_a_prompt_is_the_clients_error(client, engine, in_background):
    """llama.cpp's words for a full context become OpenAI's code."""
    reply = in_background(client.chat.completions.create, model="tiny", messages=MESSAGES)
    error = {"code": 400, "message": "request (9 tokens) exceeds", "type": "exceed_context_size_error"}
    engine.take_call().send_json({"error": error}, status=400)
    with pytest.raises(openai.BadRequestError, match="exceeds") as caught:
        reply.result()
    assert caught.value.code == "context_length_exceeded"


@pytest.mark.parametrize("stream", [False, True])
def test_client_that_leaves_cancels_its_generation(connection, engine, stream):
    """A hung-up client is noticed while the engine is still silent, and the engine's call is hung up too."""
    body = f'{{"model":"tiny","stream":{str(stream).lower()},"messages":[{{"role":"user","content":"hi"}}]}}'
    connection.request("POST", "/v1/chat/completions", body.encode())
    call = engine.take_call()
    connection.close()
    assert call.is_hung_up()


def test_closing_the_lab_ends_what_is_underway(connection, lab, engine):
    """Closing neither waits for an engine's answer nor leaves its call behind."""
    body = b'{"model":"tiny","messages":[{"role":"user","content":"hi"}]}'
    connection.request("POST", "/v1/chat/completions", body)
    call = engine.take_call()
    lab.close()
    assert call.is_hung_up()


def test_second_request_waits_for_the_first(client, lab, engine, in_background, llama_completion):
    """Of two requests at once the engine sees one at a time, and both are answered."""
    replies = [in_background(client.chat.completions.create, model="tiny", messages=MESSAGES) for _ in range(2)]
    first = engine.take_call()
    turns = lab.desk.turns
    with turns._changed:
        assert turns._changed.wait_for(lambda: turns.waiting == 2, timeout=20)
    assert not engine.has_another_call()
    first.send_json(llama_completion("one"))
    engine.take_call().send_json(llama_completion("two"))
    assert {reply.result().choices[0].message.content for reply in replies} == {"one", "two"}


def test_turns_are_taken_in_the_order_of_arrival(in_background):
    """The queue is fair: first come, first served."""
    changed = threading.Condition()
    turns = Turns(changed)
    served: list[int] = []
    near, far = socket.socketpair()
    client = Presence(near, on_leave=turns.wake)

    def take(number: int) -> None:
        with turns.take(client):
            served.append(number)

    with near, far:
        with client, turns.take(client):
            jobs = []
            for number in range(5):
                jobs.append(in_background(take, number))
                with changed:
                    assert changed.wait_for(lambda: turns.waiting == len(jobs) + 1, timeout=20)
        for job in jobs:
            job.result()
    assert served == [0, 1, 2, 3, 4]


def test_client_that_leaves_the_queue_is_never_served():
    """Who hangs up while waiting gives up the place in the queue, and nothing is computed for nobody."""
    turns = Turns()
    near, far = socket.socketpair()
    with near, far, Presence(near, on_leave=turns.wake) as waiting:
        with turns.take(waiting):
            far.close()
            with pytest.raises(ClientLeft), turns.take(waiting):
                pytest.fail("served after leaving")
        assert turns.waiting == 0
