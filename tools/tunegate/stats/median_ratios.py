"""How many times as long a candidate takes as a baseline, in the middle: a ratio of medians, resampled."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunegate.stats.interval import Interval, NotEnoughData, quantile_of
from tunegate.stats.resampling import FEWEST, RESAMPLES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEWEST_IN_STRATUM = 4
"""Pairs in a stratum below which limits cover too little: with 3, 87 % at a level of 95 %."""
MOST_DRAWN_IN_PAIRS = 5_000
"""Cases up to which the medians of two sides are drawn in pairs: it takes time, and there is less to gain from it."""
_COUNTS_AT_ONCE = 2**18
"""They are gone through several times, and stay in the processor's cache."""


@dataclass(frozen=True)
class ResampledRatio:
    """A ratio of medians, and what it came to in each resample."""

    estimate: float
    ratios: tuple[float, ...]
    """Of the resamples, rising; not all the same."""
    n: int
    """Values of the smaller side."""

    def interval(self, level: float) -> Interval | NotEnoughData:
        """Return the ratio with its percentile interval.

        Raises:
            ValueError: `level` is not between 0 and 1.
        """
        quantile_of(level)
        tail = (1 - level) / 2
        # The smallest number of resamples beyond a threshold whose p-value is no longer below the tail.
        rank = max(0, int(tail * (len(self.ratios) + 1)) - 2)
        while _p_of(rank, len(self.ratios)) < tail:
            rank += 1
        if not rank:
            return NotEnoughData(f"{len(self.ratios)} resamples are too few for the limits of a level of {level:g}")
        low, high = self.ratios[rank - 1], self.ratios[-rank]
        if low == high:
            return NotEnoughData(
                "the values hardly differ, so that resampling cannot tell how well their median is known"
            )
        return Interval(self.estimate, min(low, self.estimate), max(high, self.estimate), level, self.n)

    def p_below(self, threshold: float) -> float:
        """Return the one-sided p-value against a ratio of at least `threshold`: small says that it is less.

        (1 + resamples from `threshold` on) / (1 + resamples): Davison and Hinkley (1997), "Bootstrap Methods and
        their Application", chapter 4. Below (1 - level) / 2 exactly where the interval of that level, if there is
        one, lies below `threshold`; never below 1 / (1 + resamples).
        """
        beyond = len(self.ratios) - bisect_left(self.ratios, threshold)
        p = _p_of(beyond, len(self.ratios))
        return p if self.estimate < threshold else max(p, 0.5)

    def p_above(self, threshold: float) -> float:
        """Return the one-sided p-value against a ratio of at most `threshold`: small says that it is more.

        The mirror of `p_below`.
        """
        p = _p_of(bisect_right(self.ratios, threshold), len(self.ratios))
        return p if self.estimate > threshold else max(p, 0.5)


def bootstrap_ratio_of_medians(
    a: Sequence[float],
    b: Sequence[float],
    *,
    seed: int,
    paired: bool = False,
    strata: Sequence[Hashable] | None = None,
    resamples: int = RESAMPLES,
) -> ResampledRatio | NotEnoughData:
    """Median of `a` over the median of `b`, and what they come to in resamples: latencies.

    Values are positive, one a case: repeats are brought together before. With `paired`, both sides are in the
    same order of cases, and cases are drawn; else each side is drawn for itself. So it also is with `paired`
    beyond `MOST_DRAWN_IN_PAIRS` cases: where a case that is slow for one is slow for the other, as is usual, that
    makes the interval wider than it need be. Percentile limits are the same for the ratio as for its logarithm,
    and need no standard error, which a median hardly has (Efron and Tibshirani 1993, "An Introduction to the
    Bootstrap", chapter 13).

    `strata` says of each pair under which fixed condition it was measured, such as a limit of tokens. The ratio is then
    the geometric mean of the strata's own ratios, each of the same weight, and cases are drawn within their stratum
    (Davison and Hinkley 1997, "Bootstrap Methods and their Application", section 3.2): how many there are of each is by
    design, and a median over all of them would be that of the condition in the middle.

    Raises:
        ValueError: a value is not positive and finite, or, with `paired` or `strata`, the sides differ in length.
    """
    if (paired or strata is not None) and len(a) != len(b):
        raise ValueError(f"{len(a)} and {len(b)} values are no pairs")
    import numpy as np

    top, bottom = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    for side in (top, bottom):
        if not (np.isfinite(side).all() and (side > 0).all()):
            raise ValueError("a ratio of medians is of positive values only")
    fewest = min(len(top), len(bottom))
    if fewest < FEWEST:
        return NotEnoughData(f"{fewest} values are too few to resample: at least {FEWEST} are needed")
    parts = [(top, bottom)] if strata is None else _split(top, bottom, strata)
    thinnest = min(len(part) for part, _ in parts)
    if len(parts) > 1 and thinnest < FEWEST_IN_STRATUM:
        return NotEnoughData(
            f"one of {len(parts)} strata has {_pairs(thinnest)}, too few to resample: at least {FEWEST_IN_STRATUM} are "
            "needed in each"
        )
    dice = np.random.default_rng(seed)
    is_paired = paired or strata is not None
    ratios = _mean_ratio([_draw_ratios(*part, resamples=resamples, is_paired=is_paired, dice=dice) for part in parts])
    ratios.sort()
    if ratios[0] == ratios[-1]:
        return NotEnoughData("the values hardly differ, so that resampling cannot tell how well their median is known")
    estimate = _mean_ratio([np.median(part, keepdims=True) / np.median(other) for part, other in parts])
    return ResampledRatio(float(estimate[0]), tuple(ratios.tolist()), fewest)


def ratio_of_medians(
    a: Sequence[float],
    b: Sequence[float],
    *,
    seed: int,
    level: float = 0.95,
    paired: bool = False,
    resamples: int = RESAMPLES,
) -> Interval | NotEnoughData:
    """Median of `a` over the median of `b`, with its interval by `bootstrap_ratio_of_medians`.

    Raises:
        ValueError: as there, or `level` is not between 0 and 1.
    """
    quantile_of(level)
    ratio = bootstrap_ratio_of_medians(a, b, seed=seed, paired=paired, resamples=resamples)
    return ratio if isinstance(ratio, NotEnoughData) else ratio.interval(level)


def _split(
    top: NDArray[np.float64], bottom: NDArray[np.float64], strata: Sequence[Hashable]
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return the pairs of each stratum, in the order in which the strata come."""
    places: dict[Hashable, list[int]] = {}
    for place, (stratum, _) in enumerate(zip(strata, top, strict=True)):
        places.setdefault(stratum, []).append(place)
    return [(top[of], bottom[of]) for of in places.values()]


def _mean_ratio(ratios: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the geometric mean of the strata's ratios; of one it is that one, to the last digit."""
    import numpy as np

    if len(ratios) == 1:
        return ratios[0]
    mean: NDArray[np.float64] = np.exp(np.mean(np.log(ratios), axis=0))
    return mean


def _pairs(count: int) -> str:
    return "1 pair" if count == 1 else f"{count} pairs"


def _draw_ratios(
    top: NDArray[np.float64],
    bottom: NDArray[np.float64],
    *,
    resamples: int,
    is_paired: bool,
    dice: np.random.Generator,
) -> NDArray[np.float64]:
    if is_paired and len(top) <= MOST_DRAWN_IN_PAIRS:
        return _draw_paired_ratios(top, bottom, resamples=resamples, dice=dice)
    return _draw_medians(top, resamples, dice=dice) / _draw_medians(bottom, resamples, dice=dice)


def _p_of(beyond: int, resamples: int) -> float:
    return (1 + beyond) / (1 + resamples)


def _draw_medians(values: NDArray[np.float64], resamples: int, *, dice: np.random.Generator) -> NDArray[np.float64]:
    """Return the medians of so many resamples, drawn by their ranks: exactly, and quick for any number of values.

    The indices of a resample are n U_i, rounded up, with uniform U_i; so its k-th smallest value has the index n U_(k),
    and U_(k) is beta distributed (k, n - k + 1). The next larger one is the smallest of n - k that are uniform
    between U_(k) and 1.
    """
    import numpy as np

    ordered, n = np.sort(values), len(values)
    lower = (n + 1) // 2
    place = dice.beta(lower, n - lower + 1, resamples)
    medians: NDArray[np.float64] = _values_at(place, ordered)
    if n % 2:
        return medians
    following = place + (1 - place) * dice.beta(1, n - lower, resamples)
    return (medians + _values_at(following, ordered)) / 2


def _values_at(places: NDArray[np.float64], ordered: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    ranks = np.clip(np.ceil(len(ordered) * places), 1, len(ordered))
    found: NDArray[np.float64] = ordered[ranks.astype(np.int64) - 1]
    return found


def _draw_paired_ratios(
    top: NDArray[np.float64], bottom: NDArray[np.float64], *, resamples: int, dice: np.random.Generator
) -> NDArray[np.float64]:
    """Return the ratios of the medians of so many resamples of cases.

    Cases are sorted once; a median is then where the sum of how often each was drawn reaches the middle.
    """
    import numpy as np

    n = len(top)
    by_top = np.argsort(top, kind="stable")
    by_bottom = np.argsort(bottom[by_top], kind="stable")
    top, bottom = top[by_top], np.sort(bottom)

    def medians(times: NDArray[np.int16], ordered: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.cumsum(times, axis=1, dtype=np.int16)
        middle: NDArray[np.float64] = (
            ordered[(sums < (n + 1) // 2).sum(axis=1)] + ordered[(sums < n // 2 + 1).sum(axis=1)]
        ) / 2
        return middle

    ratios: list[NDArray[np.float64]] = []
    left = resamples
    while left > 0:
        count = min(left, max(1, _COUNTS_AT_ONCE // n))
        left -= count
        drawn = dice.integers(n, size=(count, n), dtype=np.int32)
        drawn += (np.arange(count, dtype=np.int32) * n)[:, None]
        times = np.bincount(drawn.ravel(), minlength=count * n).reshape(count, n).astype(np.int16)
        ratios.append(medians(times, top) / medians(times[:, by_bottom], bottom))
    return np.concatenate(ratios)
