"""Evals that make sense for some rows only: a replay leaves out the rows of which nothing is recorded, and says so."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

from tunegate.cases import Eval, Model, eval_of
from tunegate.errors import TunegateError

if TYPE_CHECKING:
    from tunegate.pytest_plugin.harness import Harness

SHOWN = 4
"""Rows that are named; where more are left out, they are counted, and the command records all that are missing."""
_LEFT_OUT = "tunegate_left_out"


class LeftOut:
    """Which rows an eval asks in this process, and which it does not."""

    def __init__(self, config: pytest.Config, harness: Harness) -> None:
        self.told: dict[str, str] = {}
        """By eval, what people should know: which rows are left out, and what records them."""
        self._harness = harness
        self._root, self._folder = config.rootpath, config.invocation_params.dir
        self._named: Sequence[str] = config.args

    def rows_of(self, eval_: Eval, *, test: str) -> list[Model]:
        """Return the models that `eval_` asks, whose test has the node id `test`.

        Nothing is left out where both its file and models were named on the command line, or the file was and nothing
        at all is recorded: then that is what is wanted, there or not.

        Raises:
            TunegateError: the command line names no models that there are.
        """
        harness = self._harness
        models = harness.models
        if not eval_.partial or harness.may_go_without or (harness.options.models and self._names(test)):
            return models
        recorded = [model for model in models if harness.has_recordings(eval_, model)]
        absent = [model.name for model in models if model not in recorded]
        if absent and (recorded or not self._names(test)):
            self.told[eval_.name] = (
                f"{eval_.name}: nothing is recorded of {_list(absent)}; left out\n"
                f"  to record: {recording_of(absent if len(absent) <= SHOWN else (), test=test)}"
            )
            return recorded
        return models

    def tell_controller(self, config: pytest.Config) -> None:
        """Have xdist carry to the controller what was left out: it collects nothing itself."""
        output: dict[str, Any] | None = getattr(config, "workeroutput", None)
        if output is not None:
            output[_LEFT_OUT] = self.told

    def hear(self, output: dict[str, Any]) -> None:
        """Take what a worker left out; every worker says the same."""
        self.told |= output.get(_LEFT_OUT, {})

    def _names(self, test: str) -> bool:
        """Say whether the command line names the file of a test."""
        file = (self._root / test.partition("::")[0]).resolve()
        return any((self._folder / word.partition("::")[0]).resolve() == file for word in self._named)


def has_no_rows(collector: pytest.Collector, name: str, test: object, harness: Harness) -> bool:
    """Say whether a test is an eval that asks nobody in this run: pytest would show an item for it, skipped."""
    eval_ = eval_of(test)
    if eval_ is None or not eval_.partial:
        return False
    try:
        return not harness.left_out.rows_of(eval_, test=f"{collector.nodeid}::{name}")
    except TunegateError:
        return False  # told where the eval is planned


def recording_of(models: Sequence[str], *, test: str) -> str:
    """Return the command that records `models` in the eval whose test has the node id `test`; none means all rows."""
    names = [word for model in models for word in ("--model", model)]
    return shlex.join(["pytest", test.partition("::")[0], "--record=missing", *names])


def _list(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:SHOWN])} and {more} more rows"
