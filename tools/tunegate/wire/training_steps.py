"""The steps of a training, out of what fine-tuning APIs say of them."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast


@dataclass(frozen=True)
class TrainingStep:
    """What a training said of one of its steps; losses are means over the learned tokens, None where it did not say."""

    step: int
    """From 1."""
    train_loss: float | None = None
    train_accuracy: float | None = None
    valid_loss: float | None = None
    valid_accuracy: float | None = None


def parse_steps(content: bytes) -> list[TrainingStep]:
    """Read a result file: CSV with a column `step`, as it is or in base64, as OpenAI sends it.

    Raises:
        ValueError: it is neither.
    """
    if b"," not in content[:200]:
        try:
            content = base64.b64decode(b"".join(content.split()), validate=True)
        except binascii.Error as problem:
            raise ValueError(f"wanted CSV with a column 'step', found {content[:40]!r}") from problem
    table = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
    if "step" not in (table.fieldnames or ()):
        raise ValueError(f"wanted CSV with a column 'step', found the columns {', '.join(table.fieldnames or ())}")
    return [read_step(row) for row in table]


def read_step(row: Mapping[str, Any]) -> TrainingStep:
    """Read a step out of a row of a result file, or the data of an event."""
    return TrainingStep(
        step=int(float(row["step"])),
        train_loss=_number(row.get("train_loss")),
        train_accuracy=_number(row.get("train_accuracy", row.get("train_mean_token_accuracy"))),
        valid_loss=_number(row.get("valid_loss")),
        valid_accuracy=_number(row.get("valid_mean_token_accuracy")),
    )


def _number(value: object) -> float | None:
    """Return a number of a table or an event; what is not a number is kept as one: it says that a loss has exploded."""
    if value is None or value == "":
        return None
    try:
        return float(cast("str", value))
    except (TypeError, ValueError):
        return math.nan
