"""`tunegate cost`: what runs cost, and what a right answer costs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunegate.money.run_costs import RunCost

REPORTS = Path("reports")
FIXTURES = Path("fixtures")

_EPILOG = """\
A replay costs nothing: its calls are shown with what they would cost if they were asked. When a fine-tune has paid for
itself is what `tunegate break-even` says.
"""


def add_command(commands: Any) -> None:
    """Declare the command; `commands` is what argparse's add_subparsers returned."""
    parser = commands.add_parser(
        "cost",
        help="say what runs cost, and what a right answer costs",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", metavar="RUN", nargs="+",
                        help="a run: its folder, its name under reports/runs, or accepted/<model>")  # fmt: skip
    add_price_options(parser, default="the day of each run")
    parser.add_argument("--json", action="store_true", help="print JSON (default: tables)")
    parser.set_defaults(command=cost)


def add_price_options(parser: Any, *, default: str) -> None:
    """Declare which prices are taken, and of which day; `default` says which day it is without --as-of."""
    parser.add_argument("--prices", metavar="NAME",
                        help="price book: fixtures/prices-NAME.toml, or a file (default: fixtures/prices.toml and the "
                        "providers' lists)")  # fmt: skip
    parser.add_argument("--as-of", type=day_of, metavar="DATE",
                        help="day whose prices are taken, and against which their age is told, such as 2026-11-01 "
                        f"(default: {default})")  # fmt: skip


def day_of(text: str) -> date:
    """Return a day.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a day such as 2026-11-01 is wanted, not {text}") from None


def cost(arguments: argparse.Namespace) -> int:
    """Print what each run cost, and which prices are unknown or old."""
    from tunegate.cases import PriceBook
    from tunegate.gate.contest import find_run
    from tunegate.money.run_costs import cost_run

    book = PriceBook.load_named(arguments.prices, fixtures=FIXTURES)
    costs = [
        cost_run(find_run(run, reports=REPORTS), book=book, fixtures=FIXTURES, as_of=arguments.as_of)
        for run in arguments.runs
    ]
    if arguments.json:
        from tunegate.money.run_costs import plain

        doubts = list(dict.fromkeys(doubt for one in costs for doubt in _doubts(one)))
        whole = {"runs": [plain(one) for one in costs], "warnings": doubts}
        sys.stdout.write(json.dumps(whole, indent=2) + "\n")
        return 0
    sys.stdout.writelines(f"{line}\n" for line in _render(costs))
    return 0


def _render(costs: Sequence[RunCost]) -> Iterator[str]:
    from tunegate.money.price_ages import describe_price
    from tunegate.money.words import render_run

    told: set[str] = set()
    for one in costs:
        yield from render_run(one)
        yield ""
        for model, price in one.prices.items():
            if price is not None:
                yield f"price of {model}: {describe_price(price)}"
        for doubt in _doubts(one):
            if doubt not in told:
                told.add(doubt)
                yield f"warning: {doubt}"
        if one is not costs[-1]:
            yield ""


def _doubts(one: RunCost) -> list[str]:
    from tunegate.money.price_ages import find_doubts

    doubts = find_doubts(one.prices, priced_on=one.priced_on)
    if one.status != "finished":
        doubts.insert(0, f"run {one.run} is {one.status}: only what it holds is priced, not all that was planned")
    return doubts
