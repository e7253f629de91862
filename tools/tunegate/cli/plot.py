"""`tunegate plot`: pictures of what runs measured."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tunegate.cli.latency import add_runs, draw
from tunegate.cli.runs import find_run


def add_command(commands: Any) -> None:
    """Declare the command; `commands` is what argparse's add_subparsers returned."""
    parser = commands.add_parser("plot", help="draw what runs measured")
    pictures = parser.add_subparsers(title="pictures", required=True, metavar="PICTURE", parser_class=type(parser))
    latency = pictures.add_parser("latency", help="every call, with boxes, by model and limit of tokens")
    add_runs(latency)
    latency.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="a .svg, .png or .pdf file")
    latency.set_defaults(command=plot_latency)


def plot_latency(arguments: argparse.Namespace) -> int:
    """Draw the latencies of runs."""
    from tunegate.latency.measurements import read_series

    draw(read_series([find_run(run) for run in arguments.runs], evals=arguments.eval), arguments.output)
    return 0
