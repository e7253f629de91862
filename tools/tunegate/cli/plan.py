"""`tunegate plan`: how many cases, calls and dollars a difference needs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunegate.gate.planning import Basis, Demand, Spending

REPORTS = Path("reports")
FIXTURES = Path("fixtures")
USUAL = (0.01, 0.02, 0.03, 0.05, 0.1)
"""Differences that are planned for where none is named."""

_EPILOG = """\
The difference is that between truth and threshold. For a rule `not_worse_by = 0.02` and a candidate that is as good
as the baseline it is 0.02; for `better_by = 0` it is how much better the candidate is.
"""


def add_command(commands: Any) -> None:
    """Declare the command; `commands` is what argparse's add_subparsers returned."""
    parser = commands.add_parser(
        "plan",
        help="say how many cases a difference needs",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    wanted = parser.add_mutually_exclusive_group()
    wanted.add_argument("--difference", type=part_of_one, metavar="SHARE",
                        help="to be shown; 0.02 is 2 points (default: a table from 1 to 10 points)")  # fmt: skip
    wanted.add_argument("--cases", type=count_of, metavar="N",
                        help="say the smallest difference that N cases show (default: the other way)")  # fmt: skip
    parser.add_argument("--run", metavar="RUN",
                        help="where the models' differences and tokens are measured: a folder, a name under "
                        "reports/runs, or accepted/<model> (default: stated below)")  # fmt: skip
    parser.add_argument("--baseline", metavar="WHERE",
                        help="run of the baseline, or accepted/<model> (default: the same run)")  # fmt: skip
    parser.add_argument("--model", metavar="NAME", help="the candidate's row (default: the only one)")
    parser.add_argument("--against", metavar="NAME", help="the baseline's row (default: the only one)")
    parser.add_argument("--eval", default="*", metavar="GLOB", help="evals to plan for (default: all)")
    parser.add_argument("--metric", default="*", metavar="GLOB", help="checks to plan for (default: all that count)")
    parser.add_argument("--share", type=part_of_one, metavar="SHARE", help="stated: how much both models pass")
    parser.add_argument("--flips", type=part_of_one, metavar="SHARE",
                        help="stated: the share of cases that one passes and the other does not (default: as many as "
                        "two models have that agree no more than chance would have it)")  # fmt: skip
    parser.add_argument("--repeat", type=count_of, metavar="N",
                        help="stated: calls for each case and model (default: 1)")  # fmt: skip
    parser.add_argument("--power", type=power_of, default=0.8, metavar="SHARE",
                        help="chance that the difference is shown if it is there (default: 0.8)")  # fmt: skip
    parser.add_argument("--level", type=part_of_one, default=0.95, metavar="SHARE",
                        help="of the policy's intervals (default: 0.95)")  # fmt: skip
    parser.add_argument("--tests", type=count_of, default=1, metavar="N",
                        help="rules x candidates that share the chance of an error (default: 1)")  # fmt: skip
    parser.set_defaults(command=plan)


def part_of_one(text: str) -> float:
    """Return a share.

    Raises:
        ValueError: it does not lie between 0 and 1.
    """
    share = float(text)
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"a share between 0 and 1 is wanted, such as 0.02 for 2 points, not {text}")
    return share


def power_of(text: str) -> float:
    """Return a share that is at least a half.

    Raises:
        ValueError: it is no such share.
    """
    share = part_of_one(text)
    if share < 0.5:
        raise argparse.ArgumentTypeError(f"a chance from 0.5 to 1 is wanted, such as 0.8, not {text}")
    return share


def count_of(text: str) -> int:
    """Return a number of things.

    Raises:
        ValueError: it is no whole number above 0.
    """
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"a number from 1 on is wanted, not {text}")
    return count


def plan(arguments: argparse.Namespace) -> int:
    """Print what it takes, a metric and difference a line."""
    from tunegate.gate.planning import Demand

    demand = Demand(arguments.level, arguments.power, arguments.tests)
    bases = _measured(arguments) if arguments.run else _stated(arguments)
    lines = [_render_demand(demand), ""]
    lines += _render_table(bases, arguments, demand=demand)
    if any(basis.variance.is_bound for basis in bases):
        lines.append(f"at most: {_why_bound(bases)}")
    lines += ["", *_render_spending(bases)]
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0


def _measured(arguments: argparse.Namespace) -> list[Basis]:
    from tunegate.cli.compare import match_models
    from tunegate.errors import UsageError
    from tunegate.gate.contest import find_run
    from tunegate.gate.measures import measure_run
    from tunegate.gate.planning import measure_bases
    from tunegate.gate.run_prices import prices_of

    stated = [name for name in ("share", "flips", "repeat") if getattr(arguments, name) is not None]
    if stated:
        raise UsageError(f"--{' and --'.join(stated)} cannot be stated with --run, which measures it: leave one out")
    folder = find_run(arguments.run, reports=REPORTS)
    own = measure_run(folder)
    other = own if arguments.baseline is None else measure_run(find_run(arguments.baseline, reports=REPORTS))
    match = match_models(own, other, model=arguments.model, against=arguments.against)
    prices = prices_of(own, [match.candidate.model], fixtures=FIXTURES)
    if match.baseline is not None:
        prices |= prices_of(other, [match.baseline.model], fixtures=FIXTURES)
    bases = measure_bases(
        match, prices=prices, eval_glob=arguments.eval, metric_glob=arguments.metric, level=arguments.level
    )
    if bases:
        return bases
    there = sorted({f"{name} {metric}" for name, sheet in match.candidate.sheets.items() for metric in sheet.columns})
    raise UsageError(
        f"no check of both models is like --eval {arguments.eval!r} --metric {arguments.metric!r}\n"
        f"  there are: {', '.join(there) or 'none'}"
    )


def _stated(arguments: argparse.Namespace) -> list[Basis]:
    from tunegate.errors import UsageError
    from tunegate.gate.planning import state_basis

    named = [name for name in ("baseline", "model", "against") if getattr(arguments, name) is not None]
    named += [name for name in ("eval", "metric") if getattr(arguments, name) != "*"]
    if named:
        raise UsageError(f"--{' and --'.join(named)} says what of a run to look at: name the run, --run RUN")
    return [state_basis(share=arguments.share, flips=arguments.flips, repeats=arguments.repeat or 1)]


def _render_demand(demand: Demand) -> str:
    tests = (
        "" if demand.tests == 1 else f", {demand.tests} tests sharing the error (each at {_percent(demand.test_level)})"
    )
    return f"shown with a chance of {_percent(demand.power)} at level {_percent(demand.level)}{tests}"


def _render_table(bases: Sequence[Basis], arguments: argparse.Namespace, *, demand: Demand) -> list[str]:
    from tunegate.gate.planning import plan_cases, plan_difference

    rows = [("eval", "metric", "cases that changed", "difference", "cases", "calls", "cost")]
    for basis in bases:
        name: tuple[str, str, str] = (basis.eval or "-", basis.metric, _changed(basis))
        if arguments.cases is not None:
            difference = plan_difference(basis, arguments.cases, demand=demand)
            rows.append((*name, _at_most(_points(difference), basis), *_amounts(basis, arguments.cases)))
            continue
        for difference in (arguments.difference,) if arguments.difference is not None else USUAL:
            cases = plan_cases(basis, difference, demand=demand)
            shown, calls, cost = _amounts(basis, cases)
            rows.append((*name, _points(difference), _at_most(shown, basis), calls, cost))
            name = ("", "", "")
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            f"{text:{width}}" if column < 3 else f"{text:>{width}}"
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _render_spending(bases: Sequence[Basis]) -> list[str]:
    lines: list[str] = []
    for eval_name in dict.fromkeys(basis.eval for basis in bases):
        spending = next(basis.spending for basis in bases if basis.eval == eval_name)
        prefix = f"a case of {eval_name}" if eval_name else "a case"
        lines += [f"{prefix}, {one.model}: {_spend(one)}" for one in spending]
    if any(one.cost_usd is None for basis in bases for one in basis.spending):
        lines.append("unknown is not free: --run measures tokens, and fixtures/prices.toml can say a price")
    return lines


def _spend(one: Spending) -> str:
    from tunegate.cost import dollars

    tokens = "unknown tokens"
    if one.prompt_tokens is not None and one.completion_tokens is not None:
        tokens = f"{one.prompt_tokens:,.0f} tokens in and {one.completion_tokens:,.0f} out a call"
    cost = "unknown cost" if one.cost_usd is None else dollars(one.cost_usd)
    return f"{one.calls} {'call' if one.calls == 1 else 'calls'}, {tokens}, {cost}"


def _amounts(basis: Basis, cases: int) -> tuple[str, str, str]:
    from tunegate.cost import dollars

    each = basis.usd_per_case
    return f"{cases:,}", f"{cases * basis.calls_per_case:,}", "unknown" if each is None else dollars(cases * each)


def _changed(basis: Basis) -> str:
    if basis.flips is None:
        return f"{'at most ' if basis.variance.is_bound else ''}{_percent(basis.variance.value)}"
    return f"{basis.flips.gained} + {basis.flips.lost} of {basis.cases:,}"


def _why_bound(bases: Sequence[Basis]) -> str:
    if any(basis.flips is None for basis in bases):
        return "the models are taken to agree no more than chance would have it; state --flips, or name a --run"
    return "no two cases differ in how they changed, and more may; state --flips, or name a run with more cases"


def _at_most(text: str, basis: Basis) -> str:
    return f"at most {text}" if basis.variance.is_bound else text


def _points(share: float) -> str:
    return f"{100 * share:.3g} points"


def _percent(share: float) -> str:
    return f"{100 * share:.5g} %"
