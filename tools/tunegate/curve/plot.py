"""A survey as a picture: a panel for each curve, for print and for the colour-blind."""

from __future__ import annotations

import io
from datetime import date
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tunegate.curve.panel import draw_panel
from tunegate.curve.rows import tell_recipe
from tunegate.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tunegate.curve.survey import Answered, Survey

SUFFIXES = (".svg", ".png", ".pdf")
_NO_DATE: dict[str, dict[str, Any]] = {
    ".svg": {"Date": None},
    ".png": {},
    ".pdf": {"CreationDate": None},
}
_STYLE: dict[Any, Any] = {
    "text.parse_math": False,  # a dollar in a model's name is a dollar
    "font.family": "DejaVu Sans",  # it comes with matplotlib, so that every machine draws the same
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "tunegate",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
}
_WIDTH_IN, _PANEL_IN = 7.6, 4.7
_RUNS_SHOWN = 2


def require_matplotlib() -> None:
    """Look whether pictures can be drawn.

    Raises:
        UsageError: matplotlib is not installed.
    """
    try:
        import_module("matplotlib")
    except ImportError as problem:
        raise UsageError(
            f"a picture wants the package matplotlib: {problem}\n  to install it: pip install 'tunegate[plots]'"
        ) from problem


def draw_survey(survey: Survey, *, suffix: str) -> bytes:
    """Return the picture as a file of one of `SUFFIXES`; the same survey gives the same bytes.

    Raises:
        UsageError: matplotlib is not installed, or there is nothing to draw.
    """
    require_matplotlib()
    if not survey.answered:
        raise UsageError("there is nothing to draw: no two trainings of one base by one recipe are in the runs")
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        panels = len(survey.answered)
        figure = Figure(figsize=(_WIDTH_IN, _PANEL_IN * panels), layout="constrained")
        for axes, one in zip(figure.subplots(panels, squeeze=False)[:, 0], survey.answered, strict=True):
            draw_panel(axes, one, survey.inquiry)
            _write_title(axes, survey, one)
        drawn = io.BytesIO()
        figure.savefig(drawn, format=suffix.removeprefix("."), dpi=160, metadata=_NO_DATE[suffix])
    return drawn.getvalue()


def _write_title(axes: Axes, survey: Survey, one: Answered) -> None:
    inquiry, study = survey.inquiry, one.study
    metrics = " and ".join(inquiry.metrics)
    cases = f"{len(study.cases):,} {'case' if len(study.cases) == 1 else 'cases'}"
    runs = ", ".join(f"{run.name} of {_day(run.started_at)}" for run in survey.runs[:_RUNS_SHOWN])
    more = len(survey.runs) - _RUNS_SHOWN
    # The empty line is for what stands in smaller letters.
    axes.set_title(f"{inquiry.eval}: {metrics} of {study.base}\n", loc="left", fontsize=11, fontweight="bold")
    axes.text(
        0,
        1.025,
        f"{cases} · {tell_recipe(study.recipe)} · run {runs}{f' and {more} more' if more > 0 else ''}",
        transform=axes.transAxes,
        fontsize=8.5,
        color="0.35",
    )


def _day(started_at: str) -> str:
    day = date.fromisoformat(started_at[:10])
    return f"{day.day} {day:%B %Y}"
