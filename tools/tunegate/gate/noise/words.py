"""The noise of a model against itself in words, and which margins it leaves no room for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tunegate.gate.noise.file import read_noise
from tunegate.gate.noise.measuring import Floor, MetricNoise, Noise
from tunegate.gate.policy import HIGHEST_RATING, LOWEST_RATING, RATING
from tunegate.gate.verdict import Finding, Verdict
from tunegate.stats import NotEnoughData, holm

_HEAD = ("eval", "metric", "cases", "changed", "difference", "floor at as many cases")


def render_noise(noise: Noise, *, level: float = 0.95) -> list[str]:
    """Return the lines of a table: what changed between the two measurements, and the floor that follows."""
    rows = [_HEAD, *(_row(one, level=level) for one in noise.metrics)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return [
        f"noise of {noise.model} against itself: {_origin(noise)}",
        "",
        *("  ".join(f"{text:{width}}" for text, width in zip(row, widths, strict=True)).rstrip() for row in rows),
        "",
        "the floor is how far below 0 the interval of an equal model reaches: a margin below it often refuses one",
        *(f"warning: {warning}" for warning in (*noise.warnings, *_unlike(noise, level=level))),
    ]


def warn_of_noise(
    findings: Sequence[Finding], noise: Noise, *, level: float = 0.95, repeats: float | None = None
) -> list[str]:
    """Return a warning for each rule on a margin that the noise leaves no room for, at the cases that were compared.

    `repeats` is how often the gate's runs asked each case; None is as often as when the noise was measured. Of a rule
    in each subject, the subject with the fewest cases is told. A guard need not be shown to hold, and is passed over.
    """
    tightest: dict[tuple[str, str, str], Finding] = {}
    for finding in findings:
        if finding.kind != "not_worse_by" or finding.guard or not finding.clusters:
            continue
        key = finding.rule, finding.eval, finding.metric
        if key not in tightest or finding.clusters < tightest[key].clusters:
            tightest[key] = finding
    warnings: list[str] = []
    for finding in tightest.values():
        measured = noise.of(finding.eval, finding.metric)
        if measured is not None:
            warnings += _warn(finding, measured, level=level, repeats=repeats)
    return warnings


def _warn(finding: Finding, noise: MetricNoise, *, level: float, repeats: float | None) -> Iterator[str]:
    margin = finding.threshold / _span(finding.metric)
    floor = noise.floor(finding.clusters, level=level, repeats=repeats)
    if isinstance(floor, NotEnoughData) or margin >= floor.at_most:
        return
    shown = f"{finding.name}: the margin of {_points(margin, noise)} is below"
    at = f"at {finding.clusters:,} cases"
    needed = noise.cases_for(margin, level=level, repeats=repeats) if margin > 0 else None
    remedy = "" if needed is None else f"; {needed:,} cases would bring the floor down to it"
    if margin < floor.at_least:
        floor_shown = _points(floor.at_least, noise)
        yield f"{shown} the noise floor of {floor_shown} {at}: an equal model would often not pass{remedy}"
        return
    why = "one run without repeats" if noise.source == "cases" else f"{noise.cases:,} cases of which none changed"
    most = _points(floor.at_most, noise)
    yield f"{shown} what the noise floor may be, {most} {at}: it was measured on {why}{remedy}"


def _origin(noise: Noise) -> str:
    runs = " and ".join(noise.runs)
    kinds = {one.source for one in noise.metrics}
    if kinds == {"runs"}:
        return f"two runs, {runs}"
    if kinds == {"repeats"}:
        return f"odd and even repeats of {runs}"
    if kinds == {"cases"}:
        return f"two halves of the cases of {runs}, which bounds it from above: nothing was repeated"
    return f"{runs}, where it was repeated odd against even repeats, elsewhere two halves of the cases"


def _row(one: MetricNoise, *, level: float) -> tuple[str, ...]:
    floor = one.floor(one.cases, level=level) if one.cases else NotEnoughData("")
    return (
        one.eval,
        one.metric,
        f"{one.cases:,}",
        "-" if one.flips is None else f"{one.flips.gained} + {one.flips.lost}",
        _difference(one),
        "-" if isinstance(floor, NotEnoughData) else _floor(floor, one),
    )


def _difference(one: MetricNoise) -> str:
    found = one.difference
    if isinstance(found, NotEnoughData):
        return found.reason
    low, high = (_points(limit, one, sign="+").partition(" ")[0] for limit in (found.low, found.high))
    return f"{_points(found.estimate, one, sign='+')} ({low} to {high})"


def _floor(floor: Floor, one: MetricNoise) -> str:
    low, high = _points(floor.at_least, one), _points(floor.at_most, one)
    return high if low == high else f"{low.partition(' ')[0]} to {high}"


def _unlike(noise: Noise, *, level: float) -> Iterator[str]:
    """Say which metrics differ by more than chance, all looked at together (Holm)."""
    tested = [(one, one.p_value) for one in noise.metrics if one.p_value is not None]
    adjusted = holm([p_value for _, p_value in tested])
    for (one, _), p_value in zip(tested, adjusted, strict=True):
        if p_value <= 1 - level:
            yield (
                f"{one.eval} {one.metric} differs by more than chance, {_difference(one)}: the two measurements are "
                "not of the same model under the same conditions, and the floor is not noise alone"
            )


def _span(metric: str) -> float:
    return float(HIGHEST_RATING - LOWEST_RATING) if metric == RATING else 1.0


def _points(share: float, noise: MetricNoise, *, sign: str = "") -> str:
    """Return a difference of shares in points, or of ratings in points of their scale."""
    if noise.metric == RATING:
        return f"{share * _span(noise.metric):{sign}.2f} points"
    return f"{100 * share:{sign}.1f} points"


def warn_of_kept_noise(verdict: Verdict, *, baseline_folder: Path | None) -> list[str]:
    """Return the warnings for a verdict by the noise that is kept beside its baseline, if any is.

    Raises:
        RunError: what is kept there cannot be read.
    """
    noise = read_noise(baseline_folder) if baseline_folder is not None else None
    if noise is None:
        return []
    told = [
        warning
        for decision in verdict.decisions
        if decision.baseline == noise.model
        for warning in warn_of_noise(decision.findings, noise, level=verdict.policy.level)
    ]
    return [f"warning: {warning}" for warning in dict.fromkeys(told)]
