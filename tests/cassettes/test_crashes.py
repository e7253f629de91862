"""What a crash leaves behind is read, and what was reported is never lost."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tunegate.cassettes import Cassette, Library
from tunegate.cassettes.address import draft_path
from tunegate.cassettes.journal import JournalWriter
from tunegate.errors import CassetteError

TOOLS = Path(sys.modules["tunegate"].__file__ or "").parents[1]
KILL_RECORDERS = Path(__file__).with_name("kill_recorders.py")


def python(code: str, *arguments: object) -> None:
    """Run `code` in a process of its own, which may kill itself."""
    subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TOOLS), str(KILL_RECORDERS.parent)])},
        check=False,
        timeout=60,
    )


RECORD = (
    "import os, signal, sys; from pathlib import Path; import kill_recorders as k; "
    "from tunegate.cassettes import Library; library = Library(Path(sys.argv[1])); "
    "cassette = library.cassette(*k.NAMES); [cassette.add(k.exchange_of(n)) for n in range(int(sys.argv[2]))]; "
)


def test_killed_recorders_lose_nothing(tmp_path: Path) -> None:
    """Recorders and a merger killed at random moments: nothing reported is lost or asked again.

    The long version is the script itself.
    """
    done = subprocess.run(
        [sys.executable, KILL_RECORDERS, "--kills", "6", "--count", "400", "--root", tmp_path],
        env={**os.environ, "PYTHONPATH": str(TOOLS)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    reported = re.search(r"(\d+) replies reported, none lost", done.stdout)
    assert reported is not None
    assert int(reported[1]) > 5


def test_recordings_of_a_killed_process_are_found_before_any_merge(root: Path) -> None:
    """What a killed process reported is found by the next one, and merged by it."""
    python(RECORD + "os.kill(os.getpid(), signal.SIGKILL)", root, 3)
    cassette = Library(root).cassette("format", "ft:m:acme::9x")
    assert not cassette.path.exists()
    assert len(cassette.keys()) == 3
    Library(root).merge()
    assert not cassette.journals()
    assert len(cassette.keys()) == 3


def test_torn_last_line_is_ignored(root: Path, make_exchange: Any) -> None:
    """A line cut anywhere was never reported: the lines before it are found, and merging drops it."""
    python(RECORD + "os.kill(os.getpid(), signal.SIGKILL)", root, 2)
    cassette = Library(root).cassette("format", "ft:m:acme::9x")
    (journal,) = cassette.journals()
    whole = journal.read_bytes()
    first = whole.index(b"\n") + 1
    for length in (first + 1, first + 100, len(whole) - 7_000, len(whole) - 1):
        journal.write_bytes(whole[:length])
        fresh = Library(root).cassette("format", "ft:m:acme::9x")
        assert len(fresh.keys()) == 1
    fresh.add(make_exchange())
    fresh.merge()
    assert len(Library(root).cassette("format", "ft:m:acme::9x").keys()) == 2


def test_crash_between_replacing_and_removing_duplicates_nothing(
    root: Path, cassette: Cassette, make_exchange: Any, tmp_path: Path
) -> None:
    """Journals whose lines are in the cassette already are merged again without a trace."""
    for number in range(3):
        cassette.add(make_exchange(f"question {number}"))
    (journal,) = cassette.journals()
    shutil.copy(journal, tmp_path / "kept")
    cassette.merge()
    merged = cassette.path.read_bytes()
    shutil.copy(tmp_path / "kept", journal)
    fresh = Library(root).cassette(cassette.eval_name, cassette.model)
    assert len(fresh.keys()) == 3
    fresh.merge()
    assert not fresh.journals()
    assert fresh.path.read_bytes() == merged


def test_draft_of_a_killed_merge_is_nobodys(cassette: Cassette, library: Library, make_exchange: Any) -> None:
    """A half-written next version disturbs neither reading nor listing nor the next merge."""
    cassette.add(make_exchange())
    draft_path(cassette.path).write_text('{"version": 1, "inter')
    assert library.names() == [(cassette.eval_name, cassette.model)]
    library.merge()
    assert not draft_path(cassette.path).exists()
    assert len(cassette.keys()) == 1


def test_journal_of_a_living_process_is_left_to_it(root: Path, cassette: Cassette, make_exchange: Any) -> None:
    """Merging in one process leaves the journal of another, which is still recording."""
    cassette.add(make_exchange("one"))
    python(
        "import sys; from pathlib import Path; from tunegate.cassettes import Library; "
        "Library(Path(sys.argv[1])).merge()",
        root,
    )
    assert len(cassette.journals()) == 1
    cassette.add(make_exchange("two"))
    cassette.merge()
    assert len(Library(root).cassette(cassette.eval_name, cassette.model).keys()) == 2


def test_recording_goes_on_after_a_merge(cassette: Cassette, make_exchange: Any) -> None:
    """A journal is never written to after a merge has removed it."""
    cassette.add(make_exchange("one"))
    cassette.merge()
    cassette.add(make_exchange("two"))
    (journal,) = cassette.journals()
    assert journal.stat().st_size > 0
    assert len(cassette.keys()) == 2


def test_forked_child_records_into_a_journal_of_its_own(cassette: Cassette, make_exchange: Any) -> None:
    """A child that was forked from a recording process neither writes nor frees its parent's journal."""
    cassette.add(make_exchange("parent"))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            cassette.add(make_exchange("child"))
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert len(cassette.journals()) == 2
    cassette.add(make_exchange("parent again"))
    cassette.merge()
    assert not cassette.journals()
    assert len(cassette.keys()) == 3


def test_full_disk_leaves_the_journal_whole(cassette: Cassette, make_exchange: Any) -> None:
    """A write that fails half-way is taken back, named with its file, and the next one is not glued to it."""
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    cassette.add(make_exchange("one"))
    (journal,) = cassette.journals()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (journal.stat().st_size + 100, limits[1]))
        with pytest.raises(CassetteError, match=r"cannot record in .*\.jsonl"):
            cassette.add(make_exchange("two"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    cassette.add(make_exchange("three"))
    cassette.merge()
    assert len(cassette.keys()) == 2


def test_recording_without_file_locks_says_so(
    cassette: Cassette, make_exchange: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system has no fcntl, recording is refused in words and replaying works."""
    cassette.add(make_exchange())
    cassette.merge()
    # There is no other way to be on Windows here.
    monkeypatch.setattr("tunegate.cassettes.durability.fcntl", None)
    replayed = Library(cassette.path.parent.parent).cassette(cassette.eval_name, cassette.model)
    assert replayed.find(make_exchange().request, repeat=1) is not None
    with pytest.raises(CassetteError, match="file locks"):
        JournalWriter(cassette.path)
    Library(cassette.path.parent.parent).merge()
