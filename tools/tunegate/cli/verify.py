"""`tunegate verify`: is a verdict still what its certificate says, and does it come out again?"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunegate.gate.keeping.differences import Difference
    from tunegate.gate.keeping.replaying import Ended
    from tunegate.gate.keeping.verification import Kept, Project, Step

REPORTS = Path("reports")
FIXTURES = Path("fixtures")
DIFFERS, NOT_CHECKED = 1, 4

_EPILOG = """\
exit status: 0 all as certified, 1 something differs and the message names it, 4 it could not be checked
"""


def add_command(commands: Any) -> None:
    """Declare the command; `commands` is what argparse's add_subparsers returned."""
    about = "replay and judge again what a verdict was made from"
    parser = commands.add_parser("verify", help=about, epilog=_EPILOG)
    parser.add_argument(
        "where",
        nargs="*",
        metavar="WHERE",
        help="accepted/<model>, or a judged run: its folder, or its name under reports/runs (default: all accepted)",
    )
    parser.add_argument(
        "--no-replay", action="store_true", help="judge the kept records again, unreplayed (default: replay them)"
    )
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="FOLDER",
        help="the baseline's run (default: looked for with the verdict, then under reports)",
    )
    parser.add_argument("--questions", metavar="WHERE", help="the bank that was asked (default: where the run had it)")
    parser.set_defaults(command=verify)


def verify(arguments: argparse.Namespace) -> int:
    """Look at each verdict and say what is as certified; the first difference ends its list."""
    from tunegate.errors import TunegateError, UsageError
    from tunegate.gate.contest import ACCEPTED, find_run
    from tunegate.gate.keeping.verification import Project, read_kept

    where = arguments.where or sorted(str(path) for path in (REPORTS / ACCEPTED).glob("*") if path.is_dir())
    if not where:
        raise UsageError(
            f"nothing is accepted in {REPORTS / ACCEPTED}\n  name a run that was judged: tunegate verify RUN"
        )
    project = Project(Path(), REPORTS, FIXTURES, baseline=arguments.baseline, questions=arguments.questions)
    statuses: set[int] = set()
    for one in where:
        try:
            folder = find_run(one, reports=REPORTS)
            statuses.add(_verify(read_kept(folder), project=project, replays=not arguments.no_replay))
        except TunegateError as error:
            sys.stdout.flush()
            sys.stderr.write(f"tunegate: {one} could not be checked: {error}\n")
            statuses.add(NOT_CHECKED)
    # What is known to differ is said before what is not known.
    return next(status for status in (DIFFERS, NOT_CHECKED, 0) if status in statuses)


def replay_here(arguments: Sequence[str]) -> Ended:
    """Call pytest in this folder with the arguments of a replay."""
    import subprocess

    from tunegate.gate.keeping.replaying import Ended

    # Options from outside could leave out cases, or reach the network.
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    done = subprocess.run(  # noqa: S603  # pytest, with arguments of ours
        [sys.executable, "-m", "pytest", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return Ended(done.returncode, done.stdout)


def _verify(kept: Kept, *, project: Project, replays: bool) -> int:
    from tunegate.gate.keeping.verification import verify_verdict

    _say(*_describe(kept))
    status = 0
    for step in verify_verdict(kept, project=project, replay=replay_here if replays else None):
        _say(*_lines(step))
        status = DIFFERS if step.difference is not None else status
    return status


def _describe(kept: Kept) -> list[str]:
    certificate, accepted = kept.certificate, kept.verdict.accepted
    commit = f"commit {certificate.commit[:12]}" if certificate.commit else "no commit"
    changed = " with changes that were not committed" if certificate.dirty else ""
    lines = [f"{kept.folder}: {kept.verdict.word} on the run {kept.verdict.candidate_run}, {commit}{changed}"]
    if accepted is not None:
        because = f", because: {accepted.get('because')}" if accepted.get("because") else ""
        lines.append(f"  accepted      {accepted.get('model')} at {accepted.get('at')}{because}")
    return lines


def _lines(step: Step) -> list[str]:
    if step.difference is None:
        return [f"  {step.name:13} {step.said}"]
    return [f"  {step.name:13} differs: {step.difference.place}", *_explain(step.difference)]


def _explain(difference: Difference) -> list[str]:
    note = difference.note.splitlines()
    return [f"    wanted {difference.wanted}", f"    found  {difference.found}", *(f"    {line}" for line in note)]


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()
