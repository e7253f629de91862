"""Costs against calls, drawn: where the two lines cross, the fine-tune has paid for itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegate.cost import Replacement, dollars
from tunegate.errors import RunError, UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".svg", ".png", ".pdf")
_METADATA: dict[str, dict[str, Any]] = {
    ".svg": {"Date": None, "Creator": "tunegate"},
    ".png": {"Software": "tunegate"},
    ".pdf": {"CreationDate": None, "Creator": "tunegate"},
}
# Blue and vermilion of Okabe and Ito (2008): the colour-blind tell them apart; in grey print the dashes do.
_CANDIDATE, _BASELINE = "#0072B2", "#D55E00"
_STYLE: dict[Any, Any] = {
    # An identifier in an SVG is otherwise drawn at random.
    "svg.hashsalt": "tunegate",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw_costs(path: Path, replacement: Replacement, *, candidate: str, baseline: str) -> None:
    """Write a chart of what both models have cost after so many calls; the file's ending says the format.

    The same numbers give the same SVG, byte by byte.

    Raises:
        UsageError: the ending is none of `SUFFIXES`, or matplotlib is not installed.
        RunError: the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"a chart is written to a file that ends in {', '.join(SUFFIXES)}, not to {path}")
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as problem:
        raise UsageError(
            f"a chart needs matplotlib, which is not installed ({problem})\n"
            "  to install it: pip install 'tunegate[plots]'"
        ) from problem
    # Not from pyplot: it looks for a screen, and keeps every figure.
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(7.2, 4.5), layout="constrained")
        _draw(figure, replacement, candidate=_escape(candidate), baseline=_escape(baseline))
        try:
            figure.savefig(path, format=suffix.removeprefix("."), dpi=150, metadata=_METADATA[suffix])
        except OSError as problem:
            raise RunError(f"cannot write {path}: {problem.strerror}") from problem


def _draw(figure: Figure, replacement: Replacement, *, candidate: str, baseline: str) -> None:
    axes = figure.add_subplot()
    end = _last_call(replacement)
    calls, outlay_usd = replacement.calls, replacement.outlay_usd
    lines = (
        (candidate, _CANDIDATE, "-", outlay_usd, replacement.candidate.usd_per_call),
        (baseline, _BASELINE, "--", 0.0, replacement.baseline.usd_per_call),
    )
    for name, colour, dashes, start_usd, usd_per_call in lines:
        axes.plot([0, end], [start_usd, start_usd + end * usd_per_call], dashes, color=colour, linewidth=2, label=name)
    axes.set_xlim(0, end)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("calls")
    axes.set_ylabel("US dollars, all in all")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_formatter("{x:,.10g}")
    axes.locator_params(axis="x", nbins=5)
    axes.grid(color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, loc="upper left")
    if calls is None:
        axes.set_title(f"{candidate} never pays for itself: its call is no cheaper", loc="left", fontsize=10)
        return
    axes.set_title(f"{candidate} has paid for itself after {calls:,} calls", loc="left", fontsize=10)
    crossing_usd = outlay_usd + calls * replacement.candidate.usd_per_call
    axes.plot([calls], [crossing_usd], "o", color="black", markersize=6, zorder=3)
    axes.annotate(
        f"{calls:,} calls\n{_escape(dollars(crossing_usd))}",
        (calls, crossing_usd),
        xytext=(10, -8),
        textcoords="offset points",
        va="top",
    )


def _escape(name: str) -> str:
    """Return a name as matplotlib draws it: between two dollar signs it would set mathematics."""
    return name.replace("$", r"\$")


def _last_call(replacement: Replacement) -> float:
    """Return how far to draw: past the crossing, or where none comes, until calls cost as much as was paid once."""
    if replacement.calls:
        return 2.0 * replacement.calls
    dearest = max(replacement.candidate.usd_per_call, replacement.baseline.usd_per_call)
    return replacement.outlay_usd / dearest if dearest and replacement.outlay_usd else 1000.0
