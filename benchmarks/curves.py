"""How often the intervals of `fit_curve` and `split_variance` cover the truth: simulated, seeded.

    python benchmarks/curves.py            300 studies a line, about 25 minutes on one core
    python benchmarks/curves.py --quick    a smoke test: few studies, so that bounds may be missed by chance

A study is a base model and trainings of several sizes, three of a size up to 100 examples and one beyond, on the same
200 cases. Cases are as hard for one training as for the next with a correlation, trainings of one size differ. Each
question is asked of every study; where it is answered that the data do not say, nothing wrong is said, unless it
names a least number of examples that is too high. Most truths have the form that is fitted; those that are called slow
do not, and one stands still where the sizes end, before it moves.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from scipy.stats import norm  # noqa: E402
from survey import Line, dice_of, error, percent  # noqa: E402

from tunegate.stats import (  # noqa: E402
    CurvePoint,
    CurveShape,
    Interval,
    Measured,
    NotEnoughData,
    SaturatingCurve,
    fit_curve,
    split_variance,
)

Sizes = tuple[tuple[int, int], ...]
"""(examples, seed) of each training."""
SIZES: Sizes = ((0, 0), *((size, seed) for size in (10, 20, 50, 100) for seed in (1, 2, 3)), (200, 1), (500, 1))
ONE_EACH: Sizes = ((0, 0), *((size, 1) for size in (10, 20, 50, 100, 200, 500)))
SHORT: Sizes = ((0, 0), *((size, seed) for size in (5, 10, 20) for seed in (1, 2, 3)))
ASKED_AT = (0, 10, 30, 100, 500, 1000)


_Found = Interval | NotEnoughData
_Curve = SaturatingCurve | NotEnoughData


@dataclass(frozen=True)
class Slow:
    """A sudden switch at 41 examples, and then a remainder that goes as no Hill's curve would let it."""

    error: float
    """Share that is left at 50 examples, were the switch made."""
    decay: float = 0.0
    """Exponent of what is left."""
    per_doubling: float = 0.0
    """Share that each doubling of the examples makes of it."""
    start: float = 0.01

    def at(self, examples: float) -> float:
        """Return the share with so many training examples."""
        if examples <= 0:
            return self.start
        left = self.error * (examples / 50) ** -self.decay - self.per_doubling * np.log2(examples / 50)
        return self.start + float(min(1 - left, 1) - self.start) / (1 + (41 / examples) ** 7.3)


@dataclass(frozen=True)
class Study:
    """Trainings whose truth is known."""

    name: str
    shape: CurveShape | Slow
    spread: float = 0.0
    """Correlation of answers of one training: p (1 - p) times this is the variance between trainings."""
    alike: float = 0.5
    """Correlation of what is hard, between trainings."""
    batch: int = 1
    """Answers of one case, of the same training; what is hard is drawn for the case."""
    scatter: float = 0.0
    """Standard deviation of the logarithm of `half_at` between trainings: another spread than the fit supposes."""
    seed_effect: float = 0.0
    """Standard deviation, in radians, of what a seed does to its trainings of all sizes alike."""
    bound: float | None = 0.9
    """Least coverage of any question; None where nothing is asked for."""
    cases: int = 200
    sizes: Sizes = SIZES
    asked_at: tuple[int, ...] = ASKED_AT
    target: float | None = None
    """Share of which the examples needed are asked; None is four fifths of the way, of a rise that is fitted."""

    @property
    def most(self) -> int:
        """The largest training."""
        return max(size for size, _ in self.sizes)

    def draw(self, dice: np.random.Generator) -> list[CurvePoint]:
        """Return the points of one study."""
        common = dice.standard_normal((self.cases, 1))
        of_seed = {seed: self.seed_effect * dice.standard_normal() for _, seed in self.sizes}
        points = []
        for size, seed in self.sizes:
            share = self._share_of_training(size, of_seed[seed], dice) if size else self.shape.start
            own = dice.standard_normal((self.cases, self.batch))
            ease = norm.cdf(np.sqrt(self.alike) * common + np.sqrt(1 - self.alike) * own)
            passed = (ease < share).sum(1).tolist()
            points.append(CurvePoint(size, seed, [(good, self.batch) for good in passed]))
        return points

    def _share_of_training(self, size: int, of_seed: float, dice: np.random.Generator) -> float:
        # Another half_at is the same as another size.
        share = self.shape.at(size * np.exp(self.scatter * dice.standard_normal()))
        if self.spread:
            share = dice.beta(share * (1 / self.spread - 1), (1 - share) * (1 / self.spread - 1))
        return float(np.sin(np.clip(np.arcsin(np.sqrt(share)) + of_seed, 0, np.pi / 2)) ** 2)


STUDIES = (
    Study("rises to 98 %, trainings differ", CurveShape(0.09, 0.98, 12, 2.5), spread=0.02),
    Study("rises to 98 %, trainings do not differ", CurveShape(0.09, 0.98, 12, 2.5), alike=0.8),
    Study("rises to 99.8 % and stays", CurveShape(0.01, 0.998, 15, 2)),
    Study("has not bent yet", CurveShape(0.3, 0.9, 60, 1), spread=0.02),
    Study("hardly moves, batches of four", CurveShape(0.25, 0.27, 30, 1), spread=0.01, alike=0.8, batch=4),
    Study("falls", CurveShape(0.6, 0.3, 30, 1), spread=0.02),
    Study("trainings differ by their speed", CurveShape(0.3, 0.85, 15, 2), scatter=0.4, bound=0.85),
    Study(
        "half of the spread is the seed's, at all sizes",
        CurveShape(0.3, 0.85, 15, 2),
        seed_effect=0.05,
        spread=0.01,
        bound=None,
    ),
    Study("all of the spread is the seed's, at all sizes", CurveShape(0.3, 0.85, 15, 2), seed_effect=0.08, bound=None),
    Study("slow: errors as n^-0.7, one training a size", Slow(error=0.05, decay=0.7), sizes=ONE_EACH),
    Study("slow: errors as n^-0.4, one training a size", Slow(error=0.12, decay=0.4), sizes=ONE_EACH),
    Study("slow: 1.2 points a doubling, one training a size", Slow(error=0.1, per_doubling=0.012), sizes=ONE_EACH),
    Study("slow: 1.2 points a doubling", Slow(error=0.1, per_doubling=0.012), spread=0.005),
    Study(
        "has not moved yet, three of 5, 10 and 20",
        CurveShape(0.002, 0.987, 40.5, 7.29),
        sizes=SHORT,
        asked_at=(0, 10, 20, 40),
        target=0.95,
    ),
)


@dataclass
class Tally:
    """Answers to one question over all studies."""

    asked: int = 0
    answered: int = 0
    wrong: int = 0

    def count(self, found: Interval | NotEnoughData, truth: float) -> None:
        """Count an answer."""
        self.asked += 1
        if isinstance(found, Interval):
            self.answered += 1
            self.wrong += not found.low <= truth <= found.high
        else:
            least = re.search(r"more than (\d+) examples, and how", found.reason)
            self.wrong += least is not None and truth < int(least[1]) - 0.5

    @property
    def coverage(self) -> float:
        """Share that was not wrong."""
        return 1 - self.wrong / self.asked


def measure_curve(study: Study, *, runs: int, resamples: int) -> dict[str, Tally]:
    """Return how often the answers to each question were right."""
    dice = dice_of(study.name, 0)
    shape, most = study.shape, study.most
    names = [*(f"at {n}" for n in study.asked_at), f"the next {most}", "examples needed"]
    tallies = {name: Tally() for name in names}
    gain = shape.at(2 * most) - shape.at(most)
    for run in range(runs):
        curve = fit_curve(study.draw(dice), seed=run, resamples=resamples)

        def ask(question: Callable[[SaturatingCurve], Interval | NotEnoughData], of: _Curve = curve) -> _Found:
            return of if isinstance(of, NotEnoughData) else question(of)

        for n in study.asked_at:
            tallies[f"at {n}"].count(ask(lambda curve, n=n: curve.value_at(n)), shape.at(n))
        tallies[f"the next {most}"].count(ask(lambda curve: curve.gain_of_next(most, most)), gain)
        if isinstance(shape, CurveShape) and shape.end > shape.start:
            target = study.target or (shape.start + 4 * shape.end) / 5
            needed = ask(lambda curve, target=target: curve.examples_for(target))
            tallies["examples needed"].count(needed, shape.examples_for(target))
    return {name: tally for name, tally in tallies.items() if tally.asked}


def judge_curves(runs: int, resamples: int) -> Iterator[Line]:
    """Yield a line for each kind of study."""
    for study in STUDIES:
        tallies = measure_curve(study, runs=runs, resamples=resamples)
        worst = min(tallies, key=lambda name: tallies[name].coverage)
        lowest = tallies[worst].coverage
        average = float(np.mean([tally.coverage for tally in tallies.values()]))
        needed = tallies.get("examples needed")
        further = tallies[f"the next {study.most}"]
        found = f"average {percent(average)}, lowest {percent(lowest)} ({worst})"
        found += f"; the next {study.most}: {percent(further.coverage)}"
        found += f", answered in {percent(further.answered / further.asked)}"
        if needed:
            found += f"; examples needed: answered in {percent(needed.answered / needed.asked)}"
        holds = None if study.bound is None else lowest >= study.bound - 2 * error(study.bound, runs)
        yield Line(study.name, found, "" if study.bound is None else f">= {percent(study.bound)}", holds)


def draw_replies(
    shape: tuple[int, int, int], deviations: tuple[float, ...], missing: float, dice: np.random.Generator
) -> list[Measured]:
    """Return replies of so many trainings, cases and repeats, of which a share is missing."""
    trainings, cases, _ = shape
    training, case, both, repeat = deviations
    values: NDArray[np.float64] = (
        dice.normal(0, training, (trainings, 1, 1))
        + dice.normal(0, case, (1, cases, 1))
        + dice.normal(0, both, (trainings, cases, 1))
        + dice.normal(0, repeat, shape)
    )
    kept = dice.random(shape) >= missing
    return [Measured(int(t), int(c), float(values[t, c, r])) for t, c, r in np.argwhere(kept)]


def judge_variances(runs: int, resamples: int) -> Iterator[Line]:
    """Yield a line for each layout; components are standard deviations of training, case, both and repeat."""
    for shape, deviations, missing in (
        ((3, 200, 3), (0.05, 0.3, 0.2, 0.2), 0.0),
        ((3, 200, 3), (0.02, 0.3, 0.2, 0.2), 0.2),
        ((3, 200, 2), (0.0, 0.3, 0.2, 0.2), 0.0),
        ((5, 100, 2), (0.05, 0.3, 0.1, 0.1), 0.1),
    ):
        dice = dice_of(f"{shape} {deviations}", 0)
        tallies = {name: Tally() for name in ("training", "case", "training_by_case", "repeat")}
        for run in range(runs):
            parts = split_variance(draw_replies(shape, deviations, missing, dice), seed=run, resamples=resamples)
            assert not isinstance(parts, NotEnoughData)
            for (name, tally), deviation in zip(tallies.items(), deviations, strict=True):
                tally.count(getattr(parts, name), deviation**2)
        lowest = min(tally.coverage for tally in tallies.values())
        yield Line(
            f"variance, trainings x cases x repeats {shape}, {percent(missing)} missing",
            ", ".join(f"{name} {percent(tally.coverage)}" for name, tally in tallies.items()),
            ">= 90 %",
            lowest >= 0.9 - 2 * error(0.9, runs),
        )


def main() -> None:
    """Print the table; exit with 1 where a bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few studies (default: 300 a line)")
    given = parser.parse_args()
    runs, resamples = (15, 199) if given.quick else (300, 399)
    print("| | coverage of intervals of 95 % | bound | |\n|---|---|---|---|", flush=True)
    started = time.perf_counter()
    holds = True
    for part in (judge_curves, judge_variances):
        for line in part(runs, resamples):
            holds = holds and line.holds is not False
            verdict = {True: "holds", False: "MISSED", None: "–"}[line.holds]
            print(f"| {line.what} | {line.found} | {line.bound} | {verdict} |", flush=True)
    print(f"\n{time.perf_counter() - started:.0f} s")
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
