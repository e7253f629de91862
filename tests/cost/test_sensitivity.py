"""Sensitivity: what each assumption does by itself, and in which order they are told."""

from __future__ import annotations

import dataclasses
import math

import pytest

from tunegate.cost import FACTORS, Caller, Outlay, Replacement, find_swings

from .made_replacements import make_medium

MEDIUM = make_medium()


def test_each_assumption_is_varied_by_itself() -> None:
    """The price of training at x 2 is what the same case says with twice the price of training, and nothing else."""
    by_name = {swing.assumption: swing for swing in find_swings(MEDIUM)}
    doubled = dataclasses.replace(MEDIUM, outlay=dataclasses.replace(MEDIUM.outlay, training_usd_per_mtok=16.0))
    assert by_name["training_usd_per_mtok"].calls[FACTORS.index(2.0)] == doubled.calls
    less = dataclasses.replace(MEDIUM, baseline=dataclasses.replace(MEDIUM.baseline, output_usd_per_mtok=48.0))
    assert by_name["baseline output_usd_per_mtok"].calls[FACTORS.index(0.8)] == less.calls


def test_one_thing_in_life_is_one_assumption() -> None:
    """The case's tokens change for both models, and the training set with its tokens and examples."""
    by_name = {swing.assumption: swing for swing in find_swings(MEDIUM)}
    assert "candidate prompt_tokens" not in by_name
    both = dataclasses.replace(
        MEDIUM,
        candidate=dataclasses.replace(MEDIUM.candidate, prompt_tokens=1000),
        baseline=dataclasses.replace(MEDIUM.baseline, prompt_tokens=1000),
    )
    assert by_name["prompt_tokens of a case"].calls[2] == both.calls
    size = by_name["training set (tokens and examples)"]
    assert MEDIUM.calls is not None
    assert size.calls[2] == pytest.approx(2 * MEDIUM.calls, abs=1)
    longer = dataclasses.replace(MEDIUM, candidate=dataclasses.replace(MEDIUM.candidate, prompt_tokens=400))
    apart = {swing.assumption for swing in find_swings(longer)}
    assert {"candidate prompt_tokens", "baseline prompt_tokens"} <= apart


def test_what_follows_from_an_assumption_follows_in_the_table() -> None:
    """Examples that follow from the training tokens are fewer where a call is longer: it pays sooner, not later."""
    following = dataclasses.replace(MEDIUM, outlay=dataclasses.replace(MEDIUM.outlay, examples=None))
    assert following.calls == MEDIUM.calls
    by_name = {swing.assumption: swing for swing in find_swings(following)}
    # 50 million tokens are 33,333 examples of 1,500: (400 + 33,333 x 0.063) / (0.063 - 0.02).
    assert by_name["prompt_tokens of a case"].calls[FACTORS.index(2.0)] == 58_140
    assert by_name["completion_tokens of a case"].calls[FACTORS.index(2.0)] == 53_571
    size = by_name["training set (tokens and examples)"]
    assert (size.value, size.calls) == (50e6, (65_883, 98_824, 164_706))


def test_training_set_is_varied_with_all_that_was_paid_for_it() -> None:
    """Twice the tokens are twice the examples: twice what the teacher was paid, and twice the hours of people."""
    outlay = dataclasses.replace(
        MEDIUM.outlay, examples=100, teaching_usd=50.0, examples_per_hour=20.0, usd_per_hour=40.0
    )
    case = dataclasses.replace(MEDIUM, outlay=outlay)
    by_name = {swing.assumption: swing for swing in find_swings(case)}
    assert not {"examples", "teaching_usd"} & set(by_name)
    twice = 2 * case.outlay_usd / case.saved_usd_per_call
    assert by_name["training set (tokens and examples)"].calls[FACTORS.index(2.0)] == math.ceil(twice)
    assert by_name["examples_per_hour"].calls[FACTORS.index(2.0)] == math.ceil(
        (400 + 50 + 100) / case.saved_usd_per_call
    )


@pytest.mark.parametrize("field", ["input_usd_per_mtok", "output_usd_per_mtok"])
def test_teacher_at_the_prices_of_the_baseline_has_one_price_with_it(field: str) -> None:
    """Other tokens a call do not make it another model: its price moves with the baseline's, and is told once."""
    teacher = dataclasses.replace(MEDIUM.baseline, prompt_tokens=700, completion_tokens=300)
    case = dataclasses.replace(MEDIUM, outlay=dataclasses.replace(MEDIUM.outlay, teacher=teacher))
    by_name = {swing.assumption: swing for swing in find_swings(case)}
    assert f"teacher {field}" not in by_name
    dearer = {field: 2 * getattr(teacher, field)}
    both = Replacement(
        case.candidate,
        dataclasses.replace(case.baseline, **dearer),
        dataclasses.replace(case.outlay, teacher=dataclasses.replace(teacher, **dearer)),
    )
    assert by_name[f"baseline {field}"].calls[FACTORS.index(2.0)] == both.calls
    other = dataclasses.replace(teacher, output_usd_per_mtok=61.0)
    apart = dataclasses.replace(case, outlay=dataclasses.replace(case.outlay, teacher=other))
    assert {f"teacher {field}", f"baseline {field}"} <= {swing.assumption for swing in find_swings(apart)}


def test_teacher_that_is_called_as_the_baseline_has_its_tokens_from_it() -> None:
    """Other prices do not make it another call."""
    base = dataclasses.replace(MEDIUM.baseline, prompt_tokens=900)
    teacher = dataclasses.replace(base, input_usd_per_mtok=2.0)
    case = Replacement(MEDIUM.candidate, base, dataclasses.replace(MEDIUM.outlay, teacher=teacher))
    by_name = {swing.assumption: swing for swing in find_swings(case)}
    assert not {"teacher prompt_tokens", "teacher instruction_tokens"} & set(by_name)
    both = Replacement(
        case.candidate,
        dataclasses.replace(base, prompt_tokens=1800),
        dataclasses.replace(case.outlay, teacher=dataclasses.replace(teacher, prompt_tokens=1800)),
    )
    assert by_name["baseline prompt_tokens"].calls[FACTORS.index(2.0)] == both.calls


def test_largest_effect_stands_first() -> None:
    """What makes it never pay goes before everything that only puts it off, and so on down."""
    near = Replacement(Caller(10.0, 0.5, 100, 100), Caller(15.0, 0.5, 100, 100), Outlay(other_usd=100.0))
    swings = find_swings(near)
    assert (swings[0].assumption, swings[0].calls[2], swings[0].size) == (
        "candidate input_usd_per_mtok",
        None,
        math.inf,
    )
    assert [swing.size for swing in swings] == sorted((swing.size for swing in swings), reverse=True)


def test_what_is_zero_or_unknown_is_no_assumption() -> None:
    """An amount of 0 stays 0 whatever it is multiplied by, and an unknown cached price is not varied."""
    names = {swing.assumption for swing in find_swings(MEDIUM)}
    assert not names & {"hours", "other_usd", "candidate cached_share", "candidate cached_input_usd_per_mtok"}


def test_what_changes_nothing_is_left_out() -> None:
    """Epochs of no training, and whatever cannot make a dear candidate pay, are not told."""
    untrained = Replacement(Caller(1.0, 1.0, 100, 10), Caller(2.0, 2.0, 100, 10), Outlay(other_usd=10.0))
    assert "epochs" not in {swing.assumption for swing in find_swings(untrained)}
    dear = dataclasses.replace(untrained, candidate=Caller(90.0, 90.0, 100, 10))
    assert find_swings(dear) == []


def test_share_of_the_prompt_stays_a_share() -> None:
    """Twice a cached share of 0.7 is the whole prompt, not more."""
    cached = Caller(2.0, 1.0, 100, 10, cached_share=0.7, cached_input_usd_per_mtok=0.2)
    case = Replacement(Caller(0.1, 0.1, 100, 10), cached, Outlay(other_usd=1.0))
    (swing,) = [each for each in find_swings(case) if each.assumption == "baseline cached_share"]
    whole = dataclasses.replace(case, baseline=dataclasses.replace(cached, cached_share=1.0))
    assert swing.calls[2] == whole.calls
