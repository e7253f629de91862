"""A named pattern of use, with everything that is assumed with it; fixtures/break_even.toml holds those there are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scenario:
    """A pattern of use, and what is assumed with it."""

    name: str
    says: str
    """Which use it stands for."""
    prompt_tokens: int
    """Of a call, without the instructions."""
    completion_tokens: int
    instruction_tokens: int
    """That a call of the baseline needs beside them, and one of the candidate does not."""
    training_tokens: int
    """Of one epoch; an example has as many as a call of the candidate, prompt and reply."""
    epochs: int
    candidate: str
    baseline: str
    """Who writes the examples too."""
    prices: str | None = None
    """Name of its price book; None is that of today."""


def examples_of(training_tokens: float, *, prompt_tokens: float, completion_tokens: float) -> float:
    """Return how many whole examples of a call's length so many tokens are; 0 where a call has none."""
    tokens = prompt_tokens + completion_tokens
    return float(training_tokens // tokens) if tokens else 0.0
