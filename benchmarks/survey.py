"""Rates over a grid of cells, the most extreme ones measured twice, and the lines of a table that judge them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from draws import PairCell, ShareCell

LEVEL = 0.95
TAIL = (1 - LEVEL) / 2
C = TypeVar("C", ShareCell, PairCell)


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    what: str
    found: str
    bound: str
    holds: bool | None
    """None where nothing is asked for."""


@dataclass(frozen=True)
class Sizes:
    """How much is simulated."""

    runs: int
    again: int
    """Runs of the cells that are simulated a second time."""
    worst: int = 8
    """Cells on either end that are."""


class Survey(Generic[C]):
    """Rates of every cell; those of the most extreme cells are measured a second time."""

    def __init__(
        self, cells: Sequence[C], measure: Callable[[C, int, np.random.Generator], tuple[float, ...]], sizes: Sizes
    ) -> None:
        self.cells = cells
        self._measure = measure
        self.sizes = sizes
        self._rates = {cell: measure(cell, sizes.runs, dice_of(str(cell), 0)) for cell in cells}
        self._again: dict[C, tuple[float, ...]] = {}

    def average(self, index: int, cells: Sequence[C]) -> float:
        """Return the mean rate over the cells."""
        return float(np.mean([self._rates[cell][index] for cell in cells]))

    def extreme(self, cells: Sequence[C], index: int = 0, *, sign: int) -> tuple[C, float]:
        """Return the lowest cell (`sign` 1) or the highest (-1) with its second rate."""
        worst = sorted(cells, key=lambda cell: sign * self._rates[cell][index])[: self.sizes.worst]
        for cell in worst:
            if cell not in self._again:
                self._again[cell] = self._measure(cell, self.sizes.again, dice_of(str(cell), 1))
        cell = min(worst, key=lambda cell: sign * self._again[cell][index])
        return cell, self._again[cell][index]


def judge_coverage(what: str, survey: Survey[C]) -> Iterator[Line]:
    """Yield the lines of the cells where coverage must be close to the level, and of the others."""
    core = [cell for cell in survey.cells if cell.is_core]
    rest = [cell for cell in survey.cells if not cell.is_core]
    lowest, highest = survey.extreme(core, sign=1), survey.extreme(core, sign=-1)
    yield Line(
        f"{what}, n >= 200 and shares 0.1-0.9 ({len(core)} cells)",
        f"average {percent(survey.average(0, core))}, lowest {percent(lowest[1])} ({lowest[0]}),"
        f" highest {percent(highest[1])} ({highest[0]})",
        "93.5-96.5 %",
        lowest[1] >= 0.935 and highest[1] <= 0.965,
    )
    worst, rate = survey.extreme(rest, sign=1)
    yield Line(f"{what}, elsewhere ({len(rest)} cells)", f"lowest {percent(rate)} ({worst})", ">= 90 %", rate >= 0.9)


def judge_promotions(where: str, survey: Survey[C], cells: Sequence[C]) -> Line:
    """Return the line of how often an interval of 95 % lies above the truth."""
    cell, rate = survey.extreme(cells, 1, sign=-1)
    average = percent(survey.average(1, cells))
    allowed = 2 * TAIL + 2 * error(2 * TAIL, survey.sizes.again)
    found = f"average {average}, highest {percent(rate)} ({cell})"
    return Line(f"false PROMOTE {where}: interval of 95 % above it", found, "at most 5 %", rate <= allowed)


def error(rate: float, runs: int) -> float:
    """Return the standard error of a rate that is found in so many runs."""
    return float(np.sqrt(rate * (1 - rate) / runs))


def dice_of(name: str, turn: int) -> np.random.Generator:
    """Return random numbers that depend on nothing but the cell and the turn."""
    return np.random.default_rng([zlib.crc32(name.encode()), turn])


def percent(share: float) -> str:
    """Return 93.5 % for 0.935."""
    return f"{100 * share:.4g} %"
