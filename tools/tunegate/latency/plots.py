"""Latencies as a picture: every call, with boxes, for print and for the colour-blind."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from tunegate.errors import RunError, UsageError
from tunegate.latency.measurements import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUFFIXES = (".svg", ".png", ".pdf")
_NO_DATE: dict[str, dict[str, Any]] = {".svg": {"Date": None}, ".png": {}, ".pdf": {"CreationDate": None}}
# Okabe and Ito (2008): the colour-blind tell them apart, and in grey print the markers do.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")
_DASHES = ((0, (5, 2)), (0, (2, 1.5)), (0, (7, 2, 1.5, 2)))
_STYLE: dict[Any, Any] = {
    "text.parse_math": False,  # a dollar in a model's name is a dollar
    "font.family": "DejaVu Sans",  # it comes with matplotlib, so that every machine draws the same
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "tunegate",  # an identifier in an SVG is otherwise drawn at random
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
}
_GROUP = 0.78
"""Of the distance between two limits, what the boxes of all models take."""
_GOLDEN = 0.6180339887
_WIDE_RANGE = 30.0
"""Medians that differ by more than this factor are drawn on a logarithmic scale."""


def draw_latency(series: Sequence[Series], path: Path) -> None:
    """Write a picture of the series of one eval in the format of the file's ending; the same calls give the same SVG.

    Raises:
        UsageError: the ending is none of `SUFFIXES`, or matplotlib is not installed.
        RunError: the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"a picture is written to a file that ends in {', '.join(SUFFIXES)}, not to {path}")
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError as problem:
        raise UsageError(
            f"a picture wants the package matplotlib: {problem}\n  to install it: pip install 'tunegate[plots]'"
        ) from problem
    drawn = io.BytesIO()
    # Not from pyplot: it looks for a screen, and keeps every figure.
    with mpl.rc_context(_STYLE):
        has_limits = any(one.limits != (None,) for one in series)
        layout = ConstrainedLayoutEngine(h_pad=0.08, w_pad=0.08)
        figure = Figure(figsize=(7.6, 7.4 if has_limits else 6.6), layout=layout)
        rows = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.45, 1))[:, 0]
        _draw_calls(rows[0].subplots(), series)
        if has_limits:
            left, right = rows[1].subplots(1, 2)
            _draw_lengths(left, series)
            _draw_first_tokens(right, series)
        else:
            _draw_first_tokens(rows[1].subplots(), series)
        figure.savefig(drawn, format=suffix.removeprefix("."), dpi=160, metadata=_NO_DATE[suffix])
    try:
        path.write_bytes(drawn.getvalue())
    except OSError as problem:
        raise RunError(f"cannot write {path}: {problem.strerror}") from problem


def _draw_calls(axes: Axes, series: Sequence[Series]) -> None:
    limits = _limits(series)
    width = _GROUP / len(series)
    for number, one in enumerate(series):
        colour, marker = _colour(number), _MARKERS[number % len(_MARKERS)]
        middles: list[tuple[float, float]] = []
        for place, limit in enumerate(limits):
            times = [call.latency_s for call in one.at(limit)] if limit in one.limits else []
            if not times:
                continue
            centre = place + (number - (len(series) - 1) / 2) * width
            _draw_box(axes, times, centre=centre, width=0.72 * width, colour=colour)
            spread = _spread(len(times), 0.5 * width)
            axes.plot(
                [centre + shift for shift in spread], times, marker, color=colour, ms=3.2, alpha=0.55, mew=0, zorder=3
            )
            middles.append((centre, median(times)))
        axes.plot(
            *zip(*middles, strict=True),
            color=colour,
            marker=marker,
            ms=5.5,
            mfc="white",
            mew=1.4,
            lw=1.3,
            ls=_DASHES[number % len(_DASHES)],
            zorder=4,
            label=_label(one, series),
        )
    for place in range(0, len(limits) if len(limits) > 1 else 0, 2):
        # What was asked with one limit belongs together.
        axes.axvspan(place - 0.5, place + 0.5, color="0.97", zorder=0)
    axes.set_xlim(-0.5, len(limits) - 0.5)
    medians = [median(call.latency_s for call in one.at(limit)) for one in series for limit in one.limits]
    if max(medians) > _WIDE_RANGE * min(medians) > 0:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.set_xticks(range(len(limits)), ["all" if limit is None else str(limit) for limit in limits])
    axes.set_xlabel("limit of the reply, tokens" if limits != [None] else "")
    axes.set_ylabel("seconds to the end of the reply")
    axes.grid(axis="y", color="0.9", lw=0.7)
    axes.set_axisbelow(True)
    # Times rise with the limit, which leaves that corner free.
    axes.legend(frameon=False, loc="upper left" if len(limits) > 1 else "best", handlelength=3.2)
    _write_title(axes, series)


def _draw_lengths(axes: Axes, series: Sequence[Series]) -> None:
    """Draw what was said against what was allowed: where a model stops before its limit, its times are of less."""
    limits = [limit for limit in _limits(series) if limit is not None]
    axes.plot(limits, limits, color="0.6", lw=0.9, zorder=1)
    axes.annotate(
        "as many as allowed", (limits[-1], limits[-1]), xytext=(-14, 0), textcoords="offset points",
        ha="right", va="center", fontsize=7.5, color="0.4",
    )  # fmt: skip
    for number, one in enumerate(series):
        calls = [call for call in one.counted if call.max_tokens is not None]
        shift = 1.06 ** (number - (len(series) - 1) / 2)
        axes.plot(
            [(call.max_tokens or 1) * shift for call in calls],
            [call.tokens or 1 for call in calls],
            _MARKERS[number % len(_MARKERS)], color=_colour(number), ms=4, alpha=0.6, mew=0, zorder=3,
        )  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.set_xticks(limits, [str(limit) for limit in limits])
    axes.set_yticks(limits, [str(limit) for limit in limits])
    axes.minorticks_off()
    axes.set_xlabel("limit, tokens")
    axes.set_ylabel("tokens of the reply")
    axes.set_title("Length of replies", loc="left", fontsize=9.5, fontweight="bold")


def _draw_first_tokens(axes: Axes, series: Sequence[Series]) -> None:
    for number, one in enumerate(series):
        firsts = [call.first_token_s for call in one.calls if call.first_token_s is not None]
        place = len(series) - 1 - number
        # Above its box: beside it, a long name would leave no room for the times.
        axes.text(
            0.02, place + 0.27, one.label,
            transform=axes.get_yaxis_transform(), va="center", fontsize=8, color=_colour(number),
        )  # fmt: skip
        if not firsts:
            axes.text(0.02, place, "not on record", transform=axes.get_yaxis_transform(), va="center", fontsize=8)
            continue
        _draw_box(axes, firsts, centre=place, width=0.2, colour=_colour(number), is_lying=True)
        axes.plot(
            firsts, [place - 0.28 + shift for shift in _spread(len(firsts), 0.2)],
            _MARKERS[number % len(_MARKERS)], color=_colour(number), ms=3.2, alpha=0.5, mew=0, zorder=3,
        )  # fmt: skip
    axes.set_yticks([])
    axes.set_ylim(-0.5, len(series) - 0.5)
    axes.set_xlim(left=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color="0.9", lw=0.7)
    axes.set_axisbelow(True)
    axes.set_xlabel("seconds to the first token")
    axes.set_title("Time to the first token", loc="left", fontsize=9.5, fontweight="bold")


def _draw_box(
    axes: Axes, values: Sequence[float], *, centre: float, width: float, colour: str, is_lying: bool = False
) -> None:
    axes.boxplot(
        [list(values)],
        positions=[centre],
        widths=width,
        orientation="horizontal" if is_lying else "vertical",
        showfliers=False,  # every call is drawn beside it
        manage_ticks=False,
        patch_artist=True,
        boxprops={"facecolor": colour, "alpha": 0.16, "edgecolor": colour, "lw": 0.9},
        whiskerprops={"color": colour, "lw": 0.9},
        capprops={"color": colour, "lw": 0.9},
        medianprops={"color": colour, "lw": 1.6},
        zorder=2,
    )


def _write_title(axes: Axes, series: Sequence[Series]) -> None:
    calls = [call for one in series for call in one.calls]
    days = sorted({day for one in series for day in one.days})
    parts = [f"{len({call.case for call in calls})} cases", f"{len(calls)} calls", _load(series)]
    if days:
        parts.append(f"recorded on {days[0] if len(days) == 1 else f'{days[0]} to {days[-1]}'}")
    parts.append(f"run {', '.join(dict.fromkeys(one.run for one in series))}")
    # The empty line is for what stands in smaller letters.
    axes.set_title(f"{series[0].eval}: how long a reply takes\n", loc="left", fontsize=11, fontweight="bold")
    axes.text(0, 1.025, " · ".join(filter(None, parts)), transform=axes.transAxes, fontsize=8.5, color="0.35")


def _load(series: Sequence[Series]) -> str:
    loads = {one.most_in_flight for one in series}
    if None in loads:
        return "requests in flight: not on record"
    if len(loads) > 1:
        return ""  # the labels say it
    (most,) = loads
    return "one request in flight" if most == 1 else f"up to {most} requests in flight"


def _label(one: Series, series: Sequence[Series]) -> str:
    """Return what a series is called beside the others: with its load, where they were not recorded under one."""
    differ = len({other.most_in_flight for other in series}) > 1
    return f"{one.label} (up to {one.most_in_flight} in flight)" if differ and one.load == 1 else one.label


def _limits(series: Sequence[Series]) -> list[int | None]:
    return sorted({limit for one in series for limit in one.limits}, key=lambda limit: limit or 0)


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


def _spread(count: int, width: float) -> list[float]:
    """Return places beside a centre, so that dots do not hide each other: the same each time."""
    return [((number * _GOLDEN) % 1 - 0.5) * width for number in range(1, count + 1)]
