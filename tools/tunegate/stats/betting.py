"""Evidence that may be looked at after every case: confidence sequences and tests by betting.

I. Waudby-Smith and A. Ramdas (2024), "Estimating Means of Bounded Random Variables by Betting", Journal of the Royal
Statistical Society B 86:1-27. Nothing is assumed of the values but that they lie within 0 and 1 and that each one's
mean, given those before it, is the same: so cases are asked in random order. Paired differences, which lie within
-1 and 1, are brought there by `share_of_difference`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tunegate.stats.interval import Interval, NotEnoughData, quantile_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

Side = Literal["above", "below"]
STAKE = 0.75
"""The largest part of the capital that a single value can lose."""
_FIRST_VARIANCE = 1 / 16
"""What a test begins with: paired differences rarely vary more, and the paper's 1/4 bets too little at first."""
_SEQUENCE_STAKE = 0.5
_SEQUENCE_FIRST_VARIANCE = 1 / 4
_STEPS = 2000


def share_of_difference(difference: float) -> float:
    """Return where a difference from -1 to 1, or a threshold for one, lies when these are called 0 and 1."""
    return (1 + difference) / 2


def difference_of_share(share: float) -> float:
    """Return the difference that `share_of_difference` made a share of."""
    return 2 * share - 1


@dataclass
class Moments:
    """Mean and variance of the values so far, begun with one value's worth of 1/2 and of a variance."""

    squares: float
    count: int = 0
    total: float = 0.5

    @property
    def mean(self) -> float:
        """Regularised mean."""
        return self.total / (self.count + 1)

    @property
    def variance(self) -> float:
        """Regularised variance, never 0."""
        return self.squares / (self.count + 1)

    def add(self, value: float) -> None:
        """Count one value."""
        self.count += 1
        self.total += value
        self.squares += (value - self.mean) ** 2


class EProcess:
    """A test of one null that keeps its level however often it is looked at, and whenever asking stops.

    It bets that the mean is `side` of `null`; the capital, 1 at the beginning, is not expected to grow if it is not
    (Ville 1939: it then ever reaches 1 / alpha with a chance of at most alpha). The bets are the paper's
    approximate GRAPA, (mean - null) / (variance + (mean - null)^2), cut to what `stake` allows.

    Raises:
        ValueError: `null` is not between 0 and 1, or a value not from 0 to 1.
    """

    def __init__(self, null: float, *, side: Side = "above", stake: float = STAKE) -> None:
        if not 0 < null < 1:
            raise ValueError(f"a mean of {null} cannot be tested: it must lie between 0 and 1")
        self.side = side
        self._null = null if side == "above" else 1 - null
        self._largest_bet = stake / self._null
        self._moments = Moments(_FIRST_VARIANCE)
        self.log_capital = 0.0
        """Natural logarithm of the e-value now."""
        self.log_peak = 0.0
        """Its largest value so far, at least 0."""

    def update(self, value: float) -> None:
        """Bet on one value."""
        value = _checked(value)
        if self.side == "below":
            value = 1 - value
        edge = self._moments.mean - self._null
        bet = min(max(edge / (self._moments.variance + edge * edge), 0.0), self._largest_bet)
        self.log_capital += math.log1p(bet * (value - self._null))
        self.log_peak = max(self.log_peak, self.log_capital)
        self._moments.add(value)

    @property
    def p_value(self) -> float:
        """The p-value that is valid at any time: one over the largest capital so far."""
        return math.exp(-self.log_peak)

    def is_shown(self, alpha: float) -> bool:
        """Say whether the mean is shown to be on its side of the null, at the one-sided level `alpha`."""
        return self.p_value <= alpha


def log_e_values(values: ArrayLike, *, null: float, side: Side = "above", stake: float = STAKE) -> NDArray[np.float64]:
    """Return the logarithms of the e-values of `EProcess` after each value, along the last axis.

    `values` has the shape (..., n); so has what is returned.

    Raises:
        ValueError: as `EProcess`.
    """
    import numpy as np

    if not 0 < null < 1:
        raise ValueError(f"a mean of {null} cannot be tested: it must lie between 0 and 1")
    x = np.asarray(values, dtype=float)
    if not ((x >= 0) & (x <= 1)).all():
        raise ValueError("values must be from 0 to 1")
    if side == "below":
        x, null = 1 - x, 1 - null
    mean, variance = _moments_before(x)
    edge = mean - null
    bets = np.clip(edge / (variance + edge**2), 0.0, stake / null)
    logs: NDArray[np.float64] = np.cumsum(np.log1p(bets * (x - null)), axis=-1)
    return logs


class ConfidenceSequence:
    """An interval for a mean that covers it after every value at once, with a chance of at least `level`.

    The paper's hedged capital with predictable plug-in bets, sqrt(2 log(2 / alpha) / (variance t log(1 + t))): a
    candidate for the mean is out as soon as half of either player's capital, of the one that bets on more or of
    the one that bets on less, reaches 1 / alpha. What was once out stays out. Limits lie on a grid of `steps`,
    rounded outwards.

    Raises:
        ValueError: `level` is not between 0 and 1, or a value not from 0 to 1.
    """

    def __init__(self, *, level: float = 0.95, steps: int = _STEPS) -> None:
        import numpy as np

        quantile_of(level)
        self.level = level
        self.low, self.high = 0.0, 1.0
        self._needed = math.log(2 / (1 - level))
        self._moments = Moments(_SEQUENCE_FIRST_VARIANCE)
        self._sum = 0.0
        self._means = np.arange(1, steps) / steps
        self._more = np.zeros(steps - 1)
        self._less = np.zeros(steps - 1)

    def update(self, value: float) -> None:
        """Take one value into account."""
        import numpy as np

        value = _checked(value)
        time = self._moments.count + 1
        bet = math.sqrt(2 * self._needed / (self._moments.variance * time * math.log1p(time)))
        means = self._means
        self._more += np.log1p(np.minimum(bet, _SEQUENCE_STAKE / means) * (value - means))
        self._less += np.log1p(np.minimum(bet, _SEQUENCE_STAKE / (1 - means)) * (means - value))
        self._moments.add(value)
        self._sum += value
        self._drop()

    def _drop(self) -> None:
        """Leave out the means that are refuted: those up to some one, and those from some other one on."""
        # Capital of who bets on more falls along the grid, of who bets on less it rises.
        below = int((self._more >= self._needed).sum())
        above = int((self._less >= self._needed).sum())
        # Both at once refute everything: the values do not have one mean, and nothing more is concluded.
        if not (below or above) or below + above > len(self._means):
            return
        if below:
            self.low = float(self._means[below - 1])
        if above:
            self.high = float(self._means[len(self._means) - above])
        kept = slice(below, len(self._means) - above)
        self._means, self._more, self._less = self._means[kept], self._more[kept], self._less[kept]

    @property
    def interval(self) -> Interval | NotEnoughData:
        """The mean so far and its interval."""
        n = self._moments.count
        if not n:
            return NotEnoughData("nothing was judged")
        return Interval(min(max(self._sum / n, self.low), self.high), self.low, self.high, self.level, n)

    def is_above(self, threshold: float) -> bool:
        """Say whether the mean is shown to be above `threshold`."""
        return self.low >= threshold > 0 or threshold < 0

    def is_below(self, threshold: float) -> bool:
        """Say whether the mean is shown to be below `threshold`."""
        return self.high <= threshold < 1 or threshold > 1


def confidence_sequence(values: Sequence[float], *, level: float = 0.95) -> tuple[Interval, ...]:
    """Return the interval of a `ConfidenceSequence` after each of the values.

    Raises:
        ValueError: as `ConfidenceSequence`.
    """
    sequence = ConfidenceSequence(level=level)
    found: list[Interval] = []
    for value in values:
        sequence.update(value)
        interval = sequence.interval
        if isinstance(interval, Interval):
            found.append(interval)
    return tuple(found)


def price_of_look(look: int) -> float:
    """Return by what a p-value of the k-th look (from 1) is multiplied so that any number of looks may follow.

    (pi k)^2 / 6: its inverses sum to 1 over all looks, see `always_valid_p_values`.
    """
    return (math.pi * look) ** 2 / 6


def always_valid_p_values(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return, after each look at growing data, a p-value that is valid at all looks at once, from those of each look.

    For what has no test by betting, as a ratio of medians: alpha is spent over the looks (Lan and DeMets 1983,
    "Discrete Sequential Boundaries for Clinical Trials", Biometrika 70:659-663), 6 / (pi k)^2 of it on the k-th,
    which together are all of it. So the smallest p_k * (pi k)^2 / 6 so far is ever at most alpha with a chance of at
    most alpha, however many looks follow (the union bound; "always valid": Johari, Koomen, Pekelis and Walsh 2022,
    "Always Valid Inference", Operations Research 70:1806-1821). Looks are dear: let the data double between them.

    Raises:
        ValueError: a p-value is not from 0 to 1.
    """
    found: list[float] = []
    smallest = 1.0
    for look, p in enumerate(p_values, 1):
        if not 0 <= p <= 1:
            raise ValueError(f"{p} is no p-value: it must be from 0 to 1")
        smallest = min(smallest, p * price_of_look(look))
        found.append(smallest)
    return tuple(found)


def _checked(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"a value of {value} cannot be bet on: it must be from 0 to 1")
    return value


def _moments_before(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the regularised mean and variance of all values before each one, along the last axis."""
    import numpy as np

    counts = np.arange(1, x.shape[-1] + 1) + 1
    means = (0.5 + np.cumsum(x, axis=-1)) / counts
    variances = (_FIRST_VARIANCE + np.cumsum((x - means) ** 2, axis=-1)) / counts
    first = np.ones((*x.shape[:-1], 1))
    return (
        np.concatenate([first / 2, means[..., :-1]], axis=-1),
        np.concatenate([first * _FIRST_VARIANCE, variances[..., :-1]], axis=-1),
    )
