"""`/v1/fine_tuning/jobs`: create, list, read, cancel, events and checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunegate.lab.batch_routes import check_metadata
from tunegate.lab.chat import parse_object
from tunegate.lab.files import FileShelf
from tunegate.lab.fine_tuning.jobs import JobShelf
from tunegate.lab.fine_tuning.recipe import parse_recipe
from tunegate.lab.fine_tuning.workshop import Workshop
from tunegate.lab.front import Exchange, Route
from tunegate.lab.paging import page_of
from tunegate.lab.rack import Rack
from tunegate.lab.refusals import Refusal

JOBS_PATH = "/v1/fine_tuning/jobs"
PURPOSE = "fine-tune"
LONGEST_SUFFIX = 64


class JobCounter:
    """Where fine-tuning jobs are handed in and asked about."""

    def __init__(self, jobs: JobShelf, files: FileShelf, *, rack: Rack, workshop: Workshop) -> None:
        self._jobs = jobs
        self._files = files
        self._rack = rack
        self._workshop = workshop

    @property
    def routes(self) -> list[Route]:
        """Every path below /v1/fine_tuning."""
        one = f"{JOBS_PATH}/([^/]+)"
        return [
            Route("POST", JOBS_PATH, self.take_job),
            Route("GET", JOBS_PATH, self.send_jobs),
            Route("GET", one, self.send_job),
            Route("POST", f"{one}/cancel", self.cancel_job),
            Route("GET", f"{one}/events", self.send_events),
            Route("GET", f"{one}/checkpoints", self.send_checkpoints),
        ]

    def take_job(self, exchange: Exchange) -> None:
        """Create a job; what is wrong with its files is said later, in its state."""
        fields = parse_object(exchange.body)
        model = fields.get("model")
        if not isinstance(model, str) or not model:
            raise Refusal(400, "You must provide a model parameter, a string", param="model")
        self._rack.find_tunable(model)
        training_file = self._find_file(fields, "training_file")
        validation_file = self._find_file(fields, "validation_file") if "validation_file" in fields else None
        if fields.get("integrations"):
            message = "'integrations' must be empty: the lab reports to nobody"
            raise Refusal(400, message, code="invalid_value", param="integrations")
        check_metadata(fields.get("metadata", {}))
        metadata: Any = fields.get("metadata")
        job = self._jobs.create(
            model,
            parse_recipe(fields),
            training_file=training_file,
            validation_file=validation_file,
            suffix=parse_suffix(fields),
            metadata=metadata,
        )
        self._workshop.notify()
        exchange.send_json(job.body)

    def send_jobs(self, exchange: Exchange) -> None:
        """A page of the list, the newest first; `metadata[key]=value` selects."""
        wanted = {
            name.removeprefix("metadata[").removesuffix("]"): value
            for name, value in exchange.query.items()
            if name.startswith("metadata[")
        }
        jobs = [job for job in self._jobs.select() if wanted.items() <= (job.metadata or {}).items()]
        exchange.send_json(page_of([job.body for job in reversed(jobs)], exchange.query, most=100, usual=20))

    def send_job(self, exchange: Exchange, id_: str) -> None:
        """One job as it stands."""
        exchange.send_json(self._jobs.find(id_).body)

    def cancel_job(self, exchange: Exchange, id_: str) -> None:
        """End one job."""
        job = self._jobs.cancel(id_)
        self._workshop.notify()
        exchange.send_json(job.body)

    def send_events(self, exchange: Exchange, id_: str) -> None:
        """A page of what happened to a job, the newest first."""
        rows = self._jobs.diary_of(self._jobs.find(id_)).events
        exchange.send_json(page_of(rows[::-1], exchange.query, most=1000, usual=20))

    def send_checkpoints(self, exchange: Exchange, id_: str) -> None:
        """A page of the checkpoints of a job, the newest first."""
        rows = self._jobs.diary_of(self._jobs.find(id_)).checkpoints
        exchange.send_json(page_of(rows[::-1], exchange.query, most=100, usual=10))

    def _find_file(self, fields: Mapping[str, object], name: str) -> str:
        id_ = fields.get(name)
        if not isinstance(id_, str):
            raise Refusal(400, f"'{name}' must be the id of a file", code="invalid_type", param=name)
        try:
            purpose = self._files.find(id_).purpose
        except Refusal as refusal:
            raise Refusal(404, str(refusal), code="file_not_found", param=name) from refusal
        if purpose != PURPOSE:
            message = f"{id_} has the purpose '{purpose}', not '{PURPOSE}'"
            raise Refusal(400, message, code="invalid_file_purpose", param=name)
        return id_


def parse_suffix(fields: Mapping[str, object]) -> str | None:
    """What the client adds to the name of its model."""
    suffix = fields.get("suffix")
    if suffix is None:
        return None
    is_fine = (
        isinstance(suffix, str)
        and 0 < len(suffix) <= LONGEST_SUFFIX
        and suffix.isascii()
        and all(sign.isalnum() or sign in "-_." for sign in suffix)
    )
    if not is_fine:
        message = f"'suffix' must have 1 to {LONGEST_SUFFIX} letters, digits, '-', '_' and '.'"
        raise Refusal(400, message, code="invalid_value", param="suffix")
    return str(suffix)
