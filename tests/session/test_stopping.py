"""In which order cases are asked until everything is decided, and whose turn it is."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.records import Cell
from tunegate.session import Turns, case_order

CELLS = [
    Cell(eval_name, f"c-{case}", "s", model, repeat)
    for eval_name in ("format", "tone")
    for model in ("base", "tuned")
    for case in range(40)
    for repeat in (1, 2)
]


def cases_of(cells: list[Cell]) -> list[tuple[str, str]]:
    """Return the cases in the order in which they come first."""
    return list(dict.fromkeys((cell.eval, cell.case) for cell in cells))


def test_models_and_repeats_of_a_case_stay_together() -> None:
    """The cases of all evals are mixed; within a case the matrix's order holds, and repeats follow each other."""
    ordered = sorted(CELLS, key=case_order(seed=0))
    groups = [ordered[start : start + 4] for start in range(0, len(ordered), 4)]
    for group in groups:
        assert len({(cell.eval, cell.case) for cell in group}) == 1
        assert [(cell.model, cell.repeat) for cell in group] == [("base", 1), ("base", 2), ("tuned", 1), ("tuned", 2)]
    evals = [group[0].eval for group in groups]
    assert 20 < sum(first != second for first, second in pairwise(evals)) < 60


@given(st.sets(st.sampled_from(CELLS)))
def test_subset_keeps_the_order(subset: set[Cell]) -> None:
    """Cases stand to each other as they do in the whole, whichever of them are asked."""
    whole = sorted(CELLS, key=case_order(seed=3))
    chosen = [cell for cell in CELLS if cell in subset]
    assert sorted(chosen, key=case_order(seed=3)) == [cell for cell in whole if cell in subset]


def test_seed_makes_another_order() -> None:
    """Two seeds, two orders."""
    assert cases_of(sorted(CELLS, key=case_order(seed=0))) != cases_of(sorted(CELLS, key=case_order(seed=1)))


@given(st.permutations(range(12)))
def test_turns_come_in_order(ends: list[int]) -> None:
    """However things end, each has its turn once, in order, and no later than when all before it have ended."""
    turns = Turns()
    came: list[int] = []
    for number, place in enumerate(ends, 1):
        came += turns.end(place)
        ended = set(ends[:number])
        assert came == list(range(next(place for place in range(13) if place not in ended)))


@pytest.mark.parametrize("again", [0, 1])
def test_what_ends_twice_has_one_turn(again: int) -> None:
    """An item that a worker leaves behind may end a second time, before its turn or after it."""
    turns = Turns()
    assert list(turns.end(1)) == []
    assert list(turns.end(0)) == [0, 1]
    assert list(turns.end(again)) == []
    assert list(turns.end(2)) == [2]
