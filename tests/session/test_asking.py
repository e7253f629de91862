"""A cell is answered from its recording where there is one, and from the endpoint only where that is allowed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tunegate.cassettes import Library, Redactor
from tunegate.errors import RecordingMissing, UsageError, WireError
from tunegate.session import RecordMode
from tunegate.session.answers import Answer
from tunegate.session.asking import secrets_in
from tunegate.session.plan import Planned
from tunegate.testing import Scripted, ScriptedEndpoint

from .bench import one_model, opened, plan, replaying


def ask(library: Library, planned: Planned, *, mode: RecordMode = "missing") -> Answer:
    """Ask one cell in a session of its own."""
    if mode == "none":
        return replaying(library).ask(planned)
    with opened(library, planned.model, mode=mode) as bench:
        return bench.session.ask(planned)


def test_missing_is_asked_once(library: Library) -> None:
    """What was recorded is answered from its recording, in this process and in a later one."""
    with ScriptedEndpoint(lambda body: "four") as endpoint:
        (planned,) = plan(one_model(endpoint.base_url), "2 + 2?")
        for place, source in ((library, "live"), (library, "cassette"), (Library(library.root), "cassette")):
            answer = ask(place, planned)
            assert (answer.source, answer.reading.reply.text) == (source, "four")
        assert len(endpoint.seen) == 1


def test_what_another_process_recorded_is_not_asked(library: Library) -> None:
    """A recording that another process made since this one looked is found before anything is paid for."""
    with ScriptedEndpoint(lambda body: "four") as endpoint:
        one, two = plan(one_model(endpoint.base_url), "1 + 1?", "2 + 2?")
        clock = iter(range(0, 1000, 10))
        here = Library(library.root, clock=lambda: float(next(clock)))
        with opened(here, one.model) as bench:
            bench.session.ask(one)
            ask(library, two)
            assert bench.session.ask(two).source == "cassette"
        assert len(endpoint.seen) == 2


def test_all_asks_again_and_keeps_the_newest(library: Library) -> None:
    """`--record=all` replaces a recording."""
    replies = iter(["four", "five"])
    with ScriptedEndpoint(lambda body: next(replies)) as endpoint:
        (planned,) = plan(one_model(endpoint.base_url), "2 + 2?")
        for _ in range(2):
            assert ask(library, planned, mode="all").source == "live"
        library.merge()
    assert ask(Library(library.root), planned, mode="none").reading.reply.text == "five"


def test_repeats_are_asked_each(library: Library) -> None:
    """A further repeat of the same request is another call and another recording."""
    replies = iter(["four", "five"])
    with ScriptedEndpoint(lambda body: next(replies)) as endpoint:
        (first,) = plan(one_model(endpoint.base_url), "2 + 2?")
        second = replace(first, cell=replace(first.cell, repeat=2))
        live = [ask(library, planned).reading.reply.text for planned in (first, second)]
    assert live == ["four", "five"]
    assert [ask(library, planned, mode="none").reading.reply.text for planned in (first, second)] == live


def test_nothing_is_asked_without_recording(library: Library) -> None:
    """With recording off a miss is an error and the endpoint hears nothing, also of what is expected."""
    with ScriptedEndpoint(lambda body: "four") as endpoint:
        (planned,) = plan(one_model(endpoint.base_url), "sums-01")
        session = replaying(library)
        session.expect([planned])
        with pytest.raises(RecordingMissing, match=r"no recording for format\[sums-01\] of 'm', repeat 1"):
            session.ask(planned)
        session.dismiss(planned)
        session.stop()
        session.close()
        assert not endpoint.seen


def test_miss_shows_the_nearest_recording(library: Library) -> None:
    """A miss says in which words the nearest recording differs."""
    with ScriptedEndpoint(lambda body: "four") as endpoint:
        recorded, missing = plan(one_model(endpoint.base_url), "two and two?", "two + two?")
        ask(library, recorded)
        with pytest.raises(RecordingMissing, match=r"messages\[0\]\.content .*and.* -> .*\+"):
            ask(library, missing, mode="none")


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_failures_are_not_recorded(library: Library, status: int) -> None:
    """An error of the endpoint is no recording: the next run asks again."""
    replies = iter([Scripted("busy", status=status, headers={"x-should-retry": "false"}), Scripted("four")])
    with ScriptedEndpoint(lambda body: next(replies)) as endpoint:
        (planned,) = plan(one_model(endpoint.base_url), "2 + 2?")
        with pytest.raises(WireError, match=f"{status} busy"):
            ask(library, planned)
        assert not library.cassettes()
        answer = ask(library, planned)
    assert (answer.source, answer.reading.reply.text) == ("live", "four")


def test_live_record_equals_its_replay(library: Library) -> None:
    """What is returned live was read back from the recording: redaction and times are the same in both."""
    library = Library(library.root, redactor=Redactor(["sk-verysecretkey0123456789"]))
    with ScriptedEndpoint(lambda body: "the key is sk-verysecretkey0123456789") as endpoint:
        (planned,) = plan(one_model(endpoint.base_url), "2 + 2?")
        live = ask(library, planned)
    replay = ask(Library(library.root), planned, mode="none")
    assert "verysecret" not in live.reading.reply.text
    assert live.reading == replay.reading
    assert live.exchange.recorded_at == replay.exchange.recorded_at
    assert live.reading.first_token_s is not None


def test_quoted_key_is_not_repeated(library: Library) -> None:
    """A server that quotes the key it refuses does not get it into our message, nor into what the run shows."""
    key = "k3y-of-an-unusual-shape"
    library = Library(library.root, redactor=Redactor([key]))
    with ScriptedEndpoint(lambda body: Scripted(f"wrong key {key}", status=401)) as endpoint:
        first, second = plan(one_model(endpoint.base_url), "2 + 2?", "3 + 3?")
        with opened(library, first.model) as bench:
            told = []
            for planned in (first, second):
                with pytest.raises(WireError) as problem:
                    bench.session.ask(planned)
                told.append(str(problem.value))
        assert len(endpoint.seen) == 1
    assert "401 wrong key" in told[0]
    assert told[1].startswith("not asked any more")
    assert "wrong key" in "".join(bench.shown)
    assert key not in "".join([*told, *bench.shown])


def test_unset_key_is_said_before_anything_is_sent(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint whose key is not set is not asked; the message names the variable."""
    monkeypatch.delenv("SOME_KEY", raising=False)
    with ScriptedEndpoint(lambda body: "four") as endpoint:
        (planned,) = plan(one_model(endpoint.base_url, key_env="SOME_KEY"), "2 + 2?")
        with pytest.raises(UsageError, match="SOME_KEY, which is not set"):
            ask(library, planned)
        assert not endpoint.seen


def test_recording_needs_no_key_to_be_replayed(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is recorded is answered by `--record=missing` without the key that recorded it."""
    monkeypatch.setenv("SOME_KEY", "a" * 12)
    with ScriptedEndpoint(lambda body: "four") as endpoint:
        (planned,) = plan(one_model(endpoint.base_url, key_env="SOME_KEY"), "2 + 2?")
        ask(library, planned)
    monkeypatch.delenv("SOME_KEY")
    assert ask(library, planned).source == "cassette"


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
        models = [one_model(endpoint.base_url, name=name, key_env=f"KEY_{name}") for name in ("A", "B")]
        with opened(library, *models) as bench:
            for model in models:
                bench.session.ask(*plan(model, "2 + 2?"))
        assert [seen.headers["authorization"][-1] for seen in endpoint.seen] == ["a", "b"]


def test_key_that_no_header_can_carry_is_not_shown(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key copied with a typographic quote is refused by its variable's name."""
    monkeypatch.setenv("SOME_KEY", "verysecretvalue\u201d")
    (planned,) = plan(one_model("http://127.0.0.1:9/v1", key_env="SOME_KEY"), "2 + 2?")
    with pytest.raises(UsageError, match="SOME_KEY") as problem:
        ask(library, planned)
    assert "verysecret" not in str(problem.value)
