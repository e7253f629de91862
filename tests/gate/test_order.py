"""The order in which cases are asked until everything is decided."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tunegate.gate.order import Place, Plan, in_order
from tunegate.records import Cell
from tunegate.session import case_order

PLACES = st.lists(st.builds(Place, st.sampled_from("ab"), st.text(max_size=3), st.just("s")), unique=True, max_size=20)


@given(places=PLACES, seed=st.integers(0, 99), data=st.data())
def test_order_depends_on_the_seed_and_the_names_alone(places: list[Place], seed: int, data: st.DataObject) -> None:
    """However cases are given, and whichever are left out, those that remain are asked in the same order."""
    whole = in_order(places, seed=seed)
    some = data.draw(st.permutations(places))[: len(places) // 2]
    assert in_order(some, seed=seed) == [place for place in whole if place in some]


def test_order_is_another_with_another_seed() -> None:
    """The order is random: a seed gives one that has nothing to do with the names, another seed another."""
    places = [Place("format", f"case-{n:02}", "s") for n in range(50)]
    one, other = (in_order(places, seed=seed) for seed in (1, 2))
    assert sorted(one, key=lambda place: place.case) == places
    assert places != one != other


@given(places=PLACES, seed=st.integers(0, 99))
def test_order_is_the_one_in_which_a_run_asks(places: list[Place], seed: int) -> None:
    """A verdict takes cases in the order in which a run asks for them."""
    key = case_order(seed=seed)
    asked = sorted((Cell(place.eval, place.case, place.subject, "m") for place in places), key=key)
    assert [(cell.eval, cell.case) for cell in asked] == [(p.eval, p.case) for p in in_order(places, seed=seed)]


def test_plan_of_a_run_names_evals_and_subjects() -> None:
    """A plan of which everything was asked counts its cases, and knows each eval's subjects."""
    plan = Plan.of([Place("tone", "a", "law"), Place("format", "a", "law"), Place("format", "b", "art")], seed=5)
    assert (plan.cases, plan.seed) == (3, 5)
    assert plan.subjects == {"format": ["art", "law"], "tone": ["law"]}
