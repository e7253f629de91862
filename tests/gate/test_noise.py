"""The noise of a model against itself, and the margins it leaves no room for."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from tunegate.errors import RunError, UsageError
from tunegate.gate.judging import judge
from tunegate.gate.measures import Contender
from tunegate.gate.noise.file import noise_folder, read_noise, write_noise
from tunegate.gate.noise.measuring import MetricNoise, Noise, measure_noise
from tunegate.gate.noise.words import render_noise, warn_of_noise
from tunegate.gate.policy import Policy, Rule
from tunegate.gate.verdict import Finding
from tunegate.records import Record
from tunegate.stats import Interval, NotEnoughData, difference_variance, paired_difference, tango

from .made_runs import contender_of, record_of

Z = 1.959963984540054


def flipped(cases: int, *, gained: int, lost: int) -> tuple[list[Record], list[Record]]:
    """Two measurements of one model in which as many cases changed."""
    one, other = [], []
    for number in range(cases):
        mine = number < gained or number >= gained + lost
        theirs = number >= gained
        one.append(record_of(f"c{number:04}", {"schema": mine}, latency_s=1 + number / 7))
        other.append(record_of(f"c{number:04}", {"schema": theirs}, latency_s=1 + number / 9))
    return one, other


def runs(tmp_path: Path, one: Iterable[Record], other: Iterable[Record]) -> tuple[Contender, Contender]:
    return contender_of(tmp_path, one), contender_of(tmp_path, other, run="b")


def only(noise: Noise) -> MetricNoise:
    (metric,) = noise.metrics
    return metric


def finding(tmp_path: Path, *, margin: float, cases: int, guard: bool = False, kind: str = "not_worse_by") -> Finding:
    """What a gate of so many cases finds of an equal model."""
    records = [record_of(f"g{number}", {"schema": number % 2 == 0}) for number in range(cases)]
    both = contender_of(tmp_path, records, run=f"gate-{margin}-{cases}-{guard}-{kind}")
    rule = Rule("not worse", kind, margin, metric="schema", guard=guard)  # type: ignore[arg-type]
    verdict = judge([both], baseline=both, policy=Policy((rule,)))
    return verdict.decisions[0].findings[0]


def test_two_runs_are_paired_by_case(tmp_path: Path) -> None:
    """Flips, difference and variance are those of the paired difference of the same cases."""
    noise = only(measure_noise(*runs(tmp_path, *flipped(200, gained=7, lost=5))))
    candidate = [(float(n < 7 or n >= 12), 1) for n in range(200)]
    baseline = [(float(n >= 7), 1) for n in range(200)]
    assert noise.flips is not None
    assert (noise.source, noise.cases, noise.flips.gained, noise.flips.lost) == ("runs", 200, 7, 5)
    assert noise.difference == paired_difference(candidate, baseline)
    assert noise.case_variance == difference_variance(candidate, baseline)


def test_floor_is_the_half_width_for_as_many_cases(tmp_path: Path) -> None:
    """z sqrt(variance / n), from the run's n to a gate's, and the cases that bring it down to a margin."""
    noise = only(measure_noise(*runs(tmp_path, *flipped(200, gained=6, lost=6))))
    variance = 200 / 199 * 12 / 200
    for cases in (200, 1000):
        floor = noise.floor(cases)
        assert not isinstance(floor, NotEnoughData)
        assert floor.at_least == floor.at_most == pytest.approx(Z * math.sqrt(variance / cases), rel=1e-12)
    needed = noise.cases_for(0.01)
    assert needed == math.ceil(variance * (Z / 0.01) ** 2)
    assert noise.floor(needed).at_most <= 0.01 < noise.floor(needed - 1).at_most  # type: ignore[union-attr]


def test_no_flip_is_no_floor_of_zero(tmp_path: Path) -> None:
    """Where nothing changed the variance is not known: the floor is bounded, from below by Tango's width."""
    noise = only(measure_noise(*runs(tmp_path, *flipped(200, gained=0, lost=0))))
    assert isinstance(noise.case_variance, NotEnoughData)
    floor = noise.floor(200)
    width = tango(0, 0, n=200)
    assert isinstance(width, Interval)
    assert not isinstance(floor, NotEnoughData)
    assert floor.at_least == pytest.approx(-width.low, abs=1e-9)
    assert floor.at_least < floor.at_most < 0.02
    # The most a case can contribute is the upper limit of the share that flips; fewer cases know less.
    few = only(measure_noise(*runs(tmp_path / "few", *flipped(20, gained=0, lost=0)))).floor(200)
    assert not isinstance(few, NotEnoughData)
    assert few.at_most == pytest.approx(Z * math.sqrt(Z * Z / (20 + Z * Z) / 200), rel=1e-9)


def test_half_of_equal_models_pass_a_margin_at_the_floor() -> None:
    """The floor means what it says: at that margin an equal model passes in about one of two gates."""
    dice = np.random.default_rng(5)
    share, cases = 0.1, 400
    noise = MetricNoise("e", "m", "runs", cases, 1, None, NotEnoughData(""), None, share)
    floor = noise.floor(cases)
    assert not isinstance(floor, NotEnoughData)
    passes = {floor.at_most: 0, 2 * floor.at_most: 0}
    for _ in range(600):
        gained, lost, _same = dice.multinomial(cases, [share / 2, share / 2, 1 - share])
        interval = tango(float(gained), float(lost), n=cases)
        assert isinstance(interval, Interval)
        for margin in passes:
            passes[margin] += interval.low > -margin
    assert passes[floor.at_most] / 600 == pytest.approx(0.5, abs=0.08)
    assert passes[2 * floor.at_most] / 600 > 0.95


def test_repeats_of_one_run_are_two_measurements(tmp_path: Path) -> None:
    """The odd repeats are held against the even ones; what is not repeated by a case is left out."""
    records = [
        record_of(f"c{number}", {"schema": number >= changed}, repeat=repeat)
        for repeat, changed in ((1, 4), (2, 10))
        for number in range(100)
    ]
    records.append(record_of("once", {"schema": True}))
    noise = only(measure_noise(contender_of(tmp_path, records)))
    assert noise.flips is not None
    assert (noise.source, noise.cases, noise.repeats) == ("repeats", 100, 1)
    assert (noise.flips.gained, noise.flips.lost) == (6, 0)


def test_more_repeats_lower_the_floor(tmp_path: Path) -> None:
    """A gate that asks each case four times as often has half the floor, since the cases are the same."""
    noise = only(measure_noise(*runs(tmp_path, *flipped(1000, gained=50, lost=50))))
    once, four = noise.floor(1000), noise.floor(1000, repeats=4)
    assert not isinstance(once, NotEnoughData)
    assert not isinstance(four, NotEnoughData)
    assert four.at_most == pytest.approx(once.at_most / 2)


def test_odd_number_of_repeats_counts_as_its_harmonic_mean(tmp_path: Path) -> None:
    """Two odd repeats against one even: as noisy as 4/3 repeats on both sides."""
    records = [record_of(f"c{n}", {"schema": (n + r) % 3 > 0}, repeat=r) for r in (1, 2, 3) for n in range(30)]
    assert only(measure_noise(contender_of(tmp_path, records))).repeats == pytest.approx(4 / 3)


def test_one_run_without_repeats_bounds_the_noise(tmp_path: Path) -> None:
    """Two seeded halves of the cases differ for being other cases too: what they say is an upper bound."""
    records = [record_of(f"c{number:03}", {"schema": number % 4 > 0}) for number in range(200)]
    noise = only(measure_noise(contender_of(tmp_path, records)))
    assert (noise.source, noise.cases, noise.flips) == ("cases", 200, None)
    assert isinstance(noise.difference, Interval)
    assert noise.difference.low < 0 < noise.difference.high
    # Two cases, one of each half, drawn without replacement: about 2 p (1 - p).
    assert noise.case_variance == pytest.approx(2 * 0.25 * 0.75, rel=0.05)
    floor = noise.floor(200)
    assert not isinstance(floor, NotEnoughData)
    assert floor.at_least < floor.at_most
    same = only(measure_noise(contender_of(tmp_path, reversed(records), run="other-order")))
    assert same == noise
    assert "bounds it from above" in render_noise(measure_noise(contender_of(tmp_path, records, run="c")))[0]


def test_a_replay_is_no_second_measurement(tmp_path: Path) -> None:
    """Two runs that replay the same recordings have no noise, and are refused rather than measured as quiet."""
    records = flipped(20, gained=0, lost=0)[0]
    with pytest.raises(UsageError, match="replay the same recordings"):
        measure_noise(*runs(tmp_path, records, records))


def test_runs_without_a_common_case_are_refused(tmp_path: Path) -> None:
    """Nothing measured is not no noise."""
    ones = [record_of("a", {"schema": True})], [record_of("b", {"schema": True})]
    with pytest.raises(UsageError, match="no case was scored on both sides"):
        measure_noise(*runs(tmp_path, *ones))


def test_noise_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """noise.json holds all of it, and what is unknown stays unknown."""
    for number, (gained, lost) in enumerate(((7, 5), (0, 0))):
        folder = tmp_path / str(number)
        noise = measure_noise(*runs(folder, *flipped(40, gained=gained, lost=lost)))
        assert read_noise(folder) is None
        path = write_noise(folder, noise)
        found = read_noise(folder)
        assert found is not None
        write_noise(folder / "runs" / "a", found)
        assert (folder / "runs" / "a" / "noise.json").read_bytes() == path.read_bytes()
        floors = [only(one).floor(90) for one in (found, noise)]
        assert [isinstance(floor, NotEnoughData) for floor in floors] == [False, False]
        assert floors[0].at_most == pytest.approx(floors[1].at_most, rel=1e-8)  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["", "[]", '{"format": 9}', '{"format": 1, "model": "m"}'])
def test_what_is_no_noise_is_told(tmp_path: Path, text: str) -> None:
    """A file that cannot be read says which it is and how to make it again."""
    (tmp_path / "noise.json").write_text(text)
    with pytest.raises(RunError, match=r"noise\.json is not the noise of a model"):
        read_noise(tmp_path)


def test_noise_lies_beside_the_baseline(tmp_path: Path) -> None:
    """With accepted records it is kept there, else in the run."""
    run = tmp_path / "runs" / "a"
    assert noise_folder("ft:a/b", run=run, reports=tmp_path) == run
    accepted = tmp_path / "accepted" / "ft%3Aa%2Fb"
    accepted.mkdir(parents=True)
    assert noise_folder("ft:a/b", run=run, reports=tmp_path) == accepted


def test_margin_below_the_floor_is_warned_of(tmp_path: Path) -> None:
    """The warning has margin, floor, the gate's cases, and how many would bring the floor down to the margin."""
    noise = measure_noise(*runs(tmp_path, *flipped(200, gained=3, lost=3)))
    (warning,) = warn_of_noise([finding(tmp_path, margin=0.01, cases=200)], noise)
    assert warning == (
        "not worse: format schema: the margin of 1.0 points is below the noise floor of 2.4 points at 200 cases: an "
        "equal model would often not pass; 1,159 cases would bring the floor down to it"
    )
    assert math.ceil(200 / 199 * 6 / 200 * (Z / 0.01) ** 2) == 1159
    assert not warn_of_noise([finding(tmp_path, margin=0.03, cases=200)], noise)
    assert not warn_of_noise([finding(tmp_path, margin=0.01, cases=1200)], noise)
    assert not warn_of_noise([finding(tmp_path, margin=0.01, cases=200, guard=True)], noise)
    assert not warn_of_noise([finding(tmp_path, margin=0.01, cases=200, kind="better_by")], noise)


def test_unknown_noise_is_warned_of_as_unknown(tmp_path: Path) -> None:
    """Between what is certain and what may be, the warning says from how little it is known."""
    noise = measure_noise(*runs(tmp_path, *flipped(20, gained=0, lost=0)))
    certain, possible = (finding(tmp_path, margin=margin, cases=200) for margin in (0.01, 0.03))
    assert "below the noise floor of 1.9 points" in warn_of_noise([certain], noise)[0]
    assert "what the noise floor may be" in warn_of_noise([possible], noise)[0]
    assert "20 cases of which none changed" in warn_of_noise([possible], noise)[0]


def test_measurements_that_differ_are_not_called_noise(tmp_path: Path) -> None:
    """A difference beyond chance is told: then it was not the same model under the same conditions."""
    noise = measure_noise(*runs(tmp_path, *flipped(200, gained=0, lost=40)))
    assert any("differs by more than chance, -20.0 points" in line for line in render_noise(noise))
    quiet = measure_noise(*runs(tmp_path / "quiet", *flipped(200, gained=6, lost=5)))
    assert not any("by more than chance" in line for line in render_noise(quiet))


def test_table_has_what_changed_and_the_floor(tmp_path: Path) -> None:
    """A metric a line: cases, flips both ways, the difference and the floor."""
    noise = measure_noise(*runs(tmp_path, *flipped(200, gained=7, lost=5)))
    difference = only(noise).difference
    assert isinstance(difference, Interval)
    (row,) = [line for line in render_noise(noise) if line.startswith("format")]
    words = " ".join(row.split())
    limits = f"{100 * difference.low:+.1f} to {100 * difference.high:+.1f}"
    assert words == f"format schema 200 7 + 5 +1.0 points ({limits}) 3.4 points"
    assert f"{100 * Z * math.sqrt(200 / 199 * (12 / 200 - 0.01**2) / 200):.1f}" == "3.4"


def test_noise_is_measured_of_answers_that_come_in_batches(tmp_path: Path) -> None:
    """A case of four answers is one cluster, and worth more than one pair where its answers differ by themselves."""
    dice = np.random.default_rng(3)
    sides = [
        [
            record_of(f"c{n}", {"answers": [bool(passed) for passed in dice.random(4) < 0.5]}, latency_s=dice.random())
            for n in range(300)
        ]
        for _ in range(2)
    ]
    noise = only(measure_noise(*runs(tmp_path, *sides)))
    # Four independent answers on each side: 2 p (1 - p) / 4.
    assert noise.case_variance == pytest.approx(0.125, rel=0.2)
    assert 1.5 < noise.pairs_per_case <= 4


def test_plain_is_json(tmp_path: Path) -> None:
    """What is written names its format and its runs."""
    noise = measure_noise(*runs(tmp_path, *flipped(40, gained=1, lost=1)))
    plain = json.loads(write_noise(tmp_path, noise).read_text())
    assert (plain["format"], plain["model"], plain["runs"]) == (1, "m", ["a", "b"])
