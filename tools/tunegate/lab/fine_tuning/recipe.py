"""How a training goes: what a client may choose, and what is the same for all."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tunegate.lab.chat import is_integer, is_number
from tunegate.lab.refusals import Refusal

BASE_LEARNING_RATE = 1e-4
"""What `learning_rate_multiplier` multiplies."""
RANK = 16
"""Of the two matrices that stand in for the change of each linear layer."""
ALPHA = 32
"""The change is scaled by ALPHA / RANK."""
WARM_UP_SHARE = 0.1
"""Share of the steps in which the learning rate rises; after them it falls in a straight line to 0."""
LARGEST_GRADIENT = 1.0
"""Norm that gradients are clipped to."""
MOST_TOKENS = 2048
"""Of one example: what is longer needs more memory than the machines have that this is meant for."""
LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True)
class Recipe:
    """What a client may choose of a training; the defaults are what `auto` means."""

    seed: int
    n_epochs: int = 3
    batch_size: int = 1
    learning_rate_multiplier: float = 1.0

    @property
    def learning_rate(self) -> float:
        """The highest one of the training."""
        return BASE_LEARNING_RATE * self.learning_rate_multiplier

    @property
    def hyperparameters(self) -> dict[str, object]:
        """What the API calls so."""
        return {
            "n_epochs": self.n_epochs,
            "batch_size": self.batch_size,
            "learning_rate_multiplier": self.learning_rate_multiplier,
        }

    def rate_at(self, step: int, *, steps: int) -> float:
        """The learning rate of a step, counted from 0."""
        rising = max(1, int(WARM_UP_SHARE * steps))
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        return self.learning_rate * (steps - step) / max(1, steps - rising)


LIMITS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "n_epochs": (lambda value: is_integer(value) and 1 <= value <= 50, "an integer from 1 to 50"),
    "batch_size": (lambda value: is_integer(value) and 1 <= value <= 256, "an integer from 1 to 256"),
    "learning_rate_multiplier": (
        # A training that is meant to fail must be possible: a rehearsal of that is what the lab is for.
        lambda value: is_number(value, 0, 1000) and value > 0,
        "a number above 0, at most 1000",
    ),
}


def parse_recipe(fields: Mapping[str, Any]) -> Recipe:
    """Read the recipe out of a request for a job.

    Raises:
        Refusal: a method, a hyperparameter or a seed that the lab has none of.
    """
    chosen, where = find_hyperparameters(fields)
    given: dict[str, Any] = {}
    for name, value in chosen.items():
        if name not in LIMITS:
            raise Refusal(400, f"Unknown hyperparameter '{name}'", code="unknown_parameter", param=f"{where}.{name}")
        is_fine, wanted = LIMITS[name]
        if value is None or value == "auto":
            continue
        if not is_fine(value):
            message = f"Invalid value for '{where}.{name}': expected 'auto' or {wanted}"
            raise Refusal(400, message, code="invalid_value", param=f"{where}.{name}")
        given[name] = value
    seed = fields.get("seed", secrets.randbelow(LARGEST_SEED))
    if not is_integer(seed) or not 0 <= seed <= LARGEST_SEED:
        wanted = f"an integer from 0 to {LARGEST_SEED}"
        raise Refusal(400, f"Invalid value for 'seed': expected {wanted}", code="invalid_value", param="seed")
    return Recipe(seed, **given)


def find_hyperparameters(fields: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """The hyperparameters of a request and where they stand: below `method`, or at the top as they used to."""
    where, found = "hyperparameters", fields.get("hyperparameters", {})
    if "method" in fields:
        method = fields["method"]
        kind = method.get("type") if isinstance(method, dict) else None
        if kind != "supervised":
            message = f"'method.type' must be 'supervised', got {kind!r}: the lab trains no other way"
            raise Refusal(400, message, code="invalid_value", param="method.type")
        supervised = method.get("supervised") or {}
        where = "method.supervised.hyperparameters"
        found = (supervised.get("hyperparameters") or {}) if isinstance(supervised, dict) else None
    if not isinstance(found, dict):
        raise Refusal(400, f"'{where}' must be an object", code="invalid_type", param=where)
    return found, where
