"""How many times as quick one model is as another, and when that says less than it seems to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tunegate.errors import UsageError
from tunegate.latency.comparison import Comparison, pair_up
from tunegate.latency.measurements import read_series
from tunegate.latency.text import say_ratio
from tunegate.stats import Interval, NotEnoughData

from .made_runs import BASE, QUICK, SIZES, Speed, write_run


def compared(tmp_path: Path, *speeds: Speed, repeats: int = 2) -> Comparison:
    series = read_series([write_run(tmp_path, "a", *speeds, repeats=repeats)])
    (found,) = pair_up(series)
    return found


def test_ratio_at_each_limit_and_over_all_holds_the_truth(tmp_path: Path) -> None:
    """A model that is 3.6 times as quick is found so at every limit, over all, and for answers of one length."""
    found = compared(tmp_path, BASE, QUICK)
    assert [one.limit for one in found.speedups] == [*SIZES, None]
    assert [one.pairs for one in found.speedups] == [10] * 5 + [50]
    for one in found.speedups:
        assert isinstance(one.ratio, Interval)
        assert one.estimate == pytest.approx(3.6, rel=0.05)
        assert one.ratio.low <= one.ratio.estimate <= one.ratio.high
    assert isinstance(found.at_length, Interval)
    assert found.at_length.low < 3.6 < found.at_length.high
    assert list(found.warnings()) == []


def test_five_calls_have_a_ratio_and_no_interval(tmp_path: Path) -> None:
    """One repeat of five prompts gives a ratio at each limit; how well it is known needs eight pairs."""
    found = compared(tmp_path, BASE, QUICK, repeats=1)
    first = found.speedups[0]
    assert first.estimate == pytest.approx(3.6, rel=0.1)
    assert isinstance(first.ratio, NotEnoughData)
    assert isinstance(found.speedups[-1].ratio, Interval)


def test_only_what_both_were_asked_is_in_a_ratio(tmp_path: Path) -> None:
    """A call without its counterpart counts for neither side, and is told."""
    folders = [write_run(tmp_path, "a", BASE), write_run(tmp_path, "b", QUICK, repeats=1)]
    (found,) = pair_up(read_series(folders))
    assert found.speedups[-1].pairs == 25
    assert [told for told in found.warnings() if told.startswith("25 calls of one side")]


def test_shorter_answers_are_not_taken_for_a_quicker_model(tmp_path: Path) -> None:
    """Medians of a model that stops early make it look quick; its line does not, and a warning says so."""
    curt = replace(BASE, model="curt", role="candidate", most_tokens=40)
    found = compared(tmp_path, BASE, curt)
    assert (found.speedups[4].estimate or 0) > 2
    assert isinstance(found.at_length, Interval)
    assert found.at_length.estimate == pytest.approx(1.0, abs=0.05)
    assert [
        told for told in found.warnings() if told.startswith("limits of 64, 128, 256 tokens: filled by curt in 0 of 30")
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"in_flight": 4}, "ft:quick was recorded with up to 4 requests in flight"),
        ({"in_flight": None}, "how many requests were in flight while ft:quick was recorded is not on record"),
        ({"day": "2026-11-28"}, "ft:quick was recorded on 2026-11-28, base on 2026-11-27"),
    ],
)
def test_numbers_that_hold_for_less_are_warned_of(tmp_path: Path, change: dict[str, object], told: str) -> None:
    """Load, and another day, are in a ratio as the models are."""
    found = compared(tmp_path, BASE, replace(QUICK, **change))  # type: ignore[arg-type]  # the table's rows are fields
    assert [warning for warning in found.warnings() if warning.startswith(told)]


def test_names_choose_who_is_compared(tmp_path: Path) -> None:
    """Without names all others are held against the one baseline; a name may be a model's, or model@run."""
    other = Speed("other", 1.0, 0.02)
    series = read_series([write_run(tmp_path, "one", BASE, QUICK, other), write_run(tmp_path, "two", QUICK)])
    assert [found.candidate.label for found in pair_up(series)] == ["ft:quick@one", "other", "ft:quick@two"]
    (chosen,) = pair_up(series, candidate="other", baseline="ft:quick@two")
    assert (chosen.candidate.label, chosen.baseline.label) == ("other", "ft:quick@two")
    with pytest.raises(UsageError, match="--baseline: 2 runs have 'ft:quick': name one of"):
        pair_up(series, baseline="ft:quick")
    with pytest.raises(UsageError, match="--candidate: no model 'nobody' has a latency in latency"):
        pair_up(series, candidate="nobody")
    with pytest.raises(UsageError, match="base is held against itself"):
        pair_up(series, candidate="base", baseline="base")


def test_without_a_baseline_nobody_is_compared(tmp_path: Path) -> None:
    """Two candidates and no word of who is what: their times are shown, and no ratio is."""
    assert pair_up(read_series([write_run(tmp_path, "a", QUICK, Speed("other", 1.0, 0.02))])) == []


def test_slower_is_said_so() -> None:
    """A ratio below 1 is told as its inverse, limits included."""
    interval = Interval(0.5, 0.4, 0.8, 0.95, 10)
    assert say_ratio("ft", "base", interval, 0.5) == "ft is 2.00 x slower than base (1.25 to 2.50)"
    assert say_ratio("ft", "base", NotEnoughData("why"), 3.7) == "ft is 3.70 x faster than base (no interval: why)"
