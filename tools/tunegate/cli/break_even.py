"""`tunegate break-even`: after how many calls a fine-tune has paid for itself."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegate.cli.cost import add_price_options

if TYPE_CHECKING:
    from tunegate.cli.break_even_materials import Case

_EPILOG = """\
What is paid once (training, examples) is paid back by what each call of the candidate costs less than one of the
baseline. Tokens come from a run, a scenario or the command line, prices from the book; what is stated goes first.

  tunegate break-even --scenario medium
  tunegate break-even --run RUN --candidate tuned --baseline prompted --training-tokens 120000 --epochs 3 \\
      --examples 1000
  tunegate break-even --candidate-prices 12,16 --baseline-prices 30,60 --candidate-tokens 500,500 \\
      --baseline-tokens 600,500 --training-tokens 50M --training-price 8 --examples 50k
"""


def add_command(commands: Any) -> None:
    """Declare the command; `commands` is what argparse's add_subparsers returned."""
    parser = commands.add_parser(
        "break-even",
        help="say after how many calls a fine-tune has paid for itself",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--scenario", metavar="NAME", help="a pattern of use with its assumptions, from fixtures/break_even.toml "
        "(default: none)")  # fmt: skip
    add("--run", metavar="RUN", help="where the tokens of both models' calls are measured (default: stated)")
    add("--eval", metavar="GLOB", help="with --run: evals whose calls are measured (default: all but those that sweep "
        "the limit of their replies)")  # fmt: skip
    add("--candidate", metavar="NAME", help="the fine-tune: a row of the run or the matrix, or a model at --base-url "
        "(default: the scenario's)")  # fmt: skip
    add("--baseline", metavar="NAME", help="the model whose calls it takes over (default: the scenario's)")
    add("--base-url", default="https://api.openai.com/v1", metavar="URL",
        help="provider of a model that stands in no matrix (default: https://api.openai.com/v1)")  # fmt: skip
    for who in ("candidate", "baseline"):
        add(f"--{who}-tokens", type=tokens_of, metavar="IN,OUT[,CACHED]",
            help="of a call on average; CACHED is part of IN (default: measured, or the scenario's)")  # fmt: skip
        add(f"--{who}-prices", type=prices_of, metavar="IN,OUT[,CACHED]",
            help="US dollars per million tokens (default: the book's)")  # fmt: skip
    add("--instruction-tokens", type=amount_of, metavar="N", help="that each call of the baseline needs beside its IN "
        "(default: the scenario's, else 0)")  # fmt: skip
    add_price_options(parser, default="today")

    once = parser.add_argument_group("paid once")
    add = once.add_argument
    add("--training-set", type=Path, metavar="FOLDER", help="what `tunegate distill` wrote: says tokens, epochs and "
        "what the teacher cost (default: none)")  # fmt: skip
    add("--training-tokens", type=amount_of, metavar="N", help="of one epoch; 50M is 50 million, 0 is that nothing is "
        "paid for it (default: what the set, the scenario or the row says; else it has to be stated)")  # fmt: skip
    add("--epochs", type=rate_of, metavar="N", help="(default: the training set's, the scenario's or the row's, "
        "else 1)")  # fmt: skip
    add("--training-price", type=amount_of, metavar="USD", help="per million tokens (default: the book's)")
    add("--examples", type=amount_of, metavar="N", help="that the teacher, or with --examples-per-hour people, write "
        "(default: the training set's; with a scenario, as many as a call of the candidate goes into the training "
        "tokens; else none, which is said)")  # fmt: skip
    add("--teacher-tokens", type=tokens_of, metavar="IN,OUT[,CACHED]",
        help="of the call that writes an example (default: as a call of the baseline)")  # fmt: skip
    add("--teacher-prices", type=prices_of, metavar="IN,OUT[,CACHED]", help="(default: as the baseline)")
    add("--hours", type=amount_of, metavar="N", help="of people's work on the examples (default: 0)")
    add("--examples-per-hour", type=rate_of, metavar="N", help="people write all examples, so many an hour "
        "(default: the teacher does)")  # fmt: skip
    add("--usd-per-hour", type=amount_of, metavar="USD", help="what an hour costs; needed with either of the two "
        "before, and with them alone")  # fmt: skip
    add("--other", type=amount_of, default=0.0, metavar="USD", help="whatever else is paid once (default: 0)")

    parser.add_argument("--json", action="store_true", help="print JSON (default: tables)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="draw both costs against calls, as .svg, "
                        ".png or .pdf (default: no chart)")  # fmt: skip
    parser.set_defaults(command=break_even)


def amount_of(text: str) -> float:
    """Return an amount of 0 or more; a K or M at its end is a thousand or a million.

    Raises:
        ArgumentTypeError: it is none.
    """
    scale = {"k": 1e3, "m": 1e6}.get(text[-1:].lower(), 1.0)
    try:
        amount = float(text[:-1] if scale > 1 else text) * scale
    except ValueError:
        amount = math.nan
    if not 0 <= amount < math.inf:
        raise argparse.ArgumentTypeError(f"a number from 0 on is wanted, such as 1200 or 50M, not {text}")
    return amount


def rate_of(text: str) -> float:
    """Return an amount above 0.

    Raises:
        ArgumentTypeError: it is none.
    """
    amount = amount_of(text)
    if not amount:
        raise argparse.ArgumentTypeError(f"a number above 0 is wanted, not {text}")
    return amount


def prices_of(text: str) -> tuple[float, float, float | None]:
    """Return prices of input, output and perhaps cached input.

    Raises:
        ArgumentTypeError: there are not two or three of them.
    """
    return _amounts_of(text, "IN,OUT[,CACHED], such as 2,8 or 2,8,0.5")


def tokens_of(text: str) -> tuple[float, float, float | None]:
    """Return tokens in, out and perhaps those of the prompt that are cached.

    Raises:
        ArgumentTypeError: there are not two or three of them, or more is cached than there is.
    """
    tokens = _amounts_of(text, "IN,OUT[,CACHED], such as 600,50 or 600,50,400")
    if (tokens[2] or 0) > tokens[0]:
        raise argparse.ArgumentTypeError(f"CACHED is a part of IN and cannot be more, but was in {text}")
    return tokens


def _amounts_of(text: str, wanted: str) -> tuple[float, float, float | None]:
    amounts = [amount_of(part) for part in text.split(",")]
    if not 2 <= len(amounts) <= 3:
        raise argparse.ArgumentTypeError(f"{wanted} is wanted, not {text}")
    return amounts[0], amounts[1], amounts[2] if len(amounts) == 3 else None


def break_even(arguments: argparse.Namespace) -> int:
    """Print after how many calls the candidate has paid for itself, what that rests on, and what it depends on most."""
    from tunegate.cli.break_even_materials import gather_case

    case = gather_case(arguments)
    if arguments.output is not None:
        from tunegate.money.chart import draw_costs

        draw_costs(arguments.output, case.replacement, candidate=case.candidate, baseline=case.baseline)
    if arguments.json:
        sys.stdout.write(json.dumps(_plain(case), indent=2) + "\n")
        return 0
    sys.stdout.writelines(f"{line}\n" for line in _render(case))
    if arguments.output is not None:
        sys.stdout.write(f"drawn in {arguments.output}\n")
    return 0


def _render(case: Case) -> Iterator[str]:
    from tunegate.cost import find_swings
    from tunegate.money.words import render_break_even, render_swings

    yield from render_break_even(case.replacement, candidate=case.candidate, baseline=case.baseline)
    yield ""
    yield from render_swings(find_swings(case.replacement))
    yield ""
    yield from case.origins
    yield from (f"warning: {warning}" for warning in case.warnings)


def _plain(case: Case) -> dict[str, Any]:
    from dataclasses import asdict

    from tunegate.cost import FACTORS, find_swings

    replacement = case.replacement
    calls = replacement.calls
    return {
        "candidate": {"model": case.candidate, **asdict(replacement.candidate),
                      "usd_per_call": replacement.candidate.usd_per_call},
        "baseline": {"model": case.baseline, **asdict(replacement.baseline),
                     "usd_per_call": replacement.baseline.usd_per_call},
        "outlay": {**asdict(replacement.outlay), "examples": replacement.examples, "hours": replacement.hours},
        "training_usd": replacement.outlay.training_usd,
        "labelling_usd": replacement.labelling_usd,
        "outlay_usd": replacement.outlay_usd,
        "saved_usd_per_call": replacement.saved_usd_per_call,
        "is_ever_reached": calls is not None,
        "break_even_calls": calls,
        "sensitivity": {
            "factors": list(FACTORS),
            "assumptions": [
                {"assumption": swing.assumption, "value": swing.value, "break_even_calls": list(swing.calls)}
                for swing in find_swings(replacement)
            ],
        },
        "origins": list(case.origins),
        "warnings": list(case.warnings),
    }  # fmt: skip
