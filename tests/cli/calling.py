"""A command of `tunegate`, called in this process."""

from __future__ import annotations

import pytest

from tunegate.cli import main

from ..project import Result


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> Result:
    """Return the status of a command and all that it wrote."""
    try:
        status = main(arguments)
    except SystemExit as ended:  # of argparse
        status = int(ended.code or 0)
    captured = capsys.readouterr()
    return Result(status, captured.out + captured.err)
