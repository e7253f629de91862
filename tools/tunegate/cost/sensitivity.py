"""Which assumption moves a break-even most: each is varied by itself, all others as they are (a tornado).

What is one thing in life is one assumption here. Where both models get the same case, its tokens are varied for both;
a training set that is twice as large has twice the tokens and twice the examples, paid for twice; and a teacher that
costs what the baseline does, or is called as it is, has its prices or its calls from it. What follows from an
assumption follows here too: where the examples are as many as a call goes into the training tokens, a longer call
makes fewer of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from tunegate.cost.break_even import Caller, Replacement

FACTORS = (0.8, 1.2, 2.0)
"""By which an assumption is varied, unless others are asked for."""

_CALL = ("prompt_tokens", "completion_tokens")
_WHO = ("candidate", "baseline", "outlay.teacher")
_SHARED = (
    ("input_usd_per_mtok", "output_usd_per_mtok", "cached_input_usd_per_mtok"),
    ("prompt_tokens", "completion_tokens", "instruction_tokens", "cached_share"),
)
"""What a teacher has from the baseline, where all of it is the same: the prices of a model, the tokens of a call."""
_SIZE = ("outlay.training_tokens", "outlay.examples", "outlay.teaching_usd")


@dataclass(frozen=True)
class Swing:
    """What becomes of the break-even when one assumption is wrong."""

    assumption: str
    value: float
    """As it is assumed."""
    calls: tuple[int | None, ...]
    """The break-even with the assumption multiplied by each factor, in their order; None is never."""
    size: float
    """The largest factor by which the number of calls moves, either way; infinite where it comes to be never, or
    ceases to be."""


def find_swings(replacement: Replacement, *, factors: Sequence[float] = FACTORS) -> list[Swing]:
    """Return each assumption that changes the answer with what varying it does, the largest effect first."""
    base = replacement.calls
    swings = []
    for name, paths in _assumptions(replacement):
        calls = tuple(_vary(replacement, paths, factor=factor).calls for factor in factors)
        size = max(_distance(base, changed) for changed in calls)
        if size > 1:
            swings.append(Swing(name, float(_value(replacement, paths[0])), calls, size))
    return sorted(swings, key=lambda swing: (-swing.size, swing.assumption))


def _assumptions(replacement: Replacement) -> Iterator[tuple[str, tuple[str, ...]]]:
    values = {path: _value(replacement, path) for path in _paths(replacement, "")}
    for name in _CALL:
        first = values.get(f"candidate.{name}")
        same = tuple(
            path for path in (f"{who}.{name}" for who in _WHO) if first is not None and values.get(path) == first
        )
        if len(same) > 1:
            yield f"{name} of a case", same
            values = {path: value for path, value in values.items() if path not in same}
    size = tuple(path for path in _SIZE if path in values)
    if size and replacement.examples:
        yield "training set (tokens and examples)" if "outlay.training_tokens" in size else "examples", size
        values = {path: value for path, value in values.items() if path not in size}
    twins = {f"baseline.{name}": f"outlay.teacher.{name}" for name in _names_of_the_baseline(replacement)}
    for path in values:
        if path not in twins.values():
            same = (path, twins[path]) if path in twins else (path,)
            yield path.removeprefix("outlay.").replace(".", " "), same


def _names_of_the_baseline(replacement: Replacement) -> Iterator[str]:
    """Yield the fields in which the teacher is the baseline."""
    baseline, teacher = replacement.baseline, replacement.outlay.teacher
    for names in _SHARED if teacher else ():
        if all(getattr(baseline, name) == getattr(teacher, name) for name in names):
            yield from names


def _paths(value: Any, prefix: str) -> Iterator[str]:
    for each in fields(value):
        path, inner = f"{prefix}{each.name}", getattr(value, each.name)
        if isinstance(inner, int | float):
            # What is 0 stays 0 whatever it is multiplied by.
            if inner:
                yield path
        elif inner is not None:
            yield from _paths(inner, f"{path}.")


def _value(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = getattr(value, name)
    return value


def _vary(replacement: Replacement, paths: Sequence[str], *, factor: float) -> Replacement:
    varied: Any = replacement
    for path in paths:
        varied = _with(varied, path, value=_value(replacement, path) * factor)
    return varied  # type: ignore[no-any-return]


def _with(whole: Any, path: str, *, value: float) -> Any:
    name, _, rest = path.partition(".")
    if rest:
        return replace(whole, **{name: _with(getattr(whole, name), rest, value=value)})
    if isinstance(whole, Caller) and name == "cached_share":
        value = min(1.0, value)
    return replace(whole, **{name: value})


def _distance(calls: int | None, changed: int | None) -> float:
    if calls == changed:
        return 1.0
    if calls is None or changed is None or not calls or not changed:
        return math.inf
    return max(calls / changed, changed / calls)
