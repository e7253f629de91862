"""What the lab answers before any model is asked."""

from __future__ import annotations

import http.client
import socket
from typing import Any

import openai
import pytest

from tunegate.errors import LabError
from tunegate.lab import Lab
from tunegate.lab.front import LARGEST_BODY

CHAT = "/v1/chat/completions"
GOOD: dict[str, Any] = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}]}


def test_unknown_model_is_not_found(client):
    """A name the lab does not serve raises the SDK's NotFoundError, with OpenAI's code."""
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-nine", messages=GOOD["messages"])
    assert caught.value.code == "model_not_found"
    assert "gpt-nine" in caught.value.message


def test_models_are_listed_under_their_names(client):
    """The list holds the names of the matrix, and says whose models they are."""
    (model,) = client.models.list()
    assert model.id == "tiny"
    assert "rehearsal" in model.owned_by
    assert client.models.retrieve("tiny").id == "tiny"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("ft:tiny:acme::9x")


def test_every_reply_says_that_it_is_a_rehearsal(connection):
    """Nobody can take the lab for the real thing: each reply carries the notice, health in its body too."""
    connection.request("GET", "/health")
    response = connection.getresponse()
    assert response.status == 200
    assert "rehearsal" in response.headers["X-Tunegate-Lab"]
    assert b"rehearsal" in response.read()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1/files", 404),
        ("POST", "/v1/embeddings", 404),
        ("GET", CHAT, 405),
        ("DELETE", "/v1/models/tiny", 405),
        ("POST", "/v1/models", 405),
    ],
)
def test_wrong_routes_are_told_apart_from_wrong_methods(connection, ask, method, path, status):
    """An unknown path is 404, a known one with a method it lacks is 405, both in OpenAI's shape."""
    got, body = ask(connection, method, path, GOOD if method == "POST" else None)
    assert got == status
    assert body["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": None}, "model"),
        ({"model": 3}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"messages": [{"role": "king", "content": "hi"}]}, "messages[0].role"),
        ({"messages": [*GOOD["messages"], {"role": "user"}]}, "messages[1].content"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "ten"}, "max_tokens"),
        ({"max_completion_tokens": True}, "max_completion_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"seed": 1.5}, "seed"),
        ({"n": 2}, "n"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"stop": [1]}, "stop"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"response_format": "json"}, "response_format"),
    ],
)
def test_malformed_requests_name_the_field(connection, ask, engine, change, param):
    """A field of a wrong type is 400 with its name, and no engine hears of it."""
    status, body = ask(connection, "POST", CHAT, GOOD | change)
    assert status == 400
    assert body["error"]["param"] == param
    assert not engine.has_another_call()


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b'"hi"', b"\xff\xfe", b"[" * 100_000])
def test_bodies_that_are_no_json_object_are_refused(connection, ask, payload):
    """What cannot be read as a JSON object is 400."""
    status, body = ask(connection, "POST", CHAT, payload)
    assert status == 400
    assert body["error"]["type"] == "invalid_request_error"


def test_refusals_keep_the_connection_usable(connection, ask):
    """After a refused request the next one on the same connection is answered: no bytes are left over."""
    assert ask(connection, "POST", "/nowhere", GOOD)[0] == 404
    kept = connection.sock
    assert ask(connection, "POST", CHAT, b"{")[0] == 400
    assert ask(connection, "GET", "/health")[0] == 200
    assert connection.sock is kept


def test_absurd_bodies_are_refused(connection, ask):
    """A body beyond the limit is 413, and the client lives to read it."""
    status, body = ask(connection, "POST", CHAT, b" " * (LARGEST_BODY + 1))
    assert status == 413
    assert "larger" in body["error"]["message"]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: many\r\n\r\n", b"400"),
        (b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"BREW /coffee HTTP/1.1\r\n\r\n", b"501"),
        (b"nonsense\r\n\r\n", b"400"),
    ],
)
def test_broken_http_gets_an_error_in_the_same_shape(lab, head, status):
    """Even what the HTTP layer objects to is answered in OpenAI's shape, and the connection is closed."""
    host, port = lab.base_url.removeprefix("http://").removesuffix("/v1").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as bare:
        bare.sendall(head)
        reply = bare.makefile("rb").read()
    assert status in reply
    assert b'{"error": {"message"' in reply


def test_taken_port_is_named(lab):
    """Starting on a port in use says which, instead of a traceback."""
    port = int(lab.base_url.removesuffix("/v1").rpartition(":")[2])
    with pytest.raises(LabError, match=str(port)):
        Lab([], host="127.0.0.1", port=port)


def test_closing_ends_idle_connections(lab, connection, ask):
    """A client that keeps its connection open does not keep the lab from closing; closing twice is fine."""
    assert ask(connection, "GET", "/health")[0] == 200
    lab.close()
    lab.close()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        ask(connection, "GET", "/health")
