"""Where the variance of a metric comes from, and what to buy: more cases, repeats or trainings."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunegate.stats.interval import Interval, NotEnoughData, quantile_of
from tunegate.stats.resampling import FEWEST

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

RESAMPLES = 999
"""Resamples of the cases."""
NONE_SEEN = NotEnoughData("no variance was seen")
"""Of a part that is 0 in the data and in all resamples: it has no width, but it counts as 0 in a sum."""
NOT_REPEATED = NotEnoughData("nothing was asked twice")
_ROUNDING = 1e-12
"""Of the whole variance: less than that is what sums of squares leave behind where there is none."""


@dataclass(frozen=True)
class Measured:
    """The metric of one reply: a case, asked once of one training."""

    replicate: Hashable
    """Training."""
    case: Hashable
    value: float
    """For a case of several questions, the share of them."""


@dataclass(frozen=True)
class VarianceParts:
    """Components of the variance of one reply's value; a reply is one case asked once of one training.

    Each is an interval around its estimate, in squared units of the value. A component that the moments make negative
    is 0, and named in `negative`.
    """

    training: Interval | NotEnoughData
    """Between trainings by the same recipe, over all cases."""
    case: Interval | NotEnoughData
    """Between cases, over all trainings: what is hard for one is hard for all. Of one training, where nothing was
    repeated, it is all the variance there is."""
    training_by_case: Interval | NotEnoughData
    """Which cases a training is good at, beyond the two."""
    repeat: Interval | NotEnoughData
    """Between repeats of one request. Where nothing was repeated it is in `training_by_case`."""
    negative: tuple[str, ...]

    def of_mean(self, *, trainings: int = 1, cases: int, repeats: int = 1) -> MeanVariance | NotEnoughData:
        """Return the variance that the mean of a run of such a size would have, by its sources.

        A part of which none was seen is 0. One that is not known leaves the whole unknown, except for that of repeats
        where nothing was asked twice: `training_by_case` has it then, and more repeats seem to bring nothing.

        Raises:
            ValueError: a number is below 1.
        """
        if min(trainings, cases, repeats) < 1:
            raise ValueError(f"{trainings} trainings, {cases} cases and {repeats} repeats make no mean")
        known: list[float] = []
        for name in ("training", "case", "training_by_case", "repeat"):
            part: Interval | NotEnoughData = getattr(self, name)
            if isinstance(part, Interval):
                known.append(part.estimate)
            elif part in (NONE_SEEN, NOT_REPEATED):
                known.append(0.0)
            else:
                return NotEnoughData(f"{name.replace('_', ' ')}: {part.reason}")
        training, case, both, repeat = known
        return MeanVariance(
            training / trainings,
            case / cases,
            both / (trainings * cases),
            repeat / (trainings * cases * repeats),
        )


@dataclass(frozen=True)
class MeanVariance:
    """The variance of a mean, by its sources."""

    training: float
    case: float
    training_by_case: float
    repeat: float

    @property
    def total(self) -> float:
        """Of the mean."""
        return self.training + self.case + self.training_by_case + self.repeat

    @property
    def shares(self) -> MeanVariance | NotEnoughData:
        """The sources as shares of the total."""
        total = self.total
        if not total > 0:
            return NONE_SEEN
        return MeanVariance(
            self.training / total, self.case / total, self.training_by_case / total, self.repeat / total
        )


@dataclass(frozen=True)
class _Table:
    """Replies counted by training (rows) and case (columns)."""

    counts: Numbers
    sums: Numbers
    squares: Numbers


def split_variance(
    measured: Sequence[Measured], *, seed: int, level: float = 0.95, resamples: int = RESAMPLES
) -> VarianceParts | NotEnoughData:
    """Split the variance of replies' values into training, case, both together, and repeat.

    Trainings and cases are crossed random effects, repeats are nested in both. Moments of the two-way layout with
    unequal counts: Henderson's method I, Searle, Casella and McCulloch (1992), "Variance Components", chapter 5.
    Where counts are equal it is the analysis of variance. Errors and losses are left out by the caller.

    The interval of `training` is that of a normal variance with one degree of freedom less than there are trainings,
    less what cases and repeats contribute to it: honest for three trainings, and very wide. For the other components
    cases are drawn with replacement, and limits are percentiles; from `FEWEST` cases on.

    Raises:
        ValueError: `level` is not between 0 and 1, or a value is not finite.
    """
    quantile_of(level)
    import numpy as np

    rows = {name: place for place, name in enumerate(dict.fromkeys(one.replicate for one in measured))}
    columns = {name: place for place, name in enumerate(dict.fromkeys(one.case for one in measured))}
    if len(columns) < 2:
        return NotEnoughData(f"{len(columns)} cases are too few to split a variance: at least 2 are needed")
    values = np.array([one.value for one in measured], dtype=float)
    if not np.isfinite(values).all():
        raise ValueError("a variance is of finite values only")
    values = values - values.mean()
    table = _Table(*(np.zeros((len(rows), len(columns))) for _ in range(3)))
    place = ([rows[one.replicate] for one in measured], [columns[one.case] for one in measured])
    for into, what in ((table.counts, np.ones_like(values)), (table.sums, values), (table.squares, values**2)):
        np.add.at(into, place, what)
    once = np.ones((1, len(columns)))
    raw = _components(table, once)[0]
    dice = np.random.default_rng(seed)
    drawn = dice.multinomial(len(columns), np.full(len(columns), 1 / len(columns)), size=resamples).astype(float)
    around = _components(table, drawn)
    names = ("training", "case", "training_by_case", "repeat")
    rounding = _ROUNDING * float(np.mean(values**2))

    def part(index: int, unknown: NotEnoughData) -> Interval | NotEnoughData:
        if np.isnan(raw[index]):
            return unknown
        if len(columns) < FEWEST:
            return NotEnoughData(f"{len(columns)} cases are too few to resample: at least {FEWEST} are needed")
        tail = (1 - level) / 2
        estimate = float(raw[index]) if raw[index] > rounding else 0.0
        known = around[~np.isnan(around[:, index]), index]
        limits = np.quantile(known, (tail, 1 - tail))
        low, high = (float(limit) if limit > rounding else 0.0 for limit in limits)
        low, high = min(low, estimate), max(high, estimate)
        if low == high:
            return NotEnoughData("it is the same in all resamples of the cases") if high else NONE_SEEN
        return Interval(estimate, low, high, level, len(measured), clusters=len(columns))

    return VarianceParts(
        _training_part(table, raw, level=level),
        part(1, NotEnoughData("cases cannot be told from trainings: every case was asked of one training only")),
        part(2, NotEnoughData("there is one training only")),
        part(3, NOT_REPEATED),
        tuple(name for name, value in zip(names, raw, strict=True) if value < 0),
    )


def _training_part(table: _Table, raw: Numbers, *, level: float) -> Interval | NotEnoughData:
    import numpy as np
    from scipy.special import gammaincinv

    trainings = len(table.counts)
    if trainings < 2:
        return NotEnoughData("there is one training only")
    if np.isnan(raw[0]):
        return NotEnoughData("trainings cannot be told from cases: no case was asked of two trainings")
    per_training = table.counts.sum(1)
    both, repeat = (0.0 if np.isnan(value) else max(0.0, float(value)) for value in raw[2:])
    # What cases and repeats add to the variance between the means of trainings on the same cases.
    added = float(np.mean((both * (table.counts**2).sum(1) / per_training + repeat) / per_training))
    estimate = max(0.0, float(raw[0]))
    freedom, tail = trainings - 1, (1 - level) / 2
    total = max(float(raw[0]) + added, 0.0) * freedom
    # Quantiles of chi-squared, without SciPy's distributions, which take half a second to import.
    quantiles = (2 * float(gammaincinv(freedom / 2, q)) for q in (1 - tail, tail))
    low, high = (max(0.0, total / quantile - added) for quantile in quantiles)
    # Trainings that agree more closely than their cases let them would leave no width: then the most that is said is
    # that they differ by no more than cases make them.
    high = max(high, added)
    if low == high:
        return NONE_SEEN
    replies = int(table.counts.sum())
    return Interval(estimate, min(low, estimate), max(high, estimate), level, replies, clusters=trainings)


def _components(table: _Table, weights: Numbers) -> Numbers:
    """Return training, case, both and repeat by moments, a row for each row of weights of the cases.

    A case of weight two counts as two cases. What a layout cannot tell is not a number.
    """
    import numpy as np

    counts, sums, squares = table.counts, table.sums, table.squares
    by_case = counts.sum(0)
    cells = counts > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        n = weights @ by_case
        rows = weights @ counts.T
        trainings = (rows > 0).sum(1)
        cases, filled = weights @ (by_case > 0), weights @ cells.sum(0)
        sum_of_squares = weights @ squares.sum(0)
        by_cell = weights @ np.where(cells, sums**2 / counts, 0.0).sum(0)
        by_column = weights @ np.where(by_case > 0, sums.sum(0) ** 2 / by_case, 0.0)
        row_sums = weights @ sums.T
        by_row = np.where(rows > 0, row_sums**2 / rows, 0.0).sum(1)
        overall = row_sums.sum(1) ** 2 / n
        squared = weights @ (counts**2).T
        in_rows = np.where(rows > 0, squared / rows, 0.0).sum(1)
        in_columns = weights @ np.where(by_case > 0, (counts**2).sum(0) / by_case, 0.0)
        of_rows, of_columns, of_cells = (rows**2).sum(1) / n, weights @ by_case**2 / n, squared.sum(1) / n
        repeat = (sum_of_squares - by_cell) / (n - filled)
    again = n > filled
    within = np.where(again, repeat, 0.0)
    found = np.full((len(weights), 4), np.nan)
    # Each row of `left`: what the difference of two sums of squares expects of training, case, and both together.
    left = np.stack(
        [
            np.stack([n - of_rows, in_rows - of_columns, in_rows - of_cells], axis=-1),
            np.stack([in_columns - of_rows, n - of_columns, in_columns - of_cells], axis=-1),
            np.stack([n - of_rows, n - of_columns, n - of_cells], axis=-1),
        ],
        axis=-2,
    )
    right = np.stack(
        [
            by_row - overall - (trainings - 1) * within,
            by_column - overall - (cases - 1) * within,
            by_cell - overall - (filled - 1) * within,
        ],
        axis=-1,
    )
    is_alone = trainings < 2
    told = is_alone & (left[:, 1, 1] > 0)
    found[told, 1] = right[told, 1] / left[told, 1, 1]
    told = ~is_alone & (abs(np.linalg.det(left / n[:, None, None])) > 1e-9)
    found[told, :3] = np.linalg.solve(left[told], right[told, :, None])[..., 0]
    found[again, 3] = repeat[again]
    return found
