"""Break-even: fixed costs over what each call saves, in each of its limits."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tunegate.cost import Caller, Outlay, Rates, Replacement, calls_to_break_even, training_usd

PRICES = st.floats(0.001, 1000)
TOKENS = st.integers(1, 10_000)
CALLERS = st.builds(
    Caller,
    input_usd_per_mtok=PRICES,
    output_usd_per_mtok=PRICES,
    prompt_tokens=TOKENS,
    completion_tokens=TOKENS,
    instruction_tokens=st.integers(0, 1000),
    cached_share=st.floats(0, 1),
    cached_input_usd_per_mtok=st.none() | PRICES,
)
OUTLAYS = st.builds(
    Outlay,
    training_tokens=st.integers(0, 10**8),
    epochs=st.integers(1, 10),
    training_usd_per_mtok=PRICES,
    examples=st.none() | st.integers(0, 10**5),
    teacher=st.none() | CALLERS,
    teaching_usd=st.none() | st.floats(0, 10**4),
    examples_per_hour=st.none() | st.floats(0.1, 1000),
    hours=st.floats(0, 1000),
    usd_per_hour=st.floats(0, 200),
    other_usd=st.floats(0, 10**5),
)
REPLACEMENTS = st.builds(Replacement, CALLERS, CALLERS, OUTLAYS)
CALL_PRICES = ("input_usd_per_mtok", "output_usd_per_mtok", "cached_input_usd_per_mtok")


def at_most(fewer: int | None, more: int | None) -> bool:
    """Say whether one number of calls is no larger than another, where None is never."""
    return (math.inf if fewer is None else fewer) <= (math.inf if more is None else more)


def dearer(caller: Caller, price: str, *, factor: float) -> Caller:
    value = getattr(caller, price)
    assume(value is not None)
    return dataclasses.replace(caller, **{price: value * factor})


def test_training_costs_what_was_announced() -> None:
    """OpenAI's example of 22 August 2023: 100,000 tokens for 3 epochs at 0.008 USD a thousand are 2.40 USD."""
    assert training_usd(8.0, tokens=100_000, epochs=3) == pytest.approx(2.40)
    assert training_usd(None, tokens=100_000, epochs=3) is None


def test_call_costs_each_token_at_its_price() -> None:
    """Instructions are prompt, and the cached share of the whole prompt costs the cached price where it is known."""
    caller = Caller(2.0, 10.0, 800, 50, instruction_tokens=200, cached_share=0.6, cached_input_usd_per_mtok=0.5)
    assert caller.usd_per_call == pytest.approx((400 * 2 + 600 * 0.5 + 50 * 10) / 1e6)
    unknown = dataclasses.replace(caller, cached_input_usd_per_mtok=None)
    assert unknown.usd_per_call == pytest.approx((1000 * 2 + 50 * 10) / 1e6)
    rates = Rates(2.0, 10.0, cached_input_usd_per_mtok=0.5)
    assert Caller.of(rates, prompt_tokens=800, completion_tokens=50, instruction_tokens=200, cached_share=0.6) == caller


def test_everything_paid_once_is_in_the_outlay() -> None:
    """Training, calls of the teacher, hours of people and the rest; without a teacher the baseline writes examples."""
    teacher = Caller(10.0, 20.0, 100, 50)
    outlay = Outlay(10**6, 3, 8.0, examples=100, teacher=teacher, hours=2, usd_per_hour=30, other_usd=5)
    baseline = Caller(1.0, 1.0, 1000, 0)
    whole = Replacement(Caller(1.0, 1.0, 100, 0), baseline, outlay)
    assert outlay.training_usd == 24
    assert whole.labelling_usd == pytest.approx(100 * 0.002 + 60)
    assert whole.outlay_usd == pytest.approx(24 + 0.2 + 60 + 5)
    by_baseline = dataclasses.replace(whole, outlay=dataclasses.replace(outlay, teacher=None))
    assert by_baseline.labelling_usd == pytest.approx(100 * 0.001 + 60)
    paid = dataclasses.replace(whole, outlay=dataclasses.replace(outlay, teaching_usd=7.0))
    assert paid.labelling_usd == pytest.approx(7 + 60)


def test_people_who_write_the_examples_take_the_place_of_a_teacher() -> None:
    """100 examples at 20 an hour are 5 hours beside the 2 that are stated, and no call of a teacher is paid."""
    outlay = Outlay(examples=100, teacher=Caller(10.0, 20.0, 100, 50), examples_per_hour=20, hours=2, usd_per_hour=30)
    whole = Replacement(Caller(1.0, 1.0, 100, 0), Caller(1.0, 1.0, 1000, 0), outlay)
    assert (whole.hours, whole.teaching_usd, whole.labelling_usd) == (7, 0, 210)
    reviewed = dataclasses.replace(whole, outlay=dataclasses.replace(outlay, teaching_usd=7.0))
    assert reviewed.labelling_usd == 217


def test_examples_may_follow_from_what_is_trained() -> None:
    """1,050 tokens are two whole examples of a call of 400 in and 100 out, and one once the call is twice as long."""
    whole = Replacement(Caller(1.0, 1.0, 400, 100), Caller(2.0, 2.0, 400, 100), Outlay(1050, examples=None))
    assert whole.examples == 2
    longer = dataclasses.replace(whole, candidate=Caller(1.0, 1.0, 800, 200))
    assert longer.examples == 1


@given(st.integers(1, 10**5), st.integers(1, 10**6))
def test_number_of_calls_is_the_exact_quotient_rounded_up(cents: int, saved_microcents: int) -> None:
    """Floating point adds no call and takes none: 0.3 USD at 0.1 USD a call are 3 calls, not 4."""
    outlay_usd, saved_usd = Fraction(cents, 100), Fraction(saved_microcents, 10**8)
    found = calls_to_break_even(
        outlay_usd=float(outlay_usd), candidate_usd_per_call=0.0, baseline_usd_per_call=float(saved_usd)
    )
    assert found == math.ceil(outlay_usd / saved_usd)
    assert calls_to_break_even(outlay_usd=0.1 * 3, candidate_usd_per_call=0.0, baseline_usd_per_call=0.1) == 3


@given(REPLACEMENTS)
def test_that_many_calls_pay_it_back_and_one_less_does_not(replacement: Replacement) -> None:
    """At the break-even the baseline has cost as much or more, and a call earlier it had cost less."""
    calls = replacement.calls
    assume(calls is not None and 0 < calls < 10**9)
    assert calls is not None
    saved = replacement.saved_usd_per_call
    assert calls * saved >= replacement.outlay_usd * (1 - 1e-9)
    assert (calls - 1) * saved < replacement.outlay_usd * (1 + 1e-9)


@given(REPLACEMENTS)
def test_what_is_no_cheaper_never_pays(replacement: Replacement) -> None:
    """It is never exactly where a call of the candidate costs as much as one of the baseline, or more."""
    cheaper = replacement.candidate.usd_per_call < replacement.baseline.usd_per_call * (1 - 1e-9)
    dearer_ = replacement.candidate.usd_per_call >= replacement.baseline.usd_per_call
    if cheaper:
        assert replacement.calls is not None
    if dearer_:
        assert replacement.calls is None
    same = dataclasses.replace(replacement, candidate=replacement.baseline)
    assert same.calls is None


@given(REPLACEMENTS, st.sampled_from(CALL_PRICES), st.floats(1, 10))
def test_dearer_candidate_pays_later(replacement: Replacement, price: str, factor: float) -> None:
    """No price of the candidate can rise and bring the break-even nearer."""
    later = dataclasses.replace(replacement, candidate=dearer(replacement.candidate, price, factor=factor))
    assert at_most(replacement.calls, later.calls)


@given(REPLACEMENTS, st.sampled_from(CALL_PRICES), st.floats(1, 10))
def test_dearer_baseline_pays_sooner(replacement: Replacement, price: str, factor: float) -> None:
    """No price of the baseline can rise and put the break-even off, whoever writes the examples.

    Where it writes them itself, (F + E b) / (b - c) = E + (F + E c) / (b - c) falls as its call b becomes dearer.
    """
    sooner = dataclasses.replace(replacement, baseline=dearer(replacement.baseline, price, factor=factor))
    assert at_most(sooner.calls, replacement.calls)


@given(REPLACEMENTS, st.sampled_from(CALL_PRICES), st.floats(1, 10))
def test_dearer_teacher_pays_later(replacement: Replacement, price: str, factor: float) -> None:
    """No price of a teacher who is not the baseline can rise and bring the break-even nearer."""
    teacher = replacement.outlay.teacher
    assume(teacher is not None)
    assert teacher is not None
    outlay = dataclasses.replace(replacement.outlay, teacher=dearer(teacher, price, factor=factor))
    assert at_most(replacement.calls, dataclasses.replace(replacement, outlay=outlay).calls)


@given(REPLACEMENTS, st.integers(1, 10**5))
def test_baseline_that_writes_the_examples_is_not_paid_back_before_as_many_calls(
    replacement: Replacement, examples: int
) -> None:
    """However dear it is, each example was one of its calls, and a call of the candidate saves no more than one."""
    outlay = dataclasses.replace(
        replacement.outlay, teacher=None, teaching_usd=None, examples_per_hour=None, examples=examples
    )
    calls = dataclasses.replace(replacement, outlay=outlay).calls
    assert calls is None or calls >= examples


@pytest.mark.parametrize(("prompt_tokens", "is_put_off"), [(100, False), (10_000, True)])
def test_price_of_a_model_that_is_teacher_and_baseline_works_both_ways(prompt_tokens: int, is_put_off: bool) -> None:
    """Called otherwise as a teacher, its price has no one direction: a long prompt there outweighs the saving."""

    def calls(input_usd: float) -> int:
        whole = Replacement(
            Caller(1.0, 1.0, 100, 100),
            Caller(input_usd, 10.0, 100, 100),
            Outlay(examples=1000, teacher=Caller(input_usd, 10.0, prompt_tokens, 100), other_usd=1.0),
        )
        assert whole.calls is not None
        return whole.calls

    assert (calls(2.0) > calls(1.0)) is is_put_off


@given(
    REPLACEMENTS,
    st.sampled_from(
        [
            "training_usd_per_mtok",
            "training_tokens",
            "epochs",
            "examples",
            "teaching_usd",
            "hours",
            "usd_per_hour",
            "other_usd",
        ]
    ),
    st.floats(1, 10),
)
def test_dearer_outlay_pays_later(replacement: Replacement, part: str, factor: float) -> None:
    """Whatever is paid once can only put the break-even off."""
    value = getattr(replacement.outlay, part)
    assume(value is not None)
    outlay = dataclasses.replace(replacement.outlay, **{part: value * factor})
    assert at_most(replacement.calls, dataclasses.replace(replacement, outlay=outlay).calls)


def test_cached_prompt_costs_its_price_to_the_last_bit() -> None:
    """Where all of it is cached, the price of other input is in no sum, however much larger it is."""
    cached = Caller(1000.0, 1.0, 7, 1, cached_share=1.0, cached_input_usd_per_mtok=0.001)
    assert cached.usd_per_call == dataclasses.replace(cached, input_usd_per_mtok=1.0).usd_per_call


@pytest.mark.parametrize(
    ("outlay", "candidate", "baseline"),
    [(1.0, 0.1 + 0.2, 0.3 + 1e-17), (1.0, 0.3, 0.1 + 0.2), (1.0, 0.0, 0.0), (1e308, 0.0, 1e-300), (0.0, 1.0, 1.0)],
)
def test_difference_of_rounding_is_none(outlay: float, candidate: float, baseline: float) -> None:
    """Prices that differ in the last bit do not pay back after a quadrillion calls, nor does what has no number."""
    assert (
        calls_to_break_even(outlay_usd=outlay, candidate_usd_per_call=candidate, baseline_usd_per_call=baseline) is None
    )


def test_nothing_paid_is_paid_back_at_once() -> None:
    """Where nothing was paid and calls are cheaper, the first call already saves."""
    assert calls_to_break_even(outlay_usd=0.0, candidate_usd_per_call=0.1, baseline_usd_per_call=0.2) == 0
