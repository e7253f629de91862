"""Surveys of runs whose truth is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tunegate.cost import Price
from tunegate.curve import Inquiry, Row, Survey, newest_run, plain_of, render_survey, survey_runs
from tunegate.curve.questions import trace_curve
from tunegate.errors import RunError, UsageError
from tunegate.runs import RunFolder
from tunegate.stats import CurveShape, Interval, NotEnoughData

from ..stats.known import known
from .made_studies import LEVEL, RECIPE, RISE, failed, record_of, records_of, rising, write_run

HOT = {**RECIPE, "learning_rate_multiplier": 100.0, "not_converged": "no fall"}
THREE = rising(sizes=((0, None), (10, 1), (20, 1)))


def unpriced(_: Row) -> Price | None:
    return None


def survey(*folders: Path, **asked: Any) -> Survey:
    options = {name: asked.pop(name) for name in ("base", "wants_counter", "price_of") if name in asked}
    return survey_runs(folders, Inquiry(**asked), **{"price_of": unpriced, **options})


def test_the_truth_of_a_simulated_study_is_recovered(tmp_path: Path) -> None:
    """Shares, what the target needs and what was gained lie within their intervals, for metric and counter metric."""
    found = survey(write_run(tmp_path, "a", rising()))
    (one,) = found.answered
    schema, answers = one.curves
    assert (schema.metric, answers.metric) == ("schema", "answers")
    for size in schema.sizes:
        for interval in (known(size.share), known(size.fitted)):
            assert interval.low <= RISE.at(size.examples) <= interval.high
    needed = known(schema.needed)
    assert needed.low <= RISE.examples_for(0.95) <= needed.high
    assert needed.high < 100
    whole = known(schema.whole_gain)
    assert whole.low <= RISE.at(500) - RISE.at(0) <= whole.high
    after = known(answers.whole_gain)
    assert after.low <= LEVEL.at(500) - LEVEL.at(0) <= after.high
    assert isinstance(answers.next_gain, NotEnoughData)
    assert answers.next_gain.reason.startswith("the share was not seen to move up to 500 examples")
    assert found.is_fitted


def test_a_training_that_did_not_converge_moves_no_curve(tmp_path: Path) -> None:
    """With it or without it the fit is the same to the last digit; it is there with its share."""
    models = rising()
    records = records_of(models, cases=60)
    lost = failed(models[7])
    without = survey(write_run(tmp_path, "without", models, records)).answered[0].curves[0]
    both = survey(write_run(tmp_path, "with", [*models, lost], [*records, *records_of([lost], cases=60, seed=2)]))
    curve = both.answered[0].curves[0]
    assert (curve.curve, curve.sizes) == (without.curve, without.sizes)
    (score,) = curve.failed
    assert known(score.share).estimate < 0.1
    assert score.row.failure == "its loss did not fall: 2.1 at first, 2.3 in the end (p = 0.9)"


def test_variance_is_split_where_several_trainings_are(tmp_path: Path) -> None:
    """Trainings that differ a lot are seen to; one training, and requests that were asked once, say nothing."""
    sizes = [(0, None), *((n, seed) for n in (10, 50) for seed in range(8)), (100, 1)]
    models = rising(schema=CurveShape(0.3, 0.6, 20, 1), sizes=sizes, spread=0.2, seed=3)
    (one,) = survey(write_run(tmp_path, "a", models)).answered
    parts = {size.examples: size.parts for size in one.curves[0].sizes}
    assert parts[0] == parts[100] == NotEnoughData("there is one training only")
    for examples in (10, 50):
        found = parts[examples]
        assert not isinstance(found, NotEnoughData)
        training = known(found.training)
        # p (1 - p) (2 x 0.2)^2, of shares near a half
        assert 0 < training.low < 0.04 < training.high
        assert found.repeat == NotEnoughData("nothing was asked twice")


def test_runs_are_taken_together(tmp_path: Path) -> None:
    """The base model in one run and its fine-tunes in others are the same study as all of them in one."""
    models = rising()
    records = records_of(models, cases=40)
    whole = survey(write_run(tmp_path, "whole", models, records)).answered[0]
    parts = [
        write_run(tmp_path, f"part{n}", some, [one for one in records if one.cell.model in {m.name for m in some}])
        for n, some in enumerate((models[:1], models[1:7], models[7:]))
    ]
    found = survey(*parts)
    assert found.answered[0].curves == whole.curves
    assert [run.name for run in found.runs] == ["part0", "part1", "part2"]
    again = survey(*parts, write_run(tmp_path, "copy", models[:1], records_of(models[:1], cases=40)))
    assert again.answered[0].curves == whole.curves
    assert again.warnings == ("base stands in several runs: the records of copy are not taken",)


def test_a_row_is_that_of_the_run_whose_records_are_taken(tmp_path: Path) -> None:
    """A run that lists a model and has nothing of it does not say how the records of a later one were asked."""
    records = records_of(THREE, cases=10)
    prompted = [replace(THREE[0], shots=3), *THREE[1:]]
    of_the_others = [one for one in records if one.cell.model != "base"]
    first = write_run(tmp_path, "first", prompted, of_the_others)
    later = write_run(tmp_path, "later", THREE[:1], [one for one in records if one.cell.model == "base"])
    found = survey(first, later)
    assert found.left_out == ()
    assert found.answered[0].study.sizes == (0, 10, 20)
    whole = survey(write_run(tmp_path, "whole", prompted, records), later)
    assert [left.model for left in whole.left_out] == ["base"]


def test_without_the_base_model_no_gain_over_it_is_told(tmp_path: Path) -> None:
    """Trainings alone have a curve from the smallest on; where the base model would be, nothing is drawn."""
    models = [model for model in rising() if model.examples]
    found = survey(write_run(tmp_path, "a", models, records_of(models, cases=60)), target=0.03)
    (one,) = found.answered
    assert one.is_fitted
    assert one.curves[0].whole_gain == NotEnoughData("the base model was not asked")
    assert trace_curve(one.curves[0], one.study, found.inquiry)[0][0] == 10
    told = " ".join(" ".join(render_survey(found, tell_usd=str)).split())
    assert "from the base model to 500 examples: not known: the base model was not asked" in told
    assert "base model itself" not in told


def test_one_name_for_two_trainings_is_refused(tmp_path: Path) -> None:
    """A row that was trained otherwise in another run is another model: nobody guesses which was meant."""
    changed = [replace(model, training={**RECIPE, "epochs": 1}) if model.examples else model for model in THREE]
    records = records_of(THREE, cases=2)
    one, two = write_run(tmp_path, "one", THREE, records), write_run(tmp_path, "two", changed, records)
    with pytest.raises(UsageError, match="ft:n10-s1 was trained otherwise in the run two than in one"):
        survey(one, two)


def test_a_metric_that_was_not_judged_is_no_point(tmp_path: Path) -> None:
    """Where the base model's answers could not be judged, the curve of the metric is made of the trainings."""
    models = rising()
    records = [
        record_of(one.cell.case, {"schema": [True], "values": [None if one.cell.model == "base" else True]},
                  model=one.cell.model)
        for one in records_of(models, cases=20)
    ]  # fmt: skip
    (one,) = survey(write_run(tmp_path, "a", models, records), metric="values", counter=None).answered
    base = one.curves[0].sizes[0]
    assert base.share == base.scores[0].share == NotEnoughData("nothing was judged")
    assert not isinstance(one.curves[0].curve, NotEnoughData)
    assert one.curves[0].curve.trainings == len(models) - 1
    assert one.curves[0].whole_gain == NotEnoughData("of the base model nothing was judged")


def test_too_few_sizes_make_a_table_and_no_curve(tmp_path: Path) -> None:
    """Three sizes are shown with their shares, and every question is answered with the reason."""
    found = survey(write_run(tmp_path, "a", THREE, records_of(THREE, cases=20)))
    assert not found.is_fitted
    curve = found.answered[0].curves[0]
    assert [size.examples for size in curve.sizes] == [0, 10, 20]
    assert all(isinstance(size.share, Interval) for size in curve.sizes)
    assert curve.needed == curve.next_gain == curve.curve
    assert isinstance(curve.curve, NotEnoughData)
    gain = known(curve.whole_gain)
    assert gain.estimate == known(curve.sizes[2].share).estimate - known(curve.sizes[0].share).estimate


def test_where_points_rise_and_fall_there_is_no_curve_and_the_gain_is_measured(tmp_path: Path) -> None:
    """A study that overfits is answered with what was measured: no curve, no further gain, no needed examples."""
    shares = {10: 0.6, 20: 0.9, 50: 0.97, 100: 0.97, 200: 0.86, 500: 0.7}
    models = [replace(model, schema=shares.get(model.examples or 0, 0.02)) for model in rising()]
    found = survey(write_run(tmp_path, "a", models), counter=None)
    curve = found.answered[0].curves[0]
    assert not found.is_fitted
    assert isinstance(curve.curve, NotEnoughData)
    assert curve.curve.reason.startswith("the points do not follow a rising curve: ")
    assert curve.needed == curve.next_gain == curve.curve
    gain = known(curve.whole_gain)
    assert gain.low <= 0.68 <= gain.high < 0.8
    told = " ".join(" ".join(render_survey(found, tell_usd=str)).split())
    assert "no curve: the points do not follow a rising curve: 9" in told
    assert "from the base model to 500 examples: +6" in told or "from the base model to 500 examples: +7" in told
    assert "the next 500" not in told
    assert "by the curve" not in told


def test_a_gain_too_small_to_measure_is_told_as_a_bound(tmp_path: Path) -> None:
    """Nothing is printed finer than a tenth of a point: where a rise has come to its end, there is an upper bound."""
    found = survey(write_run(tmp_path, "a", rising()), counter=None)
    further = known(found.answered[0].curves[0].next_gain)
    assert further.low < 0.0005 < further.high
    told = " ".join(" ".join(render_survey(found, tell_usd=str)).split())
    assert "to 1,000: less than can be measured with 200 cases: at most +" in told
    assert "+0.00" not in told


def test_the_part_of_trainings_has_an_interval(tmp_path: Path) -> None:
    """Three trainings tell little of how much they differ: the part stands with limits, which hold the truth."""
    sizes = [(0, None), *((n, seed) for n in (10, 20, 50, 100) for seed in (1, 2, 3))]
    models = rising(schema=CurveShape(0.3, 0.7, 20, 1), sizes=sizes, spread=0.07, seed=4)
    found = survey(write_run(tmp_path, "a", models), counter=None)
    parts = [known(size.training_part) for size in found.answered[0].curves[0].sizes if size.examples]
    # p (1 - p) (2 x 0.07)^2 beside p (1 - p) / 200: 80 %.
    assert all(part.low <= 0.8 <= part.high for part in parts)
    assert all(part.low <= part.estimate <= part.high for part in parts)
    assert max(part.high - part.low for part in parts) > 0.5
    told = " ".join(" ".join(render_survey(found, tell_usd=str)).split())
    assert f"{100 * parts[0].estimate:.0f} % ({100 * parts[0].low:.0f} - {100 * parts[0].high:.0f})" in told
    assert "repeat: nothing was asked twice, so what repeats differ by is in training x case" in told
    assert "points at 50 % (" in told


def test_without_two_trainings_of_a_size_their_spread_is_not_known(tmp_path: Path) -> None:
    """What points lie off the curve is not booked as a difference between trainings."""
    models = rising(sizes=((0, None), *((n, 1) for n in (10, 20, 50, 100, 200, 500))))
    told = " ".join(
        " ".join(render_survey(survey(write_run(tmp_path, "a", models), counter=None), tell_usd=str)).split()
    )
    assert "trainings of one size differ with a standard deviation that is not known: no size has two trainings" in told


def test_a_training_that_diverged_by_another_recipe_stands_beside_the_study(tmp_path: Path) -> None:
    """It is listed with its size, score, reason and recipe, and the study's price and points are those without it."""
    models = rising()
    hot = [replace(failed(models[n], reason="no fall"), training={**HOT, "tokens": 10**9}) for n in (1, 4)]
    found = survey(write_run(tmp_path, "a", [*models, *hot], records_of([*models, *hot], cases=60)), counter=None)
    (one,) = found.answered
    assert [score.row.name for score in one.curves[0].failed] == [model.name for model in hot]
    assert one.next_training.tokens_per_example == 960
    told = " ".join(" ".join(render_survey(found, tell_usd=str)).split())
    assert "left out of every number above, for they did not converge 10 ft:n10-s1-failed: schema " in told
    assert (
        "did not converge: no fall; trained with 3 epochs, batch size 1, learning rate multiplier 100 20 ft:n20-s1"
        in told
    )
    assert found.left_out == ()
    (metric,) = plain_of(found)["curves"][0]["metrics"].values()
    assert [one["learning_rate_multiplier"] for one in metric["not_converged"]] == [100.0, 100.0]


def test_where_no_training_converged_they_are_listed(tmp_path: Path) -> None:
    """A study whose trainings all failed has no size but the base model's, and no curve."""
    base, *trained = THREE
    models = [base, *map(failed, trained)]
    (one,) = survey(write_run(tmp_path, "a", models, records_of(models, cases=20))).answered
    assert one.study.sizes == (0,)
    assert len(one.curves[0].failed) == 2
    assert not one.is_fitted


def test_what_the_runs_lack_is_named_with_what_they_have(tmp_path: Path) -> None:
    """An eval, a check or a base that is not there; a counter metric that nobody asked for may be missing."""
    records = [record_of(f"c{n}", {"polite": [True]}, model=m.name, eval_name="tone") for m in THREE for n in range(3)]
    folder = write_run(tmp_path, "a", THREE, records)
    with pytest.raises(UsageError, match="no records of the eval 'format'\n  there are: tone"):
        survey(folder)
    with pytest.raises(UsageError, match="no check 'schema' for --metric\n  there are: polite"):
        survey(folder, eval="tone")
    with pytest.raises(UsageError, match="no check 'answers' for --counter"):
        survey(folder, eval="tone", metric="polite")
    assert survey(folder, eval="tone", metric="polite", wants_counter=False).inquiry.counter is None
    with pytest.raises(UsageError, match="has the base 'bsae'\n  there are: base"):
        survey(folder, eval="tone", metric="polite", counter=None, base="bsae")


def test_base_chooses_among_several(tmp_path: Path) -> None:
    """Each base has a curve of its own; with a name there is that one."""
    models = [*THREE, *(replace(model, name=f"o-{model.name}", base="other") for model in THREE)]
    folder = write_run(tmp_path, "a", models, records_of(models, cases=5))
    assert [one.study.base for one in survey(folder).answered] == ["base", "other"]
    assert [one.study.base for one in survey(folder, base="other").answered] == ["other"]


def test_a_run_that_was_interrupted_says_so(tmp_path: Path) -> None:
    """It is read, and everybody is told."""
    found = survey(write_run(tmp_path, "a", THREE, records_of(THREE, cases=2), is_finished=False))
    assert found.warnings == ("the run a is interrupted: what it had is taken",)


def test_a_cell_that_stands_twice_is_refused(tmp_path: Path) -> None:
    """Records that were copied together would count a case for two."""
    models = rising(sizes=((0, None), (10, 1)))
    with pytest.raises(RunError, match=r"two records of format\[c000\] of 'base', repeat 1"):
        survey(write_run(tmp_path, "a", models, [*records_of(models, cases=2), *records_of(models[:1], cases=1)]))


def test_the_newest_run_with_a_study_is_taken(tmp_path: Path) -> None:
    """Neither a later run for the gate, nor one of another eval, nor one that did not finish."""
    models = rising(sizes=((0, None), (10, 1), (20, 1)))
    records = records_of(models, cases=2)
    with pytest.raises(UsageError, match="no finished run"):
        newest_run(tmp_path / "nowhere", eval_name="format")
    for day, name in ((1, "old"), (3, "new"), (2, "between")):
        write_run(tmp_path, name, models, records, header={"started_at": f"2026-11-0{day}T00:00:00+00:00"})
    later = {"started_at": "2026-11-09T00:00:00+00:00"}
    hot = [replace(failed(model), training=HOT) for model in models[1:]]
    write_run(tmp_path, "diverged", [models[0], *hot], records_of([models[0], *hot], cases=2), header=later)
    write_run(tmp_path, "one-model", models[:1], records[:2], header=later)
    write_run(tmp_path, "gated", models[:2], records[:4], header=later)
    tone = [record_of("c", {"polite": [True]}, model=model.name, eval_name="tone") for model in models]
    write_run(tmp_path, "of-another-eval", models, tone, header=later)
    write_run(tmp_path, "stopped", models, records, header=later, is_finished=False)
    RunFolder.create(tmp_path, "of-the-future", header={**later, "format": 99}).close()
    (tmp_path / "no-run").mkdir()
    assert newest_run(tmp_path, eval_name="format").name == "new"
    assert newest_run(tmp_path, eval_name="tone").name == "of-another-eval"


def test_json_has_every_number_or_the_reason(tmp_path: Path) -> None:
    """Shares are from 0 to 1, what cannot be said is not null but a reason, and the same run gives the same text."""
    models = [*rising(), failed(rising()[7])]
    folder = write_run(tmp_path, "a", models, records_of(models, cases=60))
    text = json.dumps(plain_of(survey(folder, target=0.8)), allow_nan=False)
    assert text == json.dumps(plain_of(survey(folder, target=0.8)), allow_nan=False)
    plain = json.loads(text)
    assert (plain["format"], plain["target_share"], plain["next_examples"]) == (1, 0.8, 500)
    (study,) = plain["curves"]
    assert (study["base"], study["epochs"], len(study["cases"]), study["most_examples"]) == ("base", 3, 60, 500)
    assert (study["next"]["further_examples"], study["next"]["examples"]) == (500, 1000)
    assert study["notes"] == ["seeds recur at several sizes: what one does at all of them makes limits too narrow"]
    assert study["next"]["training_cost_usd"]["not_enough_data"].startswith("no price for training base")
    schema = study["metrics"]["schema"]
    assert [size["examples"] for size in schema["sizes"]] == [0, 10, 20, 50, 100, 200, 500]
    assert [one["training_seed"] for one in schema["sizes"][1]["trainings"]] == [1, 2, 3]
    assert schema["sizes"][0]["variance"] is None
    assert set(schema["sizes"][1]["variance"]["parts_of_one_run"]) == {"training", "case", "training_by_case", "repeat"}
    assert schema["sizes"][5]["variance"] == {"not_enough_data": "there is one training only"}
    assert 0 < schema["needed_examples"]["low"] < schema["needed_examples"]["high"]
    assert schema["not_converged"][0]["reason"].startswith("its loss did not fall")
    trace = [one["examples"] for one in schema["trace"]]
    assert trace == sorted(trace)
    assert (trace[0], trace[-1]) == (0, 1000)
