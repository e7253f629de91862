"""How often the intervals cover the truth, and how often a gate that uses them is wrong: simulated, seeded.

    python benchmarks/coverage.py            the whole grid, a few minutes on one core
    python benchmarks/coverage.py --quick    a smoke test: few runs, so that bounds may be missed by chance

Shares of independent answers are not simulated but summed over all outcomes. For the others, each cell of the grid is
simulated; then the cells that came out lowest and highest are simulated again with many more runs and other random
numbers, for the worst of many is partly bad luck, and these second results are shown and judged.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from statistics import NormalDist

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from draws import PairCell, ShareCell  # noqa: E402
from scipy.stats import binom  # noqa: E402
from survey import LEVEL, TAIL, Line, Sizes, Survey, dice_of, error, judge_coverage, judge_promotions, percent  # noqa: E402

from tunegate.stats import (  # noqa: E402
    ConfidenceSequence,
    Interval,
    cases_needed,
    exact,
    holm,
    log_e_values,
    share_of_difference,
    wilson,
)

Z = NormalDist().inv_cdf(1 - TAIL)
SHARES = (0.02, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99)
SIZES = (50, 100, 200, 500, 2000)
QUICK = Sizes(runs=60, again=600, worst=2)
WHOLE = Sizes(runs=600, again=10_000)


def sum_independent() -> Iterator[Line]:
    """Coverage of `exact` and `wilson`, from the binomial distribution."""
    truths = np.arange(0.02, 0.9901, 0.002)
    for estimator in (exact, wilson):
        coverages = {}
        for n in (50, 100, 200, 500, 1000, 2000):
            limits = [known(estimator(passed, n)) for passed in range(n + 1)]
            low, high = np.array([(found.low, found.high) for found in limits]).T
            for truth in truths:
                covers = (low <= truth) & (truth <= high)
                coverages[n, round(float(truth), 3)] = float(binom.pmf(np.arange(n + 1), n, truth) @ covers)
        (n, share), lowest = min(coverages.items(), key=lambda item: item[1])
        average = float(np.mean(list(coverages.values())))
        found = f"average {percent(average)}, lowest {percent(lowest)} (n={n}, share {share:g})"
        if estimator is exact:
            yield Line("exact", found, "never below 95 %", lowest >= LEVEL - 1e-12)
        else:
            yield Line("wilson", found, "average 95 ± 1 %", 0.94 <= average <= 0.96)


def known(found: object) -> Interval:
    """Return the interval where there must be one."""
    assert isinstance(found, Interval)
    return found


def measure_shares(sizes: Sizes) -> Iterator[Line]:
    """Coverage of `clustered_share`, and false PROMOTE of an absolute rule, where the truth is its minimum."""

    def measure(cell: ShareCell, runs: int, dice: np.random.Generator) -> tuple[float, float]:
        intervals = [counts.interval(Z, level=LEVEL) for counts in cell.draw(runs, dice)]
        above = sum(found.low > cell.share for found in intervals)
        below = sum(found.high < cell.share for found in intervals)
        return 1 - (above + below) / runs, above / runs

    survey = Survey(
        [ShareCell(*values) for values in product(SIZES, SHARES, (0.0, 0.1, 0.3, 0.6), (1, 3))], measure, sizes
    )
    yield from judge_coverage("clustered share", survey)
    for what, cells in (
        ("shares from 0.5", [cell for cell in survey.cells if cell.share >= 0.5]),
        ("shares below 0.5", [cell for cell in survey.cells if cell.share < 0.5]),
    ):
        yield judge_promotions(f"at the minimum, {what}", survey, cells)


def pair_cells() -> list[PairCell]:
    """Return the grid of two models: batches, and single yes or no."""
    grid = product(SIZES, SHARES, (0.0, -0.05), (0.0, 0.3, 0.6), (0.0, 0.5, 0.8), (1, 3))
    cells = [PairCell(*values) for values in grid]
    single = product(SIZES, SHARES, (0.0, -0.05), (0.0,), (0.0, 0.5, 0.8), (1,), (1,))
    cells += [PairCell(*values) for values in single]
    return [cell for cell in cells if cell.is_possible]


def measure_pairs(sizes: Sizes) -> Iterator[Line]:
    """Coverage of `paired_difference`, and false PROMOTE of `p_not_worse`, where the truth is the margin.

    The null is tested in place of making the interval: the same by construction, and quicker.
    """

    def measure(cell: PairCell, runs: int, dice: np.random.Generator) -> tuple[float, float, float]:
        p_values = np.array([gains.p_above(cell.truth) for gains in cell.draw(runs, dice)])
        covered = (p_values >= TAIL) & (p_values <= 1 - TAIL)
        return float(covered.mean()), float((p_values < TAIL).mean()), float((p_values < 2 * TAIL).mean())

    cells = pair_cells()
    yield from judge_coverage(
        "paired difference, batches", Survey([cell for cell in cells if cell.batch > 1], measure, sizes)
    )
    yield from judge_coverage(
        "paired difference, yes or no", Survey([cell for cell in cells if cell.batch == 1], measure, sizes)
    )
    thin = Survey([cell for cell in cells if cell.difference], measure, sizes)
    yield judge_promotions("at the margin", thin, thin.cells)
    cell, rate = thin.extreme(thin.cells, 2, sign=-1)
    found = f"average {percent(thin.average(2, thin.cells))}, highest {percent(rate)} ({cell})"
    yield Line("the same, interval of 90 %: one-sided 5 %, for comparison", found, "", None)


def measure_family(sizes: Sizes) -> Iterator[Line]:
    """Chance of any false PROMOTE in 8 candidates x 5 rules after `holm`, all at their margins.

    They are drawn independently, where the correction has least to spare.
    """
    for questions, share, agreement in ((200, 0.9, 0.0), (1000, 0.9, 0.5), (1000, 0.5, 0.0), (2000, 0.95, 0.5)):
        cell = PairCell(questions, share, -0.02, 0.3, agreement, 1)
        dice = dice_of(f"family {cell}", 0)
        runs = max(20, sizes.again // 10)
        wrong = 0
        for _ in range(runs):
            family = [gains.p_above(cell.truth) for gains in cell.draw(40, dice)]
            wrong += min(holm(family)) < 2 * TAIL
        yield Line(
            "Holm, 8 candidates x 5 rules",
            f"any false PROMOTE {percent(wrong / runs)} ({cell})",
            "at most 5 %",
            wrong / runs <= 2 * TAIL + 2 * error(2 * TAIL, runs),
        )


def measure_peeking(sizes: Sizes) -> Iterator[Line]:
    """Errors of looking after every case, and what stopping early saves."""
    runs = max(200, sizes.again // 10)
    for cell in (
        PairCell(2000, 0.9, -0.05, 0.3, 0.0, 1),
        PairCell(2000, 0.5, -0.05, 0.6, 0.5, 1),
        PairCell(2000, 0.95, -0.02, 0.0, 0.5, 1, batch=1),
    ):
        dice = dice_of(f"peeking {cell}", 0)
        values = share_of_difference(cell.differences(runs, dice))
        null = share_of_difference(cell.truth)
        wrong = float((log_e_values(values, null=null).max(1) >= -np.log(TAIL)).mean())
        yield Line(
            "e-process at the margin, looked at after every case",
            f"ever shown {percent(wrong)} ({cell})",
            f"at most {percent(TAIL)}",
            wrong <= TAIL + 2 * error(TAIL, runs),
        )
        few = max(20, runs // 10)
        missed = sum(_ever_misses(row, null) for row in values[:few])
        yield Line(
            "confidence sequence, looked at after every case",
            f"ever misses {percent(missed / few)} ({cell})",
            "at most 5 %",
            missed / few <= 2 * TAIL + 2 * error(2 * TAIL, few),
        )
    for batch, share, agreement, margin in (
        (1, 0.9, 0.5, 0.04),
        (1, 0.6, 0.0, 0.05),
        (4, 0.9, 0.0, 0.03),
        (4, 0.7, 0.5, 0.1),
    ):
        yield measure_saving(batch, share, agreement, margin, runs=runs)


def _ever_misses(values: Sequence[float], truth: float) -> bool:
    sequence = ConfidenceSequence(level=LEVEL, steps=400)
    for value in values:
        sequence.update(value)
    return not sequence.low <= truth <= sequence.high


def measure_saving(batch: int, share: float, agreement: float, margin: float, *, runs: int) -> Line:
    """Cases asked until decided over those of the fixed plan, where the truth is twice what the plan can show.

    The rule is "not worse by `margin`", planned for equal models; the candidate is better by the margin.
    """
    cell = PairCell(400_000 // batch, share, 0.0, 0.3 if batch > 1 else 0.0, agreement, 1, batch=batch)
    variance = float(cell.differences(1, dice_of(f"plan {cell}", 0)).var())
    planned = cases_needed(margin, variance=variance, level=LEVEL)
    better = PairCell(planned * batch, share, margin, cell.correlation, agreement, 1, batch=batch)
    values = share_of_difference(better.differences(runs, dice_of(f"saving {better}", 0)))
    capital = log_e_values(values, null=share_of_difference(-margin))
    shown = capital >= -np.log(TAIL)
    asked = np.where(shown.any(1), shown.argmax(1) + 1, planned)
    return Line(
        "cases asked until decided, truth twice the detectable",
        f"{percent(float(asked.mean()) / planned)} of {planned} planned, shown in {percent(float(shown.any(1).mean()))}"
        f" (share {share:g}, agreement {agreement:g}, margin {margin:g}, batches of {batch})",
        "at most 50 %",
        float(asked.mean()) <= planned / 2,
    )


PARTS: dict[str, Callable[[Sizes], Iterator[Line]]] = {
    "independent": lambda _: sum_independent(),
    "shares": measure_shares,
    "pairs": measure_pairs,
    "family": measure_family,
    "peeking": measure_peeking,
}


def main() -> None:
    """Print the table; exit with 1 where a bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few runs (default: the whole grid)")
    parser.add_argument("--only", choices=PARTS, help="one part of the table (default: all)")
    given = parser.parse_args()
    print("| | found | bound | |\n|---|---|---|---|", flush=True)
    started = time.perf_counter()
    holds = True
    for name, part in PARTS.items():
        if given.only in {None, name}:
            for line in part(QUICK if given.quick else WHOLE):
                holds = holds and line.holds is not False
                verdict = {True: "holds", False: "MISSED", None: "–"}[line.holds]
                print(f"| {line.what} | {line.found} | {line.bound} | {verdict} |", flush=True)
    print(f"\n{time.perf_counter() - started:.0f} s")
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
