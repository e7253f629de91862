"""`tunegate accept`: a promoted run becomes what later candidates are held against."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunegate.cases import Matrix, Role
    from tunegate.gate.keeping.acceptance import Acceptance

REPORTS = Path("reports")
FIXTURES = Path("fixtures")
MATRIX = FIXTURES / "models.toml"
_KNOWN = ("model", "base", "examples", "training_seed", "shots")
"""Fields of a row that a run keeps, and that are plain values."""


def add_command(commands: Any) -> None:
    """Declare the command; `commands` is what argparse's add_subparsers returned."""
    parser = commands.add_parser("accept", help="keep a promoted run as the baseline of later ones")
    parser.add_argument(
        "run", metavar="RUN", help="a run that `tunegate gate` has judged: its folder, or its name under reports/runs"
    )
    parser.add_argument("--model", metavar="NAME", help="the candidate (default: the only one of the verdict)")
    parser.add_argument(
        "--because", metavar="TEXT", help="accept whatever the verdict is, and keep why (default: only PROMOTE)"
    )
    parser.add_argument(
        "--baseline", type=Path, metavar="FOLDER", help="the baseline's run (default: looked for under reports)"
    )
    parser.add_argument(
        "--keep-baseline",
        action="store_true",
        help="leave the role of the row that was the baseline (default: it is retired)",
    )
    parser.set_defaults(command=accept)


def accept(arguments: argparse.Namespace) -> int:
    """Keep the run, mark the matrix, and say what was done."""
    from tunegate.cases import Matrix
    from tunegate.gate.contest import find_run
    from tunegate.gate.keeping.acceptance import accept_run

    # Looked at first: a matrix that cannot be read must not be found when the run is kept already.
    matrix = Matrix.load(MATRIX) if MATRIX.exists() else None
    accepted = accept_run(
        find_run(arguments.run, reports=REPORTS),
        reports=REPORTS,
        fixtures=FIXTURES,
        at=datetime.now(UTC),
        model=arguments.model,
        because=arguments.because,
        baseline=arguments.baseline,
    )
    _say(f"accepted {accepted.model}: {accepted.decision.word} on the run {accepted.run}, kept in {accepted.folder}")
    if accepted.decision.word != "PROMOTE":
        _say(f"overridden: the verdict is {accepted.decision.word}, accepted because: {accepted.because}")
    if accepted.replaced is not None:
        _say(f"replaced: the run {accepted.replaced.run}, accepted at {accepted.replaced.at or 'an unknown time'}")
    _mark(accepted, matrix, keep_baseline=arguments.keep_baseline)
    return 0


def _mark(accepted: Acceptance, matrix: Matrix | None, *, keep_baseline: bool) -> None:
    from tunegate.cases.marking import mark_roles

    known = {model.name: model.role for model in matrix.models} if matrix is not None else {}
    roles: dict[str, Role] = {}
    if accepted.model in known:
        roles[accepted.model] = "baseline"
    former = accepted.decision.baseline
    if former not in (None, accepted.model) and known.get(former or "") == "baseline" and not keep_baseline:
        roles[former or ""] = "retired"
    changed = {name: role for name, role in roles.items() if known[name] != role}
    if changed:
        mark_roles(MATRIX, changed)
        _say(f"marked in {MATRIX}: " + ", ".join(f"{name} is {role} now" for name, role in changed.items()))
    if accepted.model not in known:
        _say(f"{accepted.model} stands in no matrix: to ask it in later runs, add to {MATRIX}", *_row(accepted, matrix))


def _row(accepted: Acceptance, matrix: Matrix | None) -> list[str]:
    """Return the row that the matrix lacks, as far as the run knows it."""
    from tunegate.runs import read_run

    rows: Mapping[str, Mapping[str, Any]] = {row["name"]: row for row in read_run(accepted.folder).get("matrix") or ()}
    row = rows.get(accepted.model, {})
    address = row.get("base_url", "https://.../v1")
    endpoints = {endpoint.base_url: endpoint.name for endpoint in (matrix.endpoints if matrix is not None else ())}
    lines = [f"  [models.{json.dumps(accepted.model)}]"]
    if address in endpoints:
        lines.append(f"  endpoint = {json.dumps(endpoints[address])}")
    else:
        lines.append(f'  endpoint = "..."    # an endpoint with base_url = {json.dumps(address)}')
    lines.append('  role = "baseline"')
    lines += [f"  {key} = {json.dumps(row[key])}" for key in _KNOWN if row.get(key) is not None]
    return lines


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
