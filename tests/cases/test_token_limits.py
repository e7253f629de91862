"""Where replies are cut: the eval, its cases and the run each have a say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tunegate.cases import Eval, Matrix, Sources, eval_of, evaluates
from tunegate.errors import UsageError
from tunegate.records import Message
from tunegate.session import Preparer, plan_cells

MODEL = Matrix.unlisted("m", base_url="http://h/v1")
SOURCES = Sources(Path("fixtures"))


@dataclass(frozen=True)
class Sized:
    id: str
    most: Any
    subject: str = "s"


def say(_: Sized, __: Sources) -> list[Message]:
    return [{"role": "user", "content": "hi"}]


def declared(max_tokens: Any, *sizes: Any) -> Eval:
    return Eval("sized", cases=lambda _: [Sized(f"c{size}", size) for size in sizes], prompt=say, max_tokens=max_tokens)


def limits(eval_: Eval, max_tokens: int | None = None) -> list[int]:
    prepare = Preparer(SOURCES, max_tokens=max_tokens)
    planned = plan_cells(eval_, SOURCES, models=[MODEL], repeats=1, temperature=0.0)
    prepared = [prepare(cell) for cell in planned]
    assert [one.request.body["max_tokens"] for one in prepared] == [one.max_tokens for one in prepared]
    return [one.max_tokens for one in prepared]


def test_limit_goes_by_the_case() -> None:
    """An eval whose limit is a function asks each case with its own, and the run cuts it there at the latest."""
    eval_ = declared(lambda case: case.most, 8, 64, 256)
    assert eval_.sweeps
    assert limits(eval_) == [8, 64, 256]
    assert limits(eval_, max_tokens=64) == [8, 64, 64]


def test_one_limit_for_all_is_what_the_run_says() -> None:
    """An eval with one limit is cut where the run says, be it later or earlier."""
    eval_ = declared(64, 1, 2)
    assert not eval_.sweeps
    assert (limits(eval_), limits(eval_, max_tokens=8), limits(eval_, max_tokens=99)) == ([64] * 2, [8] * 2, [99] * 2)


@pytest.mark.parametrize("wrong", [0, -1, 2.0, "8", None, True])
def test_limit_that_is_none_is_told_before_anything_is_asked(wrong: object) -> None:
    """A case whose limit is no whole number from 1 up is named, with what was found."""
    with pytest.raises(UsageError, match=rf"max_tokens of sized\[c{wrong}\]: wanted a whole number from 1 up, found"):
        limits(declared(lambda case: case.most, wrong))


def test_sweep_takes_the_limits_of_the_run() -> None:
    """An eval that sweeps takes the run's limits, each once and rising, and its own where the run names none."""
    assert SOURCES.token_limits(64, 8) == (8, 64)
    assert Sources(Path("fixtures"), max_tokens=(32, 8, 32)).token_limits(64, 8) == (8, 32)


def test_declaration_keeps_what_it_says() -> None:
    """`evaluates` hands on that an eval measures time and makes sense for some rows only; neither by default."""

    def test(case: Sized) -> None: ...

    timed = eval_of(evaluates("timed", cases=lambda _: [], prompt=say, times=True, partial=True)(test))
    assert timed is not None
    assert (timed.times, timed.partial) == (True, True)
    assert (declared(8).times, declared(8).partial) == (False, False)
