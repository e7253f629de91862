"""Ratings beside a run's records: read, refused and counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tunegate.errors import RunError
from tunegate.gate.measures import measure_run
from tunegate.gate.policy import RATING, Rule
from tunegate.gate.ratings import read_ratings
from tunegate.stats import Interval

from .runs import BASE, OURS, contenders, judge, make_side, only_finding, policy_of, write_run


def line(case: str, rating: object, *, model: str = OURS, **more: object) -> str:
    return json.dumps({"eval": "format", "case": case, "model": model, "rating": rating, **more}) + "\n"


def test_ratings_are_read_with_what_else_they_say(tmp_path: Path) -> None:
    """A line may say more, such as who gave the rating, and blank lines are passed over."""
    (tmp_path / "ratings.jsonl").write_text(line("a", 4, by="judge") + "\n" + line("b", 2.5))
    assert [(one.case, one.rating) for one in read_ratings(tmp_path)] == [("a", 4), ("b", 2.5)]


def test_run_without_ratings_has_none(tmp_path: Path) -> None:
    """Where there is no file there are no ratings."""
    assert list(read_ratings(tmp_path)) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (line("a", 0), "a rating from 1 to 5 is wanted, not 0"),
        (line("a", 5.1), "a rating from 1 to 5 is wanted, not 5.1"),
        (line("a", "good"), "eval, case, model and rating are wanted"),
        ('{"eval": "format"}\n', "eval, case, model and rating are wanted"),
        ("{\n", "eval, case, model and rating are wanted"),
    ],
)
def test_mistake_is_told_with_its_line(text: str, why: str, tmp_path: Path) -> None:
    """A line that is no rating on the scale is refused, by file and line."""
    (tmp_path / "ratings.jsonl").write_text(line("a", 1) + text)
    with pytest.raises(RunError) as told:
        list(read_ratings(tmp_path))
    assert str(told.value).startswith(f"{tmp_path / 'ratings.jsonl'}, line 2: ")
    assert why in str(told.value)


def test_ratings_are_told_in_points(tmp_path: Path) -> None:
    """Ratings of a case are averaged, and a rule's threshold, estimate and interval are points of their scale."""
    records = make_side(OURS, [True] * 40) + make_side(BASE, [True] * 40)
    folder = write_run(tmp_path, records)
    text = ""
    for number in range(40):
        case = f"case-{number:04}"
        text += line(case, 4) + line(case, 5) + line(case, 3 + number % 2, model=BASE) + line("unknown", 1)
    (folder / "ratings.jsonl").write_text(text)
    candidates, baseline = contenders(measure_run(folder))

    found = only_finding(judge(candidates, baseline=None, policy=policy_of(Rule("good", "min", 4, metric=RATING))))
    assert isinstance(found.effect, Interval)
    assert found.effect.estimate == pytest.approx(4.5)
    assert 1 <= found.effect.low < 4.5 < found.effect.high <= 5

    rule = Rule("kept", "better_by", 0.5, metric=RATING)
    found = only_finding(judge(candidates, baseline=baseline, policy=policy_of(rule)))
    assert isinstance(found.effect, Interval)
    assert found.effect.estimate == pytest.approx(1.0)
    assert found.outcome == "holds"
    assert "+1.00 (" in found.reason
    assert "above +0.50 is asked" in found.reason


def test_missing_ratings_are_told(tmp_path: Path) -> None:
    """A rule on ratings where there are none is undecided, and says which file is missing what."""
    candidates, _ = contenders(measure_run(write_run(tmp_path, make_side(OURS, [True] * 9))))
    found = only_finding(judge(candidates, baseline=None, policy=policy_of(Rule("good", "min", 4, metric=RATING))))
    assert found.outcome == "undecided"
    assert found.reason == "not known: nothing was judged: ratings.jsonl has no rating of it"
