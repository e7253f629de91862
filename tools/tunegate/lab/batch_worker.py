"""The thread that validates, runs and ends batches, in the time that live requests leave."""

from __future__ import annotations

import hashlib
import json
import sys
import threading

from tunegate.lab.batch_lines import Fault, Line, inspect_lines, render_answer, render_failure
from tunegate.lab.batch_run import ERRORS, OUTPUT, BatchRun
from tunegate.lab.batches import Batch, BatchShelf
from tunegate.lab.chat import parse_chat
from tunegate.lab.files import WRITTEN, FileShelf
from tunegate.lab.refusals import Refusal
from tunegate.lab.relay import Call
from tunegate.lab.routes import Desk

PATIENCE_S = 60.0
"""How long a line waits for a quiet moment before the clock is looked at again."""


class BatchWorker:
    """Takes every batch from one state to the next, each step short, so that new ones are soon seen."""

    def __init__(self, batches: BatchShelf, files: FileShelf, *, desk: Desk) -> None:
        self._batches = batches
        self._files = files
        self._desk = desk
        self._clock = batches.storage.clock
        self._news = threading.Event()
        self._lock = threading.Lock()
        self._is_closing = False
        self._call: Call | None = None
        self._run: tuple[str, BatchRun] | None = None
        self._thread = threading.Thread(target=self._work, name="lab-batches", daemon=True)

    def start(self) -> None:
        """Begin, with what an earlier server has left unfinished."""
        self._thread.start()

    def notify(self) -> None:
        """Say that a batch was created or cancelled."""
        self._news.set()
        self._desk.turns.wake()

    def close(self) -> None:
        """Stop after the step in hand; a line that is being answered is given up, and asked again at the next start."""
        with self._lock:
            self._is_closing = True
            if self._call is not None:
                self._call.cancel()
        self.notify()
        if self._thread.is_alive():
            self._thread.join()
        self._leave_run()

    def _work(self) -> None:
        while not self._is_closing:
            self._news.clear()
            batch = self._choose()
            if batch is not None:
                self._try_step(batch)
            elif not self._is_closing:
                self._news.wait()

    def _choose(self) -> Batch | None:
        """What is quickly done first; of the batches in progress the oldest."""
        unfinished = [batch for batch in self._batches.select() if not batch.is_over]
        return next((batch for batch in unfinished if batch.status != "in_progress"), next(iter(unfinished), None))

    def _try_step(self, batch: Batch) -> None:
        try:
            self._step(batch)
        except Refusal as refusal:  # its input was removed from the folder while no server ran
            self._leave_run()
            self._batches.advance(batch, "failed", faults=(Fault("file_not_found", str(refusal)),))
        except OSError as error:
            self._leave_run()
            sys.stderr.write(f"tunegate lab: {batch.id} waits, its files cannot be used: {error}\n")
            self._news.wait(PATIENCE_S)

    def _step(self, batch: Batch) -> None:
        if batch.status == "validating":
            self._validate(batch)
        elif batch.status == "in_progress":
            self._advance(batch)
        elif batch.status == "finalizing":
            self._end(batch, "completed")
        else:
            self._write_off(batch, "batch_cancelled", "This request was not executed: the batch was cancelled.")
            self._end(batch, "cancelled")

    def _validate(self, batch: Batch) -> None:
        source = self._files.find_content(batch.input_file_id)
        found = inspect_lines(source, endpoint=batch.endpoint, check_model=self._desk.find)
        if found.faults:
            self._batches.advance(batch, "failed", faults=tuple(found.faults))
        else:
            self._batches.advance(batch, "in_progress", total=found.total, model=found.model)

    def _advance(self, batch: Batch) -> None:
        run = self._enter_run(batch)
        self._count(batch, run)
        if run.line is None:
            self._batches.advance(batch, "finalizing")
        elif self._clock() >= batch.expires_at:
            message = "This request could not be executed before the completion window expired."
            self._write_off(batch, "batch_expired", message)
            self._end(batch, "expired")
        else:
            self._answer(batch, run, line=run.line)

    def _answer(self, batch: Batch, run: BatchRun, *, line: Line) -> None:
        status, body = 200, None
        try:
            body = self._ask(line, patience_s=min(PATIENCE_S, batch.expires_at - self._clock()))
        except Refusal as refusal:
            status, body = refusal.status, refusal.body
        # A call that was given up fails too, and that says nothing about the line.
        if body is None or (self._is_closing and status != 200):
            return
        run.write(line.custom_id, render_answer(line, status=status, body=body), is_error=status != 200)
        self._count(batch, run)

    def _ask(self, line: Line, *, patience_s: float) -> dict[str, object] | None:
        """The reply to a line; None where the time for it did not come."""
        call = self._desk.prepare_call(parse_chat(json.dumps(line.body).encode()))
        with self._lock:
            self._call = call
        try:
            with self._desk.turns.take_spare(self._has_news, patience_s=max(0.0, patience_s)) as is_mine:
                if not is_mine or self._is_closing:
                    return None
                call.start()
                return call.read_whole()
        finally:
            with self._lock:
                self._call = None
            call.close()

    def _has_news(self) -> bool:
        return self._is_closing or self._news.is_set()

    def _count(self, batch: Batch, run: BatchRun) -> None:
        self._batches.count(batch, completed=run.completed, failed=run.failed)

    def _write_off(self, batch: Batch, code: str, message: str) -> None:
        """Say of every line that is left why it was not answered."""
        if batch.total == 0:  # cancelled before its lines were looked at
            return
        run = self._enter_run(batch)
        while run.line is not None:
            id_ = run.line.custom_id
            run.write(id_, render_failure(id_, code=code, message=message), is_error=True)
        self._count(batch, run)

    def _end(self, batch: Batch, status: str) -> None:
        """Hand the written lines out as files; repeated after a crash it finds what was done."""
        self._leave_run()
        written = {
            field: self._publish(batch, name) for field, name in (("output_file_id", OUTPUT), ("error_file_id", ERRORS))
        }
        if self._batches.advance(batch, status, **written):
            for name in (OUTPUT, ERRORS):
                (self._batches.folder_of(batch) / name).unlink(missing_ok=True)

    def _publish(self, batch: Batch, name: str) -> str | None:
        path = self._batches.folder_of(batch) / name
        if not path.exists() or path.stat().st_size == 0:
            return None
        # The same id at every attempt: a server killed in between hands nothing out twice.
        id_ = f"file-{hashlib.sha256(f'{batch.id} {name}'.encode()).hexdigest()[:24]}"
        return self._files.adopt(path, id_=id_, filename=f"{batch.id}_{name}", purpose=WRITTEN).id

    def _enter_run(self, batch: Batch) -> BatchRun:
        if self._run is None or self._run[0] != batch.id:
            self._leave_run()
            run = BatchRun(self._batches.folder_of(batch), self._files.find_content(batch.input_file_id))
            self._run = (batch.id, run)
        return self._run[1]

    def _leave_run(self) -> None:
        if self._run is not None:
            self._run[1].close()
            self._run = None
