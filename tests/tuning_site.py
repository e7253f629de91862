"""A place where labs are started that fine-tune for everybody to see, with scripts for the trainer and the engine."""

from __future__ import annotations

import os
import struct
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tunegate.errors import LabError
from tunegate.lab import Lab, LabModel, Storage
from tunegate.lab.rack import Rack
from tunegate.lab.serving import find_adapters
from tunegate.testing import ScriptedEndpoint

PATIENCE_S = 20.0
TRAINER = Path(__file__).with_name("lab") / "scripted_trainer.py"


def gguf_head(architecture: str) -> bytes:
    text = architecture.encode()
    return b"GGUF general.architecture" + struct.pack("<IQ", 8, len(text)) + text + b" tokenizer.chat_template"


class ScriptedModel:
    """An engine that says which adapter it was asked to use, out of those it was loaded with."""

    def __init__(self, adapters: Sequence[Path], *, held: Callable[[], None]) -> None:
        self._files = [path.read_text() for path in adapters]
        self._scales = [0.0] * len(adapters)
        self._held = held
        self._endpoint = ScriptedEndpoint(self._answer)
        self._endpoint.__enter__()
        host, port = self._endpoint.base_url.removeprefix("http://").removesuffix("/v1").split(":")
        self.address = (host, int(port))
        self.fingerprint = "fp_base"
        self.is_closed = False

    def _answer(self, body: Mapping[str, Any]) -> str:
        self._held()
        assert not self.is_closed
        # As llama.cpp does: without a list, or with an empty one, the adapters of the request before stay.
        self._scales = [row["scale"] for row in body.get("lora", [])] or self._scales
        return " ".join(text for text, scale in zip(self._files, self._scales, strict=True) if scale) or "base"

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self._endpoint.__exit__(None, None, None)


class Site:
    """Where labs are started, with the same store and models; `gate` lets the trainer past step `stop_at`."""

    def __init__(self, folder: Path) -> None:
        for package, architecture in (("tunable_carrier", "llama"), ("other_carrier", "gemma3")):
            (folder / package).mkdir(exist_ok=True)
            (folder / package / "__init__.py").touch()
            (folder / package / "tiny.gguf").write_bytes(gguf_head(architecture))
        self.storage = Storage(folder / "store")
        self.gate = folder / "gate"
        self.mode, self.stop_at = "train", 0
        self.engines: list[ScriptedModel] = []
        self.hold: Callable[[], None] = lambda: None
        self.refuses_adapters = False
        self.worker: Sequence[str] | None = None

    def load(self, model: LabModel, adapters: Sequence[Path]) -> ScriptedModel:
        if adapters and self.refuses_adapters:
            raise LabError(f"llama.cpp cannot serve {model.name}: no such tensor")
        self.engines.append(ScriptedModel(adapters, held=lambda: self.hold()))  # noqa: PLW0108  # replaced later
        return self.engines[-1]

    def start(self, *, port: int = 0) -> Lab:
        """Start a lab; its models are found by import, so the folder must be on sys.path."""
        models = [LabModel("tiny", "tunable_carrier"), LabModel("other", "other_carrier")]
        rack = Rack(models, load=self.load, adapters=find_adapters(self.storage))
        command = self.worker or (sys.executable, str(TRAINER), self.mode, str(self.stop_at), str(self.gate))
        return Lab(rack.rows, host="127.0.0.1", port=port, rack=rack, storage=self.storage, worker=command)

    @property
    def pids(self) -> list[int]:
        """Of the training processes so far."""
        path = self.gate.with_name("pids")
        return [int(line) for line in path.read_text().split()] if path.exists() else []


def wait_until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.003)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A child that was killed and not yet waited for is dead all the same.
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
