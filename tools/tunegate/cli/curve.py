"""`tunegate curve`: how much data a fine-tune needs, and what more of it would buy."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegate.cli.plan import count_of, part_of_one
from tunegate.cli.runs import find_run

if TYPE_CHECKING:
    from tunegate.cases import PriceBook
    from tunegate.cost import Price
    from tunegate.curve import Row

REPORTS = Path("reports")
FIXTURES = Path("fixtures")
TOO_FEW = 1
"""No curve could be fitted to what the runs hold, for there is too little of it or it follows none."""
_COUNTER = "answers"
_NO_COUNTER = "none"


def add_command(commands: Any) -> None:
    """Declare the command; `commands` is what argparse's add_subparsers returned."""
    parser = commands.add_parser("curve", help="say how much data a fine-tune needs")
    parser.add_argument("runs", metavar="RUN", nargs="*", type=Path,
                        help="runs to take together: folders, or names under reports/runs (default: the newest "
                        "finished one of the eval with two trainings of one base by one recipe)")  # fmt: skip
    parser.add_argument("--eval", default="format", metavar="NAME", help="the eval (default: format)")
    parser.add_argument("--metric", default="schema", metavar="CHECK",
                        help="what the training is for (default: schema)")  # fmt: skip
    parser.add_argument("--counter", metavar="CHECK",
                        help=f"what it may cost; {_NO_COUNTER} asks for nothing (default: {_COUNTER}, where the eval "
                        "has it)")  # fmt: skip
    parser.add_argument("--base", metavar="NAME", help="fine-tunes of this base only (default: a curve for each)")
    parser.add_argument("--target", type=part_of_one, default=0.95, metavar="SHARE",
                        help="share of the metric that is to be reached (default: 0.95)")  # fmt: skip
    parser.add_argument("--next", type=count_of, default=500, metavar="N",
                        help="examples beyond the largest training, to say what they buy (default: 500)")  # fmt: skip
    parser.add_argument("--level", type=part_of_one, default=0.95, metavar="SHARE",
                        help="of all intervals (default: 0.95)")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the resampling (default: 0)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE",
                        help="draw it: .svg, .png or .pdf (default: no picture)")  # fmt: skip
    parser.add_argument("--json", nargs="?", const="-", metavar="FILE",
                        help="print JSON instead of the text, or write it to FILE, a .json, beside the text "
                        "(default: text)")  # fmt: skip
    parser.set_defaults(command=curve)


def curve(arguments: argparse.Namespace) -> int:
    """Print tables and answers, and draw them; status 1 where there is no curve of the metric."""
    from tunegate.cost import dollars
    from tunegate.curve import Inquiry, newest_run, plain_of, render_survey, survey_runs

    _refuse_file_names(arguments)
    counter = _COUNTER if arguments.counter is None else arguments.counter
    survey = survey_runs(
        [find_run(run) for run in arguments.runs] or [newest_run(REPORTS / "runs", eval_name=arguments.eval)],
        Inquiry(
            eval=arguments.eval,
            metric=arguments.metric,
            counter=None if counter == _NO_COUNTER else counter,
            target=arguments.target,
            further=arguments.next,
            level=arguments.level,
            seed=arguments.seed,
        ),
        base=arguments.base,
        wants_counter=arguments.counter is not None,
        price_of=TrainingPrices(FIXTURES),
    )
    if arguments.output is not None and survey.answered:
        from tunegate.curve.plot import draw_survey

        _write(arguments.output, draw_survey(survey, suffix=arguments.output.suffix))
    elif arguments.output is not None:
        sys.stderr.write(f"{arguments.output} is not written: no two trainings of one base by one recipe are there\n")
    text = json.dumps(plain_of(survey), indent=2, allow_nan=False) + "\n" if arguments.json else ""
    if text and arguments.json != "-":
        _write(Path(arguments.json), text.encode())
    if arguments.json == "-":
        sys.stdout.write(text)
    else:
        sys.stdout.writelines(f"{line}\n" for line in render_survey(survey, tell_usd=dollars))
    return 0 if survey.is_fitted else TOO_FEW


class TrainingPrices:
    """What training costs, by `fixtures/prices.toml`."""

    def __init__(self, fixtures: Path) -> None:
        self._fixtures = fixtures
        self._book: PriceBook | None = None

    def __call__(self, row: Row) -> Price | None:
        """Return the price of a training that makes such a row, by its own name or that of its base."""
        from tunegate.cases import Endpoint, Model, PriceBook

        if self._book is None:
            self._book = PriceBook.load(self._fixtures / "prices.toml")
        endpoint = Endpoint(name=self._endpoint_at(row.base_url), base_url=row.base_url)
        return self._book.training_price_of(Model(row.name, endpoint, base=row.base, asks_for=row.model))

    def _endpoint_at(self, base_url: str) -> str:
        """Return what the matrix of today calls an address, for rows of the price book that are for one endpoint."""
        from tunegate.cases import Matrix

        path = self._fixtures / "models.toml"
        endpoints = Matrix.load(path).endpoints if path.exists() else ()
        return next((endpoint.name for endpoint in endpoints if endpoint.base_url == base_url), "")


def _refuse_file_names(arguments: argparse.Namespace) -> None:
    """Look at the names before anything is computed.

    Raises:
        UsageError: a file's name does not say what is to be written.
    """
    from tunegate.errors import UsageError

    output: Path | None = arguments.output
    if output is not None:
        from tunegate.curve.plot import SUFFIXES, require_matplotlib

        if output.suffix not in SUFFIXES:
            raise UsageError(f"{output} is no picture: a name that ends with {', '.join(SUFFIXES)} is wanted")
        require_matplotlib()
    # Else `--json RUN` would read another run, and overwrite something.
    if arguments.json not in (None, "-") and Path(arguments.json).suffix != ".json":
        raise UsageError(
            f"--json {arguments.json}: a file whose name ends with .json is wanted, or nothing\n"
            f"  for a run write: tunegate curve {arguments.json} --json"
        )


def _write(path: Path, content: bytes) -> None:
    from tunegate.errors import UsageError

    try:
        path.write_bytes(content)
    except OSError as problem:
        raise UsageError(f"{path} cannot be written: {problem.strerror}") from problem
