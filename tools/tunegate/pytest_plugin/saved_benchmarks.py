"""What pytest-benchmark saved earlier, and which of the lines measured now have something beside them.

Left to itself, pytest-benchmark loads it while pytest is configured, in workers too, and warns of an empty store, of a
file that it cannot read and of a machine that is not this one. A project that makes errors of warnings then ends before
it begins. So it is loaded here: once, where the comparison is made, and what matters is a line of the summary.
"""

from __future__ import annotations

import platform
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tunegate.cases.names import show_path

_WANTED = pytest.StashKey[Any]()
"""What `--benchmark-compare` named, or True for what was saved last."""


def is_off(option: Any) -> bool:
    """Say whether benchmarks are switched off in a run with these options."""
    off = getattr(option, "benchmark_disable", False) or getattr(option, "benchmark_skip", False)
    return bool(off and not getattr(option, "benchmark_enable", False))


def hold_comparison(config: pytest.Config) -> None:
    """Keep pytest-benchmark from loading what was saved; for a time before it is configured.

    Raises:
        pytest.UsageError: a comparison is to fail, and none is asked for.
    """
    option = config.option
    wanted = getattr(option, "benchmark_compare", None)
    if wanted:
        config.stash[_WANTED] = wanted
        option.benchmark_compare = []
    elif getattr(option, "benchmark_compare_fail", None) and not is_off(option):
        raise pytest.UsageError(
            "--benchmark-compare-fail says when a comparison fails, and nothing is to be compared\n"
            "  add --benchmark-compare, which takes what was saved last, or leave out --benchmark-compare-fail"
        )


@dataclass(frozen=True)
class Finding:
    """A line of the summary, perhaps with some below it."""

    text: str
    is_failure: bool


class Comparison:
    """What a run's lines are compared with, and what is to be said of it."""

    def __init__(self, config: pytest.Config, *, session: Any) -> None:
        self.findings: list[Finding] = []
        self._session = session
        self._may_fail = bool(session.compare_fail)
        self._nodes: dict[object, str] = {}
        if _WANTED in config.stash:
            session.compare = config.stash[_WANTED]
            session.compared_mapping = self._load()
        if not session.compared_mapping:
            # That nothing is compared is told here; pytest-benchmark would raise in the midst of the summary.
            session.compare_fail = None

    @property
    def is_asked(self) -> bool:
        """A comparison is wanted."""
        return bool(self._session.compare)

    @property
    def has_failed(self) -> bool:
        """Something was to be compared, and was not."""
        return any(finding.is_failure for finding in self.findings)

    def judge(self, *, ours: Collection[str], untimed: Sequence[str]) -> None:
        """Find what was measured and not compared: it must not pass for what did not get slower.

        `ours` are the lines made of records, `untimed` those that would be, had their replies a latency that counts.
        """
        saved, made = self._session.compared_mapping, [one.fullname for one in self._session.benchmarks]
        if not self.is_asked:
            return
        if not saved:
            self._add(f"nothing to compare with yet: {self._describe_store()}", self._say_what_saves())
            return
        files, known = ", ".join(map(str, saved)), {name for names in saved.values() for name in names}
        new = [name for name in made if name not in known]
        if not made:
            self._add("nothing was compared: no line was measured", [])
        elif new:
            told = "nothing was" if len(new) == len(made) else f"{len(new)} of {len(made)} lines were not"
            self._add(f"{told} compared: {files} has none of these", [*new, *self._say_what_saves()])
        if untimed:
            self._add("not compared, as no reply has a latency that counts:", untimed)
        self._look_at_machines([name for name in made if name not in ours])

    def _load(self) -> dict[Any, dict[str, Any]]:
        """Return the saved lines by file and name, whatever machine saved them: a duration is the endpoint's."""
        from pytest_benchmark.logger import PytestBenchmarkWarning

        wanted, storage = self._session.compare, self._session.storage
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", PytestBenchmarkWarning)
            try:
                found = list(storage.load())[-1:] if wanted is True else list(storage.load(wanted))
            except ValueError as error:
                raise pytest.UsageError(f"--benchmark-compare: {error}") from error
        self.findings += [Finding(str(one.message), is_failure=False) for one in told]
        for path, run in found:
            self._session.logger.info(f"Comparing against benchmarks from: {path}", newline=False)
            self._nodes[path] = (run.get("machine_info") or {}).get("node") or "unknown"
        return {path: {line["fullname"]: line for line in run["benchmarks"]} for path, run in found}

    def _describe_store(self) -> str:
        path = getattr(self._session.storage, "path", None)
        place = "the store" if path is None else show_path(path)
        wanted = self._session.compare
        return f"no benchmarks are saved in {place}" + ("" if wanted is True else f" as {wanted!r}")

    def _say_what_saves(self) -> list[str]:
        is_saved = self._session.save or self._session.autosave
        return [] if is_saved else ["to save what is measured: --benchmark-save=NAME"]

    def _look_at_machines(self, others: Sequence[str]) -> None:
        """What a test with the `benchmark` fixture measures is the time of a machine."""
        for path, node in self._nodes.items():
            strange = [name for name in others if name in self._session.compared_mapping[path]]
            if strange and node != platform.node():
                head = f"compared with the time of another machine, as {path} was saved on {node!r}:"
                self.findings.append(Finding(_join(head, strange), is_failure=False))

    def _add(self, head: str, lines: Sequence[str]) -> None:
        prefix = "--benchmark-compare-fail: " if self._may_fail else ""
        self.findings.append(Finding(_join(prefix + head, lines), is_failure=self._may_fail))


def _join(head: str, lines: Sequence[str]) -> str:
    return "\n  ".join([head, *lines])
