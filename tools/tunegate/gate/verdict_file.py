"""`verdict.json`: a verdict as it is kept, read back as it was.

Numbers are kept to 9 significant digits: the mathematical libraries of two machines may differ in later ones, and a
verdict that is made again from the same records must be the same text.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from tunegate.errors import RunError
from tunegate.gate.policy import Policy
from tunegate.gate.verdict import FORMAT, Coverage, Decision, Estimate, Finding, Flips, Outlook, Verdict
from tunegate.stats import Interval, NotEnoughData

VERDICT = "verdict.json"
_DIGITS = 9


def to_plain(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as JSON has it."""
    plain: dict[str, Any] = {
        "format": FORMAT,
        "verdict": verdict.word,
        "exit_status": verdict.exit_status,
        "candidate_run": verdict.candidate_run,
        "baseline_run": verdict.baseline_run,
        "decisions": [_plain(decision) for decision in verdict.decisions],
        "warnings": list(verdict.warnings),
        "policy": {"origin": verdict.policy.origin, **verdict.policy.to_plain()},
    }
    if verdict.certificate is not None:
        plain["certificate"] = dict(verdict.certificate)
    if verdict.accepted is not None:
        plain["accepted"] = dict(verdict.accepted)
    return plain


def from_plain(plain: Mapping[str, Any]) -> Verdict:
    """Read back what `to_plain` returned.

    Raises:
        KeyError, TypeError, ValueError: it is something else.
    """
    if plain["format"] > FORMAT:
        raise ValueError(f"format {plain['format']} is newer than {FORMAT}; update tunegate to read it")
    policy = dict(plain["policy"])
    origin = policy.pop("origin")
    return Verdict(
        candidate_run=plain["candidate_run"],
        baseline_run=plain["baseline_run"],
        policy=Policy.from_plain(policy, origin=origin),
        decisions=tuple(_decision(decision) for decision in plain["decisions"]),
        warnings=tuple(plain["warnings"]),
        certificate=plain.get("certificate"),
        accepted=plain.get("accepted"),
    )


def write_verdict(folder: Path, verdict: Verdict) -> Path:
    """Write `verdict.json` into a run's folder, at once, and return its path.

    Raises:
        RunError: it cannot be written there.
    """
    path = folder / VERDICT
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    text = json.dumps(to_plain(verdict), indent=2, ensure_ascii=True, allow_nan=False)
    try:
        temporary.write_text(text + "\n", encoding="ascii")
        os.replace(temporary, path)
    except OSError as problem:
        raise RunError(f"no verdict can be written to {path}: {problem.strerror}") from problem
    return path


def read_verdict(path: Path) -> Verdict:
    """Read `verdict.json` at `path`, or in the folder `path`.

    Raises:
        RunError: there is none, or it is no verdict that this tunegate knows.
    """
    file = path / VERDICT if path.is_dir() else path
    try:
        return from_plain(json.loads(file.read_bytes()))
    except FileNotFoundError:
        raise RunError(f"no verdict in {path}: make one with `tunegate gate`") from None
    except (ValueError, KeyError, TypeError) as problem:
        raise RunError(f"{file} is not a verdict: {problem!r}") from problem


def rounded(value: float) -> float:
    """Return a number with the digits that every machine agrees on."""
    return float(f"{value:.{_DIGITS}g}")


def _plain(value: object) -> Any:
    """Return dataclasses as objects, estimates by what they have, and numbers rounded."""
    match value:
        case NotEnoughData():
            return {"not_enough_data": value.reason}
        case _ if is_dataclass(value):
            return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        case tuple() | list():
            return [_plain(item) for item in value]
        case float():
            return rounded(value)
        case _:
            return value


def _decision(plain: Mapping[str, Any]) -> Decision:
    baseline_coverage = plain["baseline_coverage"]
    return Decision(
        **{
            **plain,
            "reasons": tuple(plain["reasons"]),
            "findings": tuple(_finding(finding) for finding in plain["findings"]),
            "coverage": Coverage(**plain["coverage"]),
            "baseline_coverage": Coverage(**baseline_coverage) if baseline_coverage else None,
        }
    )


def _finding(plain: Mapping[str, Any]) -> Finding:
    return Finding(
        **{
            **plain,
            "candidate": _estimate(plain["candidate"]),
            "baseline": _estimate(plain["baseline"]) if plain["baseline"] else None,
            "effect": _estimate(plain["effect"]),
            "resampled": _estimate(plain["resampled"]) if plain["resampled"] else None,
            "flips": Flips(**plain["flips"]) if plain["flips"] else None,
            "outlook": Outlook(**plain["outlook"]) if plain["outlook"] else None,
        }
    )


def _estimate(plain: Mapping[str, Any]) -> Estimate:
    if "not_enough_data" in plain:
        return NotEnoughData(plain["not_enough_data"])
    return Interval(**plain)
