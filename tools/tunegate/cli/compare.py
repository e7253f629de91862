"""`tunegate compare`: which cases two models passed differently, and what both said."""

from __future__ import annotations

import argparse
import io
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunegate.gate.measures import Measures
    from tunegate.gate.probes import Match
    from tunegate.report.flips import Compared, Difference, Flip

REPORTS = Path("reports")


def add_command(commands: Any) -> None:
    """Declare the command; `commands` is what argparse's add_subparsers returned."""
    parser = commands.add_parser("compare", help="show which cases two models passed differently")
    parser.add_argument("a", metavar="A", help="a run: its folder, its name under reports/runs, or accepted/<model>")
    parser.add_argument("b", metavar="B", nargs="?", help="what it is held against (default: the run A itself)")
    parser.add_argument("--model", metavar="NAME", help="the model of A (default: the only one)")
    parser.add_argument("--against", metavar="NAME",
                        help="the model of B (default: the only one, else the same as of A)")  # fmt: skip
    parser.add_argument("--eval", default="*", metavar="GLOB", help="evals to compare (default: all)")
    parser.add_argument("--metric", default="*", metavar="GLOB", help="checks to compare (default: all)")
    parser.add_argument("--subject", default="*", metavar="GLOB", help="subjects to compare (default: all)")
    parser.add_argument("--limit", type=limit_of, default=10, metavar="N",
                        help="flipped cases to show, of each way; all shows all (default: 10)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON (default: tables and text)")
    parser.set_defaults(command=compare)


def limit_of(text: str) -> int | None:
    """Return a number of cases, None for all.

    Raises:
        ValueError: it is neither.
    """
    if text == "all":
        return None
    count = int(text)
    if count < 0:
        raise ValueError(f"{text} is no number of cases")
    return count


def compare(arguments: argparse.Namespace) -> int:
    """Print what differs between two models: cases by subject, and the flipped ones with both replies."""
    from tunegate.gate.contest import find_run
    from tunegate.gate.measures import measure_run
    from tunegate.report.flips import Selected, compare_metrics, find_flips, pick_flips, read_flips

    a_folder = find_run(arguments.a, reports=REPORTS)
    b_folder = a_folder if arguments.b is None else find_run(arguments.b, reports=REPORTS)
    a = measure_run(a_folder)
    b = a if b_folder == a_folder else measure_run(b_folder)
    match = match_models(a, b, model=arguments.model, against=arguments.against)
    selected = Selected(arguments.eval, arguments.metric, arguments.subject)
    differences = compare_metrics(match, selected)
    _refuse_nothing(differences, match=match, selected=arguments)
    flips = find_flips(match, selected)
    compared = read_flips(pick_flips(flips, limit=arguments.limit), match, a_folder=a_folder, b_folder=b_folder)
    if arguments.json:
        sys.stdout.write(json.dumps(_plain(match, differences, flips, compared), indent=2) + "\n")
    else:
        _print(match, differences, flips, compared)
    return 0


def match_models(a: Measures, b: Measures, *, model: str | None, against: str | None) -> Match:
    """Return the model of A with what it is held against; neither needs a name where it is the only one.

    Raises:
        UsageError: there is no such model, or a run holds several and none was named.
    """
    from tunegate.errors import UsageError
    from tunegate.gate.probes import Match

    mine = _pick(a, model, option="--model")
    if against is None and b is not a and len(b.models) > 1 and mine in b.models:
        against = mine
    theirs = _pick(b, against, option="--against")
    if b is a and theirs == mine:
        raise UsageError(
            f"{mine} of the run {a.run} is held against itself\n"
            f"  name another run, or another model of it ({', '.join(a.models)}): --model NAME --against NAME"
        )
    return Match(a.contender(mine), b.contender(theirs))


def _pick(measures: Measures, name: str | None, *, option: str) -> str:
    from tunegate.cases.names import list_names
    from tunegate.errors import UsageError

    models = measures.models
    if name is None:
        if len(models) == 1:
            return models[0]
        there = f"it holds {len(models)}: {', '.join(models)}" if models else "it holds no records"
        raise UsageError(f"which model of the run {measures.run}? {there}\n  name one: {option} NAME")
    if name not in models:
        raise UsageError(f"the run {measures.run} has no model {name!r}\n  there are: {list_names(name, models)}")
    return name


def _refuse_nothing(differences: list[Difference], *, match: Match, selected: argparse.Namespace) -> None:
    from tunegate.errors import UsageError

    if any(one.cases for one in differences):
        return
    checks = sorted({metric for sheet in match.candidate.sheets.values() for metric in sheet.columns})
    subjects = sorted({subject for sheet in match.candidate.sheets.values() for subject in sheet.subjects})
    raise UsageError(
        f"nothing to compare of {match.candidate.model} with --eval {selected.eval!r}, --metric {selected.metric!r}, "
        f"--subject {selected.subject!r}: no case was judged on both sides with the same question\n"
        f"  it has the evals {', '.join(sorted(match.candidate.sheets)) or 'none'}\n"
        f"  the checks {', '.join(checks) or 'none'}\n"
        f"  the subjects {', '.join(subjects) or 'none'}" + "".join(f"\n  {told}" for told in match.warnings())
    )


def _print(match: Match, differences: list[Difference], flips: list[Flip], compared: list[Compared]) -> None:
    from tunegate.report.flips_text import render_differences, render_flips

    if isinstance(sys.stdout, io.TextIOWrapper):
        # What a model said must not end the command where the terminal has no such letters.
        sys.stdout.reconfigure(errors="backslashreplace")
    a, b = match.candidate, match.baseline
    lines = [f"A: {a.model}, run {a.run}"]
    if b is not None:
        lines.append(f"B: {b.model}, run {b.run}")
    lines += [f"warning: {warning}" for warning in match.warnings()]
    lines += ["", *render_differences(differences)]
    lines += render_flips(compared, flips=flips, width=max(40, shutil.get_terminal_size().columns))
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _plain(match: Match, differences: list[Difference], flips: list[Flip], compared: list[Compared]) -> dict[str, Any]:
    from dataclasses import asdict

    a, b = match.candidate, match.baseline
    return {
        "a": {"run": a.run, "model": a.model},
        "b": {"run": b.run, "model": b.model} if b is not None else None,
        "warnings": list(match.warnings()),
        "differences": [_difference(one) for one in differences],
        "flipped": len(flips),
        "flips": [
            {
                "eval": one.flip.eval,
                "case": one.flip.case,
                "subject": one.flip.subject,
                "changes": dict(one.flip.changes),
                "a": json.loads(one.a.to_json()) if one.a else None,
                "b": json.loads(one.b.to_json()) if one.b else None,
                "checks": [asdict(check) for check in one.checks],
            }
            for one in compared
        ],
    }


def _difference(one: Difference) -> dict[str, Any]:
    from dataclasses import asdict

    from tunegate.stats import NotEnoughData

    plain = asdict(one)
    if isinstance(one.estimate, NotEnoughData):
        plain["estimate"] = {"not_enough_data": one.estimate.reason}
    return plain
