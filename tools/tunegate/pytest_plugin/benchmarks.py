"""pytest-benchmark, fed with the latencies on record: its table, its files, its comparison with what was saved.

Nothing is called for it and nothing is calibrated: a recorded duration is a round. What it shows is made from the
records, by the process that sees all of them: the same live and replayed, with workers and without.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from statistics import median
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tunegate.records import SCORED, Record

if TYPE_CHECKING:
    from tunegate.pytest_plugin.ledger import Ledger

PREFIX = "--benchmark-"
_OUTPUTS = ("json", "save", "autosave", "compare", "compare_fail", "histogram", "enable", "verbose")
"""Options of pytest-benchmark that ask for something to be seen, also where pytest's settings hold them."""
_OFF = ("disable", "skip")


@dataclass(frozen=True)
class Row:
    """What one line of the table is about."""

    eval: str
    max_tokens: int | None
    model: str

    @property
    def fullname(self) -> str:
        """What a saved line is found by."""
        return f"{self.eval if self.max_tokens is None else f'{self.eval}-{self.max_tokens}'}[{self.model}]"


@dataclass(frozen=True)
class Call:
    """One reply that came, without its text."""

    case: str
    repeat: int
    latency_s: float
    first_token_s: float | None
    tokens: int | None
    is_cut: bool
    source: str
    recorded_at: str | None
    in_flight: int | None


class Benchmarks:
    """Collects latencies and hands them to pytest-benchmark before it ends its session."""

    def __init__(self, config: pytest.Config, *, ledger: Ledger) -> None:
        self._session: Any = getattr(config, "_benchmarksession", None)
        option = config.option
        off = any(getattr(option, f"benchmark_{name}", False) for name in _OFF)
        enabled = getattr(option, "benchmark_enable", False)
        self._is_asked = any(getattr(option, f"benchmark_{name}", None) for name in _OUTPUTS) or any(
            str(word).startswith(PREFIX) for word in config.invocation_params.args
        )
        self._collects = self._session is not None and (enabled or not off)
        self._ledger = ledger
        self._calls: defaultdict[Row, list[Call]] = defaultdict(list)
        self._untimed = 0
        self._is_failed = False
        self._problem: str | None = None

    def take(self, record: Record, *, times: bool) -> None:
        """Keep what a record says of its latency; `times` says that its eval measures time.

        A table that nobody asked for is shown where nothing but time was measured.
        """
        if not self._collects or record.state not in SCORED:
            return
        if not (times or self._is_asked):
            self._collects = False
            self._calls.clear()
            return
        if record.latency_s is None or record.source is None:
            self._untimed += 1
            return
        cell, usage = record.cell, record.reply.usage if record.reply else None
        self._calls[Row(cell.eval, record.max_tokens, cell.model)].append(
            Call(
                case=cell.case,
                repeat=cell.repeat,
                latency_s=record.latency_s,
                first_token_s=record.first_token_s,
                tokens=usage.completion_tokens if usage else None,
                is_cut=record.state == "truncated",
                source=record.source,
                recorded_at=record.recorded_at,
                in_flight=record.in_flight,
            )
        )

    # Before pytest-benchmark's own wrapper, which writes, compares and groups what it has.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        if self._collects:
            # Looked up only here: a matrix that cannot be read is no matter of a run of other tests.
            order = {name: place for place, name in enumerate(self._ledger.model_order if self._calls else ())}
            rows = sorted(
                self._calls,
                key=lambda row: (row.eval, row.max_tokens or 0, order.get(row.model, len(order)), row.model),
            )
            width = max((len(str(row.max_tokens)) for row in rows if row.max_tokens is not None), default=0)
            self._session.benchmarks += [_benchmark(row, self._calls[row], width=width) for row in rows]
            self._check_comparison()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> Generator[None, object, object]:
        if self._session is None:
            return (yield)
        from pytest_benchmark.session import PerformanceRegression

        try:
            result = yield
        except PerformanceRegression:
            # It has been told in full; the exit status says it too, and a traceback says nothing more.
            result = None
        if self._untimed:
            terminalreporter.write_line(f"{self._untimed} replies have no latency on record, and are in no benchmark")
        if self._problem is not None:
            terminalreporter.write_line(self._problem, red=True)
        return result

    def conclude(self, session: pytest.Session) -> None:
        """Let a regression be the exit status where all else went well, in every mode."""
        failed = self._session is not None and (self._session.performance_regressions or self._problem)
        if failed and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            if self._ledger.folder is not None:
                self._ledger.folder.amend({"exit_status": int(session.exitstatus)})

    def _check_comparison(self) -> None:
        """What was not compared must not pass for what did not get slower."""
        saved, made = self._session.compared_mapping or {}, self._session.benchmarks
        if not self._session.compare_fail or not saved:
            return
        if not any(one.fullname in names for one in made for names in saved.values()):
            self._problem = (
                f"{PREFIX}compare-fail: nothing was compared, as none of the {len(made)} lines measured is "
                "among those saved"
            )


def _benchmark(row: Row, calls: Sequence[Call], *, width: int) -> Any:
    """Return what pytest-benchmark keeps of one benchmark; lines of one group are shown beside each other."""
    from pytest_benchmark.stats import Metadata

    # As they stand in the plan: workers report in an order of their own, and sums of floats depend on it.
    ordered = sorted(calls, key=lambda call: (call.case, call.repeat))
    live = sum(call.source == "live" for call in ordered)
    label = "" if live == len(ordered) else " (partly recorded)" if live else " (recorded)"
    asked = SimpleNamespace(
        name=f"{row.model}{label}",
        fullname=row.fullname,
        # It sorts groups as texts: padded, 8 stands before 64.
        group=row.eval if row.max_tokens is None else f"{row.eval}: {row.max_tokens:>{width}} tokens",
        param=row.model,
        params={"model": row.model, "max_tokens": row.max_tokens},
        extra_info=_describe(row, ordered),
        cprofile_stats=None,
        has_error=False,
    )
    options = {"timer": "the recording's, at the socket", "min_rounds": 1, "warmup": False, "disable_gc": False}
    made = Metadata(asked, iterations=1, options=options)  # type: ignore[no-untyped-call]  # it says it is typed
    for call in ordered:
        made.update(call.latency_s)  # type: ignore[no-untyped-call]
    return made


def _describe(row: Row, calls: Sequence[Call]) -> dict[str, Any]:
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
        "source": "+".join(sorted({call.source for call in calls})),
        "recorded_on": days,
        "in_flight": max(loads) if len(loads) == len(calls) else None,
        "completion_tokens": sum(counts) if is_counted else None,
        "cut_at_limit": sum(call.is_cut for call in calls),
        "tokens_per_s": sum(counts) / sum(call.latency_s for call in calls) if is_counted else None,
        "median_first_token_s": median(firsts) if len(firsts) == len(calls) else None,
    }
