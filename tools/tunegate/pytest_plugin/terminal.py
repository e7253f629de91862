"""What a run says on the terminal: a letter or a progress line while it runs, misses and the table at its end."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tunegate.pytest_plugin.ledger import Ledger
from tunegate.report import render_progress, render_table

Status = tuple[str, str, str | tuple[str, dict[str, bool]]]
_SHORTEST_LONG_RUN = 100
"""Items from which on a line that is rewritten says more than a letter each."""
_REDRAW_S = 0.2


class Screen:
    """Speaks for the ledger; everything it shows was counted there."""

    def __init__(self, config: pytest.Config, ledger: Ledger, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._ledger = ledger
        self._clock = clock
        self._started: float | None = None
        self._drawn = float("-inf")
        self._is_done = False

    def status(self, report: pytest.TestReport) -> Status | None:
        """Return category, letter and word of an eval's item; None leaves the report to pytest."""
        missed = getattr(report, "tunegate_missed", False)
        scored = report.passed and getattr(report, "tunegate_scored", False)
        if not (missed or scored):
            return None
        category = "missed" if missed else "passed"
        if self._draws_progress():
            return category, "", ""
        return (category, "m", ("MISSED", {"yellow": True})) if missed else None

    def say(self, line: str) -> None:
        """Show a line while the run goes on; from any thread."""
        terminal: pytest.TerminalReporter | None = self._config.pluginmanager.getplugin("terminalreporter")
        if terminal is not None:
            terminal.ensure_newline()
            terminal.write_line(line)

    def progress(self) -> None:
        """Redraw the progress line, at most five times a second, on a terminal only."""
        if self._is_done or not self._draws_progress():
            return
        now = self._clock()
        self._started = self._started if self._started is not None else now
        done = self._ledger.tally.records
        if now - self._drawn < _REDRAW_S and done < self._ledger.planned:
            return
        self._drawn = now
        terminal: pytest.TerminalReporter = self._config.pluginmanager.getplugin("terminalreporter")
        line = render_progress(self._ledger.tally, planned=self._ledger.planned, elapsed_s=now - self._started)
        terminal.rewrite(line[: terminal._tw.fullwidth - 1], erase=True)
        if done >= self._ledger.planned:
            self._is_done = True
            terminal.write_line("")

    def summarize(self, terminal: pytest.TerminalReporter) -> None:
        """Write the misses where they were asked for, the table, and what was asked of whom."""
        ledger = self._ledger
        if ledger.folder is None:
            self._show_left_out(terminal)
            return
        self._show_misses(terminal)
        terminal.section("tunegate", sep="=")
        for line in render_table(ledger.tally, order=ledger.model_order, not_converged=ledger.not_converged):
            terminal.write_line(line)
        counts = ledger.folder.sources
        unused = "" if ledger.unused is None else f", {ledger.unused} unused recordings"
        if ledger.unused:
            unused += " (of other cases or settings)"
        terminal.write_line(f"{counts['live']} live calls, {counts['cassette']} replayed{unused}")
        self._show_left_out(terminal)
        if ledger.stopped_early:
            terminal.write_line(ledger.stopped_early)
        if ledger.not_run:
            resume = "; the same command goes on from here" if counts["live"] else ""
            terminal.write_line(f"{ledger.not_run} of {ledger.planned} planned items were not run{resume}", red=True)
        for problem in ledger.problems:
            terminal.write_line(problem, red=True)
        terminal.write_line(f"run: {_short(ledger.folder.path, self._config)}")

    def _show_left_out(self, terminal: pytest.TerminalReporter) -> None:
        for told in self._ledger.left_out:
            terminal.write_line(told)

    def _show_misses(self, terminal: pytest.TerminalReporter) -> None:
        """`-rm` lists the missed items with a line each, `-v` with all of their checks."""
        verbose = self._config.get_verbosity() > 0
        missed = terminal.stats.get("missed", [])
        if not missed or not (verbose or "m" in self._config.option.reportchars):
            return
        terminal.section("missed", sep="=")
        for report in missed:
            headline, _, details = report.longreprtext.partition("\n")
            terminal.write_line(f"MISSED {report.nodeid}" if not verbose else headline, yellow=True)
            terminal.write_line(details if verbose else details.split("\n")[0])

    def _draws_progress(self) -> bool:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        return (
            reporter is not None
            and reporter.isatty
            and self._config.get_verbosity() == 0
            and self._ledger.planned >= _SHORTEST_LONG_RUN
        )


def _short(path: object, config: pytest.Config) -> str:
    return str(path).removeprefix(f"{config.invocation_params.dir}/")
