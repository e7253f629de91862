"""Asking until everything is decided: in which order, who says when it is enough, and whose turn it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tunegate.records import Cell, Record
from tunegate.stats import order_key


class Watch(Protocol):
    """Says which cells still matter, from the records that have come.

    Given the same replies it is told the same records in the same order, however many requests are in flight and
    however many processes ask: only those of cells that it wanted when their turn came, in the order of the plan.
    What comes quickly is not told earlier, so that what it has been told is a random sample at any time.
    """

    def take(self, record: Record) -> None:
        """Hear of a record."""

    def wants(self, cell: Cell) -> bool:
        """Tell whether a cell still matters; once it does not, it never does again. Called often: to be quick."""


def case_order(*, seed: int) -> Callable[[Cell], tuple[int, str, str]]:
    """Return the key that sorts cells into a random order of their cases.

    Models and repeats of one case stay together, in the order in which they were. Only the seed and the two names
    decide: the order is the same in every process, and for every subset of the cases.
    """
    return lambda cell: (order_key(cell.eval, cell.case, seed=seed), cell.eval, cell.case)


def turn_order(*, seed: int) -> Callable[[Cell], tuple[int, int, str, str, int, int, str]]:
    """Return the key that sorts cells for measuring time: a case's models one after the other, all in a random order.

    What is measured under one load stands together, the smaller load first. Each repeat of a case is a block of its
    own, with the models in a random order within: what drifts while the run goes on hits all models alike (a
    randomized complete block design: Montgomery, "Design and Analysis of Experiments", chapter 4).
    """

    def place(cell: Cell) -> tuple[int, int, str, str, int, int, str]:
        block = f"{cell.case}\0{cell.repeat}"
        within = order_key(cell.eval, f"{block}\0{cell.model}", seed=seed)
        where = order_key(cell.eval, block, seed=seed)
        return cell.load or 1, where, cell.eval, cell.case, cell.repeat, within, cell.model

    return place


class Turns:
    """Says whose turn it is where things that have places, counted from 0, end in any order."""

    def __init__(self) -> None:
        self.now = 0
        """The first place that has not ended."""
        self._ended: set[int] = set()

    def end(self, place: int) -> range:
        """Note that `place` has ended; return the places whose turn has come by that, in order."""
        if place >= self.now:
            self._ended.add(place)
        first = self.now
        while self.now in self._ended:
            self._ended.remove(self.now)
            self.now += 1
        return range(first, self.now)
