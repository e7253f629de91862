"""What measures time is asked in blocks: the models of a case one after the other, everything else by chance."""

from __future__ import annotations

from itertools import groupby

from tunegate.records import Cell
from tunegate.session import turn_order
from tunegate.session.flights import Flights

MODELS = ("base", "ft", "teacher")
CELLS = [
    Cell("latency", f"{prompt}-{size}", f"{size} tokens", model, repeat)
    for model in MODELS
    for prompt in ("rome", "bubble")
    for size in (8, 64)
    for repeat in (1, 2, 3)
]


def test_models_of_a_case_are_asked_one_after_the_other() -> None:
    """A repeat of a case is one block with every model once, and all blocks are there."""
    ordered = sorted(CELLS, key=turn_order(seed=0))
    blocks = [list(block) for _, block in groupby(ordered, key=lambda cell: (cell.case, cell.repeat))]
    assert len(blocks) == 12
    assert all(sorted(cell.model for cell in block) == sorted(MODELS) for block in blocks)


def test_chance_decides_who_comes_first() -> None:
    """Neither a model nor a case always comes first, and the seed alone decides."""
    ordered = sorted(CELLS, key=turn_order(seed=0))
    assert {cell.model for cell in ordered[::3]} == set(MODELS)
    assert [cell.case for cell in ordered] != sorted(cell.case for cell in ordered)
    backwards = CELLS[::-1]
    assert sorted(backwards, key=turn_order(seed=0)) == ordered
    assert sorted(CELLS, key=turn_order(seed=1)) != ordered


def test_flight_knows_the_most_that_flew_with_it() -> None:
    """What began later counts for those already under way, and what has ended counts for nobody after."""
    flights = Flights()
    with flights.begin() as first:
        with flights.begin() as second, flights.begin() as third:
            assert (first.most, second.most, third.most) == (3, 3, 3)
        with flights.begin() as fourth:
            assert fourth.most == 2
        assert first.most == 3
    with flights.begin() as alone:
        assert alone.most == 1
