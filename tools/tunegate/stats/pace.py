"""What a reply takes to begin and what each further token takes: answers of different length, compared fairly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunegate.stats.interval import Interval, NotEnoughData, quantile_of
from tunegate.stats.resampling import FEWEST

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

RESAMPLES = 999
"""Of calls: the error of a limit by chance is then about 2 % of the interval's width."""
ALL_PAIRS = 300
"""Calls up to which every pair of them has a say where the fit begins; beyond, each call has one partner."""
_STEPS = 40
_BISQUARE = 4.685
"""Standard deviations beyond which a call has no say: 95 % efficient where nothing is wrong with any (Tukey's)."""
_NORMAL_MAD = 0.6745
_NUMBERS_AT_ONCE = 2**18
"""Resamples are fitted a few at a time: they are gone through many times, and stay in the processor's cache."""
_LEAST_SCALE = 1e-6
"""Of what is left, relative: what rounding to microseconds leaves of nothing."""


@dataclass(frozen=True)
class Pace:
    """latency = first token + (tokens - 1) x pace, of one model."""

    first_token_s: float
    """Where the line begins: what a reply of one token takes."""
    pace_s: float
    """What each further token takes."""
    n: int
    """Calls."""
    fewest_tokens: float
    most_tokens: float
    """Of the calls: beyond them the line is a guess."""
    drawn: tuple[tuple[float, float], ...] = ()
    """First token and pace in each resample; none where there are too few calls."""

    def first_token(self, level: float = 0.95) -> Interval | NotEnoughData:
        """Return what a reply takes to begin, with its interval."""
        return self._interval(self.first_token_s, [first for first, _ in self.drawn], level=level)

    def pace(self, level: float = 0.95) -> Interval | NotEnoughData:
        """Return what each further token takes, with its interval."""
        return self._interval(self.pace_s, [pace for _, pace in self.drawn], level=level)

    def at(self, tokens: float) -> float:
        """Return how long the line says that a reply of so many tokens takes, in seconds."""
        return self.first_token_s + (tokens - 1) * self.pace_s

    def latency(self, tokens: float, level: float = 0.95) -> Interval | NotEnoughData:
        """Return `at` with its interval: of the line, not of a single reply."""
        return self._interval(self.at(tokens), self.drawn_at(tokens), level=level)

    def drawn_at(self, tokens: float) -> list[float]:
        """Return `at` of each resample."""
        return [first + (tokens - 1) * pace for first, pace in self.drawn]

    def _interval(self, estimate: float, drawn: Sequence[float], *, level: float) -> Interval | NotEnoughData:
        return _percentile_interval(estimate, drawn, n=self.n, level=level)


def fit_pace(tokens: Sequence[float], latency_s: Sequence[float], *, seed: int) -> Pace | NotEnoughData:
    """Fit first token and pace to calls, one value each in the same order; robust against calls that took far too long.

    Latencies scatter in proportion to their length, so what is left is looked at relative to the line; calls far away
    lose their say (Tukey's bisquare, by weighted least squares again and again: Huber and Ronchetti 2009, "Robust
    Statistics", 2nd edition, chapter 7). It begins at the median of the slopes between calls of different length
    (Theil 1950; Sen 1968, JASA 63:1379-1389), which up to 29 % of calls that are off by anything do not move far.
    Intervals come from resampled calls. A line that begins below 0, or falls, is none: the calls follow another law.

    Raises:
        ValueError: the sides differ in length, or a value is not finite, a count below 1 or a time not above 0.
    """
    if len(tokens) != len(latency_s):
        raise ValueError(f"{len(tokens)} counts and {len(latency_s)} latencies are no calls")
    if not all(1 <= count < math.inf for count in tokens) or not all(0 < time < math.inf for time in latency_s):
        raise ValueError("a pace is of finite counts of tokens from 1 on, and of times above 0")
    if len({*tokens}) < 2:
        what = f"all {len(tokens)} replies have {tokens[0]:g} tokens" if tokens else "there are no replies"
        return NotEnoughData(f"{what}: first token and pace cannot be told apart")
    import numpy as np

    order = np.lexsort((np.array(latency_s, dtype=float), np.array(tokens, dtype=float)))
    counts, times = np.array(tokens, dtype=float)[order], np.array(latency_s, dtype=float)[order]
    first_token_s, pace_s = _polish(counts[None], times[None], start=_begin(counts, times))[0]
    if first_token_s <= 0 or pace_s < 0:
        return NotEnoughData(
            f"no line fits: it would begin at {first_token_s:.3g} s and take {1000 * pace_s:.3g} ms a token"
        )
    drawn: list[tuple[float, float]] = []
    if len(counts) >= FEWEST:
        dice = np.random.default_rng(seed)
        taken = dice.integers(len(counts), size=(RESAMPLES, len(counts)))
        # A resample of one length only has no line.
        taken = taken[np.ptp(counts[taken], axis=1) > 0]
        at_once = max(1, _NUMBERS_AT_ONCE // len(counts))
        for part in (taken[place : place + at_once] for place in range(0, len(taken), at_once)):
            found = _polish(counts[part], times[part], start=(first_token_s, pace_s))
            drawn += [(float(first), float(pace)) for first, pace in found]
    return Pace(float(first_token_s), float(pace_s), len(counts), float(counts[0]), float(counts[-1]), tuple(drawn))


def ratio_at(a: Pace, b: Pace, *, tokens: float, level: float = 0.95) -> Interval | NotEnoughData:
    """Return how many times as long `a` takes as `b` for a reply of so many tokens, by their lines.

    The two were fitted with different seeds, or the resamples would not be independent.

    Raises:
        ValueError: `level` is not between 0 and 1.
    """
    top, bottom = a.at(tokens), b.at(tokens)
    pairs = list(zip(a.drawn_at(tokens), b.drawn_at(tokens), strict=False))
    if min(top, bottom, *(value for pair in pairs for value in pair)) <= 0:
        return NotEnoughData(f"a line, or one of its resamples, is not above 0 at {tokens:g} tokens")
    return _percentile_interval(top / bottom, [x / y for x, y in pairs], n=min(a.n, b.n), level=level)


def _begin(counts: Numbers, times: Numbers) -> tuple[float, float]:
    """Return first token and pace of calls that rise in their counts, as medians of pairs say them."""
    import numpy as np

    n = len(counts)
    if n <= ALL_PAIRS:
        left, right = np.triu_indices(n, k=1)
    else:
        left = np.arange(n - n // 2)
        right = left + n // 2
    if not (counts[right] > counts[left]).any():
        # Half of the calls away there may be none of another length: the two ends always differ.
        left, right = np.array([0]), np.array([n - 1])
    differs = counts[right] > counts[left]
    slopes = (times[right] - times[left])[differs] / (counts[right] - counts[left])[differs]
    pace_s = float(np.median(slopes))
    return float(np.median(times - (counts - 1) * pace_s)), pace_s


def _polish(counts: Numbers, times: Numbers, *, start: tuple[float, float]) -> Numbers:
    """Return first token and pace for each row of calls: (rows, calls) twice give (rows, 2)."""
    import numpy as np

    further = counts - 1
    lines = np.tile(np.array(start), (len(counts), 1))
    for _ in range(_STEPS):
        fitted = lines[:, :1] + lines[:, 1:] * further
        # A line may dip below zero where there are no calls near: a call there is weighed as if it were on it.
        fitted = np.where(fitted > 0, fitted, times)
        left = times / fitted - 1
        scale = np.maximum(np.median(np.abs(left), axis=1, keepdims=True) / _NORMAL_MAD, _LEAST_SCALE)
        weights = np.clip(1 - (left / (_BISQUARE * scale)) ** 2, 0, None) ** 2 / fitted**2
        total, one, two = weights.sum(1), (weights * further).sum(1), (weights * further**2).sum(1)
        across, along = (weights * times).sum(1), (weights * times * further).sum(1)
        spread = total * two - one**2
        # Where all that has a say is of one length, the line stays as it was.
        has_slope = spread > 1e-9 * total * two
        safe = np.where(has_slope, spread, 1.0)
        pace_s = np.where(has_slope, (total * along - one * across) / safe, lines[:, 1])
        first_token_s = np.where(has_slope, (two * across - one * along) / safe, lines[:, 0])
        moved = np.abs(np.stack([first_token_s, pace_s], axis=1) - lines).max(initial=0.0)
        lines = np.stack([first_token_s, pace_s], axis=1)
        if moved < 1e-9:
            break
    return lines


def _percentile_interval(estimate: float, drawn: Sequence[float], *, n: int, level: float) -> Interval | NotEnoughData:
    """Return an estimate between the percentiles of its resamples."""
    quantile_of(level)
    rank = int((1 - level) / 2 * (len(drawn) + 1))
    if n < FEWEST:
        return NotEnoughData(f"{n} calls are too few to resample: at least {FEWEST} are needed")
    if not rank:
        return NotEnoughData(f"{len(drawn)} resamples are too few for the limits of a level of {level:g}")
    ordered = sorted(drawn)
    low, high = min(ordered[rank - 1], estimate), max(ordered[-rank], estimate)
    if low == high:
        return NotEnoughData("the calls hardly differ, so that resampling cannot tell how well it is known")
    return Interval(estimate, low, high, level, n)
