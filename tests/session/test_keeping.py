"""What came is on disk before anybody builds on it, and the disk is not asked once for each."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tunegate.cassettes import Library, Redactor
from tunegate.errors import CassetteError
from tunegate.exchanges import Exchange, Request
from tunegate.session.keeping import Recorder

from .bench import PATIENCE_S


def exchange(number: int, *, text: str = "four", note: dict[str, object] | None = None) -> Exchange:
    request = Request("http://h/v1/chat/completions", {"model": "m", "n": number})
    return Exchange(request, 200, "OK", {}, b'{"text": "%s"}' % text.encode(), note=note or {"case": f"c-{number}"})


@pytest.fixture
def recorder(library: Library) -> Iterator[Recorder]:
    recorder = Recorder(library)
    yield recorder
    recorder.close()


class Disk:
    """Counts how often somebody waits for the disk; the first one waits until `release`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waits = 0
        self.is_reached = threading.Event()
        self._may_go = threading.Event()
        self._sync = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self._count)

    def release(self) -> None:
        self._may_go.set()

    def _count(self, descriptor: int) -> None:
        self.waits += 1
        self.is_reached.set()
        self._may_go.wait(PATIENCE_S)
        self._sync(descriptor)


def test_what_was_given_before_close_is_durable(library: Library) -> None:
    """After `close` everything that was given is found by a reader that starts afresh, each in its cassette."""
    recorder = Recorder(library)
    futures = [recorder.keep(eval_name, "m", exchange(n)) for n in range(50) for eval_name in ("format", "tone")]
    recorder.close()
    assert all(future.done() and future.exception() is None for future in futures)
    for eval_name in ("format", "tone"):
        there = Library(library.root).cassette(eval_name, "m")
        assert all(there.find(exchange(n).request, repeat=1) is not None for n in range(50))


def test_kept_means_durable(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The future is not done before the disk has it."""
    disk = Disk(monkeypatch)
    future = recorder.keep("format", "m", exchange(1))
    assert disk.is_reached.wait(PATIENCE_S)
    assert not future.done()
    disk.release()
    assert future.result(PATIENCE_S).request == exchange(1).request


def test_exchange_comes_back_as_it_was_kept(library: Library) -> None:
    """What the future holds is free of secrets, as is the file."""
    library = Library(library.root, redactor=Redactor(["s3cret-of-ours"]))
    recorder = Recorder(library)
    kept = recorder.keep("format", "m", exchange(1, text="it is s3cret-of-ours")).result(PATIENCE_S)
    recorder.close()
    assert b"s3cret" not in kept.body
    assert not [path for path in library.root.rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()]


def test_many_share_a_wait_for_the_disk(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes while the disk is busy is written in one go, and waits once."""
    disk = Disk(monkeypatch)
    futures = [recorder.keep("format", "m", exchange(0))]
    assert disk.is_reached.wait(PATIENCE_S)
    futures += [recorder.keep("format", "m", exchange(number)) for number in range(1, 200)]
    disk.release()
    for number, future in enumerate(futures):
        assert future.result(PATIENCE_S).request == exchange(number).request
    assert disk.waits == 2


def test_folder_that_cannot_be_written_is_everybodys_error(tmp_path: Path) -> None:
    """Nobody waits for ever for what cannot be written, and nobody takes it for written."""
    (tmp_path / "cassettes").write_text("a file where the folder should be")
    recorder = Recorder(Library(tmp_path / "cassettes"))
    futures = [recorder.keep("format", "m", exchange(number)) for number in range(20)]
    recorder.close()
    for future in futures:
        with pytest.raises(CassetteError, match=r"cannot record in .*cassettes"):
            future.result(PATIENCE_S)


def test_one_bad_exchange_does_not_stop_the_others(recorder: Recorder) -> None:
    """What cannot be written at all is its waiter's error; who comes later is served as ever."""
    bad = recorder.keep("format", "m", exchange(1, note={"case": "c", "text": object()}))
    with pytest.raises(TypeError):
        bad.result(PATIENCE_S)
    assert recorder.keep("format", "m", exchange(2)).result(PATIENCE_S).request == exchange(2).request


def test_unused_recorder_writes_nothing(library: Library) -> None:
    """Without an exchange there is no thread and no folder; closing twice does nothing."""
    recorder = Recorder(library)
    recorder.close()
    recorder.close()
    assert not library.root.exists()
    assert not [thread for thread in threading.enumerate() if thread.name == "tunegate-recorder"]
