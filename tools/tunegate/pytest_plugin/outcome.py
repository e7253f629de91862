"""What an item's report says of its cell: announced before it is asked, its record after."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from tunegate.errors import RecordingMissing, TunegateError
from tunegate.pytest_plugin.harness import HARNESS
from tunegate.pytest_plugin.options import recording_command
from tunegate.records import SCORED, Record
from tunegate.session import Attempt, Missed, Planned

ATTEMPT = pytest.StashKey[Attempt]()


def planned_of(item: pytest.Item) -> Planned | None:
    """Return the cell of `item`, or None for a test that is no eval."""
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("tunegate_planned") if callspec else None


def annotate(report: pytest.TestReport, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Attach to `report` what the run's writer needs, in plain types: it may have to cross to another process."""
    planned = planned_of(item)
    if planned is None:
        return
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, TunegateError):
        report.longrepr = _explain(error, item, planned)
    if report.when == "setup":
        report.tunegate_cell = asdict(planned.cell)  # type: ignore[attr-defined]
        report.tunegate_planned = item.config.stash[HARNESS].planned  # type: ignore[attr-defined]
    if report.when == "call" or (report.when == "setup" and report.failed):
        record = _record(item, planned, report)
        if record is not None:
            if record.error is not None and report.passed:
                report.outcome, report.longrepr = "failed", record.error
            report.tunegate_record = record.to_json()  # type: ignore[attr-defined]
            report.tunegate_scored = record.state in SCORED  # type: ignore[attr-defined]
    if isinstance(error, Missed):
        report.longrepr = str(error)
        if not item.config.stash[HARNESS].options.fail_on_miss:
            report.outcome = "passed"
            report.tunegate_missed = True  # type: ignore[attr-defined]


def _record(item: pytest.Item, planned: Planned, report: pytest.TestReport) -> Record | None:
    attempt = item.stash.get(ATTEMPT, None)
    if attempt is not None and attempt.record is not None:
        return attempt.record
    if report.skipped:
        return None
    problem = report.longreprtext or "the eval's test ended without calling score()"
    return attempt.failed(problem) if attempt else Record(planned.cell, "error", error=problem)


def _explain(error: TunegateError, item: pytest.Item, planned: Planned) -> str:
    if not isinstance(error, RecordingMissing):
        return str(error)
    command = recording_command(item, case=planned.cell.case, model=planned.cell.model)
    return f"{error}\n  to record it: {command}"
