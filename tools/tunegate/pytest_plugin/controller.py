"""The process that sees every report: it writes the run and speaks to the terminal."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tunegate.errors import TunegateError
from tunegate.pytest_plugin.harness import Harness
from tunegate.pytest_plugin.ledger import Ledger
from tunegate.pytest_plugin.terminal import Screen


class Controller:
    """Hooks that run once in a run: in the only process, or in xdist's controller."""

    def __init__(self, config: pytest.Config, harness: Harness) -> None:
        harness.check()
        self._ledger = Ledger(config, harness)
        self._screen = Screen(config, self._ledger)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        try:
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
        yield
        self._ledger.close()
        if session.exitstatus == pytest.ExitCode.OK and (self._ledger.not_run or self._ledger.problems):
            # Every item that ran was fine, but the run is not what was planned.
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        self._ledger.finish(int(session.exitstatus))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        self._screen.summarize(terminalreporter)
