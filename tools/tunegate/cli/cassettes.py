"""`tunegate cassettes`: what is recorded, what is wrong with it, what is no longer needed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegate.cli.runs import find_run

if TYPE_CHECKING:
    from tunegate.cassettes import Library, Redactor

Used = dict[tuple[str, str], set[tuple[str, int]]]
"""(eval, model) -> (fingerprint, repeat) of everything that runs asked for."""


def add_command(commands: Any) -> None:
    """Declare the command; `commands` is what argparse's add_subparsers returned."""
    parser = commands.add_parser("cassettes", help="list, check, show, merge and prune recordings")
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB", parser_class=type(parser))
    folder = argparse.ArgumentParser(add_help=False)
    folder.add_argument("--cassettes", type=Path, default=Path("cassettes"), metavar="DIR", help="default: cassettes")
    runs = argparse.ArgumentParser(add_help=False)
    runs.add_argument("--run", type=Path, action="append", default=[], metavar="RUN",
                      help="what this run asked for counts as used; repeatable")  # fmt: skip

    listing = verbs.add_parser("list", parents=[folder], help="what is recorded")
    listing.set_defaults(command=list_all)
    check = verbs.add_parser("check", parents=[folder, runs], help="look for secrets, damage, age and what is unused")
    check.add_argument("--older-than", type=float, metavar="DAYS", help="report what was recorded before that")
    check.set_defaults(command=check_all)
    show = verbs.add_parser("show", parents=[folder], help="show the recordings of one case")
    show.add_argument("eval")
    show.add_argument("model")
    show.add_argument("case", help="a case, or the start of a request's fingerprint")
    show.add_argument("--repeat", type=int)
    show.set_defaults(command=show_case)
    merge = verbs.add_parser("merge", parents=[folder], help="fold the journals of ended recorders into cassettes")
    merge.set_defaults(command=merge_all)
    prune = verbs.add_parser("prune", parents=[folder, runs], help="remove what the given runs did not ask for")
    prune.add_argument("--force", action="store_true", help="by an incomplete run too, and down to an empty cassette")
    prune.add_argument("--dry-run", action="store_true", help="only say what would go")
    prune.set_defaults(command=prune_all)


def list_all(arguments: argparse.Namespace) -> int:
    """Print a line for each cassette; status 1 where one cannot be read."""
    from tunegate.cassettes.care import list_cassettes

    status = 0
    for found in list_cassettes(_library(arguments)):
        if found.problem:
            _say(f"{found.path}: {found.problem}")
            status = 1
            continue
        repeats = f"repeats {found.repeats[0]}-{found.repeats[-1]}" if found.repeats else "no repeats"
        journals = f", {found.journals} journals not merged" if found.journals else ""
        _say(
            f"{found.eval}  {found.model}  {found.interactions} recordings, {repeats}, "
            f"{found.first_recorded_at or 'unknown'} to {found.last_recorded_at or 'unknown'}, "
            f"server says {', '.join(found.server_models) or 'nothing'}, {found.size_bytes / 1e6:.2f} MB{journals}"
        )
    return status


def check_all(arguments: argparse.Namespace) -> int:
    """Print what is wrong; status 1 where anything was found."""
    from tunegate.cassettes.care import check_cassettes

    used = {key for keys in _used(arguments.run).values() for key in keys} if arguments.run else None
    findings = check_cassettes(_library(arguments), older_than_days=arguments.older_than, used=used)
    for finding in findings:
        _say(f"{finding.kind}: {finding.path}: {finding.message}")
    _say(f"{len(findings)} findings")
    return 1 if findings else 0


def show_case(arguments: argparse.Namespace) -> int:
    """Print request and reply of a case as a person reads them."""
    from tunegate.cassettes.care import show_recordings

    cassette = _library(arguments).cassette(arguments.eval, arguments.model)
    for shown in show_recordings(cassette, name=arguments.case, repeat=arguments.repeat):
        exchange = shown.exchange
        took = f"{exchange.timing.total_s:.3f} s" if exchange.timing else "unknown"
        _say(f"{shown.case}, repeat {exchange.repeat}, recorded {exchange.recorded_at}, took {took}")
        _say(f"fingerprint {shown.fingerprint}\n{shown.request_json}\nreply:\n{shown.reply}\n")
    return 0


def merge_all(arguments: argparse.Namespace) -> int:
    """Fold what recorders left in their journals into the cassettes."""
    _library(arguments).merge()
    return list_all(arguments)


def prune_all(arguments: argparse.Namespace) -> int:
    """Remove from the cassettes that the runs used what the runs did not ask for."""
    from tunegate.cassettes.care import prune_cassette
    from tunegate.errors import UsageError

    if not arguments.run:
        raise UsageError("prune needs --run RUN: what that run asked for is kept, the rest goes")
    if not arguments.force:
        for run in arguments.run:
            _refuse_incomplete(find_run(run))
    library = _library(arguments)
    for (eval_name, model), keys in sorted(_used(arguments.run).items()):
        pruned = prune_cassette(
            library.cassette(eval_name, model), used=keys, force=arguments.force, dry_run=arguments.dry_run
        )
        verb = "would remove" if arguments.dry_run else "removed"
        _say(f"{pruned.path}: {verb} {len(pruned.removed)}, kept {pruned.kept}")
        for name in pruned.removed:
            _say(f"  {name}")
    return 0


def _library(arguments: argparse.Namespace) -> Library:
    from tunegate.cassettes import Library
    from tunegate.errors import UsageError

    if not arguments.cassettes.is_dir():
        raise UsageError(f"no folder of cassettes at {arguments.cassettes}; --cassettes DIR names another")
    return Library(arguments.cassettes, redactor=redactor_here())


def redactor_here() -> Redactor:
    """Return what knows every key that a recording of this project may hold."""
    from tunegate.cases import Matrix
    from tunegate.cassettes import Redactor
    from tunegate.session import secrets_in

    matrix = Path("fixtures/models.toml")
    endpoints = Matrix.load(matrix).endpoints if matrix.is_file() else ()
    return Redactor(secrets_in(endpoint.key_env for endpoint in endpoints))


def _refuse_incomplete(run: Path) -> None:
    """Look whether a run asked for everything that it planned: only then is the rest not needed.

    Raises:
        UsageError: it was interrupted, or has items without an answer.
    """
    from tunegate.errors import UsageError
    from tunegate.records import UNSCORED
    from tunegate.runs import read_run

    header = read_run(run)
    without = sum(header.get("states", {}).get(state, 0) for state in UNSCORED)
    if header["status"] != "finished" or without:
        raise UsageError(
            f"{run} is no measure of what is needed: it is {header['status']}, {header.get('not_run', 'some')} items "
            f"were not run and {without} have no answer\n  to prune by it all the same: --force"
        )


def _used(runs: list[Path]) -> Used:
    from tunegate.runs import read_records

    used: Used = {}
    for run in runs:
        for record in read_records(find_run(run)):
            keys = used.setdefault((record.cell.shelf, record.cell.model), set())
            if record.request is not None:
                keys.add((record.request, record.cell.repeat))
    return used


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
