"""What an item's report says of its cell: announced before it is asked, its record after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext

import pytest

from tunegate.errors import RecordingMissing, TunegateError
from tunegate.pytest_plugin.harness import HARNESS
from tunegate.pytest_plugin.record_command import recording_command
from tunegate.records import SCORED, Cell, Record
from tunegate.session import Attempt, Missed, Planned
from tunegate.session.attempt import ascii_safe

FULL_EXPLANATIONS = 3
"""Missing recordings of a model that are explained at length; a thousand more would hide the first."""
ATTEMPT = pytest.StashKey[Attempt]()


def planned_of(item: pytest.Item) -> Planned | None:
    """Return the cell of `item`, or None for a test that is no eval."""
    callspec = getattr(item, "callspec", None)
    planned = callspec.params.get("tunegate_planned") if callspec else None
    return planned if isinstance(planned, Planned) else None


def guard_of(item: pytest.Item) -> AbstractContextManager[None]:
    """Return the block in which a phase of `item` runs."""
    return nullcontext() if planned_of(item) is None else item.config.stash[HARNESS].network()


def refuse_twins(cells: Iterable[Cell]) -> None:
    """Look whether every item measures something of its own.

    Raises:
        pytest.UsageError: two items would ask the same cell, which would then count twice.
    """
    twice = [cell for cell, count in Counter(cells).items() if count > 1]
    if twice:
        raise pytest.UsageError(
            f"{len(twice)} cells stand in several items, the first is {twice[0].eval}[{twice[0].case}] of "
            f"'{twice[0].model}': an eval is parametrized by tunegate alone, and its name belongs to one test"
        )


def make_report(item: pytest.Item, call: pytest.CallInfo[None]) -> pytest.TestReport:
    """Return the report of an eval's item with what the run's writer needs, in plain types.

    It may have to cross to another process, and a terminal: every text on it is free of secrets and of what no
    stream can carry.
    """
    harness = item.config.stash[HARNESS]
    planned = planned_of(item)
    assert planned is not None, "the caller has looked"  # noqa: S101  # narrows the type
    report = _plain_report(item, call, planned)
    if report.longrepr is not None and not report.skipped:
        report.longrepr = ascii_safe(harness.redactor.text(report.longreprtext))
    if report.when == "setup":
        _attach(
            report,
            tunegate_cell=dict(vars(planned.cell)),
            tunegate_planned=harness.planned,
            tunegate_whole=harness.whole,
            tunegate_shard=harness.shard,
        )
    if report.when == "call" or (report.when == "setup" and report.failed):
        error = call.excinfo.value if call.excinfo else None
        # The terminal may shorten what many items have in common; the record of each is complete.
        told = ascii_safe(harness.redactor.text(str(error))) if isinstance(error, TunegateError) else ""
        _attach_record(report, item, planned, problem=told or report.longreprtext)
    return report


def _plain_report(item: pytest.Item, call: pytest.CallInfo[None], planned: Planned) -> pytest.TestReport:
    """Let pytest make the report; of what we raise ourselves the message alone is shown, without a traceback."""
    excinfo = call.excinfo
    if excinfo is None or not isinstance(excinfo.value, (Missed, TunegateError)):
        return pytest.TestReport.from_item_and_call(item, call)
    call.excinfo = None  # a traceback costs pytest 16 ms, and nobody would see it
    report = pytest.TestReport.from_item_and_call(item, call)
    call.excinfo = excinfo
    report.longrepr = _explain(excinfo.value, item, planned)
    if isinstance(excinfo.value, Missed) and not item.config.stash[HARNESS].options.fail_on_miss:
        _attach(report, tunegate_missed=True)
    else:
        report.outcome = "failed"
    return report


def _attach_record(report: pytest.TestReport, item: pytest.Item, planned: Planned, *, problem: str) -> None:
    attempt = item.stash.get(ATTEMPT, None)
    if attempt is not None and attempt.record is not None:
        record = attempt.record
    elif report.skipped:
        return
    else:
        problem = problem or "the eval's test ended without calling score()"
        record = attempt.failed(problem) if attempt else Record(planned.cell, "error", error=problem)
        if not report.failed:
            report.outcome, report.longrepr = "failed", problem
    _attach(
        report,
        tunegate_record=record.to_json(),
        tunegate_scored=record.state in SCORED,
        tunegate_times=planned.eval.times,
    )
    if not item.config.stash[HARNESS].is_worker:
        # It stays in this process: its line need not be read again.
        _attach(report, tunegate_record_here=record)


def _attach(report: pytest.TestReport, **facts: object) -> None:
    """Put plain values on a report: xdist carries what stands there to the controller."""
    report.__dict__.update(facts)


def _explain(error: BaseException, item: pytest.Item, planned: Planned) -> str:
    if not isinstance(error, RecordingMissing):
        return str(error)
    told = item.config.stash[HARNESS].explained
    told[planned.cell.model] += 1
    if told[planned.cell.model] > FULL_EXPLANATIONS:
        return f"{str(error).splitlines()[0]} (as with the first ones of this model, see there)"
    command = recording_command(item, case=planned.cell.case, model=planned.cell.model)
    return f"{error}\n  to record it: {command}"
