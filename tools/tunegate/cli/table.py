"""`tunegate table`: the table of a run that is over."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from tunegate.cli.runs import find_run


def add_command(commands: Any) -> None:
    """Declare the command; `commands` is what argparse's add_subparsers returned."""
    parser = commands.add_parser("table", help="print the table of a finished run")
    parser.add_argument("run", type=Path, help="a run's folder, or its name under reports/runs")
    parser.set_defaults(command=show_table)


def show_table(arguments: argparse.Namespace) -> int:
    """Print a run's table from its records alone; status 1 where the run was interrupted."""
    from tunegate.report import Tally, render_table
    from tunegate.runs import read_records, read_run

    folder = find_run(arguments.run)
    header = read_run(folder)
    tally = Tally()
    for record in read_records(folder):
        tally.add(record)
    order = [model["name"] for model in header["matrix"]]
    trained = {model["name"]: model.get("training") or {} for model in header["matrix"]}
    not_converged = {name: how["not_converged"] for name, how in trained.items() if how.get("not_converged")}
    table = render_table(tally, order=order, not_converged=not_converged)
    sys.stdout.writelines(f"{line}\n" for line in table)
    sys.stdout.write(f"run {header['run']}: {header['status']}, started {header['started_at']}\n")
    return 0 if header["status"] == "finished" else 1
