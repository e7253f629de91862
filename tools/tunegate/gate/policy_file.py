"""gates.toml: the policy as people write it, checked on loading. docs/policy.md explains every key."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from tunegate.cases.fields import COUNT, LABEL, SECONDS, Field, Spot, one_of, read_fields
from tunegate.cases.names import nearest_names, shorten, show_path
from tunegate.cases.toml_file import read_toml
from tunegate.errors import CaseFileError
from tunegate.gate.policy import (
    COST,
    DEFAULT,
    FIRST_TOKEN,
    HIGHEST_RATING,
    KINDS,
    LATENCY,
    LOWEST_RATING,
    MEASURES,
    RATING,
    SHARE_KINDS,
    TIMES,
    Kind,
    OnInconclusive,
    Policy,
    Rule,
)

FILE = "gates.toml"
"""Name of the policy under fixtures/."""

_SPAN = HIGHEST_RATING - LOWEST_RATING
_NOT_BY_0 = "no amount of data shows that an equal model is not worse by 0: give a margin, or use better_by"


def _between(low: float, high: float, what: str, *, why: str = "", has_low: bool = False) -> Field:
    """Return a field for a number below `high` that is above `low`, or may be `low` too."""
    lowest = f"{low:g} or more" if has_low else f"more than {low:g}"
    return Field(
        float,
        f"{what}, {lowest} and less than {high:g}{why and f' ({why})'}",
        lambda value: low < value < high or (has_low and value == low),
    )


_RATIO = Field(float, "a ratio to the baseline, more than 0", lambda value: 0 < value < math.inf)
_OF_SHARES: Mapping[Kind, Field] = {
    "min": _between(0, 1, "a share", why="no sample shows that all would pass"),
    "max": _between(0, 1, "a share", why="no sample shows that none would pass"),
    "not_worse_by": _between(0, 1, "a margin between shares", why=_NOT_BY_0),
    "better_by": _between(0, 1, "a margin between shares", has_low=True),
}
_OF_RATINGS: Mapping[Kind, Field] = {
    "min": _between(LOWEST_RATING, HIGHEST_RATING, "points of a rating", why="no sample shows that all would be best"),
    "not_worse_by": _between(0, _SPAN, "a margin in points of a rating", why=_NOT_BY_0),
    "better_by": _between(0, _SPAN, "a margin in points of a rating", has_low=True),
}
_OF_TIMES: Mapping[Kind, Field] = {"max": SECONDS, "max_ratio": _RATIO}
_THRESHOLDS: Mapping[str, Mapping[Kind, Field]] = {
    LATENCY: _OF_TIMES,
    FIRST_TOKEN: _OF_TIMES,
    COST: {"max_ratio": _RATIO},
    RATING: _OF_RATINGS,
}
"""By metric; all others are shares of checks."""

_ANY_KIND: Mapping[str, Field] = dict.fromkeys(KINDS, Field(float))
_RULE = {
    "name": LABEL,
    "eval": LABEL,
    "metric": LABEL,
    **_ANY_KIND,
    "percentile": _between(0, 1, "a share of calls"),
    "per_subject": Field(bool),
    "guard": Field(bool),
    "family": LABEL,
}
_POLICY = {
    "level": _between(0.5, 1, "a level such as 0.95"),
    "on_inconclusive": one_of(get_args(OnInconclusive)),
    "tolerance": Field(float, "a share of planned cells from 0 to 0.2", lambda value: 0 <= value <= 0.2),
    "seed": COUNT,
    "allow_other_prompts": Field(bool),
    "rules": Field(list, "a list of tables, each under [[rules]]").required(),
}


def load_policy(path: Path | None, *, fixtures: Path) -> Policy:
    """Read a policy. None is gates.toml in the folder `fixtures`, and where there is none, the default policy.

    Raises:
        CaseFileError: there is no file at `path`, it is no TOML, or a rule cannot be meant as it stands.
    """
    place = fixtures / FILE if path is None else path
    try:
        file = read_toml(place, error=CaseFileError)
    except FileNotFoundError as problem:
        if path is None:
            return replace(DEFAULT, origin=f"{DEFAULT.origin} (there is no {show_path(place)})")
        raise CaseFileError(f"no policy at {show_path(place)}: {problem.strerror}") from problem
    except OSError as problem:
        raise CaseFileError(f"cannot read {show_path(place)}: {problem.strerror}") from problem
    values = read_fields(file.table, _POLICY, spot=file.spot)
    return Policy(**{**values, "rules": _rules(values["rules"], spot=file.spot / "rules"), "origin": file.spot.origin})


def _rules(rows: Iterable[object], *, spot: Spot) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    for number, row in enumerate(rows, start=1):
        rule = _rule(row, spot=spot / str(number))
        for other, before in enumerate(rules, start=1):
            _refuse_twin(rule, before, other=other, spot=spot / str(number))
        rules.append(rule)
    if all(rule.guard for rule in rules):
        # A gate of guards alone would promote whatever nobody looked at long enough.
        spot.refuse(
            wanted="at least one rule that is no guard: nothing else must be shown to hold",
            found="guards only" if rules else "none",
        )
    return tuple(rules)


def _rule(row: object, *, spot: Spot) -> Rule:
    values = read_fields(row, _RULE, spot=spot)
    metric: str = values.get("metric", "*")
    kind = _kind(values, metric=metric, spot=spot)
    threshold = _threshold(values[kind], kind=kind, metric=metric, spot=spot)
    if "percentile" in values and not (metric in TIMES and kind == "max"):
        (spot / "percentile").refuse(
            wanted=f"it beside max and one of {', '.join(sorted(TIMES))} only", found=f"it beside {kind} and {metric}"
        )
    per_subject: bool = values.get("per_subject", False)
    rule = Rule(
        name="",
        kind=kind,
        threshold=threshold,
        per_subject=per_subject,
        # Few subjects have cases enough to be shown right; each has enough to be caught when it breaks down.
        guard=values.get("guard", per_subject),
        **{key: values[key] for key in ("eval", "metric", "percentile", "family") if key in values},
    )
    return replace(rule, name=values.get("name") or _name(rule))


def _kind(values: Mapping[str, Any], *, metric: str, spot: Spot) -> Kind:
    named = [kind for kind in KINDS if kind in values]
    if len(named) != 1:
        spot.refuse(wanted=f"exactly one of {', '.join(KINDS)}", found=" and ".join(named) or "none")
    (kind,) = named
    allowed = MEASURES.get(metric, SHARE_KINDS)
    if kind not in allowed:
        what = metric if metric in MEASURES else f"the check {metric!r}"
        (spot / kind).refuse(
            wanted=f"one of {', '.join(other for other in KINDS if other in allowed)} for {what}",
            found=kind + _perhaps_measure(metric),
        )
    return kind


def _threshold(value: float, *, kind: Kind, metric: str, spot: Spot) -> float:
    field = _THRESHOLDS.get(metric, _OF_SHARES)[kind]
    if not field.judge(value):
        hint = _perhaps_measure(metric)
        if metric not in MEASURES and not hint and 1 < value < 100:
            hint = f" (perhaps {_number(value / 100)}?)"
        (spot / kind).refuse(wanted=field.wanted, found=shorten(value) + hint)
    return value


def _perhaps_measure(metric: str) -> str:
    """Say which measure is meant where a check of this name hardly can be."""
    near = [] if metric in MEASURES else nearest_names(metric, MEASURES)
    return f" (perhaps the metric {near[0]}?)" if near else ""


def _refuse_twin(rule: Rule, before: Rule, *, other: int, spot: Spot) -> None:
    if _said(rule) == _said(before):
        # Holm would let it pay for the same finding twice.
        spot.refuse(wanted="a rule that no other one is", found=f"what rules.{other} ({before.name!r}) says already")
    if rule.name == before.name:
        (spot / "name").refuse(
            wanted="a name that no other rule has", found=f"{shorten(rule.name)}, the name of rules.{other}"
        )


def _said(rule: Rule) -> Rule:
    """Return the rule without what it is called and what follows from it."""
    return replace(rule, name="", guard=False, family="")


def _name(rule: Rule) -> str:
    words = (
        rule.eval if rule.eval != "*" else "",
        rule.metric if rule.metric != "*" else "every check",
        f"p{_number(100 * rule.percentile)}" if rule.percentile != 0.5 else "",
        rule.kind,
        _number(rule.threshold),
        "per subject" if rule.per_subject else "",
    )
    return " ".join(filter(None, words))


def _number(value: float) -> str:
    return f"{value:.12g}"
