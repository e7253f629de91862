"""`tunegate latency`: how long models take, and how many times as quick one is as another."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegate.cli.runs import find_run

if TYPE_CHECKING:
    from tunegate.latency.comparison import Pairing
    from tunegate.latency.measurements import Series


def add_command(commands: Any) -> None:
    """Declare the command; `commands` is what argparse's add_subparsers returned."""
    parser = commands.add_parser("latency", help="compare how long models take: is a fine-tune worth the wait?")
    add_runs(parser)
    parser.add_argument("--candidate", metavar="NAME", help="the model to compare (default: all but the baseline)")
    parser.add_argument("--baseline", metavar="NAME",
                        help="what it is held against (default: the only one with that role)")  # fmt: skip
    parser.add_argument("--tokens", type=tokens_of, metavar="N",
                        help="compare answers of N tokens (default: the median of the baseline's)")  # fmt: skip
    parser.add_argument("--level", type=level_of, default=0.95, metavar="L", help="of every interval (default: 0.95)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of resampling (default: 0)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE",
                        help="draw a picture as well: .svg, .png or .pdf (default: none)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON (default: tables and text)")
    parser.set_defaults(command=show_latency)


def add_runs(parser: argparse.ArgumentParser) -> None:
    """Declare which runs are read, and which of their evals."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN",
                        help="a run's folder, or its name under reports/runs; several are joined")  # fmt: skip
    parser.add_argument("--eval", metavar="GLOB",
                        help="evals to look at (default: those that sweep max_tokens, else all)")  # fmt: skip


def tokens_of(text: str) -> float:
    """Return a length of an answer.

    Raises:
        ArgumentTypeError: it is none.
    """
    return _number(text, low=1, high=math.inf, wanted="a number of tokens from 1 up")


def level_of(text: str) -> float:
    """Return the level of an interval.

    Raises:
        ArgumentTypeError: it is none.
    """
    return _number(text, low=0.5, high=1, wanted="a level from 0.5 up to 1, such as 0.95,")


def _number(text: str, *, low: float, high: float, wanted: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value < high:
        raise argparse.ArgumentTypeError(f"{wanted} is wanted, not {text!r}")
    return value


def show_latency(arguments: argparse.Namespace) -> int:
    """Print what was measured and how it compares; status 0 also where something cannot be said: it is said why."""
    from tunegate.latency.comparison import pair_up
    from tunegate.latency.measurements import read_series
    from tunegate.latency.plain import to_plain

    series = read_series([find_run(run) for run in arguments.runs], evals=arguments.eval)
    pairing = pair_up(
        series,
        candidate=arguments.candidate,
        baseline=arguments.baseline,
        seed=arguments.seed,
        level=arguments.level,
        tokens=arguments.tokens,
    )
    if arguments.output is not None:
        draw(series, arguments.output)
    if arguments.json:
        plain = to_plain(series, pairing, seed=arguments.seed, level=arguments.level)
        sys.stdout.write(json.dumps(plain, indent=2) + "\n")
    else:
        lines = _render(series, pairing, arguments)
        sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0


def draw(series: list[Series], output: Path) -> None:
    """Draw series of one eval, and say where.

    Raises:
        UsageError: they are of several evals, or the file cannot be written.
    """
    from tunegate.errors import UsageError
    from tunegate.latency.plots import draw_latency

    names = sorted({one.eval for one in series})
    if len(names) > 1:
        raise UsageError(f"one picture shows one eval, and there are {', '.join(names)}\n  name one: --eval NAME")
    draw_latency(series, output)
    # Not among what --json prints.
    sys.stderr.write(f"drawn: {output}\n")


def _render(series: list[Series], pairing: Pairing, arguments: argparse.Namespace) -> Iterator[str]:
    from tunegate.latency.comparison import warn_of_days, warn_of_load
    from tunegate.latency.text import render_comparison, render_lines, render_series

    for number, (name, group) in enumerate(groupby(series, key=lambda one: one.eval)):
        there = list(group)
        yield from [""] * bool(number)
        yield from render_series(there)
        yield ""
        yield from render_lines(there, seed=arguments.seed, level=arguments.level)
        compared = [one for one in pairing.comparisons if one.candidate.eval == name]
        for comparison in compared:
            yield ""
            yield from render_comparison(comparison)
        alone = [one for one in there if not any(one in (pair.candidate, pair.baseline) for pair in compared)]
        warnings = [*warn_of_load(alone), *(() if compared else warn_of_days(there))]
        yield from [""] * bool(warnings)
        yield from (f"warning: {warning}" for warning in warnings)
    yield from [""] * bool(pairing.remarks)
    yield from (f"note: {remark}" for remark in pairing.remarks)
