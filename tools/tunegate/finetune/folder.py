"""What is known of trainings, a file for each: enough to go on after any kill, and to judge them later."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tunegate.cases.names import show_path
from tunegate.cassettes.durability import only_process_in, sync_folder
from tunegate.errors import RunError
from tunegate.finetune.planning import Wanted
from tunegate.wire.fine_tuning import OVER, CheckpointState, JobState
from tunegate.wire.training_steps import TrainingStep

FORMAT = 1
GONE = "gone"


@dataclass(frozen=True)
class Kept:
    """One training as far as it has come."""

    key: str
    label: str
    set: str
    examples: int
    seed: int
    base: str
    """Name of the row of the matrix that it began with."""
    base_url: str
    sha256: str
    """Of the training file, in hex."""
    validation_sha256: str | None
    hyperparameters: Mapping[str, Any]
    """What was asked for, and then what the endpoint says that it took."""
    training_file: str | None = None
    """Its id at the endpoint."""
    asked_at: float | None = None
    """Unix time in seconds at which we began to have its job created, by our clock: until its id is known there may be
    one that we never heard of."""
    job: str | None = None
    """Its id; None where none was created yet, as far as is known here."""
    status: str = "wanted"
    """`wanted`, then the endpoint's words; `gone` where it knows the job no more."""
    created_at: int | None = None
    """Unix time in seconds, by the endpoint's clock."""
    fine_tuned_model: str | None = None
    trained_tokens: int | None = None
    failure: str | None = None
    total_steps: int | None = None
    steps: tuple[TrainingStep, ...] = ()
    checkpoints: tuple[CheckpointState, ...] = ()
    repetitions: int = 1
    """How often each example stands in the training file."""
    is_complete: bool = False
    """Whether its loss curve and checkpoints were read to the end, or are not to be had."""

    @classmethod
    def of(cls, wanted: Wanted) -> Kept:
        """Return a training of which nothing has been done."""
        return cls(
            key=wanted.key,
            label=wanted.label,
            set=wanted.file.set,
            examples=wanted.file.examples,
            seed=wanted.seed,
            base=wanted.base.name,
            base_url=wanted.base.endpoint.base_url,
            sha256=wanted.file.sha256,
            validation_sha256=wanted.validation.sha256 if wanted.validation else None,
            hyperparameters=wanted.hyperparameters.sent,
            repetitions=wanted.file.repetitions,
        )

    @property
    def is_over(self) -> bool:
        """Whether its job has ended, however."""
        return self.status in OVER or self.status == GONE

    @property
    def is_fruitless(self) -> bool:
        """Whether it is over without a model."""
        return self.is_over and self.status != "succeeded"

    @property
    def losses(self) -> list[float]:
        """Training losses in the order of their steps."""
        return [step.train_loss for step in self.steps if step.train_loss is not None]

    @property
    def valid_losses(self) -> dict[int, float]:
        """Validation losses by their steps: over the whole file where a checkpoint tells, else as the steps say."""
        whole = {
            checkpoint.step: checkpoint.metrics["full_valid_loss"]
            for checkpoint in self.checkpoints
            if "full_valid_loss" in checkpoint.metrics
        }
        return whole or {step.step: step.valid_loss for step in self.steps if step.valid_loss is not None}

    @property
    def epochs(self) -> int | None:
        """How often the file was gone through; None where nobody said."""
        epochs = self.hyperparameters.get("n_epochs")
        return epochs if isinstance(epochs, int) and not isinstance(epochs, bool) and epochs > 0 else None

    @property
    def all_but_seed(self) -> tuple[object, ...]:
        """What replicates have in common."""
        recipe = json.dumps(self.hyperparameters, sort_keys=True)
        return (self.base, self.base_url, self.sha256, self.validation_sha256, recipe)

    def with_job(self, job: JobState) -> Kept:
        """Return what is known after its endpoint was asked."""
        return replace(
            self,
            training_file=job.training_file,
            asked_at=None,
            job=job.id,
            status=job.status,
            created_at=job.created_at,
            fine_tuned_model=job.fine_tuned_model,
            trained_tokens=job.trained_tokens,
            failure=job.failure,
            hyperparameters={**self.hyperparameters, **job.hyperparameters},
        )

    def with_steps(self, steps: Mapping[int, TrainingStep], *, total_steps: int | None) -> Kept:
        """Return it with steps, by their numbers, beside those that are known."""
        known = {step.step: step for step in self.steps} | dict(steps)
        return replace(
            self, steps=tuple(known[number] for number in sorted(known)), total_steps=total_steps or self.total_steps
        )


@dataclass
class TrainingFolder:
    """Holds a file for each training at each endpoint."""

    path: Path
    _known: dict[Path, Kept] = field(default_factory=dict, init=False, repr=False)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out: two that find no job would both create one.

        Raises:
            UsageError: another process is at work with it.
            RunError: nothing can be written there.
            CassetteError: this system has no file locks (Windows).
        """
        busy = (
            f"another process watches the trainings in {show_path(self.path)}\n"
            "  let it finish, or stop it: this command then goes on with its jobs"
        )
        with only_process_in(self.path, lock=".lock", to_keep="trainings", busy=busy):
            yield

    def load(self) -> list[Kept]:
        """Return every training that is kept, by size and seed.

        Raises:
            RunError: a file cannot be read.
        """
        found, problems = self.load_readable()
        if problems:
            raise problems[0]
        return found

    def load_readable(self) -> tuple[list[Kept], list[RunError]]:
        """Return every training that can be read, by size and seed, and why others cannot."""
        found, problems = [], []
        for path in sorted(self.path.glob("n*-s*-????????*.json")):
            try:
                found.append(_read(path))
            except RunError as problem:
                problems.append(problem)
        return sorted(found, key=lambda kept: (kept.examples, kept.seed, kept.key)), problems

    def keep(self, kept: Kept) -> None:
        """Write a training as it stands; when this returns, it outlives a crash of the machine.

        Raises:
            RunError: it cannot be written.
        """
        path = self._path_of(kept)
        if self._known.get(path) == kept:
            return
        draft = path.with_name(f".{path.name}.draft")
        try:
            with draft.open("w", encoding="ascii") as file:
                file.write(_render(kept))
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, path)
            sync_folder(self.path)
        except OSError as problem:
            raise RunError(f"cannot write {show_path(path)}: {problem.strerror}") from problem
        self._known[path] = kept

    def _path_of(self, kept: Kept) -> Path:
        """Return where a training is kept: where its label and key say, unless that is the same one elsewhere."""
        path = self.path / f"{kept.label}-{kept.key[:8]}.json"
        first = self._known.get(path) or (_read(path) if path.exists() else kept)
        if first.base_url == kept.base_url:
            return path
        return path.with_stem(f"{path.stem}-{hashlib.sha256(kept.base_url.encode()).hexdigest()[:8]}")


def _render(kept: Kept) -> str:
    """Return JSON that git can compare: a line for each field, and for each step."""
    plain = {"format": FORMAT, **asdict(kept)}
    if kept.repetitions == 1:
        # As earlier versions wrote it, and read it.
        del plain["repetitions"]
    lists = {name: plain.pop(name) for name in ("steps", "checkpoints")}
    lines = [f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in plain.items()]
    for name, rows in lists.items():
        inner = ",\n".join(f"    {json.dumps(_without_nones(row))}" for row in rows)
        lines.append(f"  {json.dumps(name)}: [\n{inner}\n  ]" if rows else f"  {json.dumps(name)}: []")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _without_nones(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def _read(path: Path) -> Kept:
    try:
        plain = json.loads(path.read_bytes())
        version = plain.pop("format")
        if version > FORMAT:
            raise RunError(f"{show_path(path)} has format {version}, this tunegate reads {FORMAT}: update it")
        steps = tuple(TrainingStep(**row) for row in plain.pop("steps"))
        checkpoints = tuple(CheckpointState(**row) for row in plain.pop("checkpoints"))
        return Kept(**plain, steps=steps, checkpoints=checkpoints)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as problem:
        raise RunError(
            f"{show_path(path)} is damaged: {problem}\n"
            "  remove it: its job is found again where the endpoint keeps metadata of jobs, and is paid anew elsewhere"
        ) from problem
