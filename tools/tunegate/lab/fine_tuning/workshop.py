"""The thread that validates jobs, has them trained one after the other, and has the results served."""

from __future__ import annotations

import hashlib
import os
import queue
import sys
import threading
from collections.abc import Sequence

from tunegate.errors import LabError
from tunegate.lab.files import FileShelf
from tunegate.lab.fine_tuning.conversations import FEWEST_EXAMPLES, inspect_file
from tunegate.lab.fine_tuning.jobs import Failure, Job, JobShelf
from tunegate.lab.fine_tuning.order import ADAPTER, METRICS, STATE, Checkpoint, Done, Failed, Order, Progress, Step
from tunegate.lab.fine_tuning.process import Said, TrainingProcess
from tunegate.lab.rack import Adapter, Rack, Swap
from tunegate.lab.refusals import Refusal

RESULT = "fine-tune-results"
MOST_THREADS = 8
"""More of them gain nothing with a model this small."""


def count_threads() -> int:
    """Return one thread less than there are cores, and few at most.

    Threads wait for each other at each of a step's thousand small products: on two cores a step took 2.1 s with two
    threads and 2.2 s with one, which leaves the other core to those who ask.
    """
    return max(1, min((os.cpu_count() or 1) - 1, MOST_THREADS))


class Workshop:
    """Takes every job from one state to the next. It sleeps until a client or the training process says something."""

    def __init__(self, jobs: JobShelf, files: FileShelf, *, rack: Rack, swap: Swap, command: Sequence[str]) -> None:
        self._jobs = jobs
        self._files = files
        self._rack = rack
        self._swap = swap
        self._command = command
        self._inbox: queue.SimpleQueue[Said | None] = queue.SimpleQueue()
        self._is_closing = threading.Event()
        self._process: TrainingProcess | None = None
        self._job_id = ""
        """Of the job that the process works for."""
        self._thread = threading.Thread(target=self._work, name="lab-fine-tuning", daemon=True)

    def start(self) -> None:
        """Begin, with what an earlier server has left unfinished."""
        self._thread.start()

    def notify(self) -> None:
        """Say that a job was created or cancelled."""
        self._inbox.put(None)

    def close(self) -> None:
        """End the training in hand; the next server goes on from its last epoch."""
        self._is_closing.set()
        self.notify()
        if self._thread.is_alive():
            self._thread.join()
        self._end_process()

    def _work(self) -> None:
        while not self._is_closing.is_set():
            for job in self._jobs.select():
                if job.status == "validating_files":
                    self._validate(job)
            if self._process is not None and self._jobs.find(self._job_id).is_over:
                self._end_process()
            if self._process is None and not self._is_closing.is_set():
                self._start_next()
            said = self._inbox.get()
            # A process that was ended may have spoken before.
            if said is not None and said.speaker is self._process and not self._is_closing.is_set():
                self._hear(self._jobs.find(self._job_id), said.progress)

    def _validate(self, job: Job) -> None:
        self._jobs.diary_of(job).say(f"Validating training file: {job.training_file}")
        named = (("training", job.training_file, FEWEST_EXAMPLES), ("validation", job.validation_file, 1))
        for use, file_id, fewest in named:
            if file_id is None:
                continue
            try:
                faults = inspect_file(self._files.find_content(file_id), fewest=fewest).faults
            except (Refusal, OSError) as error:  # it was removed from the folder while no server ran
                faults = (str(error),)
            if faults:
                message = f"The job failed due to an invalid {use} file. {'; '.join(faults)}"
                self._fail(job, Failure(f"invalid_{use}_file", message, f"{use}_file"))
                return
        if self._jobs.advance(job, "queued"):
            self._jobs.diary_of(job).say("Files validated, moving job to queued state")

    def _start_next(self) -> None:
        waiting = [job for job in self._jobs.select() if job.status in ("running", "queued")]
        # What an earlier server had begun is finished first.
        job = next((job for job in waiting if job.status == "running"), next(iter(waiting), None))
        if job is None:
            return
        threads = job.threads or count_threads()
        folder = self._jobs.folder_of(job)
        try:
            model = self._rack.find_tunable(job.model)
            order = Order(
                weights=str(model.find_gguf()),
                chat_template=model.chat_template,
                training_file=str(self._files.find_content(job.training_file)),
                validation_file=str(self._files.find_content(job.validation_file)) if job.validation_file else None,
                recipe=job.recipe,
                threads=threads,
            )
            order.save(folder)
            if not self._jobs.advance(job, "running", threads=threads):
                return
            again = ", again after a restart of the server" if job.status == "running" else ""
            self._jobs.diary_of(job).say(f"Fine-tuning job started{again}")
            self._job_id = job.id
            self._process = TrainingProcess(folder, command=self._command, listen=self._inbox.put)
        except (LabError, OSError) as error:
            self._fail(job, Failure("server_error", str(error)))
            self.notify()

    def _hear(self, job: Job, progress: Progress | None) -> None:
        diary = self._jobs.diary_of(job)
        match progress:
            case Step():
                diary.note_step(progress)
            case Checkpoint():
                name = job.checkpoint_name(progress.step.step, last_step=progress.step.total_steps)
                diary.note_checkpoint(progress, job_id=job.id, name=name)
            case Done():
                self._end_process()
                self._finish(job, progress)
            case Failed():
                self._end_process()
                self._fail(job, Failure(progress.code, progress.message, progress.param))
            case None:
                failed = self._process.describe_end() if self._process else Failed("server_error", "no process")
                self._end_process()
                self._fail(job, Failure(failed.code, failed.message))

    def _finish(self, job: Job, done: Done) -> None:
        # From here on it is too late to cancel: a name that is served is not taken back.
        if not self._jobs.advance(job, "running", is_trained=True):
            return
        folder = self._jobs.folder_of(job)
        # The same id at every attempt: a server killed in between hands nothing out twice.
        id_ = f"file-{hashlib.sha256(f'{job.id} {METRICS}'.encode()).hexdigest()[:24]}"
        try:
            result = self._files.adopt(folder / METRICS, id_=id_, filename=METRICS, purpose=RESULT)
            self._rack.add(Adapter(job.tuned_name, job.model, folder / ADAPTER), swap=self._swap)
        except (LabError, OSError) as error:
            self._fail(job, Failure("server_error", f"The model was trained and cannot be served: {error}"))
            return
        diary = self._jobs.diary_of(job)
        diary.say(f"New fine-tuned model created: {job.tuned_name}")
        diary.say("The job has successfully completed")
        self._jobs.advance(
            job,
            "succeeded",
            fine_tuned_model=job.tuned_name,
            result_files=(result.id,),
            trained_tokens=done.trained_tokens,
        )
        (folder / STATE).unlink(missing_ok=True)

    def _fail(self, job: Job, failure: Failure) -> None:
        if not self._jobs.advance(job, "failed", failure=failure):
            return
        self._jobs.diary_of(job).say(failure.message, level="error")
        sys.stderr.write(f"tunegate lab: {job.id} failed: {failure.message}\n")
        (self._jobs.folder_of(job) / STATE).unlink(missing_ok=True)

    def _end_process(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None
