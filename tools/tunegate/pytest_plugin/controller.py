"""The process that sees every report: it writes the run and speaks to the terminal."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from tunegate.errors import TunegateError
from tunegate.pytest_plugin.harness import Harness
from tunegate.pytest_plugin.interrupts import interrupts_held
from tunegate.pytest_plugin.ledger import Ledger
from tunegate.pytest_plugin.neighbours import spare_hypothesis
from tunegate.pytest_plugin.terminal import Screen
from tunegate.pytest_plugin.upcoming import DIST

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import Scheduling
    from xdist.workermanage import WorkerController


class Controller:
    """Hooks that run once in a run: in the only process, or in xdist's controller."""

    def __init__(self, config: pytest.Config, harness: Harness) -> None:
        harness.check()
        self._ledger = Ledger(config, harness)
        self._screen = Screen(config, self._ledger)
        self._harness = harness
        self._other_tests = 0
        self._begun: set[str] = set()
        self._shard: dict[str, Any] | None = None
        """What the workers say of this part of a run, items or not."""
        self._plugins = config.pluginmanager
        harness.show = self._show

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: WorkerController) -> None:
        node.workerinput[DIST] = node.config.getvalue("dist")
        if self._harness.records:
            self._harness.recording.open_counter(node)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Producer) -> Scheduling | None:
        if config.getvalue("dist") != "load":
            return None
        from tunegate.pytest_plugin.shares import ShareScheduling

        return ShareScheduling(config, log, has_begun=self._begun.__contains__)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: WorkerController) -> None:
        output = getattr(node, "workeroutput", None) or {}
        self._shard = self._shard or output.get("tunegate_shard")

    def pytest_keyboard_interrupt(self) -> None:
        if self._harness.records:
            self._harness.recording.run_desk.stop("the run was interrupted")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "setup":
            self._begun.add(report.nodeid)
            self._other_tests += not hasattr(report, "tunegate_cell")
        try:
            with interrupts_held():
                self._ledger.take(report)
        except TunegateError as error:
            # Nothing that follows could be written down.
            pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> tuple[str, str, str | tuple[str, dict[str, bool]]] | None:
        return self._screen.status(report)

    def pytest_runtest_logfinish(self) -> None:
        self._screen.progress()

    # The innermost wrapper: after xdist has waited for its workers, before the terminal writes its summary.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        try:
            yield
        except KeyboardInterrupt:
            # Nobody waits for the workers any longer, and the run still says how it ended.
            session.exitstatus = pytest.ExitCode.INTERRUPTED
        self._harness.close()
        self._ledger.close()
        if self._harness.records and self._harness.recording.was_refused:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        elif session.exitstatus == pytest.ExitCode.OK and (self._ledger.not_run or self._ledger.problems):
            # Every item that ran was fine, but the run is not what was planned.
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        elif session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            self._pass_empty_shard(session)
        self._ledger.finish(int(session.exitstatus))
        if not self._other_tests:
            spare_hypothesis(session.config)

    def _show(self, line: str) -> None:
        """Show a line while an item runs, and not among the output of that item, which pytest captures."""
        capture = self._plugins.getplugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
            self._screen.say(line)

    def _pass_empty_shard(self, session: pytest.Session) -> None:
        """A part in which no case falls is a part all the same: nothing is wrong with it, and it leaves a run."""
        shard = self._shard or self._harness.shard
        if shard is None or not shard["planned"]:
            return
        session.exitstatus = pytest.ExitCode.OK
        if not (session.config.option.collectonly or self._harness.options.dry_run):
            self._ledger.shard = shard

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        self._screen.summarize(terminalreporter)
