"""What the rest of a process does without being of use to a run, and how to spare it that."""

from __future__ import annotations

import atexit
import gc

import pytest


def leave_quickly() -> None:
    """Let the system take the memory back when the process ends: Python would first look through all of it for cycles.

    With the openai package loaded that takes 0.4 s, of each worker too. A process that lives on is not touched.
    """
    atexit.register(gc.freeze)


def spare_hypothesis(config: pytest.Config) -> None:
    """Keep hypothesis' plugin from importing all of hypothesis for the summary of a run of evals: half a second.

    For the caller to decide that no other test ran.
    """
    config.pluginmanager.unregister(name="hypothesispytest")
