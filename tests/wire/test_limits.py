"""Rates and windows: what they let pass, and what they learn."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.wire.limits import AccountLimits, Bucket, Meter, Rates, Window
from tunegate.wire.retries import Allowance


@given(
    st.floats(0.1, 1000),
    st.lists(st.tuples(st.floats(0.01, 200), st.floats(0, 2)), min_size=1, max_size=50),
)
def test_bucket_keeps_its_rate(rate: float, demands: list[tuple[float, float]]) -> None:
    """Over any time, what is taken is at most the rate times the time, and one bucketful."""
    now = 0.0
    bucket = Bucket(rate, capacity=200.0, now=now)
    taken: list[tuple[float, float]] = []
    for amount, idle_s in demands:
        now += idle_s
        now += bucket.wait_s(amount, now)
        bucket.level -= amount
        taken.append((now, amount))
    for index, (start, _) in enumerate(taken):
        assert sum(amount for _, amount in taken[index:]) <= rate * (now - start) + 200.0 + 1e-3


def test_nothing_is_lost_by_waiting_in_a_queue() -> None:
    """Where somebody always waits, the whole rate is used, however large single requests are."""
    rates, now, sent = Rates(AccountLimits(tokens_per_minute=6000), now=0.0), 0.0, 0
    for tokens in [10, 2000, 30, 400, 5] * 20:
        now += rates.wait_s(tokens, now)
        rates.tokens.take(tokens)
        sent += tokens
    assert sent / now == pytest.approx(100 * 0.98, rel=0.05)


def test_large_request_waits_for_all_of_it() -> None:
    """What is larger than the burst must have come in before it goes: a server's bucket gives no credit."""
    rates = Rates(AccountLimits(tokens_per_minute=6000), now=0.0)
    rates.tokens.take(10)
    assert rates.wait_s(200, 0.0) == pytest.approx((200 - 40) / 98)


def test_pause_pays_debts_and_saves_nothing() -> None:
    """After a pause the account starts from nothing, whatever it owed or had before."""
    for taken in (0, 500):
        rates = Rates(AccountLimits(tokens_per_minute=6000), now=0.0)
        rates.tokens.take(taken)
        rates.drain(100.0)
        assert rates.wait_s(50, 100.5) == pytest.approx(1 / 98)


def test_stated_limit_lowers_and_never_raises() -> None:
    """A stated limit replaces one that is not set, lowers one that is higher and leaves a lower one alone."""
    for user_set, stated, expected in ((None, 600, 600), (1200, 600, 600), (300, 600, None)):
        meter = Meter(user_set, burst=1.0, now=0.0)
        assert meter.correct(Allowance(limit=stated), model="m", taken=0.0, sent_at=0.0, now=0.0) == expected
        assert meter.bucket is not None
        assert meter.bucket.rate == pytest.approx(min(filter(None, (user_set, stated))) / 60 * 0.98)


def test_lowest_limit_of_several_models_holds() -> None:
    """Limits are stated per model: an account keeps to the lowest, and says so only when it gets lower."""
    meter = Meter(None, burst=1.0, now=0.0)
    told = [
        meter.correct(Allowance(limit=limit), model=model, taken=0.0, sent_at=0.0, now=0.0)
        for model, limit in (("a", 500), ("b", 9000), ("a", 500), ("b", 100), ("b", 9000))
    ]
    assert told == [500, None, None, 100, None]


def test_remaining_lowers_the_level_by_what_left_since() -> None:
    """An endpoint's figure is as old as its request: what left later is not in it, and what came in since is."""
    meter = Meter(600, burst=1.0, now=0.0)
    first = meter.take(1.0)
    meter.take(1.0)
    meter.correct(Allowance(remaining=2), model="m", taken=first, sent_at=0.0, now=0.1)
    assert meter.bucket is not None
    assert meter.bucket.level == pytest.approx(2 - 1 + 0.98)
    meter.correct(Allowance(remaining=500), model="m", taken=first, sent_at=0.0, now=0.1)
    assert meter.bucket.level == pytest.approx(2 - 1 + 0.98), "never raised"


def test_pace_drops_with_a_rejection_and_recovers_slowly() -> None:
    """A rejection costs three percent of the pace, which a few hundred answers bring back, and never more."""
    rates = Rates(AccountLimits(600), now=0.0)
    rates.slow_down(0.0)
    assert rates.pace == pytest.approx(0.98 * 0.97)
    for _ in range(200):
        rates.recover(0.0)
    assert rates.pace < 0.98
    for _ in range(200):
        rates.recover(0.0)
    assert rates.pace == 0.98
    for _ in range(1000):
        rates.slow_down(0.0)
    assert rates.pace == 0.25


def opened(width: int) -> Window:
    """Return a window with `width` requests in flight, at the start of a round."""
    window = Window(width)
    window.in_flight = width
    window.note_end(was_rejected=False)
    return window


def end_round(window: Window, *, rejected: int) -> bool:
    """End a round of as many as are in flight, the first of them with a 429; say whether that lowered the window."""
    lowered = False
    for number in range(window.in_flight):
        lowered |= window.note_end(was_rejected=number < rejected)
    return lowered


def test_window_is_lowered_by_half_the_share_that_was_rejected() -> None:
    """A round in which all are turned away halves it, one in twenty takes a fortieth; the floor is one."""
    window = opened(64)
    assert end_round(window, rejected=64)
    assert window.size == 32
    window = opened(40)
    assert end_round(window, rejected=2)
    assert window.size == pytest.approx(40 * (1 - 0.05 / 2))
    for _ in range(20):
        end_round(window, rejected=40)
    assert window.size == 1


def test_round_without_rejection_lowers_nothing() -> None:
    """The window is as wide after a round of answers as it was."""
    window = opened(8)
    assert not end_round(window, rejected=0)
    assert window.size == 8


def test_window_grows_by_one_per_round_trip_up_to_its_ceiling() -> None:
    """As many answers as the window is wide make it one wider."""
    window = Window(4)
    window.note_end(was_rejected=True)
    assert window.size == 2
    for _ in range(2):
        window.grow()
    assert 2.8 < window.size <= 3
    for _ in range(100):
        window.grow()
    assert window.size == 4


def test_window_opens_gradually_after_a_pause() -> None:
    """After a pause the first goes at once and the others spread over a second."""
    window, now, left = Window(11), 100.0, []
    window.ramp(100.0, pause_s=60.0)
    while (wait_s := window.wait_s(now)) != math.inf:
        now += wait_s
        window.in_flight += 1
        left.append(now)
    assert left[0] == 100.0
    assert left[-1] == pytest.approx(101.0)
    assert all(later - earlier == pytest.approx(0.1) for earlier, later in pairwise(left))
