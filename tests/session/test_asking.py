"""A cell is answered from its recording where there is one, and from the endpoint only where that is allowed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tunegate.cases import Matrix, Model
from tunegate.cassettes import Library, Redactor
from tunegate.errors import RecordingMissing, UsageError, WireError
from tunegate.exchanges import Request
from tunegate.records import Cell
from tunegate.session import RecordMode, Session
from tunegate.session.asking import Answer, secrets_in
from tunegate.testing import Scripted, ScriptedEndpoint
from tunegate.wire import chat_request

Models = Callable[[ScriptedEndpoint], Model]
CELL = Cell("format", "sums-01", "sums", "m")


def request_to(endpoint: ScriptedEndpoint, text: str = "2 + 2?") -> Request:
    return chat_request(
        endpoint.base_url, "m", messages=[{"role": "user", "content": text}], max_tokens=9, temperature=0.0
    )


def ask(library: Library, mode: RecordMode, *, model: Model, request: Request, cell: Cell = CELL) -> Answer:
    session = Session(library, mode=mode)
    try:
        return session.ask(cell, model=model, request=request)
    finally:
        session.close()


def test_missing_is_asked_once(library: Library, model: Models) -> None:
    """What was recorded is answered from its recording, in this process and in a later one."""
    with ScriptedEndpoint(lambda body: "four") as endpoint:
        for place, source in ((library, "live"), (library, "cassette"), (Library(library.root), "cassette")):
            answer = ask(place, "missing", model=model(endpoint), request=request_to(endpoint))
            assert (answer.source, answer.reading.reply.text) == (source, "four")
        assert len(endpoint.seen) == 1


def test_all_asks_again_and_keeps_the_newest(library: Library, model: Models) -> None:
    """`--record=all` replaces a recording."""
    replies = iter(["four", "five"])
    with ScriptedEndpoint(lambda body: next(replies)) as endpoint:
        for _ in range(2):
            ask(library, "all", model=model(endpoint), request=request_to(endpoint))
        library.merge()
        again = ask(Library(library.root), "none", model=model(endpoint), request=request_to(endpoint))
    assert again.reading.reply.text == "five"


def test_nothing_is_asked_without_recording(library: Library, model: Models) -> None:
    """With recording off a miss is an error and the endpoint hears nothing."""
    with ScriptedEndpoint(lambda body: "four") as endpoint:
        with pytest.raises(RecordingMissing, match=r"no recording for format\[sums-01\] of 'm', repeat 1"):
            ask(library, "none", model=model(endpoint), request=request_to(endpoint))
        assert not endpoint.seen


def test_miss_shows_the_nearest_recording(library: Library, model: Models) -> None:
    """A miss says in which words the nearest recording differs."""
    with ScriptedEndpoint(lambda body: "four") as endpoint:
        ask(library, "missing", model=model(endpoint), request=request_to(endpoint, "two and two?"))
        with pytest.raises(RecordingMissing, match=r"messages\[0\]\.content .*and.* -> .*\+"):
            ask(library, "none", model=model(endpoint), request=request_to(endpoint, "two + two?"))


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_failures_are_not_recorded(library: Library, model: Models, status: int) -> None:
    """An error of the endpoint is no recording: the next run asks again."""
    replies = iter([Scripted("busy", status=status, headers={"x-should-retry": "false"}), Scripted("four")])
    with ScriptedEndpoint(lambda body: next(replies)) as endpoint:
        with pytest.raises(WireError, match=f"{status} busy"):
            ask(library, "missing", model=model(endpoint), request=request_to(endpoint))
        answer = ask(library, "missing", model=model(endpoint), request=request_to(endpoint))
    assert (answer.source, answer.reading.reply.text) == ("live", "four")


def test_live_record_equals_its_replay(library: Library, model: Models) -> None:
    """What is returned live was read back from the recording: redaction and times are the same in both."""
    library = Library(library.root, redactor=Redactor(["sk-verysecretkey0123456789"]))
    with ScriptedEndpoint(lambda body: "the key is sk-verysecretkey0123456789") as endpoint:
        live = ask(library, "missing", model=model(endpoint), request=request_to(endpoint))
        replay = ask(library, "none", model=model(endpoint), request=request_to(endpoint))
    assert "verysecret" not in live.reading.reply.text
    assert live.reading == replay.reading
    assert live.reading.first_token_s is not None


def test_quoted_key_is_not_repeated(library: Library, model: Models) -> None:
    """A server that quotes the key it refuses does not get it into our message."""
    key = "k3y-of-an-unusual-shape"
    library = Library(library.root, redactor=Redactor([key]))
    endpoint = ScriptedEndpoint(lambda body: Scripted(f"wrong key {key}", status=401))
    with endpoint, pytest.raises(WireError) as problem:
        ask(library, "missing", model=model(endpoint), request=request_to(endpoint))
    assert key not in str(problem.value)


def test_unset_key_is_said_before_anything_is_sent(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint whose key is not set is not asked; the message names the variable."""
    monkeypatch.delenv("SOME_KEY", raising=False)
    with ScriptedEndpoint(lambda body: "four") as endpoint:
        keyed = Matrix.unlisted("m", base_url=endpoint.base_url, key_env="SOME_KEY")
        with pytest.raises(UsageError, match="SOME_KEY, which is not set"):
            ask(library, "missing", model=keyed, request=request_to(endpoint))
        assert not endpoint.seen


def test_secrets_are_found_by_the_names_of_the_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every key variable that an endpoint names holds a secret, and so do the account's own variables."""
    monkeypatch.setenv("SOME_KEY", "abc\n")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-x")
    assert {"abc", "org-x"} <= set(secrets_in(["SOME_KEY", None]))


def test_accounts_at_one_address_stay_apart(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two endpoints with one address and two keys are asked each with its own."""
    monkeypatch.setenv("KEY_A", "a" * 12)
    monkeypatch.setenv("KEY_B", "b" * 12)
    with ScriptedEndpoint(lambda body: "four") as endpoint:
        session = Session(library, mode="missing")
        for name in ("A", "B"):
            keyed = Matrix.unlisted(name, base_url=endpoint.base_url, key_env=f"KEY_{name}")
            session.ask(Cell("format", "c", "s", name), model=keyed, request=request_to(endpoint))
        session.close()
        assert [seen.headers["authorization"][-1] for seen in endpoint.seen] == ["a", "b"]


def test_key_that_no_header_can_carry_is_not_shown(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key copied with a typographic quote is refused by its variable's name."""
    monkeypatch.setenv("SOME_KEY", "verysecretvalue\u201d")
    keyed = Matrix.unlisted("m", base_url="http://127.0.0.1:9/v1", key_env="SOME_KEY")
    with pytest.raises(UsageError, match="SOME_KEY") as problem:
        ask(library, "missing", model=keyed, request=Request("http://127.0.0.1:9/v1", {}))
    assert "verysecret" not in str(problem.value)
