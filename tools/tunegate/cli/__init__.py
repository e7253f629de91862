"""The door to the shell: `tunegate COMMAND`. Evals are run by pytest; this is for what lies around them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from tunegate import __version__
from tunegate.cli import (
    accept,
    break_even,
    cassettes,
    compare,
    cost,
    curve,
    distill,
    finetune,
    gate,
    lab,
    latency,
    merge,
    plan,
    plot,
    questions,
    table,
    verify,
)
from tunegate.errors import TunegateError

USAGE_ERROR = 4
"""As pytest has it: what was asked for does not exist or does not fit together."""


class Parser(argparse.ArgumentParser):
    """Ends with pytest's status for a wrong command line, so that one number means one thing."""

    def error(self, message: str) -> NoReturn:
        """Say what was wrong and how it is used."""
        self.print_usage(sys.stderr)
        self.exit(USAGE_ERROR, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0 done, 1 found something wrong, 4 asked wrongly, 130 Ctrl-C."""
    parsed = make_parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = parsed.command
    try:
        status = command(parsed)
        sys.stdout.flush()
    except TunegateError as error:
        sys.stderr.write(f"tunegate: {error}\n")
        return USAGE_ERROR
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of the pipe has seen enough, and Python would complain when it flushes at exit.
        sys.stdout = None
        return 0
    return status


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; each command's module declares its own."""
    description = "Look after question banks, recordings and runs; the evals themselves are run by pytest."
    parser = Parser(prog="tunegate", description=description)
    parser.add_argument("--version", action="version", version=f"tunegate {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=Parser)
    for command in (
        table,
        gate,
        accept,
        verify,
        compare,
        plan,
        cost,
        break_even,
        curve,
        latency,
        plot,
        distill,
        finetune,
        merge,
        cassettes,
        questions,
        lab,
    ):
        command.add_command(commands)
    return parser
