"""Which cells a run has, in the one order that every process of the run agrees on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tunegate.cases import Case, Eval, Model, Sources
from tunegate.errors import UsageError
from tunegate.records import Cell


@dataclass(frozen=True)
class Planned:
    """A cell that is to be asked, with what is needed to ask it."""

    eval: Eval
    case: Case
    model: Model
    cell: Cell

    @property
    def id(self) -> str:
        """Name of the pytest item: the first repeat keeps its name however many follow."""
        repeat = f"-r{self.cell.repeat}" if self.cell.repeat > 1 else ""
        return f"{self.cell.case}-{self.cell.model}{repeat}"


def plan_cells(
    eval_: Eval, sources: Sources, *, models: Sequence[Model], repeats: int, temperature: float
) -> list[Planned]:
    """Return models x cases x repeats, the models in the matrix's order, the cases in the eval's.

    A row of the matrix that fixes its number of shots or its temperature keeps it, whatever the run says.

    Raises:
        UsageError: the eval has no cases, or two of one id.
        CaseFileError: the prompt needs what the case files do not have.
    """
    cases = eval_.cases(sources)
    if not cases:
        raise UsageError(f"the eval '{eval_.name}' has no cases to ask")
    twice = [name for name, count in Counter(case.id for case in cases).items() if count > 1]
    if twice:
        raise UsageError(
            f"the eval '{eval_.name}' has {len(twice)} case ids that stand twice, the first is {twice[0]!r}: "
            "recordings and baselines are found by the id"
        )
    for shots in {_shots_of(model, sources) for model in models}:
        # Says once, before anything is asked, what would fail for every item.
        eval_.prompt(cases[0], sources.with_shots(shots))
    return [
        Planned(
            eval_,
            case,
            model,
            Cell(
                eval=eval_.name,
                case=case.id,
                subject=case.subject,
                model=model.name,
                repeat=repeat,
                temperature=_temperature_of(model, temperature),
                shots=_shots_of(model, sources),
            ),
        )
        for model in models
        for case in cases
        for repeat in range(1, repeats + 1)
    ]


def _shots_of(model: Model, sources: Sources) -> int:
    return sources.shots if model.shots is None else model.shots


def _temperature_of(model: Model, temperature: float) -> float | None:
    """Return the temperature as it will be sent: None where the endpoint is left to its own."""
    if "temperature" in model.omit:
        return None
    own: float | None = model.body.get("temperature", temperature)
    return own
