"""Which trainings a command wants: every size with every seed, by one recipe."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tunegate.cases import Model
from tunegate.cost import MESSAGE_TOKENS, REQUEST_TOKENS
from tunegate.errors import RunError, UsageError
from tunegate.exchanges import canonical_json

KEY = "tunegate"
"""Name of the key in a job's metadata."""
LONGEST_SUFFIX = 40
"""Of a model's name, which OpenAI limits to 64; some providers take fewer."""
SEEDS_OF_A_SIZE = 1000
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
    repetitions: int = 1
    """How often each example stands in it."""

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

    @cached_property
    def most_tokens(self) -> int:
        """Tokens that one epoch cannot exceed, by any tokenizer that makes a byte of text a token at most.

        The JSON of a chat is no shorter than its text; what a template adds to it is covered by `MESSAGE_TOKENS` and
        `REQUEST_TOKENS`, as in `upper_bound_usd`.

        Raises:
            RunError: it cannot be read, or a line of it is no chat.
        """
        lines = [line for line in self.content.split(b"\n") if line.strip()]
        try:
            messages = sum(len(json.loads(line)["messages"]) for line in lines)
        except (ValueError, TypeError, LookupError) as problem:
            raise RunError(f"{self.path}: wanted chat JSONL, an example a line: {problem!r}") from problem
        return sum(map(len, lines)) + messages * MESSAGE_TOKENS + len(lines) * REQUEST_TOKENS

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
    replicate: int | None = None
    """What it is numbered by among its size; None is its seed."""

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
        return f"n{self.file.examples}-s{self.seed if self.replicate is None else self.replicate}"

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
    own_seeds: bool = False,
) -> list[Wanted]:
    """Return every file with every seed, the smallest files first.

    `suffix` stands before size and seed in the names of the models; without one they stand alone. With `own_seeds` the
    seeds number the replicates of each size, and what is sent is `seed_of` size and replicate.

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
            sent = seed_of(file.examples, replicate=seed) if own_seeds else seed
            replicate = seed if own_seeds else None
            wanted.append(Wanted(base, file, validation, hyperparameters, sent, name, replicate))
    return wanted


def seed_of(examples: int, *, replicate: int) -> int:
    """Return a seed that no other size has: 100002 for the second replicate of 100 examples.

    Raises:
        UsageError: the replicate has more than three digits, or the seed more than 31 bits.
    """
    seed = examples * SEEDS_OF_A_SIZE + replicate
    if replicate >= SEEDS_OF_A_SIZE or seed >= 2**31:
        raise UsageError(
            f"no seed of its own for replicate {replicate} of {examples} examples: wanted replicates below "
            f"{SEEDS_OF_A_SIZE}, and no more than {2**31 // SEEDS_OF_A_SIZE:,} examples"
        )
    return seed
