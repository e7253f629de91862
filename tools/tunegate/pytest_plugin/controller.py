"""The process that sees every report: it writes the run and speaks to the terminal."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from tunegate.errors import TunegateError
from tunegate.pytest_plugin.benchmarks import Benchmarks
from tunegate.pytest_plugin.harness import Harness
from tunegate.pytest_plugin.interrupts import interrupts_held
from tunegate.pytest_plugin.ledger import Ledger
from tunegate.pytest_plugin.neighbours import spare_hypothesis
from tunegate.pytest_plugin.outcome import planned_of
from tunegate.pytest_plugin.stopping import Stopping, check_stopping
from tunegate.pytest_plugin.terminal import Screen
from tunegate.pytest_plugin.timing import SoleWorker
from tunegate.pytest_plugin.upcoming import DIST

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import Scheduling
    from xdist.workermanage import WorkerController

    from tunegate.pytest_plugin.gating import Gate
    from tunegate.pytest_plugin.rounds import Rounds


class Controller:
    """Hooks that run once in a run: in the only process, or in xdist's controller."""

    def __init__(self, config: pytest.Config, harness: Harness) -> None:
        check_stopping(config, harness)
        harness.check()
        self._harness = harness
        self._stopping = Stopping(config, harness) if harness.options.until_decided else None
        self._rounds = self._make_rounds(config)
        self._gate = self._make_gate(config)
        self._ledger = Ledger(config, harness, stopping=self._stopping)
        self._screen = Screen(config, self._ledger)
        self._timing = SoleWorker(harness)
        self._benchmarks: Benchmarks | None = None
        self._other_tests = 0
        self._begun: set[str] = set()
        self._shard: dict[str, Any] | None = None
        """What the workers say of this part of a run, items or not."""
        self._plugins = config.pluginmanager
        harness.show = self._show

    # Registered late: pytest-benchmark has opened its session by then.
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        benchmarks = self._benchmarks = Benchmarks(session.config, ledger=self._ledger)
        self._plugins.register(benchmarks, "tunegate-benchmarks")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        option = session.config.option
        if self._stopping is not None and not (option.collectonly or self._harness.options.dry_run):
            self._stopping.begin([planned.cell for item in session.items if (planned := planned_of(item))])

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: WorkerController) -> None:
        node.workerinput[DIST] = node.config.getvalue("dist")
        if self._harness.records:
            self._harness.recording.open_counter(node)
            self._timing.open(node)
        if self._rounds is not None:
            self._rounds.open(node)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Producer) -> Scheduling | None:
        if config.getvalue("dist") != "load":
            return None
        if self._rounds is not None:
            from tunegate.pytest_plugin.rounds import RoundScheduling

            return RoundScheduling(config, log, has_begun=self._begun.__contains__, rounds=self._rounds)
        from tunegate.pytest_plugin.shares import ShareScheduling

        return ShareScheduling(config, log, has_begun=self._begun.__contains__, takes_all=self._timing.takes_all)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: WorkerController) -> None:
        output = getattr(node, "workeroutput", None) or {}
        self._shard = self._shard or output.get("tunegate_shard")
        self._harness.left_out.hear(output)

    def pytest_keyboard_interrupt(self) -> None:
        if self._harness.records:
            self._harness.recording.run_desk.stop("the run was interrupted")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "setup":
            self._begun.add(report.nodeid)
            self._other_tests += not hasattr(report, "tunegate_cell")
        try:
            with self._buried(report), interrupts_held():
                self._take(report)
        except TunegateError as error:
            # Nothing that follows could be written down.
            pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
        if self._stopping is not None:
            self._stopping.rest()

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
        if self._gate is not None:
            self._gate.conclude(session, self._ledger)
        if self._benchmarks is not None:
            self._benchmarks.conclude(session)
        if not self._other_tests:
            spare_hypothesis(session.config)

    def _take(self, report: pytest.TestReport) -> None:
        times: bool = report.__dict__.pop("tunegate_times", False)
        record = self._ledger.take(report)
        if record is not None and self._benchmarks is not None:
            self._benchmarks.take(record, times=times)

    def _make_gate(self, config: pytest.Config) -> Gate | None:
        if not self._harness.options.gate:
            return None
        # Imported late: a run that is not judged does not wait for what judges.
        from tunegate.pytest_plugin.gating import Gate

        gate = Gate(self._harness)
        config.pluginmanager.register(gate, "tunegate-gate")
        return gate

    def _make_rounds(self, config: pytest.Config) -> Rounds | None:
        dsession = config.pluginmanager.getplugin("dsession")
        if self._stopping is None or dsession is None:
            return None
        from tunegate.pytest_plugin.rounds import Rounds

        return Rounds(dsession, self._harness, self._stopping)

    def _buried(self, report: pytest.TestReport) -> AbstractContextManager[None]:
        """Return the block in which a report is taken."""
        # xdist reports an item whose worker died with a `when` of its own.
        if self._rounds is None or report.when in ("setup", "call", "teardown"):
            return nullcontext()
        return self._rounds.buried(report)

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
        if self._gate is not None:
            self._gate.summarize(terminalreporter)
