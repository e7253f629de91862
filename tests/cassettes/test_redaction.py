"""No secret reaches a file, and ordinary text stays as it is."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunegate.cassettes import Library, Redactor
from tunegate.exchanges import Request

MARK = "[redacted]"
# Put together here, so that no scanner takes this file for a leak.
OPENAI = "sk-" + "proj-" + "aB3dE6gH9jK2mN5pQ8sT-_vW1yZ4bC7eF0"
SHAPED = [
    OPENAI,
    "sk-" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u1V2w3X4",
    "sk-" + "ant-api03-" + "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8",
    "org-" + "AbCdEfGhIjKlMnOpQrSt1234",
    "proj_" + "AbCdEfGhIjKlMnOpQrSt1234",
    "AKIA" + "IOSFODNN7EXAMPLE",
    "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz012345",
    "eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJ" + "zdWIiOiIxMjM0NTYifQ" + ".c2lnbmF0dXJl",
]
KNOWN = 'pass"word/ü\\42'


@pytest.mark.parametrize("secret", SHAPED)
@pytest.mark.parametrize("frame", ["{}", "key: {}.", '"{}"', "a\n{}\nb", "a\\n{}", "({})", "x={}&y=1"])
def test_keys_are_recognised_by_their_shape(secret: str, frame: str) -> None:
    """Keys, accounts and tokens in any surroundings are replaced, and nothing around them."""
    assert Redactor().text(frame.format(secret)) == frame.format(MARK)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer abc123def456ghi789", f"Authorization: Bearer {MARK}"),
        ("see https://ann:s3cret@host/x", f"see https://{MARK}@host/x"),
        ("https://h/?api-key=0123456789abcdef&v=1", f"https://h/?api-key={MARK}&v=1"),
        ("https://h/?v=1&sig=AbC%2F0123456789", f"https://h/?v=1&sig={MARK}"),
    ],
)
def test_only_the_secret_part_is_replaced(text: str, expected: str) -> None:
    """What says that there was a secret stays readable."""
    assert Redactor().text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "task-oriented-approach, risk-adjusted-return-on-capital, disk-based-storage-engine-2",
        "sk-learn, sk-learn-based-classification-pipeline, sk-internationalization",
        "org-chart, org-mode, org-internationalization, proj_2, proj_management_and_planning",
        "user-friendly, user-internationalization",
        "the bearer of responsibilities, bearer internationalization, basic understanding",
        "monkey=banana, key=value, ?key=color, token=word, sig=nature",
        "mailto:ann@example.org, http://example.org:8080/@home, 12:30@noon",
        "AKIA, AKIABC, eyJ, hf_hub_download, gsk_ and ghp_ prefixes",
        "ft:gpt-3.5-turbo:acme::9x, chatcmpl-AbC123, file-AbC123def456, fp_0123456789",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    """Words that merely begin like a secret are no secret."""
    redactor = Redactor(["", "none", "EMPTY"])
    assert redactor.text(text) == text
    assert redactor.bytes(json.dumps({"text": text}).encode()) == json.dumps({"text": text}).encode()


@given(text=st.text(string.ascii_lowercase + " -_.,\n\"'?!=&:/@", max_size=300))
def test_text_without_digits_and_capitals_is_mostly_words(text: str) -> None:
    """Lower-case text loses nothing but a password in an address."""
    if "://" not in text:
        assert Redactor().text(text) == text


@given(parts=st.lists(st.sampled_from([*SHAPED, KNOWN, "word", " ", "\n", "?key=", "://a:b@", "Bearer "])))
def test_redacting_twice_changes_nothing_more(parts: list[str]) -> None:
    """What has been redacted once is free of secrets."""
    redactor = Redactor([KNOWN])
    once = redactor.text("".join(parts))
    assert redactor.text(once) == once
    assert KNOWN not in once


@pytest.mark.parametrize(
    "url",
    [
        "https://ann:s3cret@host:8080/v1?x=1",
        "https://s3cret@host:8080/v1?x=1",
        "https://host/v1?api-key=s3cret&x=1",
        "https://host/v1?x=1&key=s3cret#part",
        f"https://host/v1/{OPENAI}?x=1",
        f"https://{OPENAI}.host/v1",
    ],
)
def test_addresses_lose_secrets_and_stay_addresses(url: str) -> None:
    """User, password and secret query values go, however short; the rest can be parsed."""
    from urllib.parse import urlsplit

    clean = Redactor().url(url)
    assert "s3cret" not in clean
    assert OPENAI not in clean
    assert urlsplit(clean).scheme == "https"
    assert Redactor().url(clean) == clean
    assert Redactor().url("https://host:8080/v1?x=1&monkey=2") == "https://host:8080/v1?x=1&monkey=2"


ESCAPES = [json.dumps, lambda value: json.dumps(value, ensure_ascii=False)]


@pytest.mark.parametrize("dump", ESCAPES)
@pytest.mark.parametrize("secret", [KNOWN, OPENAI])
def test_json_stays_json(dump: Any, secret: str) -> None:
    """However JSON spells a secret, in values, keys or text inside text, it goes, and the rest stays."""
    value = {"a": f"x\n{secret}\ty", secret: [1, 2.5, None], "nested": dump({"b": f"\n{secret}"})}
    clean = json.loads(Redactor([KNOWN]).bytes(dump(value).encode()))
    assert clean["a"] == f"x\n{MARK}\ty"
    assert clean[MARK] == [1, 2.5, None]
    assert json.loads(clean["nested"]) == {"b": f"\n{MARK}"}


def test_hidden_and_numeric_secrets_go_too() -> None:
    """A value hidden by a second one of the same key, and a number that is a secret, leave valid JSON."""
    clean = Redactor(["1234567890"]).bytes(b'{"a": "%s", "a": 1, "b": 12345678901}' % OPENAI.encode())
    assert json.loads(clean) == {"a": 1, "b": MARK}


@settings(max_examples=200)
@given(data=st.data(), secret=st.sampled_from([KNOWN, OPENAI]), crlf=st.booleans())
def test_secret_streamed_in_pieces_is_found(data: st.DataObject, secret: str, crlf: bool) -> None:
    """A secret cut anywhere over events is replaced once; text around it and the number of events stay."""
    text = f"before {secret} after"
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=8).map(sorted))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    end = "\r\n" if crlf else "\n"
    events = [json.dumps({"id": "x1", "choices": [{"index": 0, "delta": {"content": p}}]}) for p in pieces]
    stream = "".join(f"data: {event}{end}{end}" for event in [*events, "[DONE]"])
    clean = Redactor([KNOWN]).bytes(stream.encode()).decode()
    assert clean.count("\n") == stream.count("\n")
    lines = [line.rstrip("\r")[6:] for line in clean.split("\n") if line.startswith("data: {")]
    said = [json.loads(line)["choices"][0]["delta"]["content"] for line in lines]
    assert len(said) == len(pieces)
    assert "".join(said) == f"before {MARK} after"


def test_token_by_token_log_probabilities_spell_no_secret() -> None:
    """Tokens of one reply are read as one text, and their other spellings go with them."""
    tokens = [
        {"token": OPENAI[at : at + 5], "bytes": list(OPENAI[at : at + 5].encode()), "top_logprobs": [{"a": 1}]}
        for at in range(0, len(OPENAI), 5)
    ]
    clean = json.loads(Redactor().bytes(json.dumps({"logprobs": {"content": tokens}}).encode()))
    content = clean["logprobs"]["content"]
    assert "".join(token["token"] for token in content) == MARK
    assert not any(token["bytes"] or token["top_logprobs"] for token in content)


@given(body=st.binary(max_size=200))
def test_bytes_without_secrets_are_returned_as_they_are(body: bytes) -> None:
    """Redacting leaves any other bytes alone, text or not."""
    assert Redactor(["a-secret-that-is-not-there"]).bytes(body) == body


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(data=st.data())
def test_nothing_secret_reaches_a_file(tmp_path: Path, make_exchange: Any, data: st.DataObject) -> None:
    """Wherever a secret stands in an exchange, no file holds it, before and after merging, and it is found."""
    secret = data.draw(st.sampled_from(["plain-known-secret", KNOWN, OPENAI]))
    places = ["url", "query", "body", "key", "reply", "stream", "header", "note"]
    place = data.draw(st.sampled_from(places))
    root = tmp_path / str(len(list(tmp_path.iterdir())))
    library = Library(root, redactor=Redactor(["plain-known-secret", KNOWN]))
    changes: dict[str, dict[str, Any]] = {
        "url": {"url": f"https://u:{secret}@host/v1"},
        "query": {"url": f"https://host/v1?api-key={secret}"},
        "body": {"asked": {"messages": [{"content": f"it is\n{secret}"}]}},
        "key": {"asked": {secret: 1}},
        "reply": {"body": json.dumps({"content": f"\n{secret}"}).encode()},
        "stream": {"body": f"data: {json.dumps({'c': secret})}\n\n".encode()},
        "header": {"headers": {"Set-Cookie": (secret,), "Date": (secret,), "X-Request-Id": (secret,)}},
        "note": {"note": {"case": "c", "text": f"\n{secret}"}},
    }
    exchange = make_exchange(**changes[place])
    cassette = library.cassette("format", "m")
    cassette.add(exchange)
    for merged in (False, True):
        if merged:
            cassette.merge()
        for path in root.rglob("*"):
            if path.is_file():
                raw = path.read_text("utf-8")
                spelt = [secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]]
                spelt += [json.dumps(form)[1:-1] for form in spelt]
                assert not [form for form in spelt if form in raw]
        found = Library(root).cassette("format", "m").find(exchange.request, repeat=1)
        assert found is not None
        assert found.request == exchange.request


def test_requests_that_differ_only_in_a_secret_stay_two(library: Library, make_exchange: Any) -> None:
    """The fingerprint kept is that of the request as it was asked: two secrets are two requests."""
    cassette = library.cassette("format", "m")
    for number in "12":
        exchange = make_exchange(f"my key is sk-{number}aaaabbbbccccddddeeee", body=number.encode())
        cassette.add(exchange)
    cassette.merge()
    assert len(cassette.keys()) == 2
    assert "aaaabbbb" not in cassette.path.read_text()
    found = cassette.find(Request(exchange.request.url, exchange.request.body), repeat=1)
    assert found is not None
    assert found.body == b"2"
