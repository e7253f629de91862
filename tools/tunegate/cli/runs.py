"""Runs as commands name them."""

from __future__ import annotations

from pathlib import Path

REPORTS = Path("reports")


def find_run(run: Path) -> Path:
    """Return the folder of a run that is given by its path, its name, or as `accepted/<model>`.

    Raises:
        UsageError: there is none.
    """
    # Imported late: `--help` does not wait for it.
    from tunegate.gate import contest

    return contest.find_run(str(run), reports=REPORTS)
