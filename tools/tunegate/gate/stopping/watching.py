"""Watches a run and knows when enough was asked: `--until-decided`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from tunegate.cases import Model
from tunegate.gate.contest import Contest
from tunegate.gate.measures import Measures
from tunegate.gate.order import Place, Plan
from tunegate.gate.stopping.sequential import SequentialJudge
from tunegate.records import Cell, Record
from tunegate.runs.brief_records import BriefRecord


class GateWatch:
    """Takes records in the order of the plan, and wants cells until the word on their model is known.

    Args:
        contest: who is held against whom, made of `measures`, which are still empty.
        plan: the cells of the run, those of a case side by side.
    """

    def __init__(self, contest: Contest, measures: Measures, *, plan: Sequence[Cell]) -> None:
        places = dict.fromkeys(place_of(cell) for cell in plan)
        self.plan = Plan.of(tuple(places), seed=contest.policy.seed)
        self._judge = SequentialJudge(
            contest.candidates,
            baseline=contest.baseline,
            policy=contest.policy,
            plan=self.plan,
            prices=contest.prices,
        )
        self._measures = measures
        self._candidates = frozenset(candidate.model for candidate in contest.candidates)
        self._cells: Mapping[Place, Sequence[Cell]] = _by_place(plan)
        self._place: Place | None = None
        self._awaited: set[Cell] = set()
        self._done: frozenset[str] = frozenset()

    def take(self, record: Record) -> None:
        """Hear of a record; the case that it completes is judged."""
        place = place_of(record.cell)
        if place != self._place:
            # Not all of the last one came: an item may be skipped.
            self._judge_place()
            self._place = place
            self._awaited = {cell for cell in self._cells.get(place, ()) if self.wants(cell)}
        self._measures.add(BriefRecord.of(record))
        self._awaited.discard(record.cell)
        if not self._awaited:
            self._judge_place()

    def wants(self, cell: Cell) -> bool:
        """Tell whether a cell still matters: its candidate is not decided, or another one needs the baseline."""
        if self._judge.is_over:
            return False
        return cell.model not in self._done

    def _judge_place(self) -> None:
        if self._place is None:
            return
        self._judge.take(self._place)
        self._place, self._awaited = None, set()
        self._done = frozenset(filter(self._judge.is_decided, self._candidates))


def place_of(cell: Cell) -> Place:
    """Return the case of a cell."""
    return Place(cell.eval, cell.case, cell.subject)


def empty_measures(run: str, *, models: Sequence[Model]) -> Measures:
    """Return the measures of a run of these models that has only begun: nothing of them yet."""
    return Measures(
        run=run,
        header={"matrix": describe_models(models), "started_at": datetime.now(UTC).isoformat()},
        sheets={model.name: {} for model in models},
        states={model.name: Counter() for model in models},
    )


def describe_models(models: Sequence[Model]) -> list[dict[str, object]]:
    """Return of each model what a run's header says of it and a gate asks for."""
    return [
        {
            "name": model.name,
            "model": model.model,
            "role": model.role,
            "base_url": model.endpoint.base_url,
            "body": dict(model.body),
        }
        for model in models
    ]


def _by_place(plan: Sequence[Cell]) -> dict[Place, list[Cell]]:
    found: dict[Place, list[Cell]] = {}
    for cell in plan:
        found.setdefault(place_of(cell), []).append(cell)
    return found
