"""Workers elsewhere: what they ask is recorded where the run is."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tunegate.testing import ScriptedEndpoint

from ..project import OURS, ROOT, Project, answer, make_project
from .crowd import asked_of

ALL = 12  # 2 subjects x 3 batches x 2 models


@contextmanager
def worker_server(*, folder: Path, host: str = "127.0.0.1", within: Sequence[str] = ()) -> Iterator[str]:
    """Run execnet's server, which becomes a worker; yields its address."""
    process = subprocess.Popen(
        [*within, sys.executable, "-u", "-m", "execnet.script.socketserver", f"{host}:0"],
        cwd=folder,
        env=OURS,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()  # ... Entering Accept loop ('127.0.0.1', 40123)
        port = line.rpartition(", ")[2].rstrip(")\n")
        yield f"{host}:{port}"
    finally:
        process.kill()
        process.communicate()


def far_project(project: Project, folder: Path) -> Path:
    """Copy what a machine elsewhere needs to run the evals."""
    folder.mkdir()
    for name in ("evals", "fixtures"):
        shutil.copytree(project.root / name, folder / name)
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(project.root / name, folder)
    return folder


def test_recordings_of_far_workers_are_written_here(
    project: Project, endpoint: ScriptedEndpoint, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Two workers behind sockets, each with a copy of the project, leave complete cassettes in this one alone."""
    far = [far_project(project, tmp_path_factory.mktemp("far") / "copy") for _ in range(2)]
    with worker_server(folder=far[0]) as one, worker_server(folder=far[1]) as two:
        specs = [f"socket={place}//chdir={folder}" for place, folder in zip((one, two), far, strict=True)]
        result = project.run("--record=missing", "--tx", specs[0], "--tx", specs[1], "--dist", "load", "--run", "a")
    assert result.status == 0, result.out
    assert project.header("a")["live_calls"] == len(endpoint.seen) == len(set(asked_of(endpoint.seen))) == ALL
    assert not any((folder / "cassettes").exists() for folder in far)
    assert "0 live calls, 12 replayed, 0 unused recordings" in project.run("-n", "2").out


@dataclass(frozen=True)
class Namespaces:
    """Two networks with one cable between them; each is a command that runs another one there."""

    here: tuple[str, ...]
    there: tuple[str, ...]
    here_address: str = "10.99.0.1"
    there_address: str = "10.99.0.2"


def call_ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no network namespaces can be made here: {done.stderr.strip()}")


@pytest.fixture
def namespaces() -> Iterator[Namespaces]:
    if shutil.which("ip") is None:
        pytest.skip("no network namespaces can be made here: there is no `ip` (iproute2)")
    here, there = f"tg{os.getpid()}h", f"tg{os.getpid()}t"
    made = Namespaces(("ip", "netns", "exec", here), ("ip", "netns", "exec", there))
    try:
        call_ip("netns", "add", here)
        call_ip("netns", "add", there)
        call_ip("link", "add", here, "netns", here, "type", "veth", "peer", "name", there, "netns", there)
        for name, address in ((here, made.here_address), (there, made.there_address)):
            call_ip("-n", name, "address", "add", f"{address}/30", "dev", name)
            call_ip("-n", name, "link", "set", name, "up")
            call_ip("-n", name, "link", "set", "lo", "up")
        yield made
    finally:
        for name in (here, there):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


ENDPOINT = """
import sys
from tests.plugin.test_far_workers import serve
serve(sys.argv[1])
"""


def serve(host: str) -> None:
    """Answer as the project's endpoint at an address of this network until nobody listens to us."""
    with ScriptedEndpoint(answer) as endpoint, socket.create_server((host, 0)) as door:
        tell(door.getsockname()[1])
        behind = ("127.0.0.1", int(endpoint.base_url.rpartition(":")[2].partition("/")[0]))
        threading.Thread(target=relay, args=(door, behind), daemon=True).start()
        sys.stdin.read()
        tell(len(endpoint.seen))


def tell(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def relay(door: socket.socket, behind: tuple[str, int]) -> None:
    while True:
        outer, _ = door.accept()
        inner = socket.create_connection(behind)
        for source, target in ((outer, inner), (inner, outer)):
            threading.Thread(target=copy, args=(source, target), daemon=True).start()


def copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def test_worker_on_another_network_asks_from_there(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, namespaces: Namespaces
) -> None:
    """A worker that reaches the run through a cable asks at its own end; recordings are written at the other."""
    served = subprocess.Popen(
        [*namespaces.here, sys.executable, "-c", ENDPOINT, namespaces.here_address],
        cwd=ROOT,
        env={**OURS, "PYTHONPATH": str(ROOT / "tools")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert served.stdout is not None
    port = served.stdout.readline().strip()
    project = make_project(tmp_path / "here", base_url=f"http://{namespaces.here_address}:{port}/v1")
    folder = far_project(project, tmp_path_factory.mktemp("far") / "copy")
    with worker_server(folder=folder, host=namespaces.there_address, within=namespaces.there) as place:
        spec = f"socket={place}//chdir={folder}"
        result = project.run("--record=missing", "--tx", spec, "--dist", "load", "--run", "a", within=namespaces.here)
    counted, _ = served.communicate()
    assert result.status == 0, result.out
    assert project.header("a")["live_calls"] == int(counted) == ALL
    assert not (folder / "cassettes").exists()
    assert "0 live calls, 12 replayed, 0 unused recordings" in project.run().out
