"""MMLU from the Hugging Face hub, against a small hub on this machine.

huggingface_hub reads its settings when it is imported, so each reading has a process of its own.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tunegate.cases import Question

pytest.importorskip("huggingface_hub")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SCRIPT = """
import json, os, sys
from tunegate.cases import read_bank
from tunegate.errors import CaseFileError
try:
    bank = read_bank("mmlu", download=sys.argv[1] == "download")
    print(json.dumps([bank.origin, bank.parts, [b.id for b in bank.batches()], list(bank.files)]), flush=True)
except CaseFileError as miss:
    sys.exit(f"CaseFileError: {miss}")
os._exit(0)
"""
# It ends at once: threads of the libraries that fetch and read have been seen to abort a process that was leaving.


class Hub(ThreadingHTTPServer):
    """The part of the hub's HTTP API that fetching a dataset calls: revision, tree, resolving of files."""

    daemon_threads = False
    """Closing waits for the threads, so that none outlives the test."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Desk)
        self.files = files
        self.calls: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Desk(BaseHTTPRequestHandler):
    """Answers one connection."""

    server: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.server.calls.append(f"{self.command} {self.path}")
        path = self.path.partition("?")[0]
        tree = f"/api/datasets/cais/mmlu/tree/{COMMIT}"
        resolve = f"/datasets/cais/mmlu/resolve/{COMMIT}/"
        if path == "/api/datasets/cais/mmlu/revision/main":
            self.say(json.dumps({"id": "cais/mmlu", "sha": COMMIT, "siblings": []}).encode())
        elif path.startswith(tree):
            self.say(json.dumps([self.entry(name) for name in self.server.files]).encode())
        elif path.startswith(resolve) and path.removeprefix(resolve) in self.server.files:
            # Large files lie at another host: the hub tells digest and size, and sends clients there.
            name = path.removeprefix(resolve)
            content = self.server.files[name]
            self.send_response(302)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("X-Linked-Etag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Linked-Size", str(len(content)))
            self.send_header("Location", f"http://localhost:{self.server.server_port}/cdn/{name}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif path.startswith("/cdn/"):
            content = self.server.files[path.removeprefix("/cdn/")]
            self.say(content, ETag=f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"')
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def entry(self, name: str) -> dict[str, object]:
        content = self.server.files[name]
        sha256, size = hashlib.sha256(content).hexdigest(), len(content)
        lfs = {"oid": sha256, "size": size, "pointerSize": 130}
        return {"type": "file", "oid": sha256[:40], "size": size, "path": name, "lfs": lfs}

    def say(self, content: bytes, **headers: str) -> None:
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        """Keep quiet."""


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Hub]:
    with Hub(files) as hub:
        thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()


def parquet_of(questions: list[Question]) -> bytes:
    file = io.BytesIO()
    table = {
        "question": [question.text for question in questions],
        "subject": [question.subject for question in questions],
        "choices": [list(question.options) for question in questions],
        "answer": [question.answer - 1 for question in questions],
    }
    pq.write_table(pa.table(table), file)
    return file.getvalue()


@pytest.fixture
def files(invent: Callable[..., list[Question]]) -> dict[str, bytes]:
    return {
        "README.md": b"# invented",
        "all/test-00000-of-00001.parquet": parquet_of(invent(9, subject="astronomy")),
        "all/dev-00000-of-00001.parquet": parquet_of(invent(5, subject="astronomy", word="sample")),
        "astronomy/test-00000-of-00001.parquet": b"not to be fetched",
    }


def read_mmlu(how: str, *, endpoint: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    tools = Path(__file__).parents[2] / "tools"
    environment |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "PYTHONPATH": str(tools), "NO_PROXY": "*"}
    command = [sys.executable, "-c", SCRIPT, how]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_fetched_once_it_is_read_without_the_hub(files: dict[str, bytes], tmp_path: Path) -> None:
    """MMLU is asked from HF_ENDPOINT with `download`, and afterwards found with the hub gone."""
    with serving(files) as hub:
        first = read_mmlu("download", endpoint=hub.address, home=tmp_path)
        assert first.returncode == 0, first.stderr
        assert sorted(call.split()[1] for call in hub.calls if "/cdn/" in call and call.startswith("GET")) == [
            "/cdn/all/dev-00000-of-00001.parquet",
            "/cdn/all/test-00000-of-00001.parquet",
        ]
        calls = len(hub.calls)
        again = read_mmlu("download", endpoint=hub.address, home=tmp_path)
        assert len(hub.calls) == calls, "a copy that is there is taken as it is"
    read = ["mmlu", ["test", "dev"], ["astronomy-01", "astronomy-02"], ["test-00000-of-00001.parquet"]]
    assert json.loads(first.stdout) == json.loads(again.stdout) == read
    without = read_mmlu("cache only", endpoint=hub.address, home=tmp_path)
    assert json.loads(without.stdout) == read, without.stderr


def test_unfetched_names_the_command_and_calls_nobody(files: dict[str, bytes], tmp_path: Path) -> None:
    """Without `download` nothing reaches the network; the miss says what does."""
    with serving(files) as hub:
        miss = read_mmlu("cache only", endpoint=hub.address, home=tmp_path)
        assert not hub.calls
    assert miss.stderr.startswith("CaseFileError: no complete copy of cais/mmlu")
    assert f"looked in {tmp_path}" in miss.stderr
    assert "to fetch it: tunegate questions fetch mmlu" in miss.stderr


def test_hub_without_the_dataset_is_told(tmp_path: Path) -> None:
    """A hub that does not have it, or not these files, is told as what it is: no traceback."""
    with serving({"README.md": b"# nothing"}) as hub:
        miss = read_mmlu("download", endpoint=hub.address, home=tmp_path)
    assert miss.returncode == 1
    assert "CaseFileError: the hub did not give cais/mmlu (all/*.parquet)" in miss.stderr
    assert "Traceback" not in miss.stderr


def test_unreachable_hub_is_told(tmp_path: Path) -> None:
    """With nobody listening, `download` ends with a message."""
    with serving({}) as hub:
        address = hub.address
    miss = read_mmlu("download", endpoint=address, home=tmp_path)
    assert "CaseFileError: the hub did not give cais/mmlu (all/*.parquet)\n  " in miss.stderr
    assert "Traceback" not in miss.stderr


@pytest.mark.parametrize("module", ["huggingface_hub", "pyarrow"])
def test_missing_package_names_the_extra(module: str, tmp_path: Path) -> None:
    """Whoever has not installed the extra is told its name."""
    (tmp_path / "test.parquet").touch()
    where = "mmlu" if module == "huggingface_hub" else str(tmp_path)
    script = f"import sys; sys.modules[{module!r}] = None\n" + SCRIPT.replace('"mmlu"', repr(where))
    tools = Path(__file__).parents[2] / "tools"
    miss = subprocess.run(
        [sys.executable, "-c", script, "cache only"],
        env={**os.environ, "PYTHONPATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"wants the package {module}" in miss.stderr
    assert "pip install 'tunegate[mmlu]'" in miss.stderr
