"""The lab as a whole: engines behind, the front before them, and how both start and stop."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from tunegate.errors import LabError
from tunegate.lab.engine import Engine
from tunegate.lab.fine_tuning.jobs import folder_of_jobs, read_jobs
from tunegate.lab.fine_tuning.order import ADAPTER
from tunegate.lab.fine_tuning.process import WORKER
from tunegate.lab.front import NOTICE, Front
from tunegate.lab.models import LabModel
from tunegate.lab.office import Office
from tunegate.lab.rack import Adapter, Rack
from tunegate.lab.relay import Served
from tunegate.lab.routes import Desk
from tunegate.lab.storage import Storage

PORT = 8091
CONTEXT = 4096


class Lab:
    """A running lab; close it, or use it as a context manager.

    Without storage it has no files, no batches and no fine-tuning; without a rack, whose engines it stops when it is
    closed, no fine-tuning. `worker` is the command that trains.
    """

    def __init__(
        self,
        served: Sequence[Served],
        *,
        host: str,
        port: int,
        rack: Rack | None = None,
        storage: Storage | None = None,
        worker: Sequence[str] = WORKER,
    ) -> None:
        self.names = [row.name for row in served]
        self.desk = Desk(served)
        self._rack = rack
        self._office = Office(storage, self.desk, rack=rack, worker=worker) if storage else None
        routes = [*self.desk.routes, *(self._office.routes if self._office else ())]
        try:
            self._front = Front((host, port), routes)
        except OSError as error:
            if self._office:
                self._office.close()
            raise LabError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
        if self._office:
            self._office.start()
        self._thread = threading.Thread(target=self._front.serve_forever, args=(0.05,), name="lab-front", daemon=True)
        self._thread.start()
        self.base_url = f"http://{host}:{self._front.server_address[1]}/v1"
        """What an OpenAI client takes as its base_url."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening, hang up, stop the engines; a second time does nothing."""
        self._front.shutdown()
        self._front.hang_up()
        self._front.server_close()
        self._thread.join()
        if self._office:
            self._office.close()
        if self._rack:
            self._rack.close()


def serve(
    models: Sequence[LabModel],
    *,
    host: str = "127.0.0.1",
    port: int = PORT,
    context: int = CONTEXT,
    threads: int | None = None,
    storage: Storage | None = None,
) -> Lab:
    """Load every model, then listen: whoever can connect is answered at full speed.

    `context` is in tokens and for each model; port 0 takes any free one; without `storage` there are
    no batches and no fine-tuning.
    """
    names = [model.name for model in models]
    if not names or len(set(names)) < len(names):
        raise LabError(f"the lab needs models with different names, got: {', '.join(names) or 'none'}")

    def load(model: LabModel, adapters: Sequence[Path]) -> Engine:
        return Engine(model, context=context, threads=threads, adapters=adapters)

    rack = Rack(models, load=load, adapters=find_adapters(storage) if storage else ())
    try:
        return Lab(rack.rows, host=host, port=port, rack=rack, storage=storage)
    except LabError:
        rack.close()
        raise


def find_adapters(storage: Storage) -> list[Adapter]:
    """What earlier fine-tunings made, in their order; one whose file is gone is named on standard error."""
    found = []
    for job in sorted(read_jobs(storage), key=lambda job: job.number):
        adapter = Adapter(job.tuned_name, job.model, folder_of_jobs(storage) / job.id / ADAPTER)
        if job.status == "succeeded" and adapter.path.exists():
            found.append(adapter)
        elif job.status == "succeeded":
            sys.stderr.write(f"tunegate lab: {adapter.name} is not served: {adapter.path} is gone\n")
    return found


def run_until_interrupted(
    models: Sequence[LabModel],
    *,
    host: str = "127.0.0.1",
    port: int = PORT,
    context: int = CONTEXT,
    threads: int | None = None,
    storage: Storage | None = None,
) -> int:
    """Serve until SIGINT or SIGTERM and return the exit status: 130 or 0. For the main thread."""
    stopped = threading.Event()
    received: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        started = time.perf_counter()
        with serve(models, host=host, port=port, context=context, threads=threads, storage=storage) as lab:
            took_s = time.perf_counter() - started
            sys.stdout.write(
                f"tunegate lab: {NOTICE}\n"
                f"tunegate lab: ready in {took_s:.1f} s at {lab.base_url} with {', '.join(lab.names)}\n"
            )
            sys.stdout.flush()
            stopped.wait()
    finally:
        for number, action in before.items():
            signal.signal(number, action)
    return 130 if received[0] == signal.SIGINT else 0
