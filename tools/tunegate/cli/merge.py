"""`tunegate merge`: one run out of the runs of its shards, and one folder of recordings out of theirs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tunegate.cli.cassettes import redactor_here
from tunegate.cli.runs import find_run

RUNS = Path("reports") / "runs"
CASSETTES = Path("cassettes")


def add_command(commands: Any) -> None:
    """Declare the command; `commands` is what argparse's add_subparsers returned."""
    parser = commands.add_parser("merge", help="join the runs of all shards to one run")
    parser.add_argument("shards", type=Path, nargs="+", metavar="RUN",
                        help="a shard's run: its folder, or its name under reports/runs")  # fmt: skip
    parser.add_argument("--run", metavar="NAME", help="name of the new run (default: time and process number)")
    parser.add_argument("--cassettes", type=Path, nargs="+", action="extend", default=[], metavar="FOLDER",
                        help="join these folders of recordings into cassettes/ too (default: none)")  # fmt: skip
    parser.add_argument("--allow-missing", action="store_true",
                        help="without some shards, as an interrupted run (default: refused)")  # fmt: skip
    parser.add_argument("--allow-different-code", action="store_true",
                        help="of different commits or versions too (default: refused)")  # fmt: skip
    parser.set_defaults(command=merge_shards)


def merge_shards(arguments: argparse.Namespace) -> int:
    """Write the new run and say what it is made of; nothing is written where the shards do not fit together."""
    from tunegate.runs import check_run_name, gather_shards, merge_runs, new_run_name

    paths = [find_run(run) for run in arguments.shards]
    allowed = {"allow_missing": arguments.allow_missing, "allow_different_code": arguments.allow_different_code}
    name = arguments.run or new_run_name()
    check_run_name(RUNS, name)
    gather_shards(paths, **allowed)
    # Before the run is written: its run.json then names the cassettes as they are from now on.
    adopt_cassettes(arguments.cassettes)
    merged = merge_runs(paths, into=RUNS / name, root=Path() if arguments.cassettes else None, **allowed)
    for shard in merged.shards:
        _say(f"shard {shard.shard}: {shard.name}, {shard.header['status']}")
    for warning in merged.warnings:
        _say(f"warning: {warning}")
    for number in merged.missing:
        _say(f"warning: shard {number}/{merged.shards[0].of} is missing")
    states = ", ".join(f"{count} {state}" for state, count in merged.states.items())
    _say(f"{merged.records} of {merged.planned} planned cells: {states or 'no records'}, {merged.not_run} not run")
    _say(f"run: {merged.path}")
    return 0


def adopt_cassettes(folders: Sequence[Path]) -> None:
    """Copy the recordings of other folders into the cassettes here; a later recording of one request wins.

    Raises:
        UsageError: there is no such folder.
        CassetteError: a recording cannot be read or written.
    """
    from tunegate.cassettes import Library
    from tunegate.errors import UsageError

    absent = [str(folder) for folder in folders if not folder.is_dir()]
    if absent:
        raise UsageError(f"no folder of cassettes at {', '.join(absent)}\n  --cassettes wants folders that exist")
    if not folders:
        return
    library = Library(CASSETTES, redactor=redactor_here())
    for folder in folders:
        adopted = library.adopt(Library(folder))
        _say(
            f"recordings of {folder}: {adopted.cassettes} cassettes, {adopted.new} new, {adopted.same} same, "
            f"{adopted.conflicting} conflicting (the later one is kept)"
        )


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
