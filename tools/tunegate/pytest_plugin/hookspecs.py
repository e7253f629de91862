"""Hooks of tunegate's own, for conftest files and plugins."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tunegate.records import Cell
from tunegate.session import Watch


@pytest.hookspec(firstresult=True)
def pytest_tunegate_watch(config: pytest.Config, cells: Sequence[Cell]) -> Watch | None:
    """Return the rule by which `--until-decided` stops asking; None leaves it to the next plugin.

    Called once in a run, in the process that sees every report, before anything is asked. `cells` is the whole plan
    in the order in which it will be asked. A TunegateError is shown, and nothing is run.
    """
