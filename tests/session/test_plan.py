"""The plan of a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tunegate.cases import Eval, Matrix, Sources
from tunegate.errors import UsageError
from tunegate.session import Preparer, plan_cells

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Asked:
    id: str
    subject: str = "s"


def test_plan_is_models_by_cases_by_repeats() -> None:
    """Every model gets every case as often as asked; the first repeat's name does not depend on how many follow."""
    eval_ = Eval("e", cases=lambda sources: [Asked("s-01"), Asked("s-02")], prompt=lambda case, sources: [])
    models = [Matrix.unlisted(name, base_url="http://h/v1") for name in ("a", "b")]
    sources = Sources(ROOT / "fixtures", shots=2)
    once = plan_cells(eval_, sources, models=models, repeats=1, temperature=0.5)
    twice = plan_cells(eval_, sources, models=models, repeats=2, temperature=0.5)
    assert [planned.id for planned in once] == ["s-01-a", "s-02-a", "s-01-b", "s-02-b"]
    assert [planned.id for planned in twice][:3] == ["s-01-a", "s-01-a-r2", "s-02-a"]
    assert {planned.id for planned in once} <= {planned.id for planned in twice}
    assert (once[0].cell.temperature, once[0].cell.shots, once[0].cell.eval) == (0.5, 2, "e")


def test_row_of_the_matrix_may_fix_its_shots() -> None:
    """A baseline with a long prompt stands beside a candidate without one, in one run."""
    eval_ = Eval("e", cases=lambda sources: [Asked("s-01")], prompt=lambda case, sources: [])
    free = Matrix.unlisted("free", base_url="http://h/v1")
    models = [free, replace(free, name="long", shots=3)]
    plan = plan_cells(eval_, Sources(ROOT / "fixtures", shots=1), models=models, repeats=1, temperature=0.0)
    assert [planned.cell.shots for planned in plan] == [1, 3]


def test_eval_may_say_the_temperature_of_a_case() -> None:
    """What the row of the matrix fixes comes first, then what the eval says of the case, then the run's option."""
    eval_ = Eval(
        "e",
        cases=lambda sources: [Asked("cold"), Asked("warm"), Asked("as-you-like")],
        prompt=lambda case, sources: [],
        temperature=lambda case: {"cold": 0, "warm": 1.5}.get(case.id),
    )
    free = Matrix.unlisted("free", base_url="http://h/v1")
    fixed = replace(free, name="fixed", body={"temperature": 0.3})
    left_out = replace(free, name="left out", omit=("temperature",))
    sources = Sources(ROOT / "fixtures")
    plan = plan_cells(eval_, sources, models=[free, fixed, left_out], repeats=1, temperature=0.7)
    asked = {(planned.cell.model, planned.cell.case): planned.cell.temperature for planned in plan}
    assert [asked["free", case] for case in ("cold", "warm", "as-you-like")] == [0.0, 1.5, 0.7]
    assert {asked["fixed", case] for case in ("cold", "warm", "as-you-like")} == {0.3}
    assert {asked["left out", case] for case in ("cold", "warm", "as-you-like")} == {None}
    prepare = Preparer(sources)
    for planned in plan:
        # What the record says is what is sent.
        assert prepare(planned).request.body.get("temperature") == planned.cell.temperature


@pytest.mark.parametrize("wrong", [-0.1, 2.1, float("nan"), "1", True])
def test_temperature_that_is_none_is_refused(wrong: object) -> None:
    """An eval that gives a case an impossible temperature is told so by the case, before anything is asked."""
    eval_ = Eval("e", cases=lambda sources: [Asked("a")], prompt=lambda case, sources: [], temperature=lambda _: wrong)  # type: ignore[arg-type,return-value]
    with pytest.raises(UsageError, match=r"temperature of e\[a\]: wanted a number from 0 to 2, or None for the run's"):
        plan_cells(
            eval_,
            Sources(ROOT / "fixtures"),
            models=[Matrix.unlisted("m", base_url="http://h/v1")],
            repeats=1,
            temperature=0.0,
        )


def test_case_ids_are_told_apart() -> None:
    """Two cases of one id would share their recordings: said by the id, before anything is asked."""
    eval_ = Eval("e", cases=lambda sources: [Asked("a"), Asked("a")], prompt=lambda case, sources: [])
    models = [Matrix.unlisted("m", base_url="http://h/v1")]
    with pytest.raises(UsageError, match="'e' has 1 case ids that stand twice, the first is 'a'"):
        plan_cells(eval_, Sources(ROOT / "fixtures"), models=models, repeats=1, temperature=0.0)
