"""A run as a gate sees it: what each of its models did in each eval, and how much of its plan was scored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunegate.errors import RunError
from tunegate.gate.order import Place
from tunegate.gate.ratings import read_ratings
from tunegate.gate.sheets import Sheet
from tunegate.gate.verdict import Coverage
from tunegate.records import SCORED
from tunegate.runs import read_run
from tunegate.runs.brief_records import BriefRecord, read_brief_records


@dataclass(frozen=True)
class Contender:
    """A model in a run: what it did, eval by eval, and how much of its plan was scored."""

    run: str
    model: str
    sheets: Mapping[str, Sheet]
    coverage: Coverage


@dataclass
class Measures:
    """All models of a run."""

    run: str
    header: Mapping[str, Any]
    sheets: dict[str, dict[str, Sheet]] = field(default_factory=dict)
    """model -> eval -> sheet"""
    states: dict[str, Counter[str]] = field(default_factory=dict)
    """model -> state -> records"""
    unscored: dict[str, set[Place]] = field(default_factory=dict)
    """model -> cases with a record that has no score"""

    def add(self, record: BriefRecord) -> None:
        """Count one record; what was not scored counts in the states only."""
        counter = self.states.get(record.model)
        if counter is None:
            counter = self.states[record.model] = Counter()
        counter[record.state] += 1
        if record.state not in SCORED:
            self.unscored.setdefault(record.model, set()).add(Place(record.eval, record.case, record.subject))
            return
        evals = self.sheets.setdefault(record.model, {})
        sheet = evals.get(record.eval)
        if sheet is None:
            sheet = evals[record.eval] = Sheet()
        sheet.add(record)

    @property
    def models(self) -> tuple[str, ...]:
        """The models with records, in the matrix's order."""
        listed = [str(row["name"]) for row in self.header.get("matrix") or ()]
        return (*(name for name in listed if name in self.states), *sorted(self.states.keys() - {*listed}))

    def role_of(self, model: str) -> str:
        """Return the role that a model had when the run was made."""
        rows = {row["name"]: row.get("role") for row in self.header.get("matrix") or ()}
        return str(rows.get(model) or "candidate")

    def contender(self, model: str) -> Contender:
        """Return one model of the run."""
        states = self.states.get(model, Counter())
        not_run = self._count_missing(sum(states.values()))
        return Contender(
            run=self.run,
            model=model,
            sheets=self.sheets.get(model, {}),
            coverage=Coverage(
                planned=sum(states.values()) + (not_run or 0),
                scored=sum(states[state] for state in SCORED),
                errors=states["error"],
                lost=states["lost"],
                not_run=not_run,
            ),
        )

    def _count_missing(self, recorded: int) -> int | None:
        """Return how many planned cells of a model with so many records have none; None where the plan is not known.

        It is the plan that counts, not what the run says of itself: records may have been lost since, and items that
        were deselected did not run either.
        """
        header = self.header
        if header.get("planned") is None:
            return header.get("not_run")
        planned = int(header["planned"]) + int(header.get("deselected", 0)) - int(header.get("not_needed", 0))
        missing = planned - sum(sum(states.values()) for states in self.states.values())
        if missing <= 0:
            return 0 if header["status"] == "finished" else None
        each, rest = divmod(planned, len(header.get("matrix") or self.states) or 1)
        is_even = not rest and not header.get("not_needed")
        if is_even and all(sum(states.values()) <= each for states in self.states.values()):
            # Every model is asked the same.
            return each - recorded
        return missing  # whose they are is not known: every model misses them


def measure_run(folder: Path) -> Measures:
    """Read the run folder `folder`: its records, and its ratings where there are any.

    Raises:
        RunError: there is no run, or a line that cannot be read.
    """
    header = read_run(folder)
    measures = Measures(run=str(header["run"]), header=header)
    for record in read_brief_records(folder):
        measures.add(record)
    recorded = sum(sum(states.values()) for states in measures.states.values())
    if recorded > header.get("planned", recorded):
        raise RunError(
            f"{folder} holds {recorded} records of a plan of {header['planned']} cells: one of both was changed"
        )
    for rating in read_ratings(folder):
        sheet = measures.sheets.get(rating.model, {}).get(rating.eval)
        if sheet is not None:
            sheet.rate(rating.case, rating.rating)
    return measures
