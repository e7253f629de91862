"""`--shard K/N`: which of the collected items are this part's, and what the whole was."""

from __future__ import annotations

from typing import Any

import pytest

from tunegate.pytest_plugin.harness import HARNESS
from tunegate.pytest_plugin.outcome import planned_of
from tunegate.session import Shard, plan_digest


def keep_shard(config: pytest.Config, items: list[pytest.Item], shard: Shard) -> dict[str, Any]:
    """Deselect the items of other parts; return what the run's header says of this one.

    An item that is no cell runs in the first part.
    """
    mine: list[pytest.Item] = []
    others: list[pytest.Item] = []
    cells = []
    for item in items:
        planned = planned_of(item)
        if planned is not None:
            cells.append(planned.cell)
        is_mine = shard.number == 1 if planned is None else shard.holds(planned.cell.eval, planned.cell.case)
        (mine if is_mine else others).append(item)
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = mine
    return {"number": shard.number, "of": shard.of, "plan": plan_digest(cells), "planned": len(cells)}


def tell_controller(config: pytest.Config) -> None:
    """Have xdist carry what the part is to the controller, even where no item of it says so."""
    output: dict[str, Any] | None = getattr(config, "workeroutput", None)
    if output is not None:
        output["tunegate_shard"] = config.stash[HARNESS].shard
