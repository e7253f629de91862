"""A survey: everything that is known of how much data a fine-tune needs, from run folders alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunegate.cases.names import list_names
from tunegate.cost import Price
from tunegate.curve.money import NextTraining, price_training
from tunegate.curve.questions import Inquiry, MetricCurve, ask_metric
from tunegate.curve.rows import Row, has_study, read_rows
from tunegate.curve.studies import LeftOut, Study, group_rows
from tunegate.curve.tallies import EvalTallies, Tally, read_tallies
from tunegate.errors import RunError, UsageError
from tunegate.runs import read_run
from tunegate.runs.brief_records import read_brief_records
from tunegate.stats import NotEnoughData

PriceOf = Callable[[Row], Price | None]
"""Says what training costs that makes such a row; None is unknown."""


@dataclass(frozen=True)
class RunNote:
    """A run that was read."""

    name: str
    started_at: str
    status: str


@dataclass(frozen=True)
class Answered:
    """A study with what was asked of it."""

    study: Study
    curves: tuple[MetricCurve, ...]
    """Of the metric, then of the counter metric."""
    next_training: NextTraining

    @property
    def is_fitted(self) -> bool:
        """Whether there is a curve of the metric itself."""
        return not isinstance(self.curves[0].curve, NotEnoughData)


@dataclass(frozen=True)
class Survey:
    """All curves of some runs."""

    runs: tuple[RunNote, ...]
    inquiry: Inquiry
    answered: tuple[Answered, ...]
    left_out: tuple[LeftOut, ...]
    warnings: tuple[str, ...]

    @property
    def is_fitted(self) -> bool:
        """Whether there is any curve."""
        return any(one.is_fitted for one in self.answered)


def newest_run(runs: Path, *, eval_name: str) -> Path:
    """Return the finished run that started last among those with two trainings of one base by one recipe in an eval.

    Raises:
        UsageError: there is none.
    """
    fitting: list[tuple[str, Path]] = []
    for folder in sorted(runs.iterdir()) if runs.is_dir() else ():
        try:
            header = read_run(folder)
        except RunError:
            continue  # no run, or one of a newer tunegate: another may do, and a named one says what is wrong
        if header["status"] == "finished" and has_study(header):
            fitting.append((str(header["started_at"]), folder))
    for _, folder in sorted(fitting, reverse=True):
        if any(record.eval == eval_name for record in read_brief_records(folder)):
            return folder
    raise UsageError(
        f"no finished run in {runs} has two trainings of one base by one recipe in the eval {eval_name!r}\n"
        "  a curve needs `base` and `examples` of each row in fixtures/models.toml, and a run of several of them:\n"
        "  pytest evals --model '...'; then tunegate curve, or tunegate curve RUN"
    )


def survey_runs(
    folders: Sequence[Path], inquiry: Inquiry, *, price_of: PriceOf, base: str | None = None, wants_counter: bool = True
) -> Survey:
    """Read runs and answer the inquiry for each base and recipe in them, or those of `base` alone.

    Several runs are taken together: the same cases asked of other models. A model that stands in two of them is taken
    from the first. Without `wants_counter` an eval that has no such check is asked without it.

    Raises:
        RunError: a run cannot be read.
        UsageError: no run has the eval, the metric or the base, or two describe a model differently.
    """
    headers = [read_run(folder) for folder in folders]
    tallies = [read_tallies(folder, eval_name=inquiry.eval, metrics=inquiry.metrics) for folder in folders]
    inquiry = _fitting(inquiry, tallies, wants_counter=wants_counter)
    names = [str(header["run"]) for header in headers]
    rows, joined, warnings = _join(names, headers, tallies)
    warnings += [
        f"the run {header['run']} is {header['status']}: what it had is taken"
        for header in headers
        if header["status"] != "finished"
    ]
    bases = sorted({row.base for row in rows if row.base is not None})
    if base is not None and base not in bases:
        raise UsageError(f"no row of {', '.join(names)} has the base {base!r}\n  there are: {list_names(base, bases)}")
    grouped = group_rows([row for row in rows if base in (None, row.base)], joined)
    return Survey(
        tuple(
            RunNote(name, str(header["started_at"]), str(header["status"]))
            for name, header in zip(names, headers, strict=True)
        ),
        inquiry,
        tuple(_answer(study, inquiry, price_of=price_of) for study in grouped.studies),
        grouped.left_out,
        tuple(warnings),
    )


def _fitting(inquiry: Inquiry, tallies: Sequence[EvalTallies], *, wants_counter: bool) -> Inquiry:
    """Return the inquiry with what the runs have."""
    evals = sorted(set().union(*(one.evals for one in tallies)))
    if inquiry.eval not in evals:
        raise UsageError(
            f"there are no records of the eval {inquiry.eval!r}\n  there are: {list_names(inquiry.eval, evals)}"
        )
    checks = sorted(set().union(*(one.checks for one in tallies)))
    for option, metric in (("--metric", inquiry.metric), ("--counter", inquiry.counter)):
        if metric is None or metric in checks:
            continue
        if option == "--counter" and not wants_counter:
            from dataclasses import replace

            return replace(inquiry, counter=None)
        raise UsageError(
            f"the eval {inquiry.eval} has no check {metric!r} for {option}\n  there are: {list_names(metric, checks)}"
        )
    return inquiry


def _join(
    names: Sequence[str], headers: Sequence[dict[str, Any]], tallies: Sequence[EvalTallies]
) -> tuple[list[Row], dict[str, Tally], list[str]]:
    rows: dict[str, tuple[str, Row]] = {}
    joined: dict[str, Tally] = {}
    warnings: list[str] = []
    for name, header, found in zip(names, headers, tallies, strict=True):
        for row in read_rows(header):
            earlier, same = rows.setdefault(row.name, (name, row))
            if earlier != name and (same.base, same.examples, same.training) != (row.base, row.examples, row.training):
                raise UsageError(
                    f"{row.name} was trained otherwise in the run {name} than in {earlier}\n"
                    "  two models of one name make no curve: name runs of one of them"
                )
            if row.name not in found.models:
                continue
            if row.name in joined:
                warnings.append(f"{row.name} stands in several runs: the records of {name} are not taken")
            else:
                joined[row.name] = found.models[row.name]
                # Shots, seed and temperature are those of the run whose records are taken.
                rows[row.name] = (name, row)
    return [row for _, row in rows.values()], joined, warnings


def _answer(study: Study, inquiry: Inquiry, *, price_of: PriceOf) -> Answered:
    trained = [row for row in (*study.rows, *study.failed) if row.examples and row.recipe == study.recipe]
    largest = max(trained, key=lambda row: row.examples or 0)
    return Answered(
        study,
        tuple(ask_metric(study, metric, inquiry) for metric in inquiry.metrics),
        price_training(study, further=inquiry.further, price=price_of(largest)),
    )
