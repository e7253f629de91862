"""The run's one writer. It lives in the process that sees every report: the controller, or the only one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tunegate.errors import TunegateError
from tunegate.pytest_plugin.harness import Harness
from tunegate.pytest_plugin.stopping import Stopping
from tunegate.records import Cell, Record
from tunegate.report import Tally
from tunegate.runs import Prompts, RunFolder, check_run_name, code_state, digests_of, new_run_name, versions


class Ledger:
    """Writes each record as its report arrives. A killed worker loses the item in hand, not the run."""

    def __init__(self, config: pytest.Config, harness: Harness, *, stopping: Stopping | None = None) -> None:
        self.tally = Tally()
        self.planned = 0
        self._whole = 0
        """Cells before any selection among their items."""
        self.not_needed = 0
        """How many planned items were spared because everything was decided; counted when the run ends."""
        self.folder: RunFolder | None = None
        self.unused: int | None = None
        self.shard: dict[str, Any] | None = None
        """What part of a run this is, as the processes that collected it say."""
        self.problems: list[str] = []
        """What went wrong with the run itself, to be said at its end."""
        self._config = config
        self._harness = harness
        self._stopping = stopping
        self._pending: dict[str, Cell] = {}
        self._written: set[Cell] = set()
        self._used: dict[tuple[str, str], set[tuple[str, int]]] = {}
        self._prompts = Prompts()
        if harness.options.run is not None:
            # Said before anything is asked, not after.
            check_run_name(harness.options.runs, harness.options.run)

    @property
    def model_order(self) -> list[str]:
        """The names of the models in the matrix's order."""
        return [model.name for model in self._harness.models]

    @property
    def left_out(self) -> list[str]:
        """What evals left out for want of recordings, and what records it."""
        return [told for _, told in sorted(self._harness.left_out.told.items())]

    @property
    def not_converged(self) -> dict[str, str]:
        """Why a model's training did not work, by model; the others are left out."""
        trained = {model.name: model.training for model in self._harness.models}
        return {name: how.not_converged for name, how in trained.items() if how is not None and how.not_converged}

    @property
    def not_run(self) -> int:
        """How many planned items have no record that one was wanted of."""
        return max(0, self.planned - self.tally.records - self.not_needed)

    @property
    def stopped_early(self) -> str | None:
        """What it spared to stop when everything was decided; None where it spared nothing."""
        if self._stopping is None or not self.not_needed:
            return None
        asked = len({(cell.eval, cell.case) for cell in self._written})
        return self._stopping.describe(asked=asked, spared=self.not_needed)

    def take(self, report: pytest.TestReport) -> Record | None:
        """Write the record that `report` brings, or `lost` where a worker died with the item in hand, and return it."""
        # What a report brings is taken off it: the terminal keeps every report to the end.
        brought = report.__dict__
        cell: Mapping[str, Any] | None = brought.pop("tunegate_cell", None)
        if cell is not None:
            self._pending[report.nodeid] = Cell(**cell)
            self.planned = max(self.planned, brought.pop("tunegate_planned"))
            self._whole = max(self._whole, brought.pop("tunegate_whole"))
            self.shard = brought.pop("tunegate_shard")
            self._open()
        line: str | None = brought.pop("tunegate_record", None)
        if line is not None:
            self._pending.pop(report.nodeid, None)
            record: Record = brought.pop("tunegate_record_here", None) or Record.from_json(line)
            return self._write(record, line=line)
        if report.when not in ("setup", "call", "teardown") and report.nodeid in self._pending:
            # xdist reports an item whose worker died with a `when` of its own.
            cell_in_hand = self._pending.pop(report.nodeid)
            return self._write(Record(cell_in_hand, "lost", error=report.longreprtext.strip() or "the worker died"))
        return None

    def close(self) -> None:
        """Fold the journals into the cassettes and count what no item asked for.

        What cannot be read or written is kept as a problem: the records are safe whatever happens here.
        """
        if self._stopping is not None and self._stopping.plan:
            self.planned = len(self._stopping.plan)
            self.not_needed = self._stopping.count_spared(self._written)
            if self.not_needed:
                self._open()  # a run of which nothing was needed is a run all the same
        if self.folder is None:
            return
        library = self._harness.library
        try:
            if self._harness.records:
                library.merge()
            self.unused = sum(len(library.cassette(*key).keys() - used) for key, used in self._used.items())
        except (TunegateError, OSError) as problem:
            self.problems.append(str(problem))

    def finish(self, exit_status: int) -> None:
        """Say in run.json how the run ended."""
        if self.folder is None and self.shard is not None and self._harness.options.shard:
            self._open()  # a part without a case is a part all the same
        if self.folder is None:
            return
        paths = [self._harness.library.cassette(*key).path for key in sorted(self._used)]
        self.folder.finish(
            planned=self.planned,
            not_needed=self.not_needed,
            facts={
                "unused_recordings": self.unused,
                "problems": self.problems,
                "prompts": self._prompts.digest(),
                "cassettes": {
                    self._place(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.is_file()
                },
                "deselected": max(0, self._whole - (self.shard["planned"] if self.shard else self.planned)),
                **self._calls(),
                "exit_status": exit_status,
                **({"until_decided": self._stopping.outline()} if self._stopping is not None else {}),
            },
        )

    def _calls(self) -> dict[str, Any]:
        """Say what the run's calls cost; None is unknown, and nothing was asked in a replay."""
        if not self._harness.records:
            return {"cost_usd": 0.0, "attempts": 0, "rejected": 0}
        desk = self._harness.recording.run_desk
        return {
            "cost_usd": desk.spent_usd,
            "attempts": desk.admission.admitted,
            "rejected": desk.admission.rejected,
        }

    def _write(self, record: Record, *, line: str | None = None) -> Record | None:
        if record.cell in self._written:
            cell = record.cell
            self.problems.append(f"{cell.eval}[{cell.case}] of '{cell.model}' was reported twice: the first counts")
            return None
        self._written.add(record.cell)
        folder = self._open()
        folder.append(record, line=line)
        self.tally.add(record)
        self._prompts.add(record.messages)
        used = self._used.setdefault((record.cell.shelf, record.cell.model), set())
        if record.request is not None:
            used.add((record.request, record.cell.repeat))
        if self._harness.watch is not None:
            self._harness.watch.take(record)
        return record

    def _open(self) -> RunFolder:
        if self.folder is None:
            options = self._harness.options
            self.folder = RunFolder.create(options.runs, options.run or new_run_name(), header=self._header())
        return self.folder

    def _place(self, path: Path) -> str:
        """Name a path as it is called inside the project: where that lies on this machine is nobody's business."""
        root = self._config.rootpath
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name

    def _header(self) -> dict[str, Any]:
        harness, options = self._harness, self._harness.options
        code = code_state(self._config.rootpath)
        redact = harness.redactor.text
        return {
            "command": ["pytest", *(redact(word) for word in self._config.invocation_params.args)],
            "commit": code.commit,
            "dirty": code.dirty,
            "versions": versions(),
            "options": {
                "record": options.record,
                "repeat": options.repeat,
                "temperature": options.temperature,
                "shots": options.shots,
                "max_tokens": _told_limits(options.max_tokens),
                "in_flight": _told_limits(options.in_flight),
                "stream": options.stream,
                "limit": options.limit,
                "seed": options.seed,
                "subjects": list(options.subjects),
                "max_connections": options.max_connections,
                "max_cost_usd": options.max_cost_usd,
                "via": options.via,
                "until_decided": options.until_decided,
            },
            "shard": self.shard,
            "matrix": [
                {
                    "name": model.name,
                    "model": model.model,
                    "base_url": harness.redactor.url(model.endpoint.base_url),
                    "role": model.role,
                    "base": model.base,
                    "examples": model.examples,
                    "training_seed": model.training_seed,
                    "training": asdict(model.training) if model.training else None,
                    "shots": model.shots,
                    "body": json.loads(redact(json.dumps(dict(model.body)))),
                    "omit": list(model.omit),
                }
                for model in harness.models
            ],
            "digests": digests_of(options.fixtures),
            "questions": self._questions(),
        }

    def _questions(self) -> dict[str, str] | None:
        """Say which bank was asked from; None for a project whose evals bring their own cases."""
        options = self._harness.options
        if options.questions is None and not (options.fixtures / "questions").exists():
            return None
        bank = self._harness.sources.bank
        origin = bank.origin if bank.origin == options.questions else self._place(Path(bank.origin))
        parts = [part for part in ("test", "dev") if part in bank.parts]
        return {"origin": self._harness.redactor.text(origin), "digest": bank.digest_of(*parts)}


def _told_limits(limits: Sequence[int]) -> int | str | None:
    """Return `--max-tokens` as it was given: a number, several behind commas, or None."""
    return ",".join(map(str, limits)) if len(limits) > 1 else next(iter(limits), None)
