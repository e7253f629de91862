"""`tunegate finetune`: jobs for sizes x training seeds, watched until they are over, and their rows in the matrix."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tunegate.cli.numbers import dollars, natural, positive

FROM_SET = 0
"""Epochs where nobody said: what the training set's manifest says."""
_EPILOG = """\
SET is a folder that `tunegate distill` wrote, or a chat JSONL file. Each size is trained with each seed. A job is
created once: whatever ends this command, the same one goes on where it ended, and finds jobs that it does not know of
at the endpoint. Ctrl-C leaves jobs running there; --cancel ends them.
"""


def add_command(commands: Any) -> None:
    """Declare the command; `commands` is what argparse's add_subparsers returned."""
    parser = commands.add_parser(
        "finetune",
        help="create and watch fine-tuning jobs, and list what they made in the matrix",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("set", metavar="SET", type=Path, help="folder of a training set, or a file of examples")
    add("--model", required=True, metavar="NAME", help="row of the matrix that training begins with")
    add("--sizes", type=_sizes, default=None, metavar="N,N,...", help="of the set's files (default: all of them)")
    add("--seeds", type=_seeds, default=(1,), metavar="N,N,...", help="training seeds: replicates (default: 1)")
    add("--own-seeds", action="store_true",
        help="number the replicates of each size by --seeds and send a seed that no other size has: 100002 for the "
        "second of 100 examples (default: all sizes get the same seeds)")  # fmt: skip
    add("--validation", type=Path, metavar="FILE", help="validation examples (default: the set's own, if any)")
    add("--no-validation", action="store_true", help="train without (default: with the set's own)")

    recipe = parser.add_argument_group("the recipe; `auto` leaves it to the endpoint")
    add = recipe.add_argument
    add("--epochs", type=_count, default=FROM_SET, metavar="N|auto",
        help="default: those that the set was priced for, auto for a file")  # fmt: skip
    add("--batch-size", type=_count, default=None, metavar="N|auto", help="default: auto")
    add("--learning-rate", type=_rate, default=None, metavar="X|auto",
        help="multiplier of the endpoint's own (default: auto)")  # fmt: skip
    add("--suffix", metavar="TEXT", help="stands before size and seed in the models' names (default: nothing)")

    doing = parser.add_argument_group("what is done")
    add = doing.add_argument
    add("--dry-run", action="store_true", help="say what would be trained and what that may cost, and stop")
    add("--max-cost", type=dollars, metavar="USD", help="create nothing that can cost more than this (default: no cap)")
    add("--again", action="store_true", help="create jobs anew that failed or were cancelled (default: leave them)")
    add("--cancel", action="store_true", help="cancel those of these jobs that are not over, and stop")
    add("--no-rows", action="store_true", help="leave the matrix alone (default: add a row for each new model)")
    add("-o", "--output", type=Path, metavar="FOLDER",
        help="what is kept of the jobs (default: reports/finetunes/SET-MODEL)")  # fmt: skip
    parser.set_defaults(command=finetune)


def finetune(arguments: argparse.Namespace) -> int:
    """Train; status 1 where a job failed or a training did not converge."""
    from tunegate.cli.finetuning import Finetuning

    work = Finetuning(arguments, say=_say)
    work.announce()
    if arguments.dry_run:
        return 0
    if arguments.cancel:
        return work.cancel()
    return work.train()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _sizes(text: str) -> tuple[int, ...] | None:
    return None if text.strip() == "all" else tuple(sorted({positive(word) for word in text.split(",")}))


def _seeds(text: str) -> Sequence[int]:
    found: list[int] = []
    for word in text.split(","):
        first, dash, last = word.partition("-")
        found += range(natural(first), natural(last) + 1) if dash else [natural(word)]
    return tuple(dict.fromkeys(found))


def _count(text: str) -> int | None:
    return None if text == "auto" else positive(text)


def _rate(text: str) -> float | None:
    if text == "auto":
        return None
    rate = float(text)
    if not 0 < rate < float("inf"):
        raise argparse.ArgumentTypeError(f"a number above 0 is wanted, not {text}")
    return rate
