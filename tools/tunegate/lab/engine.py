"""llama.cpp with one model in it, on a loopback port of its own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from tunegate.errors import LabError
from tunegate.lab.models import INSTALL, LabModel

# More threads than this wait for each other longer than they compute, with models this small.
MOST_THREADS = 4
BATCH = 512
PRIME_S = 120.0
JSON_TYPE = {"Content-Type": "application/json"}


class Engine:
    """One loaded model that answers one request at a time, with the adapters that a request may choose among."""

    def __init__(self, model: LabModel, *, context: int, threads: int | None, adapters: Sequence[Path] = ()) -> None:
        path = model.find_gguf()
        llama = import_llama()
        params = llama.CommonParams()
        params.model.path = str(path)
        params.offline = True
        params.ui = False
        params.verbosity = -1
        params.use_jinja = True
        if model.chat_template is not None:
            params.chat_template = model.chat_template
        count = threads or count_threads()
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = count
        params.n_ctx = context
        # One slot: llama.cpp computes slots side by side, which moves the last bits, and divides the context.
        params.n_parallel = 1
        # A cancelled request is let go of between batches: 512 tokens take about two seconds, and the 2048 of
        # the default about eight.
        params.n_batch = params.n_ubatch = BATCH
        forget_prompts(params)
        if adapters:
            params.lora_adapters = [load_adapter(llama, path) for path in adapters]
            # Loaded and not used, until a request says so.
            params.lora_init_without_apply = True
        try:
            self._server: Any = llama.Server(params)
        except (RuntimeError, OSError) as error:
            raise LabError(f"llama.cpp cannot serve {model.name} from {path.name}: {error}") from error
        self.fingerprint = fingerprint_of(path, model.chat_template)
        host, _, port = self._server.listening_address.removeprefix("http://").rpartition(":")
        self.address: tuple[str, int] = (host, int(port))
        self._prime()

    def close(self) -> None:
        """Stop llama.cpp and free the model, by letting go of it; all its calls must have ended."""
        self._server = None

    def _prime(self) -> None:
        # A server let go of before its loop has begun waits for that loop for ever.
        # One answered request proves that it runs.
        connection = HTTPConnection(*self.address, timeout=PRIME_S)
        try:
            connection.request("POST", "/completion", b'{"prompt": "1", "n_predict": 1}', JSON_TYPE)
            connection.getresponse().read()
        except (OSError, HTTPException) as error:
            raise LabError(f"llama.cpp loaded a model and then did not answer: {error}") from error
        finally:
            connection.close()


def fingerprint_of(path: Path, chat_template: str | None) -> str:
    """Name what decides the bytes of a reply: llama.cpp's build, the weights and the template.

    The same name on two recordings means that the same request would have had the same reply.
    """
    digest = hashlib.sha256(f"{metadata.version('xllamacpp')}\n{chat_template or ''}".encode())
    with path.open("rb") as weights:
        while piece := weights.read(1 << 20):
            digest.update(piece)
    return f"fp_{digest.hexdigest()[:10]}"


def count_threads() -> int:
    """One thread less than there are cores, and few at most; the text does not depend on their number.

    The threads of a model wait for each other at every step. With one per core, any other busy process stalls
    them all: two threads on two cores were then two to three times slower than one.
    """
    return max(1, min((os.cpu_count() or 1) - 1, MOST_THREADS))


def forget_prompts(params: Any) -> None:
    """Let no request find anything of an earlier one.

    A prompt whose beginning is cached is computed in other batches than a fresh one, and so with other last
    bits: both models were seen to answer the same request differently after different predecessors.
    """
    params.cache_prompt = False
    params.cache_ram_mib = 0
    params.cache_idle_slots = False
    params.n_ctx_checkpoints = 0


def load_adapter(llama: Any, path: Path) -> Any:
    """An adapter as llama.cpp takes it."""
    adapter = llama.CommonAdapterLoraInfo()
    adapter.path = str(path)
    adapter.scale = 1.0
    return adapter


def import_llama() -> Any:
    """xllamacpp, loaded late: 100 MB that only a serving process needs."""
    try:
        return import_module("xllamacpp")
    except ImportError as error:
        raise LabError(f"the lab needs xllamacpp: {error}\n  install it: {INSTALL}") from error
