"""What the training process is told, and what it says while it works: JSON, since the two outlive each other."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tunegate.errors import LabError
from tunegate.lab.fine_tuning.recipe import Recipe
from tunegate.lab.storage import read_json, write_json

ORDER = "order.json"
METRICS = "step_metrics.csv"
ADAPTER = "adapter.gguf"
STATE = "state.pt"
"""Where a training that is stopped goes on from."""


@dataclass(frozen=True)
class Order:
    """A training, complete."""

    weights: str
    """Path of the base model's GGUF file."""
    chat_template: str | None
    """Jinja text; None for the template in the file."""
    training_file: str
    validation_file: str | None
    recipe: Recipe
    threads: int

    def save(self, folder: Path) -> None:
        """Put it where the process looks."""
        write_json(folder / ORDER, asdict(self))

    @classmethod
    def load(cls, folder: Path) -> Order:
        """What `save` wrote."""
        value = read_json(folder / ORDER)
        return cls(**{**value, "recipe": Recipe(**value["recipe"])})


@dataclass(frozen=True)
class Step:
    """The metrics of one step; losses in nats for each token, accuracies as shares of tokens."""

    step: int
    """Counted from 1."""
    total_steps: int
    train_loss: float
    train_mean_token_accuracy: float
    valid_loss: float | None = None
    """Over the whole validation file; looked at after each epoch only."""
    valid_mean_token_accuracy: float | None = None


@dataclass(frozen=True)
class Checkpoint:
    """An epoch is over, and a training that is stopped goes on from here."""

    step: Step


@dataclass(frozen=True)
class Done:
    """The adapter and the metrics lie in the folder."""

    trained_tokens: int
    """Tokens of all examples, prompts included, times epochs."""


@dataclass(frozen=True)
class Failed:
    """There will be no adapter."""

    code: str
    message: str
    param: str | None = None


Progress = Step | Checkpoint | Done | Failed
KINDS: dict[str, type[Step | Done | Failed]] = {"step": Step, "done": Done, "failed": Failed}


def encode_progress(progress: Progress) -> str:
    """One line for the server."""
    return json.dumps({"kind": type(progress).__name__.lower(), **asdict(progress)})


def decode_progress(line: str) -> Progress:
    """What `encode_progress` made.

    Raises:
        LabError: it made something else.
    """
    try:
        value = json.loads(line)
        kind = value.pop("kind")
        return Checkpoint(Step(**value["step"])) if kind == "checkpoint" else KINDS[kind](**value)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise LabError(f"the training process said what nobody understands: {line[:200]!r}") from error


class TrainingFailed(LabError):
    """A training that cannot end well, with the API's code for it."""

    def __init__(self, message: str, *, code: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param
