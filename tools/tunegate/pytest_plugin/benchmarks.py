"""pytest-benchmark, fed with the latencies on record: its table, its files, its comparison with what was saved.

Nothing is called for it and nothing is calibrated: a recorded duration is a round. What it shows is made from the
records, by the process that sees all of them: the same live and replayed, with workers and without.
"""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tunegate.latency.measurements import Call, call_of
from tunegate.pytest_plugin.saved_benchmarks import Comparison, is_off
from tunegate.records import SCORED, Record

if TYPE_CHECKING:
    from tunegate.pytest_plugin.ledger import Ledger

PREFIX = "--benchmark-"
_OUTPUTS = ("json", "save", "autosave", "compare", "compare_fail", "histogram", "enable", "verbose")
"""Options of pytest-benchmark that ask for something to be seen, also where pytest's settings hold them."""
_FILES = ("json", "save", "autosave")
"""Those of them that write what was measured."""


@dataclass(frozen=True)
class Row:
    """What one line of the table is about."""

    eval: str
    max_tokens: int | None
    model: str
    load: int = 1
    """Requests that were to be under way at once."""

    @property
    def fullname(self) -> str:
        """What a saved line is found by."""
        limit = "" if self.max_tokens is None else f"-{self.max_tokens}"
        return f"{self.eval}{limit}{f'-x{self.load}' if self.load > 1 else ''}[{self.model}]"


@dataclass(frozen=True)
class Line:
    """What is known of one line of the table."""

    calls: list[Call] = field(default_factory=list)
    sources: Counter[str] = field(default_factory=Counter)
    """How many of its replies were live, and how many recorded."""


class Benchmarks:
    """Collects latencies and hands them to pytest-benchmark before it ends its session."""

    def __init__(self, config: pytest.Config, *, ledger: Ledger) -> None:
        self._session: Any = getattr(config, "_benchmarksession", None)
        option = config.option
        self._collects = self._session is not None and not is_off(option)
        self._runs_nothing = option.collectonly or option.dry_run
        self._comparison = Comparison(config, session=self._session) if self._collects else None
        self._saves = any(getattr(option, f"benchmark_{name}", None) for name in _FILES)
        self._is_asked = (
            (self._comparison is not None and self._comparison.is_asked)
            or any(getattr(option, f"benchmark_{name}", None) for name in _OUTPUTS)
            or any(str(word).startswith(PREFIX) for word in config.invocation_params.args)
        )
        self._ledger = ledger
        self._lines: defaultdict[Row, Line] = defaultdict(Line)
        self._untimed: Counter[Row] = Counter()
        """Replies without a latency on record."""
        self._uncounted: Counter[Row] = Counter()
        """Replies whose latency is none of an answer: they were refused, say."""
        self._saved_nothing = False

    def take(self, record: Record, *, times: bool) -> None:
        """Keep what a record says of its latency; `times` says that its eval measures time.

        A table that nobody asked for is shown where nothing but time was measured.
        """
        if not self._collects or record.state not in SCORED:
            return
        if not (times or self._is_asked):
            self._collects = False
            self._lines.clear()
            return
        call, cell = call_of(record), record.cell
        row = Row(cell.eval, record.max_tokens, cell.model, cell.load or 1)
        if record.latency_s is None or record.source is None:
            self._untimed[row] += 1
            return
        if call is None:
            self._uncounted[row] += 1
            return
        self._lines[row].calls.append(call)
        self._lines[row].sources[record.source] += 1

    # Before pytest-benchmark's own wrapper, which writes, compares and groups what it has.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        if not self._collects:
            return (yield)
        self._make_lines()
        with warnings.catch_warnings():
            # It warns where there is nothing to save; here it is told in every mode, and is nobody's error.
            warnings.simplefilter("ignore", _warning())
            return (yield)

    # The innermost: what it lets pass is told among pytest's warnings, also where a project makes errors of them.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> Generator[None, object, object]:
        if self._session is None:
            return (yield)
        from pytest_benchmark.session import PerformanceRegression

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("default", _warning())
                result = yield
        except PerformanceRegression:
            # It has been told in full; the exit status says it too, and a traceback says nothing more.
            result = None
        if self._untimed:
            terminalreporter.write_line(
                f"{self._untimed.total()} replies have no latency on record, and are in no benchmark"
            )
        if self._uncounted:
            terminalreporter.write_line(
                f"{self._uncounted.total()} replies were refused or missed a check, and are in no benchmark"
            )
        if self._saved_nothing:
            terminalreporter.write_line("no benchmarks were saved: no line was measured", yellow=True)
        for finding in self._comparison.findings if self._comparison is not None else ():
            colour = {"red": True} if finding.is_failure else {"yellow": True}
            terminalreporter.write_line(finding.text, **colour)
        return result

    def conclude(self, session: pytest.Session) -> None:
        """Let a regression be the exit status where all else went well, in every mode."""
        failed = self._comparison is not None and (self._comparison.has_failed or self._session.performance_regressions)
        if failed and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            if self._ledger.folder is not None:
                self._ledger.folder.amend({"exit_status": int(session.exitstatus)})

    def _make_lines(self) -> None:
        """Give pytest-benchmark what was taken, and see what of it can be compared."""
        # Looked up only here: a matrix that cannot be read is no matter of a run of other tests.
        order = {name: place for place, name in enumerate(self._ledger.model_order if self._lines else ())}
        rows = sorted(
            self._lines,
            key=lambda row: (row.eval, row.load, row.max_tokens or 0, order.get(row.model, len(order)), row.model),
        )
        width = max((len(str(row.max_tokens)) for row in rows if row.max_tokens is not None), default=0)
        self._session.benchmarks += [_benchmark(row, self._lines[row], width=width) for row in rows]
        without = {*self._untimed, *self._uncounted}.difference(self._lines)
        if self._runs_nothing:
            return
        self._saved_nothing = self._saves and not self._session.benchmarks
        if self._comparison is not None:
            self._comparison.judge(
                ours={row.fullname for row in rows},
                untimed=sorted(row.fullname for row in without),
            )


def _warning() -> type[Warning]:
    """Return what pytest-benchmark warns with."""
    from pytest_benchmark.logger import PytestBenchmarkWarning

    warning: type[Warning] = PytestBenchmarkWarning
    return warning


def _benchmark(row: Row, line: Line, *, width: int) -> Any:
    """Return what pytest-benchmark keeps of one benchmark; lines of one group are shown beside each other."""
    from pytest_benchmark.stats import Metadata

    # As they stand in the plan: workers report in an order of their own, and sums of floats depend on it.
    ordered = sorted(line.calls, key=lambda call: call.block)
    live = line.sources["live"]
    label = "" if live == len(ordered) else " (partly recorded)" if live else " (recorded)"
    asked = SimpleNamespace(
        name=f"{row.model}{label}",
        fullname=row.fullname,
        group=_group(row, width=width),
        param=row.model,
        params={"model": row.model, "max_tokens": row.max_tokens, "load": row.load},
        extra_info=_describe(row, ordered, sources=line.sources),
        cprofile_stats=None,
        has_error=False,
    )
    options = {"timer": "the recording's, at the socket", "min_rounds": 1, "warmup": False, "disable_gc": False}
    made = Metadata(asked, iterations=1, options=options)  # type: ignore[no-untyped-call]  # it says it is typed
    for call in ordered:
        made.update(call.latency_s)  # type: ignore[no-untyped-call]
    return made


def _group(row: Row, *, width: int) -> str:
    # It sorts groups as texts: padded, 8 stands before 64.
    limit = [] if row.max_tokens is None else [f"{row.max_tokens:>{width}} tokens"]
    load = [f"{row.load} in flight"] if row.load > 1 else []
    return f"{row.eval}: {', '.join([*limit, *load])}" if limit or load else row.eval


def _describe(row: Row, calls: Sequence[Call], *, sources: Iterable[str]) -> dict[str, Any]:
    """Return what stands beside the statistics; what is not known of every call is None."""
    counts = [call.tokens for call in calls if call.tokens is not None]
    firsts = [call.first_token_s for call in calls if call.first_token_s is not None]
    days = sorted({call.recorded_at[:10] for call in calls if call.recorded_at})
    loads = [call.in_flight for call in calls if call.in_flight is not None]
    is_counted = len(counts) == len(calls)
    return {
        "eval": row.eval,
        "model": row.model,
        "max_tokens": row.max_tokens,
        "source": "+".join(sorted(sources)),
        "recorded_on": days,
        "in_flight": max(loads) if len(loads) == len(calls) else None,
        "completion_tokens": sum(counts) if is_counted else None,
        "cut_at_limit": sum(call.is_cut for call in calls),
        "tokens_per_s": sum(counts) / sum(call.latency_s for call in calls) if is_counted else None,
        "median_first_token_s": median(firsts) if len(firsts) == len(calls) else None,
    }
