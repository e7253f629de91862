"""One run that is killed, what it left behind, and how it goes on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mock_process import RunningMock, Stamped
from project import MODEL, Project
from victims import IN_FLIGHT, Kind, processes_of, wait_until

from tunegate.cassettes import Cassette, Library
from tunegate.errors import RunError, TunegateError
from tunegate.records import Record
from tunegate.runs import read_records, read_run

GONE_S = 20.0
"""How long the processes of a run may outlive their end."""
ENDED_S = 120.0
"""How long a run may take that nobody stops, one after the loss of a worker too."""
KEPT_OUT = ("OPENAI_", "PYTEST_", "COV_")


@dataclass(frozen=True)
class Outcome:
    """What one kill did."""

    durable: int
    """Replies that were durable at the kill; with Ctrl-C, at the end of the run."""
    twice: int
    """Requests that were asked a second time."""
    violations: Sequence[str]


@dataclass
class Trial:
    """One project whose run is killed."""

    kind: Kind
    project: Project
    mock: RunningMock
    wanted: frozenset[str] = frozenset()
    """Fingerprints of all requests of the run."""
    violations: list[str] = field(default_factory=list)

    def expect(self, holds: object, problem: str) -> None:
        """Keep a problem unless something holds."""
        if not holds:
            self.violations.append(problem)

    def start(self, run: str) -> subprocess.Popen[bytes]:
        """Start a recording as the leader of a session of its own."""
        self.mock.reset()
        with (self.project.root / f"{run}.txt").open("wb") as out:
            return subprocess.Popen(
                [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *self._words(run)],
                cwd=self.project.root,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={name: value for name, value in os.environ.items() if not name.startswith(KEPT_OUT)},
                start_new_session=True,
            )

    def measure(self) -> tuple[frozenset[str], float]:
        """Record without a kill; return all that is asked, and the seconds from the first request to the end."""
        controller = self.start("whole")
        status = controller.wait(ENDED_S)
        end_ns = time.monotonic_ns()
        log = self.mock.log()
        if status != 0 or len(log) != self.project.cases:
            said = (self.project.root / "whole.txt").read_text()
            raise SystemExit(f"the run without a kill ended with {status} after {len(log)} requests:\n{said}")
        return frozenset(stamped.fingerprint for stamped in log), (end_ns - log[0].arrival_ns) / 1e9

    def make(self, delay_s: float, chance: random.Random) -> Outcome | None:
        """Kill a run `delay_s` after its first request, look, and go on; None where it had ended before."""
        controller = self.start("killed")
        try:
            wait_until(lambda: controller.poll() is not None or self.mock.stats().requests > 0, limit_s=ENDED_S)
            time.sleep(delay_s)
            if not self.kind.strike(controller, chance):
                return None
            struck_ns = time.monotonic_ns()
            at_kill = self._durable(whole=False) if self.kind.victim == "worker" else None
            read_ns = time.monotonic_ns()
            self._await_end(controller)
        finally:
            # pytest has faulthandler write where each thread is to the run's output before an abort ends the process.
            for last_word in (signal.SIGABRT, signal.SIGKILL):
                for pid in processes_of(controller.pid):
                    os.kill(pid, last_word)
                wait_until(lambda: controller.poll() is not None and not processes_of(controller.pid), limit_s=2.0)
        log, durable = self.mock.log(), self._durable()
        answered = {stamped.fingerprint for stamped in log if stamped.is_whole}
        self.expect(durable <= answered, "something is recorded that the endpoint has not answered")
        self._check_asked_again(log, struck_ns=struck_ns)
        if at_kill is not None:
            again = [s for s in log if s.fingerprint in at_kill and s.arrival_ns > read_ns]
            self.expect(not again, f"{len(again)} durable replies were asked for again by the same run")
            self.expect(at_kill <= durable, "a durable reply was lost")
        self._check_run(durable, status=controller.returncode)
        resumed = self._resume(durable)
        asked = Counter(stamped.fingerprint for stamped in (*log, *resumed))
        twice = sum(count > 1 for count in asked.values())
        self.expect(twice <= self.kind.most_twice, f"{twice} requests asked twice, more than could be in hand")
        return Outcome(len(durable if at_kill is None else at_kill), twice, tuple(self.violations))

    def _words(self, run: str) -> list[str]:
        workers = f"-n{self.kind.workers}"
        return ["evals", "--limit=all", "--record=missing", f"--max-connections={IN_FLIGHT}", workers, f"--run={run}"]

    def _cassette(self) -> Cassette:
        return Library(self.project.root / "cassettes").cassette("format", MODEL)

    def _durable(self, *, whole: bool = True) -> frozenset[str]:
        """Read what is recorded with the eyes of a process that starts fresh; `whole` reads every reply too."""
        cassette = self._cassette()
        try:
            for entry in cassette.entries() if whole else ():
                self.expect(entry.exchange().status == 200, f"the recording of {entry.case} is no reply")
            return frozenset(fingerprint for fingerprint, _ in cassette.keys())  # noqa: SIM118  # it is no dict
        except TunegateError as problem:
            self.violations.append(f"the recordings cannot be read: {problem}")
            return frozenset()

    def _await_end(self, controller: subprocess.Popen[bytes]) -> None:
        if self.kind.victim == "worker":
            ended = wait_until(lambda: controller.poll() is not None, limit_s=ENDED_S)
            self.expect(ended, f"the run goes on {ENDED_S:g} s after a worker was killed")
        # Reaped before it is looked for: one that has ended is no process any more.
        gone = wait_until(lambda: controller.poll() is not None and not processes_of(controller.pid), limit_s=GONE_S)
        self.expect(gone, f"processes outlive the run by {GONE_S:g} s: {sorted(processes_of(controller.pid))}")

    def _check_asked_again(self, log: Sequence[Stamped], *, struck_ns: int) -> None:
        """Only a replacement asks again, and only what a killed worker had in hand."""
        first: dict[str, Stamped] = {}
        for stamped in log:
            before = first.setdefault(stamped.fingerprint, stamped)
            is_new = before is stamped or (before.arrival_ns < struck_ns < stamped.arrival_ns and stamped.attempt == 2)
            self.expect(is_new, f"{stamped.fingerprint} was asked for again by the same run")
            self.expect(before is stamped or self.kind.victim == "worker", "a run that was stopped asked again")

    def _check_run(self, durable: frozenset[str], *, status: int) -> None:
        """Hold run.json and records.jsonl against what is durable."""
        path = self.project.root / "reports" / "runs" / "killed"
        if not path.exists():
            # The folder is made for the first item; the first requests are on their way before that.
            self.expect(self.kind.victim != "worker", "a run that ended by itself left no folder")
            return
        try:
            header, records = read_run(path), list(read_records(path))
        except RunError as problem:
            self.violations.append(f"the run cannot be read: {problem}")
            return
        states = Counter(record.state for record in records)
        self.expect(len({record.cell for record in records}) == len(records), "a cell has two records")
        self.expect(states["answered"] + states["lost"] == len(records), f"records say {dict(states)}")
        claimed = {record.request for record in records if record.state == "answered"}
        self.expect(claimed <= durable, "a record tells of a reply that is not durable")
        self.expect(header["status"] in ("finished", "interrupted"), f"the run is said to be {header['status']}")
        missing = self.project.cases - len(records)
        self.expect(header["status"] == "interrupted" or not missing, f"finished, and {missing} cells have no record")
        if "finished_at" in header:
            self._check_sums(header, records)
        if self.kind.victim == "worker":
            whole = states["lost"] <= 1 and not missing and header["status"] == "finished" and status in (0, 1)
            self.expect(whole, f"{header['status']} with status {status}: {dict(states)}, {missing} without a record")
            self.expect(status == 1 or not states["lost"], f"{states['lost']} lost, and exit status {status}")
        elif self.kind.victim == "controller":
            self.expect(not states["lost"], "lost is said of a run that nobody was left to write")
        elif header["status"] == "interrupted" and "finished_at" in header:
            self.expect(status == 2, f"Ctrl-C ended with status {status}")

    def _check_sums(self, header: dict[str, Any], records: Sequence[Record]) -> None:
        told = header["planned"], header["states"], header["not_run"]
        states = dict(sorted(Counter(record.state for record in records).items()))
        self.expect(
            told == (self.project.cases, states, self.project.cases - len(records)),
            f"run.json says planned, states, not_run {told}, the records say {states}",
        )
        live = sum(record.source == "live" for record in records)
        replayed = sum(record.source == "cassette" for record in records)
        self.expect((header["live_calls"], header["replayed"]) == (live, replayed), "run.json miscounts the sources")
        self.expect((header["status"] == "finished") == (not header["not_run"]), f"{header['status']} is not true")

    def _resume(self, durable: frozenset[str]) -> list[Stamped]:
        """Run the same command again, then replay; return what the first of them asked."""
        # Read only afterwards: what has begun to be merged must be whole at any moment.
        status = self.start("again").wait(ENDED_S)
        log = self.mock.log()
        asked, missing = Counter(stamped.fingerprint for stamped in log), self.wanted - durable
        self.expect(not asked.keys() - missing, f"{len(asked.keys() - missing)} durable replies asked for again")
        self.expect(not missing - asked.keys(), f"{len(missing - asked.keys())} missing replies not asked for")
        self.expect(asked.total() == len(asked), "the second run asked for something twice")
        self._expect_whole("again", live=len(missing), status=status)
        self.expect(self._durable() == self.wanted, "the second run did not complete the recordings")
        self.expect(not self._cassette().journals(), "journals are left")
        self.mock.reset()
        spent = self.project.pytest("evals", "--limit=all", "-n0", "--run=replay", allowed=tuple(range(6)))
        (self.project.root / "replay.txt").write_text(spent.out)
        self.expect(not self.mock.log(), "the replay asked the endpoint")
        self._expect_whole("replay", live=0, status=spent.status)
        return log

    def _expect_whole(self, run: str, *, live: int, status: int) -> None:
        cases = self.project.cases
        try:
            header = read_run(self.project.root / "reports" / "runs" / run)
        except RunError as problem:
            self.violations.append(f"{run} ended with status {status}: {problem}")
            return
        got = {name: header.get(name) for name in ("states", "live_calls", "replayed", "unused_recordings")}
        due = {"states": {"answered": cases}, "live_calls": live, "replayed": cases - live, "unused_recordings": 0}
        self.expect((header["status"], status) == ("finished", 0), f"{run}: {header['status']}, exit status {status}")
        self.expect(got == due, f"{run}: {got} instead of {due}")
