"""Watching a run: it wants cells until the word on their model is known, and its run is judged to the same word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tunegate.cases import Endpoint, Model
from tunegate.exchanges import canonical_json
from tunegate.gate.contest import Contest, Reading, open_contest
from tunegate.gate.order import Plan, in_order
from tunegate.gate.policy import LATENCY, Policy, Rule
from tunegate.gate.stopping.sequential import SequentialJudge
from tunegate.gate.stopping.watching import GateWatch, empty_measures, place_of
from tunegate.gate.verdict import Verdict
from tunegate.gate.verdict_file import to_plain
from tunegate.records import Cell, Record
from tunegate.session.stopping import Watch

from .runs import BASE, OURS, at_least, make_record, not_worse, policy_of, write_run
from .test_sequential import GUARD, make_world

HERE = Endpoint("here", "http://127.0.0.1:1/v1")
MODELS = [
    Model(name=name, endpoint=HERE, role="baseline" if name == BASE else "candidate")
    for name in (BASE, OURS, "ft:bad", "ft:near")
]
CHANCES = {OURS: 0.9, "ft:bad": 0.5, "ft:near": 0.76, BASE: 0.8}
POLICY = policy_of(not_worse(0.1), at_least(0.6), GUARD, Rule("quicker", "max_ratio", 0.95, metric=LATENCY), seed=3)


def watch(policy: Policy, plan: Sequence[Cell], *, models: Sequence[Model] = MODELS) -> GateWatch:
    measures = empty_measures("to be", models=models)
    contest = open_contest(
        Reading(Path("nowhere"), measures), policy=policy, reports=Path("nowhere"), fixtures=Path("nowhere")
    )
    return GateWatch(contest, measures, plan=plan)


def in_plan(records: Sequence[Record], *, seed: int) -> list[Record]:
    """Return records in the order in which a run asks for them."""
    places = in_order(list(dict.fromkeys(place_of(record.cell) for record in records)), seed=seed)
    by_place: dict[object, list[Record]] = {}
    for record in records:
        by_place.setdefault(place_of(record.cell), []).append(record)
    return [record for place in places for record in by_place[place]]


def ask(watching: Watch, records: Sequence[Record]) -> list[Record]:
    """Ask for what is wanted when its turn comes; return what was asked."""
    asked = []
    for record in records:
        if watching.wants(record.cell):
            asked.append(record)
            watching.take(record)
    return asked


def contest_of(folder: Path, *, policy: Policy = POLICY, until_decided: bool = False) -> Contest:
    nowhere = folder.parent / "nowhere"
    return open_contest(folder, policy=policy, reports=nowhere, fixtures=nowhere, until_decided=until_decided)


def write_stopped(folder: Path, asked: Sequence[Record], plan: Plan) -> Path:
    """Write a run that was stopped, as its ledger does."""
    kept = {"seed": plan.seed, "cases": plan.cases, "subjects": plan.subjects}
    matrix = [{"name": model.name, "role": model.role} for model in MODELS]
    return write_run(folder, asked, header={"until_decided": kept, "matrix": matrix})


def as_text(verdict: Verdict) -> str:
    return canonical_json(to_plain(replace(verdict, candidate_run="run")))


@pytest.mark.parametrize(("slow", "errors"), [(0.5, 0), (0.9, 7)])
def test_stopped_run_is_judged_as_it_was_watched(slow: float, errors: int, tmp_path: Path) -> None:
    """The verdict on a run that was stopped is the one that stopped it: from the same cases, to the same digit, also
    where more replies were under way; and a whole run judged until decided stops at the same case."""
    world = in_plan(make_world(150, CHANCES, evals=("format", "tone"), slow=slow), seed=POLICY.seed)
    # Of some cases nothing has a score: all of their calls failed, which stand side by side.
    for number in range(4 * errors):
        place = 40 * (number // 4) + number % 4
        world[place] = replace(world[place], state="error", checks=())
    policy = replace(POLICY, tolerance=0.2)
    watching = watch(policy, [record.cell for record in world])
    asked = ask(watching, world)
    assert len(asked) < len(world)
    last = max(world.index(record) for record in asked)
    under_way = [record for record in world[last + 1 : last + 9] if record.cell.model == BASE]

    stopped = contest_of(write_stopped(tmp_path / "a", [*asked, *under_way], watching.plan), policy=policy).judge()
    used = {decision.candidate: decision.cases_used for decision in stopped.decisions}
    for name, count in used.items():
        assert len({(r.cell.eval, r.cell.case) for r in asked if r.cell.model == name}) == count
    assert stopped.decisions[0].cases_planned == 300

    matrix = [{"name": model.name, "role": model.role} for model in MODELS]
    folder = write_run(tmp_path / "b", world, header={"matrix": matrix})
    whole = contest_of(folder, policy=policy, until_decided=True).judge()
    assert [decision.cases_used for decision in whole.decisions] == [one.cases_used for one in stopped.decisions]
    assert [one.findings for one in whole.decisions] == [one.findings for one in stopped.decisions]

    contest = contest_of(folder, policy=policy)
    sequential = SequentialJudge(
        contest.candidates, baseline=contest.baseline, policy=policy, plan=watching.plan, prices=contest.prices
    )
    for place in in_order(watching.plan.places, seed=policy.seed):
        if sequential.is_over:
            break
        sequential.take(place)
    assert as_text(sequential.verdict()) == as_text(whole)


def test_decided_candidate_is_asked_no_more_and_the_baseline_is() -> None:
    """When the word on one candidate is known its cells are not wanted, while the baseline's are for the others."""
    world = in_plan(make_world(400, CHANCES), seed=POLICY.seed)
    watching = watch(policy_of(not_worse(0.1), seed=3), [record.cell for record in world])
    counts = {
        name: sum(record.cell.model == name for record in ask_again) for ask_again in [ask(watching, world)]
        for name in CHANCES
    }  # fmt: skip
    assert counts["ft:bad"] < counts["ft:near"]
    assert counts[BASE] == max(counts.values())


def test_what_is_not_wanted_never_is_again() -> None:
    """Once a cell does not matter it never does again, whatever comes."""
    world = in_plan(make_world(300, CHANCES), seed=3)
    watching = watch(policy_of(not_worse(0.1), seed=3), [record.cell for record in world])
    unwanted: set[Cell] = set()
    for record in world:
        assert not any(watching.wants(cell) for cell in unwanted)
        if watching.wants(record.cell):
            watching.take(record)
        else:
            unwanted.add(record.cell)
    assert unwanted


def test_case_is_judged_when_all_of_it_has_come() -> None:
    """A case is looked at as a whole: with all repeats of both sides, or when the next one begins."""
    records = make_world(60, {OURS: 0.99, BASE: 0.3})
    records += [replace(record, cell=replace(record.cell, repeat=2)) for record in records]
    world = in_plan(records, seed=0)
    watching = watch(policy_of(not_worse(0.1)), [record.cell for record in world], models=MODELS[:2])
    decided_after = len(ask(watching, world))
    assert decided_after % 4 == 0
    # Where the last item of each case is skipped, the next case's first one ends it.
    again = watch(policy_of(not_worse(0.1)), [record.cell for record in world], models=MODELS[:2])
    some = [record for number, record in enumerate(world) if number % 4 != 3]
    assert 0 < len(ask(again, some)) < len(some)


def test_watch_is_made_before_anything_was_asked() -> None:
    """Nothing has come, nothing is decided, and every cell of the plan is wanted."""
    world = make_world(5, CHANCES)
    watching = watch(POLICY, [record.cell for record in world])
    assert all(watching.wants(record.cell) for record in world)
    assert (watching.plan.cases, watching.plan.seed) == (5, 3)


def test_nothing_is_promoted_before_every_eval_of_the_plan_was_seen() -> None:
    """A glob over evals means those of the plan: a run that grows is not decided while one of them has not come."""
    world = make_world(200, {OURS: 0.95})
    rare = [make_record(f"rare-{n:02}", {"x": True}, eval_name="tone") for n in range(25)]
    both = in_plan([*world, *rare], seed=0)
    policy = policy_of(at_least(0.5))
    alone = ask(watch(policy, [record.cell for record in world], models=MODELS[1:2]), in_plan(world, seed=0))
    asked = ask(watch(policy, [record.cell for record in both], models=MODELS[1:2]), both)
    counts = Counter(record.cell.eval for record in asked)
    assert len(alone) < 20 < counts["format"] < 200
    assert counts["tone"] >= 5
