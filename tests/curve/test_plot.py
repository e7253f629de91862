"""The picture of a survey."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tunegate.curve import Inquiry, Survey, survey_runs
from tunegate.errors import UsageError

from .made_studies import RECIPE, Made, failed, records_of, rising, write_run

pytest.importorskip("matplotlib")

from tunegate.curve.plot import SUFFIXES, draw_survey

MAGIC = {".svg": b"<?xml", ".png": b"\x89PNG", ".pdf": b"%PDF"}


@pytest.fixture(scope="module")
def surveyed(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    """A study with a training that did not converge, under names that a formula might be read into."""
    models = [*rising(), failed(rising()[7])]
    named = [Made(**{**vars(model), "base": "$base_1$"}) for model in models]
    folder = write_run(tmp_path_factory.mktemp("runs"), "a", named, records_of(named, cases=60))
    return survey_runs([folder], Inquiry(target=0.8), price_of=lambda _: None)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_survey_gives_the_same_bytes(surveyed: Survey, suffix: str) -> None:
    """A picture in a repository changes when its run does, and not with the day or the process."""
    drawn = draw_survey(surveyed, suffix=suffix)
    assert drawn.startswith(MAGIC[suffix])
    assert draw_survey(surveyed, suffix=suffix) == drawn


def test_a_picture_has_no_date_of_its_own(surveyed: Survey) -> None:
    """What it says of time is the run's."""
    assert b"<dc:date>" not in draw_survey(surveyed, suffix=".svg")
    assert b"CreationDate" not in draw_survey(surveyed, suffix=".pdf")


def comments_of(svg: bytes) -> list[str]:
    """The texts of an SVG: matplotlib draws letters as paths, and writes what they say into a comment."""
    parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))
    return [(one.text or "").strip() for one in ET.fromstring(svg, parser=parser).iter() if one.tag is ET.Comment]


def test_the_picture_says_what_it_shows(surveyed: Survey) -> None:
    """Eval, metrics, base, cases, recipe and day of the run; the target and what it needs; who did not converge."""
    told = comments_of(draw_survey(surveyed, suffix=".svg"))
    assert "format: schema and answers of $base_1$" in told
    assert any(one.startswith("60 cases · 3 epochs") and one.endswith("run a of 28 November 2026") for one in told)
    assert {"schema", "answers", "80 %", "did not converge", "farther than was tried", "0", "500", "1,000"} <= {*told}
    assert any(one.endswith("examples") and one[0].isdigit() for one in told)


def test_a_training_that_diverged_by_another_recipe_is_a_cross_in_the_same_panel(tmp_path: Path) -> None:
    """Two of them make no panel of their own."""
    models = rising(sizes=((0, None), (10, 1), (50, 1)))
    hot = {**RECIPE, "learning_rate_multiplier": 100.0, "not_converged": "no fall"}
    models += [Made(f"hot{n}", n, 1, training=hot) for n in (10, 50)]
    folder = write_run(tmp_path, "a", models, records_of(models, cases=20))
    told = comments_of(draw_survey(survey_runs([folder], Inquiry(), price_of=lambda _: None), suffix=".svg"))
    assert told.count("did not converge") == 1
    assert told.count("format: schema and answers of base") == 1


def test_too_few_points_are_drawn_without_a_curve(tmp_path: Path) -> None:
    """What was measured is shown, and nothing that was not."""
    models = rising(sizes=((0, None), (10, 1), (50, 1)))
    folder = write_run(tmp_path, "a", models, records_of(models, cases=20))
    told = comments_of(draw_survey(survey_runs([folder], Inquiry(), price_of=lambda _: None), suffix=".svg"))
    assert "schema" in told
    assert not {"farther than was tried", "did not converge"} & {*told}


def test_without_the_base_model_the_axis_begins_at_the_smallest_training(tmp_path: Path) -> None:
    """There is no 0 where nothing was measured."""
    models = [model for model in rising() if model.examples]
    folder = write_run(tmp_path, "a", models, records_of(models, cases=60))
    told = comments_of(draw_survey(survey_runs([folder], Inquiry(), price_of=lambda _: None), suffix=".svg"))
    assert {"training examples", "10", "500"} <= {*told}
    assert not {"training examples; 0 is the base model"} & {*told}


def test_each_study_has_a_panel(tmp_path: Path) -> None:
    """Two bases are two panels of one picture."""
    models = rising(sizes=((0, None), (10, 1), (50, 1)))
    models += [Made(**{**vars(model), "name": f"o-{model.name}", "base": "other"}) for model in models]
    folder = write_run(tmp_path, "a", models, records_of(models, cases=20))
    told = comments_of(draw_survey(survey_runs([folder], Inquiry(), price_of=lambda _: None), suffix=".svg"))
    assert {"format: schema and answers of base", "format: schema and answers of other"} <= {*told}


def test_nothing_is_not_drawn(tmp_path: Path) -> None:
    """A run without trainings makes no empty picture."""
    folder = write_run(tmp_path, "a", [Made("base")])
    with pytest.raises(UsageError, match="nothing to draw"):
        draw_survey(survey_runs([folder], Inquiry(), price_of=lambda _: None), suffix=".svg")
