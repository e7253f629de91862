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
    max_tokens: int = MAX_TOKENS
    training: Callable[[Sources], Sequence[Case]] | None = None
    """The cases that a model may learn from; None where the eval has none."""
    answer: Callable[[Any], str] | None = None
    """The reply to a training case that is known to be right; None where only a teacher can say."""


def evaluates(
    name: str,
    *,
    cases: Callable[[Sources], Sequence[Case]],
    prompt: Callable[[Any, Sources], list[Message]],
    max_tokens: int = MAX_TOKENS,
    training: Callable[[Sources], Sequence[Case]] | None = None,
    answer: Callable[[Any], str] | None = None,
) -> Callable[[_Function], _Function]:
    """Make the test function below an eval; `training` and `answer` are for `tunegate distill`.

    Raises:
        UsageError: the name cannot be a folder's, no tokens are allowed, or the test is an eval already.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"name of an eval: wanted small letters, digits, - and _ (it names a folder), found {shorten(name)}"
        )
    if max_tokens < 1:
        raise UsageError(f"eval {name}: wanted max_tokens of at least 1, found {max_tokens}")
    declared = Eval(name=name, cases=cases, prompt=prompt, max_tokens=max_tokens, training=training, answer=answer)

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
