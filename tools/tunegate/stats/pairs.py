"""What a candidate does better or worse than a baseline, on the cases that both answered."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tunegate.stats.effective import EffectiveSize
from tunegate.stats.interval import Interval, NotEnoughData, quantile_of
from tunegate.stats.shares import Judged

_NO_PAIR = NotEnoughData("no case was judged on both sides")


def paired_difference(
    candidate: Sequence[Judged],
    baseline: Sequence[Judged],
    *,
    level: float = 0.95,
    clusters: Sequence[Hashable] | None = None,
) -> Interval | NotEnoughData:
    """Mean difference of the cases' shares, candidate less baseline, with its interval; positive means better.

    Both sides are in the same order of cases; a case in which one side has nothing judged is left out. A case
    counts once, whatever its number of questions and repeats: they are averaged within it first. Cases are drawn
    independently, or those with the same entry in `clusters` together (Miller 2024, "Adding Error Bars to
    Evals", arXiv:2411.00640: clustered standard errors, and section 4.2).

    The limits are those of Tango (1998), "Equivalence Test and Confidence Interval for the Difference in
    Proportions for the Paired-Sample Design", Statistics in Medicine 17:891-908, `tango` here, with the effective
    number of cases in place of n: b and c are the mean gain and the mean loss of a case, and the number is
    the one at which pairs of yes and no would have the cluster-robust variance of the mean difference, G / (G - 1) *
    sum over clusters of (sum of d_i - d)^2 / n^2 (`EffectiveSize`). For yes or no without repeats and clusters this is
    Tango's interval exactly; with many cases it is the interval of Student's t with the cluster-robust
    standard error. With few cases that differ the latter promotes too much: the fewer losses were seen, the
    smaller is its standard error. `benchmarks/coverage.py` compares both.

    Where no case differs, it is Tango's for as many pairs as clusters, and has a width.

    Raises:
        ValueError: the sides, or `clusters`, differ in length; somewhere the passed are not from 0 to the
        judged; or `level` is not between 0 and 1.
    """
    return count_gains(candidate, baseline, clusters=clusters).estimate(level)


def p_not_worse(
    candidate: Sequence[Judged],
    baseline: Sequence[Judged],
    *,
    margin: float,
    clusters: Sequence[Hashable] | None = None,
) -> float | NotEnoughData:
    """Return the one-sided p-value against a candidate worse by `margin` or more: small says that it is not.

    It inverts `paired_difference`: below (1 - level) / 2 exactly where the interval of that level lies above
    -margin. A margin of 0 asks for better, a negative one for better by as much.

    Raises:
        ValueError: as `paired_difference`, or `margin` is not between -1 and 1.
    """
    return count_gains(candidate, baseline, clusters=clusters).p_above(-margin)


def p_worse(
    candidate: Sequence[Judged],
    baseline: Sequence[Judged],
    *,
    margin: float,
    clusters: Sequence[Hashable] | None = None,
) -> float | NotEnoughData:
    """Return the one-sided p-value against a candidate worse by at most `margin`: small says that it is worse.

    The mirror of `p_not_worse`: below (1 - level) / 2 exactly where the interval lies below -margin.

    Raises:
        ValueError: as `paired_difference`, or `margin` is not between -1 and 1.
    """
    return count_gains(candidate, baseline, clusters=clusters).p_below(-margin)


def tango(gained: float, lost: float, *, n: float, level: float = 0.95) -> Interval | NotEnoughData:
    """Difference of two shares over the same `n` independent cases, of which some were gained and others lost.

    Tango (1998), see `paired_difference`: the limits at which the score statistic is the normal quantile. The
    counts may be effective ones, thus not whole.

    Raises:
        ValueError: `gained` and `lost` are negative or more than `n` together, or `level` is not between 0 and
        1.
    """
    if not (gained >= 0 and lost >= 0 and gained + lost <= n < math.inf):
        raise ValueError(f"{gained} gained and {lost} lost of {n} cases is no difference")
    z = quantile_of(level)
    if n == 0:
        return _NO_PAIR
    low, high = _tango_limits(gained / n, lost / n, n=n, z=z)
    return Interval((gained - lost) / n, low, high, level, int(n))


def mcnemar_exact(gained: int, lost: int) -> float | NotEnoughData:
    """Return the two-sided p-value of as uneven a split of the cases that changed, were both ways as likely.

    McNemar (1947), Psychometrika 12:153-157, with the exact binomial distribution, twice the smaller tail.

    Raises:
        ValueError: a count is negative.
    """
    if gained < 0 or lost < 0:
        raise ValueError(f"{gained} gained and {lost} lost are no counts")
    changed = gained + lost
    if not changed:
        return NotEnoughData("no case changed")
    tail = ways = 1
    for count in range(min(gained, lost)):
        ways = ways * (changed - count) // (count + 1)  # each binomial coefficient from the one before
        tail += ways
    # Whole numbers until the end: exact, and no overflow.
    return min(1.0, float(Fraction(2 * tail, 1 << changed)))


@dataclass(frozen=True)
class Gains:
    """All that a paired difference and its interval need of the cases: means over them."""

    cases: int
    clusters: int
    gain: float
    """Mean over the cases of what the candidate has more than the baseline, where it has more."""
    loss: float
    """Mean over the cases of what it has less, where it has less."""
    variance: float
    """Of the mean difference, robust to clusters; 0 with a single cluster."""
    least: float
    """(cases)^2 / sum of squared sizes of clusters."""
    most: float
    """Pairs of answers."""

    @property
    def difference(self) -> float:
        """Mean difference, candidate less baseline."""
        return self.gain - self.loss

    @property
    def size(self) -> EffectiveSize:
        """How many independent pairs of yes and no these are worth."""
        binary = self.gain + self.loss - self.difference**2
        # A variance this small is what rounding leaves of none.
        estimated = binary / self.variance if self.variance > 1e-24 else self.least
        return EffectiveSize(estimated, self.least, self.most, self.clusters - 1)

    def interval(self, z: float, *, level: float) -> Interval:
        """Return the difference with its limits at `z` standard errors, which belong to `level`."""
        low, high = _tango_limits(self.gain, self.loss, n=self.size.at(z), z=z)
        return Interval(self.difference, low, high, level, self.cases, clusters=self.clusters)

    @property
    def case_variance(self) -> float | NotEnoughData:
        """The variance that one case contributes to the difference, see `difference_variance`."""
        if self.clusters < 2:
            return NotEnoughData("a variance needs at least two cases, or clusters, judged on both sides")
        if self.variance <= 0:
            return NotEnoughData("all cases differ by the same, so that their variance is not known")
        return self.cases * self.variance

    def estimate(self, level: float) -> Interval | NotEnoughData:
        """Return the difference with its interval, see `paired_difference`.

        Raises:
            ValueError: `level` is not between 0 and 1.
        """
        z = quantile_of(level)
        return self.interval(z, level=level) if self.cases else _NO_PAIR

    def p_above(self, null: float) -> float | NotEnoughData:
        """Return the one-sided p-value against a difference of at most `null`, see `p_not_worse`.

        Raises:
            ValueError: `null` is not between -1 and 1, both excluded.
        """
        return self._p_beyond(null, gain=self.gain, loss=self.loss)

    def p_below(self, null: float) -> float | NotEnoughData:
        """Return the one-sided p-value against a difference of at least `null`, see `p_worse`.

        Raises:
            ValueError: `null` is not between -1 and 1, both excluded.
        """
        return self._p_beyond(-null, gain=self.loss, loss=self.gain)

    def _p_beyond(self, null: float, *, gain: float, loss: float) -> float | NotEnoughData:
        if not -1 < null < 1:
            raise ValueError(f"a margin of {abs(null)} cannot be tested: it must lie between -1 and 1")
        return self.size.one_sided_p(_tango_distance(gain, loss, null=null)) if self.cases else _NO_PAIR


def count_gains(
    candidate: Sequence[Judged], baseline: Sequence[Judged], *, clusters: Sequence[Hashable] | None = None
) -> Gains:
    """Return the means over the cases that both sides judged.

    Raises:
        ValueError: the sides, or `clusters`, differ in length, or somewhere the passed are not from 0 to the
        judged.
    """
    differences: list[float] = []
    pairs = 0
    for (good, judged), (base_good, base_judged) in zip(candidate, baseline, strict=True):
        if not (0 <= good <= judged and 0 <= base_good <= base_judged):
            raise ValueError(f"{good} of {judged}, or {base_good} of {base_judged}, is no share")
        if judged and base_judged:
            differences.append(good / judged - base_good / base_judged)
            # A call of min() would make this loop a third slower.
            pairs += judged if judged < base_judged else base_judged  # noqa: FURB136
    members: dict[Hashable, list[float]] = {}
    if clusters is not None:
        sides = zip(candidate, baseline, clusters, strict=True)
        owners = (name for (_, judged), (_, base_judged), name in sides if judged and base_judged)
        for name, d in zip(owners, differences, strict=True):
            members.setdefault(name, []).append(d)
    n = len(differences)
    if not n:
        return Gains(0, 0, 0.0, 0.0, 0.0, 0.0, 0.0)
    # fsum: the same to the last digit in whatever order the cases come.
    gain = math.fsum([d for d in differences if d > 0]) / n
    loss = -math.fsum([d for d in differences if d < 0]) / n
    mean = gain - loss
    if clusters is None:
        g, squared_sizes = n, n
        squares = math.fsum([(d - mean) ** 2 for d in differences])
    else:
        g, squared_sizes = len(members), sum(len(ds) ** 2 for ds in members.values())
        squares = math.fsum([(math.fsum(ds) - len(ds) * mean) ** 2 for ds in members.values()])
    variance = g / (g - 1) * squares / (n * n) if g > 1 else 0.0
    return Gains(n, g, gain, loss, variance, n * n / squared_sizes, float(pairs))


def _tango_distance(gain: float, loss: float, *, null: float) -> float:
    """Return the score statistic for a difference of `null`, of a single pair: times sqrt(n) it is standard normal.

    Tango (1998), equations 6 and 7, divided by n: the share of losses under the null is the larger root of 2 q^2
    + B q + C.
    """
    b = -gain - loss + (2 - gain + loss) * null
    c = -loss * null * (1 - null)
    losses = (math.sqrt(max(b * b - 8 * c, 0.0)) - b) / 4
    variance = 2 * losses + null * (1 - null)
    distance = gain - loss - null
    if variance <= 0:
        # None is left at -1 and 1, and, by rounding, where nobody differs and the null is next to 0.
        return 0.0 if abs(distance) < 1e-12 else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)


def _tango_limits(gain: float, loss: float, *, n: float, z: float) -> tuple[float, float]:
    """Return the differences between which the statistic is at most `z`, by halving: it falls from -1 to 1."""
    estimate = gain - loss
    bound = z / math.sqrt(n)

    def halve(inside: float, outside: float) -> float:
        for _ in range(64):
            middle = (inside + outside) / 2
            if abs(_tango_distance(gain, loss, null=middle)) <= bound:
                inside = middle
            else:
                outside = middle
        return outside

    return halve(estimate, -1.0), halve(estimate, 1.0)
