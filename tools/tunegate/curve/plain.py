"""A survey as JSON, for programs. docs/curve.md describes it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tunegate.curve.money import NextTraining
from tunegate.curve.questions import AtSize, Found, Inquiry, MetricCurve, Score, trace_curve
from tunegate.curve.studies import Study
from tunegate.curve.survey import Answered, Survey
from tunegate.curve.text import PARTS
from tunegate.stats import MeanVariance, NotEnoughData, SaturatingCurve

FORMAT = 1
"""Grows when a reader of the old format would misread the new one."""


def plain_of(survey: Survey) -> dict[str, Any]:
    """Return what `json.dumps` takes: shares from 0 to 1, and {"not_enough_data": why} where nothing can be said."""
    inquiry = survey.inquiry
    return {
        "format": FORMAT,
        "runs": [asdict(run) for run in survey.runs],
        "eval": inquiry.eval,
        "metric": inquiry.metric,
        "counter": inquiry.counter,
        "target_share": inquiry.target,
        "next_examples": inquiry.further,
        "level": inquiry.level,
        "seed": inquiry.seed,
        "curves": [_study(one, inquiry) for one in survey.answered],
        "left_out": [asdict(left) for left in survey.left_out],
        "warnings": list(survey.warnings),
    }


def _study(one: Answered, inquiry: Inquiry) -> dict[str, Any]:
    study = one.study
    epochs, batch_size, rate = study.recipe
    return {
        "base": study.base,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate_multiplier": rate,
        "cases": list(study.cases),
        "most_examples": study.most_examples,
        "next": _next_training(one.next_training, inquiry),
        "metrics": {curve.metric: _metric(curve, one.study, inquiry) for curve in one.curves},
        "warnings": list(study.warnings),
        "notes": list(study.notes),
    }


def _next_training(training: NextTraining, inquiry: Inquiry) -> dict[str, Any]:
    return {
        "further_examples": inquiry.further,
        "examples": training.examples,
        "training_cost_usd": _known(training.usd),
        "tokens_per_example": _known(training.tokens_per_example),
        "tokens_counted": training.basis,
        "price_source": training.price_source,
    }


def _metric(curve: MetricCurve, study: Study, inquiry: Inquiry) -> dict[str, Any]:
    return {
        "curve": _curve(curve.curve),
        "needed_examples": _found(curve.needed),
        "next_gain_share": _found(curve.next_gain),
        "whole_gain_share": _found(curve.whole_gain),
        "sizes": [_size(size, cases=len(study.cases)) for size in curve.sizes],
        "not_converged": [_failed(score) for score in curve.failed],
        "trace": [
            {"examples": examples, "share": _found(share)} for examples, share in trace_curve(curve, study, inquiry)
        ],
    }


def _curve(curve: SaturatingCurve | NotEnoughData) -> dict[str, Any]:
    if isinstance(curve, NotEnoughData):
        return {"not_enough_data": curve.reason}
    shape = curve.shape
    return {
        "start_share": shape.start,
        "end_share": shape.end,
        "half_at_examples": shape.half_at,
        "steepness": shape.steepness,
        "rest": shape.rest,
        "decay": shape.decay,
        "spread_radians": _found(curve.spread),
        "trainings": curve.trainings,
        "judged": curve.judged,
    }


def _size(size: AtSize, *, cases: int) -> dict[str, Any]:
    return {
        "examples": size.examples,
        "share": _found(size.share),
        "curve_share": _found(size.fitted),
        "trainings": [_score(score) for score in size.scores],
        "variance": _variance(size, cases=cases) if size.examples else None,
    }


def _score(score: Score) -> dict[str, Any]:
    row = score.row
    return {
        "model": row.name,
        "examples": row.examples,
        "training_seed": row.seed,
        "share": _found(score.share),
    }


def _failed(score: Score) -> dict[str, Any]:
    epochs, batch_size, rate = score.row.recipe
    recipe = {"epochs": epochs, "batch_size": batch_size, "learning_rate_multiplier": rate}
    return _score(score) | recipe | {"reason": score.row.failure}


def _variance(size: AtSize, *, cases: int) -> dict[str, Any]:
    parts = size.parts
    if isinstance(parts, NotEnoughData):
        return {"not_enough_data": parts.reason}
    mean = parts.of_mean(cases=cases)
    shares = mean if isinstance(mean, NotEnoughData) else mean.shares
    return {
        **{f"{name}_squared_share": _found(getattr(parts, name)) for name in PARTS},
        "negative": list(parts.negative),
        "training_part_of_one_run": _found(size.training_part),
        "parts_of_one_run": asdict(shares) if isinstance(shares, MeanVariance) else {"not_enough_data": shares.reason},
    }


def _found(found: Found) -> dict[str, Any]:
    return {"not_enough_data": found.reason} if isinstance(found, NotEnoughData) else asdict(found)


def _known(value: float | NotEnoughData) -> float | dict[str, str]:
    return {"not_enough_data": value.reason} if isinstance(value, NotEnoughData) else value
