"""What an eval file declares above its test: which cases, which prompt, how long an answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from tunegate.cases.names import shorten
from tunegate.cases.sources import Sources
from tunegate.errors import UsageError
from tunegate.records import Message

ATTRIBUTE = "tunegate_eval"
MAX_TOKENS = 256

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*", re.ASCII)
_Function = TypeVar("_Function", bound=Callable[..., Any])


class Case(Protocol):
    """What is asked once of each model: a batch, a scenario, a prompt. An eval may bring its own kind."""

    @property
    def id(self) -> str:
        """Stable name of the case within its eval: recordings and baselines are found by it."""

    @property
    def subject(self) -> str:
        """Group of cases that a report shows together."""


@dataclass(frozen=True)
class Eval:
    """How an eval asks."""

    name: str
    cases: Callable[[Sources], Sequence[Case]]
    prompt: Callable[[Any, Sources], list[Message]]
    max_tokens: int | Callable[[Any], int] = MAX_TOKENS
    """Where a reply is cut; a function says it of each case."""
    temperature: Callable[[Any], float | None] | None = None
    """Says at which temperature a case is asked, from 0 to 2; None, here or of a case, leaves it to the run."""
    training: Callable[[Sources], Sequence[Case]] | None = None
    """The cases that a model may learn from; None where the eval has none."""
    answer: Callable[[Any], str] | None = None
    """The reply to a training case that is known to be right; None where only a teacher can say."""
    times: bool = False
    """Whether it measures time: asked live with nothing beside it, the models in turns."""
    load: Callable[[Any], int] | None = None
    """Says how many requests are to be under way while a case is asked; None is one. Only of an eval that times."""
    partial: bool = False
    """Whether a replay leaves out the rows of which nothing is recorded in it; else one such row stops it."""

    @property
    def sweeps(self) -> bool:
        """Whether replies are cut at a limit that goes by the case."""
        return callable(self.max_tokens)

    def limit_of(self, case: Case) -> int:
        """Return where the reply to a case is cut.

        Raises:
            UsageError: what the eval says of it is no whole number from 1 up.
        """
        if not callable(self.max_tokens):
            return self.max_tokens
        limit = self.max_tokens(case)
        if type(limit) is not int or limit < 1:
            raise UsageError(f"max_tokens of {self.name}[{case.id}]: wanted a whole number from 1 up, found {limit!r}")
        return limit

    def load_of(self, case: Case) -> int | None:
        """Return how many requests are to be under way while a case is asked; None where time is not measured.

        Raises:
            UsageError: what the eval says of it is no whole number from 1 up.
        """
        if not self.times:
            return None
        load = 1 if self.load is None else self.load(case)
        if type(load) is not int or load < 1:
            raise UsageError(f"load of {self.name}[{case.id}]: wanted a whole number from 1 up, found {load!r}")
        return load


def evaluates(
    name: str,
    *,
    cases: Callable[[Sources], Sequence[Case]],
    prompt: Callable[[Any, Sources], list[Message]],
    max_tokens: int | Callable[[Any], int] = MAX_TOKENS,
    temperature: Callable[[Any], float | None] | None = None,
    training: Callable[[Sources], Sequence[Case]] | None = None,
    answer: Callable[[Any], str] | None = None,
    times: bool = False,
    load: Callable[[Any], int] | None = None,
    partial: bool = False,
) -> Callable[[_Function], _Function]:
    """Make the test function below an eval; `training` and `answer` are for `tunegate distill`.

    `temperature` says of a case at which one it is asked; a row of the matrix that fixes its own keeps it, and None
    leaves the case to the run's `--temperature`. `max_tokens` may be a function that says of a case where its reply is
    cut. An eval that `times` is asked live one request at a time, the models in turns, and its records keep when each
    piece of a reply came; `load` may say of a case that more are to be under way. A `partial` eval makes sense for
    some rows only: a replay leaves out those that have no recording in it, and says which.

    Raises:
        UsageError: the name cannot be a folder's, no tokens are allowed, or the test is an eval already.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"name of an eval: wanted small letters, digits, - and _ (it names a folder), found {shorten(name)}"
        )
    if not callable(max_tokens) and max_tokens < 1:
        raise UsageError(f"eval {name}: wanted max_tokens of at least 1, found {max_tokens}")
    if load is not None and not times:
        raise UsageError(f"eval {name}: load says under what a time is measured, so it goes with times=True")
    declared = Eval(
        name=name,
        cases=cases,
        prompt=prompt,
        max_tokens=max_tokens,
        temperature=temperature,
        training=training,
        answer=answer,
        times=times,
        load=load,
        partial=partial,
    )

    def declare(function: _Function) -> _Function:
        already = eval_of(function)
        if already is not None:
            raise UsageError(f"one test is one eval: {function.__name__} is {already.name} and now {name}")
        setattr(function, ATTRIBUTE, declared)
        return function

    return declare


def eval_of(function: object) -> Eval | None:
    """Return what `evaluates` hung on a test function, None where it is an ordinary test."""
    declared = getattr(function, ATTRIBUTE, None)
    return declared if isinstance(declared, Eval) else None
