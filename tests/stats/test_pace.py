"""First token and pace are recovered from calls whose truth is known, whatever a few calls do."""

from __future__ import annotations

import random

import pytest

from tunegate.stats import Interval, NotEnoughData, Pace, fit_pace, ratio_at

FIRST_S, PACE_S = 0.4, 0.02
SIZES = (8, 32, 64, 128, 256)


def simulate(
    seed: int, *, of_each: int = 25, noise: float = 0.05, spoilt: float = 0.08, times: float = 1.0
) -> tuple[list[int], list[float]]:
    """Return tokens and latencies: they scatter in proportion, some replies stop early, and some take far too long."""
    dice = random.Random(seed)
    tokens, latency_s = [], []
    for size in SIZES * of_each:
        count = size if dice.random() < 0.8 else dice.randint(size // 2, size)
        taken = times * (FIRST_S + (count - 1) * PACE_S) * dice.lognormvariate(0, noise)
        tokens.append(count)
        latency_s.append(taken * dice.uniform(2, 9) if dice.random() < spoilt else taken)
    return tokens, latency_s


def fitted(tokens: list[int], latency_s: list[float], *, seed: int = 0) -> Pace:
    found = fit_pace(tokens, latency_s, seed=seed)
    assert isinstance(found, Pace)
    return found


def known(interval: Interval | NotEnoughData) -> Interval:
    assert isinstance(interval, Interval)
    return interval


@pytest.mark.parametrize("seed", range(12))
def test_first_token_and_pace_are_recovered(seed: int) -> None:
    """Of 125 calls with 5 % noise, of which one in twelve takes many times too long, both come out within 3 %."""
    line = fitted(*simulate(seed))
    assert line.first_token_s == pytest.approx(FIRST_S, rel=0.03)
    assert line.pace_s == pytest.approx(PACE_S, rel=0.03)


def test_intervals_cover_the_truth() -> None:
    """Of 40 intervals at 95 %, at least 34 hold the truth; by chance fewer do less than once in a thousand times."""
    held = [0, 0]
    for seed in range(40):
        line = fitted(*simulate(100 + seed, of_each=8), seed=seed)
        first, pace = known(line.first_token()), known(line.pace())
        held[0] += first.low <= FIRST_S <= first.high
        held[1] += pace.low <= PACE_S <= pace.high
    assert min(held) >= 34


def test_line_without_noise_is_exact() -> None:
    """Calls on a line give that line, and no interval of width zero."""
    tokens = [*SIZES, *SIZES]
    line = fitted(tokens, [FIRST_S + (count - 1) * PACE_S for count in tokens])
    assert (line.first_token_s, line.pace_s) == (pytest.approx(FIRST_S, rel=1e-6), pytest.approx(PACE_S, rel=1e-6))
    assert line.at(1) == pytest.approx(FIRST_S, rel=1e-6)
    for interval in (line.first_token(), line.pace()):
        assert isinstance(interval, NotEnoughData) or interval.low < interval.high


def test_many_calls_are_fitted_by_partners() -> None:
    """Beyond 300 calls each has one partner to begin with, and the line is the same."""
    line = fitted(*simulate(5, of_each=100))
    assert line.n == 500
    assert line.first_token_s == pytest.approx(FIRST_S, rel=0.03)
    assert line.pace_s == pytest.approx(PACE_S, rel=0.03)


def test_one_long_reply_among_many_short_ones_still_makes_a_line() -> None:
    """Where no partner has another length, the two ends begin the line."""
    tokens = [8] * 399 + [256]
    line = fitted(tokens, [FIRST_S + (count - 1) * PACE_S for count in tokens])
    assert line.at(8) == pytest.approx(FIRST_S + 7 * PACE_S, rel=1e-6)


def test_same_seed_gives_the_same_interval() -> None:
    """The seed decides the resamples, and the order of calls does not."""
    tokens, latency_s = simulate(3)
    line = fitted(tokens, latency_s, seed=1)
    assert fitted(tokens[::-1], latency_s[::-1], seed=1).pace() == line.pace()
    assert fitted(tokens, latency_s, seed=2).pace() != line.pace()


def test_models_of_different_length_compare_at_one_length() -> None:
    """A model that is 3.6 times as quick is so at any length, although it says less."""
    slow, quick = fitted(*simulate(1, times=3.6), seed=1), fitted(*simulate(2), seed=2)
    for length in (8, 64, 256):
        ratio = known(ratio_at(slow, quick, tokens=length))
        assert ratio.low < 3.6 < ratio.high
        assert ratio.high - ratio.low < 0.5
        turned = known(ratio_at(quick, slow, tokens=length))
        assert (1 / turned.estimate) == pytest.approx(ratio.estimate)


def test_replies_of_one_length_cannot_be_told_apart() -> None:
    """Nothing says what of a latency is beginning where every reply has the same length."""
    found = fit_pace([64] * 20, [1.0 + n / 100 for n in range(20)], seed=0)
    assert found == NotEnoughData("all 20 replies have 64 tokens: first token and pace cannot be told apart")
    assert isinstance(fit_pace([], [], seed=0), NotEnoughData)


def test_few_calls_have_a_line_and_no_interval() -> None:
    """Five calls make a line; how well it is known needs eight."""
    line = fitted(list(SIZES), [FIRST_S + (count - 1) * PACE_S for count in SIZES])
    assert line.pace() == NotEnoughData("5 calls are too few to resample: at least 8 are needed")
    assert isinstance(ratio_at(line, line, tokens=64), NotEnoughData)


@pytest.mark.parametrize(
    ("tokens", "latency_s"),
    [([8], [1.0, 2.0]), ([0, 8], [1.0, 1.0]), ([8, 9], [0.0, 1.0]), ([8, 9], [float("nan"), 1])],
)
def test_what_is_no_call_is_refused(tokens: list[int], latency_s: list[float]) -> None:
    """Sides of unequal length, counts below 1 and times that are none are mistakes of the caller."""
    with pytest.raises(ValueError, match=r"no calls|of finite counts"):
        fit_pace(tokens, latency_s, seed=0)
