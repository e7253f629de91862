"""The run's one writer. It lives in the process that sees every report: the controller, or the only one."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from tunegate.exchanges import canonical_json
from tunegate.pytest_plugin.harness import Harness
from tunegate.records import Cell, Record
from tunegate.report import Tally
from tunegate.runs import RunFolder, check_run_name, code_state, digests_of, new_run_name, versions


class Ledger:
    """Writes each record as its report arrives. A killed worker loses the item in hand, not the run."""

    def __init__(self, config: pytest.Config, harness: Harness) -> None:
        self.tally = Tally()
        self.planned = 0
        self.folder: RunFolder | None = None
        self.unused: int | None = None
        self._config = config
        self._harness = harness
        self._pending: dict[str, Cell] = {}
        self._used: dict[tuple[str, str], set[tuple[str, int]]] = {}
        self._prompts: set[str] = set()
        if harness.options.run is not None:
            # Said before anything is asked, not after.
            check_run_name(harness.options.runs, harness.options.run)

    @property
    def model_order(self) -> list[str]:
        """The names of the models in the matrix's order."""
        return [model.name for model in self._harness.models]

    @property
    def not_run(self) -> int:
        """How many planned items have no record."""
        return max(0, self.planned - self.tally.records)

    def take(self, report: pytest.TestReport) -> None:
        """Write the record that `report` brings, or `lost` where a worker died with the item in hand."""
        cell: Mapping[str, Any] | None = getattr(report, "tunegate_cell", None)
        if cell is not None:
            self._pending[report.nodeid] = Cell(**cell)
            self.planned = max(self.planned, report.tunegate_planned)
            self._open()
        line: str | None = getattr(report, "tunegate_record", None)
        if line is not None:
            self._pending.pop(report.nodeid, None)
            del report.tunegate_record  # the terminal keeps every report to the end
            self._write(Record.from_json(line))
        elif report.when not in ("setup", "call", "teardown") and report.nodeid in self._pending:
            # xdist reports an item whose worker died with a `when` of its own.
            cell_in_hand = self._pending.pop(report.nodeid)
            self._write(Record(cell_in_hand, "lost", error=report.longreprtext.strip() or "the worker died"))

    def finish(self, exit_status: int) -> None:
        """Fold the journals into the cassettes and say in run.json how the run ended."""
        library = self._harness.library
        if self._harness.options.record != "none":
            library.merge()
        if self.folder is None:
            return
        self.unused = sum(len(library.cassette(*key).keys() - used) for key, used in self._used.items())
        self.folder.finish(
            planned=self.planned,
            facts={
                "unused_recordings": self.unused,
                "prompts": hashlib.sha256("".join(sorted(self._prompts)).encode()).hexdigest(),
                "cassettes": {
                    str(path): hashlib.sha256(path.read_bytes()).hexdigest()
                    for key in sorted(self._used)
                    if (path := library.cassette(*key).path).is_file()
                },
                "cost_usd": None,
                "exit_status": int(exit_status),
            },
        )

    def _write(self, record: Record) -> None:
        folder = self._open()
        folder.append(record)
        self.tally.add(record)
        if record.messages:
            self._prompts.add(hashlib.sha256(canonical_json(record.messages).encode()).hexdigest())
        used = self._used.setdefault((record.cell.eval, record.cell.model), set())
        if record.request is not None:
            used.add((record.request, record.cell.repeat))

    def _open(self) -> RunFolder:
        if self.folder is None:
            options = self._harness.options
            self.folder = RunFolder.create(options.runs, options.run or new_run_name(), header=self._header())
        return self.folder

    def _header(self) -> dict[str, Any]:
        harness, options = self._harness, self._harness.options
        code = code_state(self._config.rootpath)
        redact = harness.library.redactor.text
        return {
            "command": [redact(word) for word in sys.argv],
            "commit": code.commit,
            "dirty": code.dirty,
            "versions": versions(),
            "options": {
                "record": options.record,
                "repeat": options.repeat,
                "temperature": options.temperature,
                "shots": options.shots,
                "max_tokens": options.max_tokens,
                "stream": options.stream,
                "limit": options.limit,
                "seed": options.seed,
                "subjects": list(options.subjects),
            },
            "matrix": [
                {
                    "name": model.name,
                    "model": model.model,
                    "base_url": harness.library.redactor.url(model.endpoint.base_url),
                    "role": model.role,
                    "base": model.base,
                    "examples": model.examples,
                    "training_seed": model.training_seed,
                    "shots": model.shots,
                    "body": json.loads(redact(json.dumps(dict(model.body)))),
                }
                for model in harness.models
            ],
            "digests": digests_of(options.fixtures),
            "questions": {
                "origin": redact(str(harness.sources.bank.origin)),
                "digest": harness.sources.bank.digest_of("test", "dev"),
            },
        }
