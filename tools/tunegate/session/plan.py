"""Which cells a run has, in the one order that every process of the run agrees on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from tunegate.cases import Case, Eval, Model, Sources
from tunegate.errors import UsageError
from tunegate.exchanges import Request, canonical_json
from tunegate.records import Cell, Message
from tunegate.wire import chat_request

HIGHEST_TEMPERATURE = 2
"""Of the chat completions API."""


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


@dataclass(frozen=True)
class Prepared:
    """A planned cell with what will be sent for it."""

    planned: Planned
    messages: tuple[Message, ...]
    request: Request
    max_tokens: int

    @cached_property
    def body_bytes(self) -> int:
        """Size of the request's body, in which every byte that the model may be charged for stands."""
        return len(canonical_json(self.request.body))

    @property
    def cell(self) -> Cell:
        """The cell that is asked."""
        return self.planned.cell

    @property
    def model(self) -> Model:
        """The row of the matrix that is asked."""
        return self.planned.model


@dataclass(frozen=True)
class Preparer:
    """Writes the request of a planned cell; the same cell gets the same request in every process."""

    sources: Sources
    stream: bool = True
    max_tokens: int | None = None
    """Cuts replies there, and where the eval says it of each case, there at the latest; None leaves it to the eval."""

    def __call__(self, planned: Planned) -> Prepared:
        """Return `planned` with its request.

        Raises:
            TunegateError: the eval's prompt needs what the case files do not have.
        """
        model = planned.model
        messages = planned.eval.prompt(planned.case, self.sources.with_shots(planned.cell.shots))
        max_tokens = self._limit_of(planned)
        request = chat_request(
            model.endpoint.base_url,
            model.model,
            messages=messages,
            max_tokens=max_tokens,
            temperature=planned.cell.temperature,
            stream=self.stream,
            extra=model.body,
            omit=model.omit,
        )
        return Prepared(planned, tuple(messages), request, max_tokens)

    def _limit_of(self, planned: Planned) -> int:
        if self.max_tokens is None:
            return planned.eval.limit_of(planned.case)
        return min(self.max_tokens, planned.eval.limit_of(planned.case)) if planned.eval.sweeps else self.max_tokens


def plan_cells(
    eval_: Eval, sources: Sources, *, models: Sequence[Model], repeats: int, temperature: float
) -> list[Planned]:
    """Return models x cases x repeats, the models in the matrix's order, the cases in the eval's.

    A row of the matrix that fixes its number of shots or its temperature keeps it, whatever the run says; so does a
    case that the eval gives a temperature of its own, where the row fixes none.

    Raises:
        UsageError: the eval has no cases, two of one id, or a temperature, limit or load of a case that is none.
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
    temperatures = {case.id: _temperature_of_case(case, eval_, temperature) for case in cases}
    for case in cases:
        eval_.limit_of(case)
    loads = {case.id: eval_.load_of(case) for case in cases}
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
                temperature=_temperature_of(model, temperatures[case.id]),
                shots=_shots_of(model, sources),
                load=loads[case.id],
            ),
        )
        for model in models
        for case in cases
        for repeat in range(1, repeats + 1)
    ]


def _shots_of(model: Model, sources: Sources) -> int:
    return sources.shots if model.shots is None else model.shots


def _temperature_of_case(case: Case, eval_: Eval, temperature: float) -> float:
    """Return what the eval says of a case, or the run where the eval says nothing."""
    own = eval_.temperature(case) if eval_.temperature is not None else None
    if own is None:
        return temperature
    if type(own) not in {int, float} or not 0 <= own <= HIGHEST_TEMPERATURE:
        raise UsageError(
            f"temperature of {eval_.name}[{case.id}]: wanted a number from 0 to {HIGHEST_TEMPERATURE}, or None for the "
            f"run's, found {own!r}"
        )
    return float(own)


def _temperature_of(model: Model, temperature: float) -> float | None:
    """Return the temperature as it will be sent: None where the endpoint is left to its own."""
    if "temperature" in model.omit:
        return None
    own: float | None = model.body.get("temperature", temperature)
    return own
