"""`--gate`: the verdict of a run as its exit status, made where every report is seen."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tunegate.errors import TunegateError, UsageError
from tunegate.gate.contest import Contest, Reading, open_contest
from tunegate.gate.keeping.certificate import certify
from tunegate.gate.measures import Measures
from tunegate.gate.noise.words import warn_of_kept_noise
from tunegate.gate.policy_file import load_policy
from tunegate.gate.stopping.watching import GateWatch, empty_measures
from tunegate.gate.verdict import Verdict
from tunegate.gate.verdict_file import write_verdict
from tunegate.pytest_plugin.harness import Harness
from tunegate.pytest_plugin.junit import add_cases
from tunegate.pytest_plugin.ledger import Ledger
from tunegate.records import UNSCORED, Cell
from tunegate.report.delivery import tell_machines
from tunegate.report.verdict_junit import junit_cases
from tunegate.report.verdict_text import render_verdict

ACTED_ON = frozenset({pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED})
"""Statuses in whose place the verdict's may stand: anything else says that the run itself went wrong."""


class Gate:
    """Judges the run at its end; watches over it where it is asked until everything is decided."""

    def __init__(self, harness: Harness) -> None:
        options = harness.options
        self._harness = harness
        if harness.only_collects or options.dry_run:
            raise UsageError(
                "--gate judges what was run, and --collect-only and --dry-run run nothing\n  leave out one of both"
            )
        self._policy = load_policy(options.policy, fixtures=options.fixtures)
        self._lines: list[str] = []
        if options.fail_on_miss:
            raise UsageError(
                "--fail-on-miss fails single items, and --gate judges them together\n  leave out one of both"
            )
        if options.shard is not None:
            raise UsageError(
                "--shard runs a part, and --gate judges the whole\n  leave out --gate, join the parts with "
                "`tunegate merge` and judge what it writes with `tunegate gate`"
            )
        # Said before anything is asked: whether there is somebody to compare with.
        self._contest_to_be()

    def pytest_tunegate_watch(self, cells: Sequence[Cell]) -> GateWatch:
        contest, measures = self._contest_to_be()
        return GateWatch(contest, measures, plan=cells)

    def conclude(self, session: pytest.Session, ledger: Ledger) -> None:
        """Judge the run that has ended, and let the verdict be the exit status where the run itself went well."""
        if ledger.folder is None or session.exitstatus not in ACTED_ON:
            return
        try:
            contest = self._open(ledger.folder.path)
            verdict = certify(contest.judge(), contest)
            write_verdict(ledger.folder.path, verdict)
            self._lines = self._tell(verdict, contest, config=session.config)
        except TunegateError as problem:
            self._lines = [f"no verdict: {problem}"]
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        except KeyboardInterrupt:
            self._lines = ["no verdict: interrupted while it was made"]
            session.exitstatus = pytest.ExitCode.INTERRUPTED
        else:
            session.exitstatus = verdict.exit_status
            # Errors and losses of cells are in the verdict. What else failed keeps its own status.
            others = session.testsfailed - sum(ledger.tally.states[state] for state in UNSCORED)
            if others > 0 and not verdict.exit_status:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
                self._lines.append(f"but {others} other tests failed: the exit status is 1")
        ledger.folder.amend({"exit_status": int(session.exitstatus)})

    def summarize(self, terminal: pytest.TerminalReporter) -> None:
        """Write the verdict below the table."""
        if not self._lines:
            return
        terminal.section("verdict", sep="=")
        for line in self._lines:
            terminal.write_line(line)

    def _open(self, folder: Path) -> Contest:
        options = self._harness.options
        return open_contest(
            folder,
            policy=self._policy,
            reports=options.runs.parent,
            fixtures=options.fixtures,
            baseline=options.baseline,
            against=options.against,
        )

    def _tell(self, verdict: Verdict, contest: Contest, *, config: pytest.Config) -> list[str]:
        """Tell the verdict to the machines that wait for it, and return the lines for people."""
        add_cases(config, junit_cases(verdict))
        warnings = warn_of_kept_noise(verdict, baseline_folder=contest.baseline_folder)
        return [*render_verdict(verdict), *warnings, *tell_machines(verdict, environment=os.environ)]

    def _contest_to_be(self) -> tuple[Contest, Measures]:
        options = self._harness.options
        measures = empty_measures(options.run or "that is to be made", models=self._harness.models)
        contest = open_contest(
            Reading(options.runs, measures),
            policy=self._policy,
            reports=options.runs.parent,
            fixtures=options.fixtures,
            baseline=options.baseline,
            against=options.against,
        )
        return contest, measures
