"""The latency eval's own judgement: which replies have a time that says something."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunegate.cases import Sources, eval_of
from tunegate.checks import Check, Reply
from tunegate.records import Usage

from ..project import load_eval

ROOT = Path(__file__).resolve().parents[2]


EVAL = load_eval("test_latency.py")
CASE = EVAL.Wait(EVAL.Prompt("bubble", "Repeat."), 64)


def judge(*, text: str = "bubble", reason: str = "length", tokens: int | None = 64, ended: bool = True) -> list[Check]:
    return list(EVAL.checks(CASE, Reply(text, reason, usage=Usage(9, tokens), ended=ended)))


def missed(checks: list[Check]) -> list[str]:
    return [check.name for check in checks if check.passed is False and not check.advisory]


def test_every_prompt_is_asked_at_every_limit() -> None:
    """Five prompts at five limits are 25 cases with stable names, shown by their limit; the run may name the limits."""
    sources = Sources(ROOT / "fixtures")
    cases = EVAL.waits(sources)
    assert len({case.id for case in cases}) == len(cases) == 25
    assert ("bubble-64", "64 tokens") in {(case.id, case.subject) for case in cases}
    few = EVAL.waits(Sources(ROOT / "fixtures", max_tokens=(32, 8)))
    assert [case.max_tokens for case in few] == [8] * 5 + [32] * 5
    assert len(EVAL.waits(Sources(ROOT / "fixtures", limit=4))) == 4


def test_eval_says_that_it_measures_time() -> None:
    """It is asked with nothing beside it, for some rows only, and each case at its own limit."""
    declared = eval_of(EVAL.test_latency)
    assert declared is not None
    assert (declared.times, declared.partial, declared.limit_of(CASE)) == (True, True, 64)
    assert declared.prompt(CASE, Sources(ROOT / "fixtures")) == [{"role": "user", "content": "Repeat."}]


@pytest.mark.parametrize(
    ("reply", "wrong"),
    [
        ({}, []),
        ({"reason": "stop", "tokens": 12}, []),
        ({"tokens": 65}, ["limit"]),
        ({"text": " \n"}, ["not_empty"]),
        ({"reason": "content_filter"}, ["ended"]),
        ({"ended": False}, ["ended"]),
    ],
    ids=["filled", "stopped", "too long", "empty", "filtered", "broken off"],
)
def test_reply_whose_time_says_nothing_is_missed(reply: dict[str, object], wrong: list[str]) -> None:
    """A reply keeps to its limit, says something and ends properly; else its time is of something else."""
    assert missed(judge(**reply)) == wrong  # type: ignore[arg-type]  # the table's rows are keywords


def test_uncounted_tokens_are_not_judged() -> None:
    """Where the server did not count, nobody knows whether the limit was kept."""
    assert {check.name: check.passed for check in judge(tokens=None)}["limit"] is None


def test_stopping_before_the_limit_is_no_fault() -> None:
    """`filled` says whether there was more to say, and never misses."""
    (filled,) = [check for check in judge(reason="stop", tokens=3) if check.name == "filled"]
    assert (filled.passed, filled.advisory) == (False, True)
