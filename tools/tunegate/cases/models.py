"""Rows of the matrix: a model, where it is asked, and how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Role = Literal["candidate", "baseline", "teacher", "retired"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True)
class Limits:
    """How hard an endpoint may be pressed; None is no limit of ours."""

    max_connections: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    timeout_s: float = 60.0
    attempts: int = 6
    """How often a request is sent before it counts as failed."""


@dataclass(frozen=True)
class Endpoint:
    """A server with the chat completions API."""

    name: str
    base_url: str
    """Without a slash at its end."""
    key_env: str | None = None
    """Environment variable that holds the key; None sends no key."""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Lab:
    """Where `tunegate lab serve` finds a model on this machine."""

    package: str
    """Import name of the package that brings the weights."""
    file: str | None = None
    chat_template: str | None = None


@dataclass(frozen=True)
class Training:
    """How a row's model was made; `tunegate finetune` writes it. None is unknown throughout."""

    job: str | None = None
    """Its id at the endpoint."""
    set: str | None = None
    """Name of the training set."""
    sha256: str | None = None
    """Of the training file, in hex."""
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate_multiplier: float | None = None
    repetitions: int | None = None
    """How often each example stands in the training file; None is once."""
    tokens: int | None = None
    """Trained, all epochs together, as the endpoint counted them."""
    first_loss: float | None = None
    """Mean training loss of the first steps."""
    final_loss: float | None = None
    """Mean training loss of the last part."""
    not_converged: str | None = None
    """Why its loss curve says that it did not learn; None where nothing speaks against it."""

    @property
    def recipe(self) -> tuple[float | None, ...]:
        """What must be equal between trainings that are compared by their number of examples: how often each example
        was seen (epochs, times repetitions in the file), batch size and learning rate multiplier.
        """
        seen = self.epochs * (self.repetitions or 1) if self.epochs is not None else None
        return (seen, self.batch_size, self.learning_rate_multiplier)


@dataclass(frozen=True)
class Model:
    """A row of the matrix."""

    name: str
    endpoint: Endpoint
    role: Role = "candidate"
    base: str | None = None
    """The model that training began with; None where nobody said."""
    examples: int | None = None
    """Training examples; 0 is untrained, None where nobody said."""
    training_seed: int | None = None
    training: Training | None = None
    """None where nobody said how it was trained."""
    shots: int | None = None
    """Solved examples before each question: a long prompt is part of what is compared. None leaves it to the run."""
    asks_for: str | None = None
    body: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Merged into each request's body."""
    omit: tuple[str, ...] = ()
    """Fields left out of each request's body, where an endpoint refuses them."""
    lab: Lab | None = None

    @property
    def model(self) -> str:
        """The name the endpoint knows."""
        return self.asks_for or self.name

    @property
    def limits(self) -> Limits:
        """The limits of its endpoint, which all its models share."""
        return self.endpoint.limits
