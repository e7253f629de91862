"""One curve as a panel of a picture: points, curves with their bands, the target, and what did not converge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunegate.curve.questions import Inquiry, MetricCurve, trace_curve
from tunegate.stats import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tunegate.curve.survey import Answered


@dataclass(frozen=True)
class _Ink:
    """How one metric is drawn: by colour, marker and line alike, so that any one of them is enough."""

    colour: str
    marker: str
    line: str


# Two of the colours of Okabe and Ito (2008), "Color Universal Design"; they differ in lightness as well.
_INKS = (_Ink("#0072B2", "o", "-"), _Ink("#D55E00", "s", "--"))
_EXTRAPOLATED = ":"
_CROSS: dict[str, Any] = {"marker": "x", "markersize": 7, "markeredgewidth": 1.8}
_DOT: dict[str, Any] = {"markersize": 5.5, "markeredgecolor": "white", "markeredgewidth": 0.7}
_GREY = "0.35"
_GAP = 0.55
"""Decades from the smallest training to where 0 is drawn, which has no logarithm."""
_BASE_WIDTH = 0.07
"""Half of the band's width at 0, in decades."""
_BESIDE = 0.022
"""Decades between trainings of one size, so that none hides another."""
_NEAREST = 0.13
"""Decades between two labels of the axis."""


@dataclass(frozen=True)
class _Scale:
    """Where a number of examples is drawn: by its logarithm, and 0 to the left of the smallest training."""

    least: int

    def at(self, examples: float) -> float:
        return math.log10(examples) if examples > 0 else math.log10(self.least) - _GAP


def draw_panel(axes: Axes, one: Answered, inquiry: Inquiry) -> None:
    """Draw a study into `axes`."""
    study = one.study
    trained = sorted({row.examples for row in (*study.rows, *study.failed) if row.examples})
    scale = _Scale(trained[0])
    farthest, is_beyond = float(trained[-1]), False
    for curve, ink in zip(one.curves, _INKS, strict=False):
        trace = trace_curve(curve, study, inquiry)
        if trace:
            _draw_trace(axes, trace, scale, ink=ink, most=study.most_examples)
            farthest, is_beyond = max(farthest, trace[-1][0]), is_beyond or trace[-1][0] > study.most_examples
        _draw_trainings(axes, curve, scale, ink=ink)
        _draw_failed(axes, curve, scale, ink=ink)
    _draw_target(axes, one.curves[0], scale, target=inquiry.target)
    if study.failed:
        axes.plot([], [], linestyle="", color=_GREY, label="did not converge", **_CROSS)
    if is_beyond:
        axes.plot([], [], color=_GREY, linestyle=_EXTRAPOLATED, linewidth=1.8, label="farther than was tried")
    _draw_axes(axes, scale, sizes=study.sizes, others=trained, farthest=farthest)
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.15),
        ncols=4,
        frameon=False,
        fontsize=8.5,
        handlelength=2.6,
        columnspacing=1.6,
    )


def _draw_trace(axes: Axes, trace: Sequence[tuple[float, Interval]], scale: _Scale, *, ink: _Ink, most: int) -> None:
    for examples, share in trace:
        if not examples:
            ends = [scale.at(0) - _BASE_WIDTH, scale.at(0) + _BASE_WIDTH]
            axes.fill_between(ends, 100 * share.low, 100 * share.high, color=ink.colour, alpha=0.18, linewidth=0)
            axes.plot(ends, [100 * share.estimate] * 2, color=ink.colour, linestyle=ink.line, linewidth=1.8)
    tried = [(examples, share) for examples, share in trace if 0 < examples <= most]
    beyond = [(examples, share) for examples, share in trace if examples >= most]
    for part, line, alpha in ((tried, ink.line, 0.18), (beyond, _EXTRAPOLATED, 0.09)):
        places = [scale.at(examples) for examples, _ in part]
        low, high = [100 * share.low for _, share in part], [100 * share.high for _, share in part]
        axes.fill_between(places, low, high, color=ink.colour, alpha=alpha, linewidth=0)
        middle = [100 * share.estimate for _, share in part]
        axes.plot(places, middle, color=ink.colour, linestyle=line, linewidth=1.8)


def _draw_trainings(axes: Axes, curve: MetricCurve, scale: _Scale, *, ink: _Ink) -> None:
    places: list[float] = []
    percents: list[float] = []
    for size in curve.sizes:
        known = [100 * score.share.estimate for score in size.scores if isinstance(score.share, Interval)]
        percents += known
        places += [scale.at(size.examples) + _BESIDE * (place - (len(known) - 1) / 2) for place in range(len(known))]
    axes.plot(places, percents, linestyle="", marker=ink.marker, color=ink.colour, zorder=3, **_DOT)
    # The legend shows marker and line as one.
    label = curve.metric
    axes.plot([], [], color=ink.colour, linestyle=ink.line, linewidth=1.8, marker=ink.marker, label=label, **_DOT)


def _draw_failed(axes: Axes, curve: MetricCurve, scale: _Scale, *, ink: _Ink) -> None:
    for score in curve.failed:
        if isinstance(score.share, Interval):
            examples = score.row.examples or 0
            # Beside those that did converge, where there are any.
            beside = 3 * _BESIDE if any(size.examples == examples for size in curve.sizes) else 0.0
            place, percent = scale.at(examples) + beside, 100 * score.share.estimate
            axes.plot([place], [percent], linestyle="", color=ink.colour, zorder=4, clip_on=False, **_CROSS)


def _draw_target(axes: Axes, curve: MetricCurve, scale: _Scale, *, target: float) -> None:
    percent = 100 * target
    axes.axhline(percent, color=_GREY, linewidth=0.8, zorder=1)
    axes.annotate(f"{percent:g} %", (1, percent), xycoords=("axes fraction", "data"), xytext=(3, 0),
                  textcoords="offset points", va="center", color=_GREY, fontsize=8)  # fmt: skip
    needed = curve.needed
    if not isinstance(needed, Interval) or not needed.estimate:
        return
    place = scale.at(needed.estimate)
    ends = [scale.at(max(needed.low, scale.least / 1.5)), scale.at(needed.high)]
    axes.plot(ends, [percent] * 2, color="black", linewidth=2.2, solid_capstyle="butt", zorder=3)
    axes.plot([place, place], [0, percent], color=_GREY, linewidth=0.8, zorder=1)
    axes.plot([place], [percent], marker="D", color="black", linestyle="", zorder=4, **_DOT)
    # Below the target and right of the curve is room; at the right end, left of it there is none.
    told = f"{math.ceil(needed.estimate):,} examples\n({math.floor(needed.low):,} to {math.ceil(needed.high):,})"
    axes.annotate(told, (place, percent), xytext=(6, -9), textcoords="offset points", va="top", fontsize=8.5,
                  linespacing=1.3)  # fmt: skip


def _draw_axes(axes: Axes, scale: _Scale, *, sizes: Sequence[int], others: Sequence[int], farthest: float) -> None:
    from matplotlib.path import Path as MarkerPath

    axes.set_ylim(-2, 102)
    axes.set_yticks(range(0, 101, 20), [f"{percent}" for percent in range(0, 101, 20)])
    axes.set_ylabel("passed, %")
    has_base = 0 in sizes
    first = scale.at(0) if has_base else scale.at(scale.least)
    axes.set_xlim(first - 2 * _BASE_WIDTH, scale.at(farthest) + 1.5 * _BASE_WIDTH)
    labelled: list[int] = []
    for examples in sorted({*sizes, *others, math.floor(farthest)}):
        if not labelled or scale.at(examples) - scale.at(labelled[-1]) >= _NEAREST:
            labelled.append(examples)
    axes.set_xticks([scale.at(examples) for examples in labelled], [f"{examples:,}" for examples in labelled])
    axes.set_xlabel("training examples; 0 is the base model" if has_base else "training examples")
    axes.grid(axis="y", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    if not has_base:
        return
    # Two strokes say that the axis does not run on from 0.
    strokes = MarkerPath([(-0.9, -1), (-0.3, 1), (0.3, -1), (0.9, 1)], [1, 2, 1, 2])
    axes.plot([scale.at(scale.least) - 0.5 * _GAP], [0], transform=axes.get_xaxis_transform(), clip_on=False,
              marker=strokes, markersize=10, color="black", markeredgewidth=0.9)  # fmt: skip
