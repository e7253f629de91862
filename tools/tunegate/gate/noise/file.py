"""`noise.json`: the noise of a model, kept beside the records that a gate holds candidates against."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tunegate.errors import RunError
from tunegate.gate.contest import accepted_folder
from tunegate.gate.noise.measuring import MetricNoise, Noise
from tunegate.gate.verdict import Estimate, Flips
from tunegate.gate.verdict_file import rounded
from tunegate.stats import Interval, NotEnoughData

NOISE = "noise.json"
FORMAT = 1
"""Version of noise.json: it grows when a reader of the old format would misread the new one."""


def noise_folder(model: str, *, run: Path, reports: Path) -> Path:
    """Return where the noise of a model is kept: beside its accepted records, or where there are none in `run`."""
    accepted = accepted_folder(model, reports=reports)
    return accepted if accepted.is_dir() else run


def write_noise(folder: Path, noise: Noise) -> Path:
    """Write `noise.json` into a folder, at once, and return its path."""
    path = folder / NOISE
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(to_plain(noise), indent=2, ensure_ascii=True) + "\n", encoding="ascii")
    os.replace(temporary, path)
    return path


def read_noise(folder: Path) -> Noise | None:
    """Return the noise that is kept in a folder; None where none is.

    Raises:
        RunError: what is there is no noise that this tunegate knows.
    """
    file = folder / NOISE
    try:
        return from_plain(json.loads(file.read_bytes()))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise RunError(
            f"{file} is not the noise of a model: {problem!r}\n  measure it again: tunegate gate --aa RUN RUN2"
        ) from problem


def to_plain(noise: Noise) -> dict[str, Any]:
    """Return noise as JSON has it."""
    return {
        "format": FORMAT,
        "model": noise.model,
        "runs": list(noise.runs),
        "metrics": [_plain(one) for one in noise.metrics],
        "warnings": list(noise.warnings),
    }


def from_plain(plain: Mapping[str, Any]) -> Noise:
    """Read back what `to_plain` returned.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is something else.
    """
    if plain["format"] > FORMAT:
        raise ValueError(f"format {plain['format']} is newer than {FORMAT}; update tunegate to read it")
    return Noise(
        model=plain["model"],
        runs=tuple(plain["runs"]),
        metrics=tuple(_metric(one) for one in plain["metrics"]),
        warnings=tuple(plain["warnings"]),
    )


def _plain(one: MetricNoise) -> dict[str, Any]:
    plain = asdict(one)
    plain["difference"] = _unknown_or(one.difference, plain["difference"])
    plain["case_variance"] = _unknown_or(one.case_variance, plain["case_variance"])
    return {name: _rounded(value) for name, value in plain.items()}


def _unknown_or(value: object, plain: Any) -> Any:
    return {"not_enough_data": value.reason} if isinstance(value, NotEnoughData) else plain


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    return rounded(value) if isinstance(value, float) else value


def _metric(plain: Mapping[str, Any]) -> MetricNoise:
    variance = plain["case_variance"]
    difference: Estimate
    if "not_enough_data" in plain["difference"]:
        difference = NotEnoughData(plain["difference"]["not_enough_data"])
    else:
        difference = Interval(**plain["difference"])
    return MetricNoise(
        **{
            **plain,
            "flips": Flips(**plain["flips"]) if plain["flips"] else None,
            "difference": difference,
            "case_variance": NotEnoughData(variance["not_enough_data"]) if isinstance(variance, dict) else variance,
        }
    )
