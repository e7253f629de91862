"""Which shard a case belongs to, and what tells that shards belong together."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.errors import UsageError
from tunegate.records import Cell
from tunegate.session.shards import Shard, plan_digest

CELLS = [Cell("e", f"s-{case:02d}", "s", model, repeat) for case in range(5) for model in "ab" for repeat in (1, 2)]


def test_shard_is_read_as_it_is_written() -> None:
    """`3/8` is the third part of eight."""
    assert Shard.parse("3/8") == Shard(3, 8)
    assert str(Shard.parse("3/8")) == "3/8"


@pytest.mark.parametrize(
    "text", ["", "3", "0/8", "9/8", "-1/8", "1/0", "a/b", "1/8/2", " 1/8", "1.0/8", "٣/8", "1/8\n"]
)
def test_wrong_shard_says_what_is_wanted(text: str) -> None:
    """Whatever is no part of a whole is refused with the form that is wanted, counted from 1."""
    with pytest.raises(UsageError, match="NUMBER/OF with 1 <= NUMBER <= OF, as in 3/8"):
        Shard.parse(text)


@given(st.text(), st.text(), st.integers(1, 50))
def test_every_case_falls_to_one_shard(eval_name: str, case: str, of: int) -> None:
    """The shards of a run are without a gap and without an overlap, whatever the names."""
    assert sum(Shard(number, of).holds(eval_name, case) for number in range(1, of + 1)) == 1


def test_share_of_a_case_never_changes() -> None:
    """SHA-256 of eval and case decides: these shards were written down once and hold on every machine."""
    shares = {case: next(n for n in range(1, 9) if Shard(n, 8).holds("format", case)) for case in ("x-01", "x-02", "é")}
    assert shares == {"x-01": 3, "x-02": 3, "é": 7}


def test_shards_are_of_about_one_size() -> None:
    """Of 8,000 cases each of eight shards gets 1,000, give or take what chance gives or takes."""
    sizes = Counter(
        number for case in range(8000) for number in range(1, 9) if Shard(number, 8).holds("e", f"c-{case}")
    )
    assert all(900 < size < 1100 for size in sizes.values())


@given(st.permutations(CELLS))
def test_digest_of_a_plan_knows_no_order(cells: list[Cell]) -> None:
    """Machines may collect in whatever order: one plan has one digest."""
    assert plan_digest(cells) == plan_digest(CELLS)


@pytest.mark.parametrize(
    "change",
    [{"eval": "f"}, {"case": "z"}, {"subject": "z"}, {"model": "z"}, {"repeat": 3}, {"temperature": 0.0}, {"shots": 1}],
    ids=lambda change: next(iter(change)),
)
def test_digest_tells_plans_apart(change: dict[str, object]) -> None:
    """Every part of a cell counts, and so does how many there are."""
    assert plan_digest([*CELLS[:-1], replace(CELLS[-1], **change)]) != plan_digest(CELLS)  # type: ignore[arg-type]
    assert plan_digest(CELLS[:-1]) != plan_digest(CELLS)
