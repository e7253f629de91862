"""How many times as quick one model is as another, and when that says less than it seems to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import geometric_mean

import pytest

from tunegate.errors import UsageError
from tunegate.latency.comparison import Comparison, pair_up, warn_of_load
from tunegate.latency.measurements import read_series
from tunegate.latency.text import say_ratio
from tunegate.stats import Interval, NotEnoughData

from .made_runs import BASE, QUICK, SIZES, Speed, write_run


def compared(tmp_path: Path, *speeds: Speed, repeats: int = 2) -> Comparison:
    series = read_series([write_run(tmp_path, "a", *speeds, repeats=repeats)])
    (found,) = pair_up(series).comparisons
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
    (found,) = pair_up(read_series(folders)).comparisons
    assert found.speedups[-1].pairs == 25
    assert [told for told in found.warnings() if told.startswith("25 calls of one side")]


def test_shorter_answers_are_not_taken_for_a_quicker_model(tmp_path: Path) -> None:
    """Medians of a model that stops early make it look quick; its line does not, and a warning says so."""
    curt = replace(BASE, model="curt", role="candidate", most_tokens=40)
    found = compared(tmp_path, BASE, curt)
    assert (found.speedups[4].estimate or 0) > 2
    assert isinstance(found.at_length, Interval)
    assert found.at_length.estimate == pytest.approx(1.0, abs=0.05)
    told, guess = found.warnings()
    assert guess.startswith("curt gave answers of 8 to 40 tokens")
    assert told.startswith("at 64, 128, 256 tokens the answers differ in length (curt 40 tokens in the middle, 0 of 30")


def test_answers_of_other_length_are_warned_of_where_no_limit_ends_them(tmp_path: Path) -> None:
    """Neither model fills its limit, or there is none: the shorter answers are done sooner all the same."""
    long, short = replace(BASE, most_tokens=100), replace(BASE, model="curt", role="candidate", most_tokens=40)
    sizes: tuple[tuple[int | None, ...], ...] = ((128, 256), (None,))
    for number, limits in enumerate(sizes):
        series = read_series([write_run(tmp_path, f"r{number}", long, short, sizes=limits)])
        (found,) = pair_up(series).comparisons
        assert [warning for warning in found.warnings() if "the answers differ in length (curt 40 tokens" in warning]


def test_ratio_over_all_is_no_median_of_the_limit_in_the_middle(tmp_path: Path) -> None:
    """A model that begins sooner at the same pace has another ratio at each limit; over all, each counts the same."""
    slow = Speed("base", 1.8, 0.02, role="baseline")
    found = compared(tmp_path, slow, Speed("ft", 0.1, 0.02))
    *each, overall = found.speedups
    assert all(isinstance(one.ratio, Interval) for one in each)
    estimates = [one.estimate or 0 for one in each]
    assert estimates == sorted(estimates, reverse=True)
    assert overall.estimate == pytest.approx(geometric_mean(estimates))
    truth = geometric_mean([(1.8 + (n - 1) * 0.02) / (0.1 + (n - 1) * 0.02) for n in SIZES])
    assert isinstance(overall.ratio, Interval)
    assert overall.ratio.low < truth < overall.ratio.high < 1.1 * overall.ratio.low


def test_refusals_are_not_quick_answers(tmp_path: Path) -> None:
    """Replies that are refused, or miss a check of the eval, are in no ratio, and counted in a warning."""
    folder = write_run(tmp_path, "a", BASE, replace(QUICK, refuses=("rome", "bubble")))
    base, quick = read_series([folder])
    assert (base.left_out, quick.left_out) == (0, 20)
    (found,) = pair_up([base, quick]).comparisons
    assert found.speedups[-1].pairs == 30
    assert found.speedups[-1].estimate == pytest.approx(3.6, rel=0.05)
    assert "ft:quick: 20 of 50 replies are no whole answers, and are in no ratio" in list(found.warnings())


def test_line_is_not_believed_beyond_its_replies(tmp_path: Path) -> None:
    """A length that no reply had is a guess, and said to be one."""
    series = read_series([write_run(tmp_path, "a", BASE, QUICK)])
    (found,) = pair_up(series, tokens=100_000).comparisons
    guesses = [told for told in found.warnings() if told.endswith("what its line says of 100000 is a guess")]
    assert len(guesses) == 2


def test_loads_are_series_of_their_own(tmp_path: Path) -> None:
    """What was asked under a load is held against the same load, and one that was not reached is told."""
    loaded = [replace(one, load=4, in_flight=4) for one in (BASE, QUICK)]
    series = read_series([write_run(tmp_path, "a", BASE, QUICK, *loaded)])
    assert [one.label for one in series] == ["base", "base, 4 in flight", "ft:quick", "ft:quick, 4 in flight"]
    found = pair_up(series).comparisons
    assert [(one.candidate.label, one.baseline.label) for one in found] == [
        ("ft:quick", "base"),
        ("ft:quick, 4 in flight", "base, 4 in flight"),
    ]
    assert [list(one.warnings()) for one in found] == [[], []]
    idle = read_series([write_run(tmp_path, "b", BASE, replace(loaded[1], in_flight=2))])
    assert "ft:quick, 4 in flight: at most 2 requests were in flight: the load was not reached" in warn_of_load(idle)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"in_flight": 4}, "ft:quick was recorded with up to 4 requests in flight"),
        ({"in_flight": None}, "how many requests were in flight while ft:quick was recorded is not on record"),
        ({"day": "2026-11-28"}, "recorded on different days, ft:quick on 2026-11-28, base on 2026-11-27"),
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
    assert [found.candidate.label for found in pair_up(series).comparisons] == ["ft:quick@one", "other", "ft:quick@two"]
    (chosen,) = pair_up(series, candidate="other", baseline="ft:quick@two").comparisons
    assert (chosen.candidate.label, chosen.baseline.label) == ("other", "ft:quick@two")
    third = read_series([write_run(tmp_path, "three", replace(other, model="third"))])
    with pytest.raises(UsageError, match="--baseline: 2 runs have 'ft:quick': name one of"):
        pair_up([*series, *third], candidate="third", baseline="ft:quick")
    for unpaired in (series, third):
        with pytest.raises(UsageError, match="--candidate: no model 'nobody' has a latency here"):
            pair_up(unpaired, candidate="nobody")
    with pytest.raises(UsageError, match="base is held against itself"):
        pair_up(series, candidate="base", baseline="base")


def test_without_a_baseline_nobody_is_compared(tmp_path: Path) -> None:
    """Two candidates and no word of who is what: no ratio, and it is said why."""
    pairing = pair_up(read_series([write_run(tmp_path, "a", QUICK, Speed("other", 1.0, 0.02))]))
    assert pairing.comparisons == ()
    assert pairing.remarks == ("latency: no row has the role of a baseline: name one with --baseline",)


def test_each_run_has_its_own_baseline(tmp_path: Path) -> None:
    """Two runs with the same two models are two comparisons, each within its run."""
    found = pair_up(read_series([write_run(tmp_path, name, BASE, QUICK) for name in ("one", "two")])).comparisons
    assert [(one.candidate.label, one.baseline.label) for one in found] == [
        ("ft:quick@one", "base@one"),
        ("ft:quick@two", "base@two"),
    ]


def test_row_that_was_left_out_of_one_eval_is_compared_in_the_others(tmp_path: Path) -> None:
    """A name that one eval does not have is a remark there, and no end of everything."""
    folders = [write_run(tmp_path, "a", BASE), write_run(tmp_path, "b", BASE, QUICK, sizes=(None,))]
    pairing = pair_up(read_series(folders, evals="*"), candidate="ft:quick", baseline="base")
    assert [one.candidate.eval for one in pairing.comparisons] == ["format"]


def test_slower_is_said_so() -> None:
    """A ratio below 1 is told as its inverse, limits included."""
    interval = Interval(0.5, 0.4, 0.8, 0.95, 10)
    assert say_ratio("ft", "base", interval, 0.5) == "ft is 2.00 x slower than base (1.25 to 2.50)"
    assert say_ratio("ft", "base", NotEnoughData("why"), 3.7) == "ft is 3.70 x faster than base (no interval: why)"
