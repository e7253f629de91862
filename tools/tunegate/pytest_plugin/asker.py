"""Which plugin of ours asks endpoints in this process, if any may be asked."""

from __future__ import annotations

import pytest

from tunegate.pytest_plugin.harness import Harness


def register_asker(config: pytest.Config, harness: Harness) -> None:
    """Register it; a replay gets none, and imports none."""
    if harness.options.dry_run:
        from tunegate.pytest_plugin.ahead import DryRun

        config.pluginmanager.register(DryRun(harness))
    elif harness.records and harness.options.via == "batch":
        from tunegate.pytest_plugin.via_batch import ViaBatch

        config.pluginmanager.register(ViaBatch(harness))
    elif harness.records and not config.pluginmanager.hasplugin("dsession"):
        from tunegate.pytest_plugin.ahead import WorkAhead

        config.pluginmanager.register(WorkAhead(harness))
