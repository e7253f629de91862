"""Which trainings a command wants: every size with every seed, by one recipe."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tunegate.cases import Model
from tunegate.errors import RunError, UsageError
from tunegate.exchanges import canonical_json

KEY = "tunegate"
"""Name of the key in a job's metadata."""
LONGEST_SUFFIX = 40
"""Of a model's name, which OpenAI limits to 64; some providers take fewer."""
_SUFFIX = re.compile(r"[a-z0-9][a-z0-9-]*", re.ASCII)


@dataclass(frozen=True)
class Hyperparameters:
    """What is chosen of a recipe; None leaves it to the endpoint."""

    epochs: int | None = None
    batch_size: int | None = None
    learning_rate_multiplier: float | None = None

    @property
    def sent(self) -> dict[str, int | float]:
        """What the API is told, by its names."""
        named = {
            "n_epochs": self.epochs,
            "batch_size": self.batch_size,
            "learning_rate_multiplier": self.learning_rate_multiplier,
        }
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True)
class TrainingFile:
    """A file of examples, or of validation examples, on this machine."""

    path: Path
    set: str
    """Name of the training set that it is of."""
    examples: int

    @cached_property
    def content(self) -> bytes:
        """Its bytes.

        Raises:
            RunError: it cannot be read.
        """
        try:
            return self.path.read_bytes()
        except OSError as problem:
            raise RunError(f"cannot read {self.path}: {problem.strerror}") from problem

    @cached_property
    def sha256(self) -> str:
        """Of its bytes, in hex."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def upload_name(self) -> str:
        """What it is called at an endpoint: the same bytes have the same name, so they are uploaded once."""
        return f"{self.set}-{self.path.stem}.{self.sha256[:12]}.jsonl"


@dataclass(frozen=True)
class Wanted:
    """One training: a recipe, a file and a seed."""

    base: Model
    file: TrainingFile
    validation: TrainingFile | None
    hyperparameters: Hyperparameters
    seed: int
    suffix: str

    @cached_property
    def key(self) -> str:
        """32 hex digits of all that decides what is learned: two trainings of one key are the same training."""
        told = {
            "model": self.base.model,
            "training": self.file.sha256,
            "validation": self.validation.sha256 if self.validation else None,
            "method": "supervised",
            "hyperparameters": self.hyperparameters.sent,
            "seed": self.seed,
        }
        return hashlib.sha256(canonical_json(told).encode()).hexdigest()[:32]

    @property
    def label(self) -> str:
        """What it is called here, such as `n100-s2`."""
        return f"n{self.file.examples}-s{self.seed}"

    @property
    def metadata(self) -> Mapping[str, str]:
        """What its job carries, by which it is found again."""
        return {KEY: self.key, "training_set": self.file.set, "examples": str(self.file.examples)}


def plan_trainings(
    base: Model,
    files: Sequence[TrainingFile],
    *,
    validation: TrainingFile | None,
    hyperparameters: Hyperparameters,
    seeds: Sequence[int],
    suffix: str | None = None,
) -> list[Wanted]:
    """Return every file with every seed, the smallest files first.

    `suffix` stands before size and seed in the names of the models; without one they stand alone.

    Raises:
        UsageError: nothing is wanted, or a name cannot be part of a model's.
    """
    if not files or not seeds:
        raise UsageError("nothing to train: wanted at least one size and one seed")
    wanted = []
    for file in sorted(files, key=lambda file: file.examples):
        for seed in dict.fromkeys(seeds):
            name = "-".join(filter(None, (suffix, f"n{file.examples}-s{seed}")))
            if not _SUFFIX.fullmatch(name) or len(name) > LONGEST_SUFFIX:
                raise UsageError(
                    f"{name!r} cannot be part of a model's name: wanted small letters, digits and -, "
                    f"{LONGEST_SUFFIX} at most"
                )
            wanted.append(Wanted(base, file, validation, hyperparameters, seed, name))
    return wanted
