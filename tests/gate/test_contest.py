"""Contests: which runs and models are held against each other, and what is said where that is not clear."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunegate.errors import UsageError
from tunegate.gate.contest import Contest, accepted_folder, accepted_models, find_run, open_contest
from tunegate.gate.policy import COST, Policy, Rule
from tunegate.records import Record

from .runs import BASE, OURS, at_least, make_record, make_side, not_worse, policy_of, write_run

COMPARES = policy_of(not_worse())


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    (tmp_path / "runs").mkdir()
    return tmp_path


def run_of(reports: Path, *models: str, name: str = "tuesday", records: list[Record] | None = None) -> Path:
    records = records or [record for model in models for record in make_side(model, [True, False])]
    return write_run(reports / "runs", records, name=name)


def accept(reports: Path, model: str) -> Path:
    """Lay records of a model where an accepted run lies."""
    written = write_run(reports / "promoted", make_side(model, [True, False]), name=f"run-{len(model)}-{model[-1]}")
    folder = accepted_folder(model, reports=reports)
    folder.parent.mkdir(exist_ok=True)
    return written.rename(folder)


def contest_of(folder: Path, reports: Path, *, policy: Policy = COMPARES, **said: object) -> Contest:
    return open_contest(folder, policy=policy, reports=reports, fixtures=reports / "fixtures", **said)  # type: ignore[arg-type]


def models_of(contest: Contest) -> tuple[list[str], str | None]:
    return [one.model for one in contest.candidates], contest.baseline.model if contest.baseline else None


def test_baseline_of_the_run_itself_goes_first(reports: Path) -> None:
    """A run that has a baseline is held against it, and all its candidates are judged."""
    accept(reports, "other")
    folder = run_of(reports, OURS, "ft:b", BASE)
    contest = contest_of(folder, reports)
    assert models_of(contest) == ([OURS, "ft:b"], BASE)
    assert contest.baseline_folder == folder


def test_accepted_model_is_the_baseline_of_a_run_without_one(reports: Path) -> None:
    """A run without a baseline is held against what was accepted, however its name is written in a folder."""
    folder = accept(reports, "ft:gpt:acme::1")
    contest = contest_of(run_of(reports, OURS), reports)
    assert models_of(contest) == ([OURS], "ft:gpt:acme::1")
    assert contest.baseline_folder == folder
    assert accepted_models(reports) == ("ft:gpt:acme::1",)


def test_one_of_several_accepted_is_named(reports: Path) -> None:
    """Where several were accepted, one must be named, and the message says how."""
    accept(reports, "a")
    accept(reports, "b")
    folder = run_of(reports, OURS)
    with pytest.raises(UsageError, match=r"several baselines are accepted, name one: --against a or --against b"):
        contest_of(folder, reports)
    assert models_of(contest_of(folder, reports, against="b")) == ([OURS], "b")
    assert models_of(contest_of(folder, reports, baseline="accepted/a")) == ([OURS], "a")


def test_last_promoted_of_several_accepted_is_the_baseline(reports: Path) -> None:
    """Where several were accepted one after another, the one that the matrix calls the baseline is meant."""
    accept(reports, "a")
    accept(reports, "b")
    (reports / "fixtures").mkdir()
    (reports / "fixtures" / "models.toml").write_text(
        '[endpoints.here]\nbase_url = "http://127.0.0.1:1/v1"\n'
        '[models.a]\nendpoint = "here"\nrole = "retired"\n[models.b]\nendpoint = "here"\nrole = "baseline"\n'
    )
    assert models_of(contest_of(run_of(reports, OURS), reports)) == ([OURS], "b")


def test_baseline_is_another_run_by_name_or_folder(reports: Path) -> None:
    """A baseline is named by its run, in `reports/runs` or anywhere, and by its row where that has several."""
    folder = run_of(reports, OURS)
    other = run_of(reports, BASE, "ft:old", name="monday")
    for where in ("monday", str(other)):
        assert models_of(contest_of(folder, reports, baseline=where)) == ([OURS], BASE)
    assert models_of(contest_of(folder, reports, baseline="monday", against="ft:old")) == ([OURS], "ft:old")
    with pytest.raises(UsageError, match=r"the run monday has no model 'x', it has production, ft:old"):
        contest_of(folder, reports, baseline="monday", against="x")


def test_unclear_row_is_told(reports: Path) -> None:
    """A baseline's run of several models, none of them a baseline, is refused with what to say."""
    folder = run_of(reports, OURS)
    run_of(reports, "ft:a", "ft:b", name="monday")
    with pytest.raises(UsageError, match=r"which model of the run monday .*--against ft:a or --against ft:b"):
        contest_of(folder, reports, baseline="monday")


def test_no_baseline_is_told(reports: Path) -> None:
    """Rules that compare with nothing are refused; rules that compare nothing need no baseline."""
    folder = run_of(reports, OURS)
    with pytest.raises(
        UsageError,
        match=r"a baseline, and beside the candidate there is none: the run tuesday has",
    ):
        contest_of(folder, reports)
    assert models_of(contest_of(folder, reports, policy=policy_of(at_least()))) == ([OURS], None)


def test_candidates_are_named_by_globs(reports: Path) -> None:
    """Patterns choose among the models that are not the baseline, in the run's order; one that matches none is told."""
    folder = run_of(reports, "ft:b", "ft:a", "x", BASE)
    assert models_of(contest_of(folder, reports, patterns=["x", "ft:*"]))[0] == ["ft:b", "ft:a", "x"]
    assert models_of(contest_of(folder, reports, patterns=["ft:a"]))[0] == ["ft:a"]
    with pytest.raises(UsageError, match=r"no candidate matches 'y' in the run tuesday: it has ft:b, ft:a, x"):
        contest_of(folder, reports, patterns=["y"])


def test_run_of_the_baseline_alone_has_no_candidate(reports: Path) -> None:
    """A run of nothing but its baseline is refused."""
    with pytest.raises(UsageError, match=r"no candidate in the run tuesday: it has none beside the baseline"):
        contest_of(run_of(reports, BASE), reports, against=BASE)


def test_missing_run_is_told_with_what_was_accepted(reports: Path) -> None:
    """A run that is nowhere is refused, and the accepted ones are listed."""
    accept(reports, "production")
    with pytest.raises(UsageError, match=r"no run called 'accepted/prod'(.|\n)*accepted: .*production"):
        find_run("accepted/prod", reports=reports)


def test_prices_are_read_where_a_rule_is_on_cost(reports: Path) -> None:
    """Costs need the price of each side, as the run's matrix and fixtures/prices.toml have it; no other rule does."""
    (reports / "fixtures").mkdir()
    (reports / "fixtures" / "prices.toml").write_text(
        '[[prices]]\nmodel = "ft:*"\ninput_usd_per_mtok = 1.0\noutput_usd_per_mtok = 2.0\nsource = "test"\n'
    )
    folder = run_of(reports, OURS, BASE)
    priced = contest_of(folder, reports, policy=policy_of(Rule("cheap", "max_ratio", 0.5, metric=COST)))
    price = priced.prices[OURS]
    assert price is not None
    assert price.live is not None
    assert price.live.input_usd_per_mtok == 1.0
    assert priced.prices[BASE] is None
    assert contest_of(folder, reports).prices == {}
    assert "what production costs is not known" in priced.judge().decisions[0].findings[0].reason


def test_run_that_was_stopped_is_judged_case_by_case(reports: Path) -> None:
    """A run that was asked until decided is judged so in any case: its cases were chosen by what came before."""
    kept = {"seed": 4, "cases": 9, "subjects": {"format": ["history"]}}
    records = make_side(OURS, [True] * 6) + make_side(BASE, [True] * 6)
    folder = write_run(reports / "runs", records, name="stopped", header={"until_decided": kept})
    contest = contest_of(folder, reports)
    assert contest.plan is not None
    assert (contest.plan.cases, contest.plan.seed, len(contest.plan.places)) == (9, 4, 6)
    assert contest.judge().decisions[0].cases_planned == 9
    whole = contest_of(run_of(reports, OURS, BASE), reports)
    assert whole.plan is None


def test_case_without_a_score_was_asked(reports: Path) -> None:
    """Among the cases that were taken are those that failed."""
    records = [*make_side(OURS, [True]), *make_side(BASE, [True]), make_record("failed", state="error")]
    contest = contest_of(run_of(reports, records=records), reports, until_decided=True)
    assert contest.plan is not None
    assert sorted(place.case for place in contest.plan.places) == ["case-0000", "failed"]
