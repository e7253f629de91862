"""How much data a fine-tune needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import curve_fit

from tunegate.stats import CurvePoint, CurveShape, Interval, NotEnoughData, SaturatingCurve, fit_curve, wilson
from tunegate.stats.curve_shape import LineBeyond

from .known import known

RISE = CurveShape(start=0.09, end=0.98, half_at=12, steepness=2.5)
SIZES = ((0, 0), *((size, seed) for size in (10, 20, 50, 100) for seed in (1, 2, 3)), (200, 1), (500, 1))


def exactly(shape: CurveShape, *, cases: int = 1000, sizes: Sequence[tuple[int, int]] = SIZES) -> list[CurvePoint]:
    """Points on the curve, to the rounding of whole cases, which miss cases of their own."""
    points = []
    for place, (size, seed) in enumerate(sizes):
        passed = round(cases * shape.at(size))
        order = np.random.default_rng(place).permutation(cases)
        points.append(CurvePoint(size, seed, [(int(one < passed), 1) for one in order]))
    return points


def drawn(shape: CurveShape, *, seed: int, cases: int = 200, spread: float = 0.0) -> list[CurvePoint]:
    """Points of independent cases; trainings of one size differ by `spread`, in radians."""
    dice = np.random.default_rng(seed)
    points = []
    for size, name in SIZES:
        angle = math.asin(math.sqrt(shape.at(size))) + (spread * dice.standard_normal() if size else 0.0)
        share = math.sin(min(max(angle, 0.0), math.pi / 2)) ** 2
        points.append(CurvePoint(size, name, [(int(u < share), 1) for u in dice.random(cases)]))
    return points


def fitted(points: Sequence[CurvePoint], *, seed: int = 1, resamples: int = 199) -> SaturatingCurve:
    """The curve, where there must be one."""
    found = fit_curve(points, seed=seed, resamples=resamples)
    assert isinstance(found, SaturatingCurve), found
    return found


@pytest.mark.parametrize("shape", [RISE, CurveShape(0.3, 0.9, 60, 1), CurveShape(0.6, 0.3, 30, 1)], ids=str)
def test_points_on_a_curve_give_that_curve(shape: CurveShape) -> None:
    """Of points without noise the share is recovered to a percentage point wherever it was measured."""
    curve = fitted(exactly(shape))
    for n in (0, 10, 35, 100, 300, 500):
        assert known(curve.value_at(n)).estimate == pytest.approx(shape.at(n), abs=0.012)
    if shape.end > shape.start:
        target = (shape.start + shape.end) / 2
        assert known(curve.examples_for(target)).estimate == pytest.approx(shape.half_at, rel=0.1)


def test_the_fit_agrees_with_scipy() -> None:
    """With many cases, where the prior is nothing, it is SciPy's `curve_fit` of the shares on the angular scale."""
    points = exactly(RISE, cases=4000)
    sizes = np.array([point.examples for point in points], dtype=float)
    angles = np.arcsin(np.sqrt([point.share for point in points]))

    def curve(n: np.ndarray, start: float, end: float, log_half: float, log_steepness: float) -> np.ndarray:
        shape = CurveShape(math.sin(start) ** 2, math.sin(end) ** 2, math.exp(log_half), math.exp(log_steepness))
        return np.arcsin(np.sqrt([shape.at(one) for one in n]))

    (start, end, log_half, log_steepness), _ = curve_fit(curve, sizes, angles, p0=(0.3, 1.4, 2.5, 0.9))
    found = fitted(points).shape
    assert (found.start, found.end) == pytest.approx((math.sin(start) ** 2, math.sin(end) ** 2), abs=0.002)
    assert found.half_at == pytest.approx(math.exp(log_half), rel=0.01)
    assert found.steepness == pytest.approx(math.exp(log_steepness), rel=0.02)


def test_one_point_alone_has_the_interval_of_its_share() -> None:
    """Nothing else tells of the base model's share, so its limits are about Wilson's."""
    points = drawn(RISE, seed=3)
    found = known(fitted(points, resamples=999).value_at(0))
    plain = known(wilson(sum(passed for passed, _ in points[0].cases), 200))
    width = plain.high - plain.low
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=0.15 * width)


def test_what_trainings_share_is_no_independent_evidence() -> None:
    """Where every training misses the same cases, the end is no better known than by one of them."""
    cases = 200
    same, own = (
        [
            CurvePoint(
                size,
                seed,
                [(int((one + (0 if alike else 37 * place)) % cases < round(cases * share)), 1) for one in range(cases)],
            )
            for place, (size, seed) in enumerate(SIZES)
            for share in (0.2 if size == 0 else 0.9,)
        ]
        for alike in (True, False)
    )
    widths = []
    for points in (same, own):
        found = known(fitted(points).value_at(100))
        widths.append(found.high - found.low)
    alone = known(wilson(180, cases))
    assert widths[0] == pytest.approx(alone.high - alone.low, rel=0.25)
    assert widths[1] < 0.75 * widths[0]


def test_trainings_that_differ_widen_the_band() -> None:
    """The deviation between trainings is found, and limits of shares and of needed examples move apart."""
    calm, wild = (fitted(drawn(RISE, seed=5, cases=2000, spread=spread)) for spread in (0.0, 0.15))
    assert known(calm.spread).high < 0.05
    assert 0.08 < known(wild.spread).estimate < 0.25
    assert known(wild.spread).low < 0.15 < known(wild.spread).high
    for ask in (lambda curve: curve.value_at(20), lambda curve: curve.examples_for(0.5)):
        narrow, wide = known(ask(calm)), known(ask(wild))
        assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


@pytest.mark.parametrize("passed", [0, 1])
def test_all_at_one_end_is_a_level_curve(passed: int) -> None:
    """Where nothing, or everything, ever passed, the share stays at that end, with a width as of one set of cases."""
    points = [CurvePoint(size, seed, [(passed, 1)] * 200) for size, seed in SIZES]
    curve = fitted(points)
    for n in (0, 50, 500):
        found = known(curve.value_at(n))
        assert found.estimate == pytest.approx(passed, abs=0.01)
        assert 0.005 < found.high - found.low < 0.1
    assert isinstance(curve.gain_of_next(500, at=500), NotEnoughData)
    needed = curve.examples_for(0.5)
    if passed:
        assert isinstance(needed, NotEnoughData)
        assert needed.reason.startswith("the base model itself has a share of 0.5")
    else:
        assert isinstance(needed, NotEnoughData)
        assert needed.reason.startswith("a share of 0.5 needs more than 500 examples, and how many more is open")


def test_answers_that_do_not_move_are_not_said_to_move_or_to_stay() -> None:
    """Of a metric that training leaves alone the gain is about 0 as far as was tried; nothing is said beyond."""
    level = CurveShape(0.25, 0.25, 30, 1)
    curve = fitted(drawn(level, seed=8))
    gain = known(curve.gain_of_next(490, at=10))
    assert gain.low < 0 < gain.high
    assert abs(gain.estimate) < 0.04
    beyond = curve.gain_of_next(500, at=500)
    assert isinstance(beyond, NotEnoughData)
    assert beyond.reason.startswith("the share was not seen to move up to 500 examples")
    assert isinstance(curve.value_at(501), NotEnoughData)
    needed = curve.examples_for(0.6)
    assert isinstance(needed, NotEnoughData)
    assert "more than 500 examples" in needed.reason


def switch(n: float, *, left: float) -> float:
    """A share that jumps at 41 examples to all but what is left over."""
    return 0.01 + (0.99 - left) / (1 + (41 / n) ** 7.3) if n else 0.01


@pytest.mark.parametrize(
    ("name", "truth"),
    [
        ("errors as n^-0.7", lambda n: switch(n, left=0.05 * (max(n, 1) / 50) ** -0.7)),
        ("1.2 points a doubling", lambda n: switch(n, left=0.1 - 0.012 * math.log2(max(n, 1) / 50))),
    ],
)
def test_the_gain_of_the_next_covers_tails_that_are_not_the_fitted_ones(
    name: str, truth: Callable[[float], float]
) -> None:
    """Of 40 studies with one training a size and a slow tail, 95 % intervals hold the next 500's gain in 90 %."""
    gain = truth(1000) - truth(500)
    dice = np.random.default_rng(len(name))
    held = 0
    for run in range(40):
        points = [
            CurvePoint(size, 1, [(int(u < truth(size)), 1) for u in dice.random(200)])
            for size in (0, 10, 20, 50, 100, 200, 500)
        ]
        found = fit_curve(points, seed=run, resamples=99)
        further = found if isinstance(found, NotEnoughData) else found.gain_of_next(500, at=500)
        held += isinstance(further, Interval) and further.low <= gain <= further.high
    assert held >= 36


def test_a_flat_stretch_tells_no_number_of_examples_beyond_it() -> None:
    """Where 0, 5, 10 and 20 examples leave a share at 0 that 64 bring to 95 %, "more than 20" is all that is said."""
    truth = CurveShape(0.001, 0.987, 40.5, 7.29)
    dice = np.random.default_rng(3)
    for run in range(10):
        points = [
            CurvePoint(size, seed, [(int(u < truth.at(size)), 1) for u in dice.random(200)])
            for size, seed in ((0, 0), *((size, seed) for size in (5, 10, 20) for seed in (1, 2, 3)))
        ]
        needed = fitted(points, seed=run, resamples=99).examples_for(0.95)
        assert isinstance(needed, NotEnoughData)
        assert "at least" not in needed.reason
        assert needed.reason.startswith("a share of 0.95 needs more than 20 examples, and how many more is open")


def overfitting(*, seed: int, one_each: bool) -> list[CurvePoint]:
    """Points that rise to 97 % at 100 examples and fall to 75.5 % at 500."""
    shares = {0: 0.01, 10: 0.3, 20: 0.8, 50: 0.95, 100: 0.97, 200: 0.855, 500: 0.755}
    dice = np.random.default_rng(seed)
    sizes = [(size, 1) for size in shares] if one_each else SIZES
    return [CurvePoint(size, name, [(int(u < shares[size]), 1) for u in dice.random(200)]) for size, name in sizes]


@pytest.mark.parametrize("one_each", [True, False])
def test_points_that_rise_and_fall_have_no_curve(one_each: bool) -> None:
    """A later size significantly below an earlier one is said, with both, and no question is answered by a curve."""
    for seed in range(5):
        found = fit_curve(overfitting(seed=seed, one_each=one_each), seed=1, resamples=99)
        assert isinstance(found, NotEnoughData)
        assert found.reason.startswith("the points do not follow a rising curve: ")
        assert found.reason.partition(" but ")[2].startswith(("7", "8"))
        assert " % at 500 examples (p = 0.0" in found.reason


def test_curves_that_are_true_are_seldom_called_none() -> None:
    """Of 60 studies on a curve, whose trainings differ as the fit supposes or not at all, at most 3 have no curve."""
    refused = 0
    for shape, spread in ((RISE, 0.0), (RISE, 0.07), (CurveShape(0.6, 0.3, 30, 1), 0.07)):
        for seed in range(20):
            refused += isinstance(
                fit_curve(drawn(shape, seed=seed, spread=spread), seed=1, resamples=19), NotEnoughData
            )
    assert refused <= 3


def test_how_trainings_differ_is_told_by_trainings_of_one_size_alone() -> None:
    """Distance from the curve is no spread: without two trainings of a size it is not known."""
    one_each = [point for point in drawn(RISE, seed=5, spread=0.1) if point.replicate == 1]
    assert fitted(one_each, resamples=99).spread == NotEnoughData("no size has two trainings")
    ends = [CurvePoint(size, seed, [(int(size > 20), 1)] * 50) for size, seed in SIZES]
    told = fit_curve(ends, seed=1, resamples=99)
    assert isinstance(told, SaturatingCurve)
    assert told.spread == NotEnoughData("where a size has two trainings, all cases passed or all missed")


@pytest.mark.parametrize("spread", [0.0, 0.07])
def test_the_interval_of_the_spread_covers_it(spread: float) -> None:
    """Of 60 studies with three trainings at four sizes, 95 % intervals hold the true deviation in 90 %."""
    shape = CurveShape(0.2, 0.8, 30, 1)
    held = 0
    for seed in range(60):
        curve = fit_curve(drawn(shape, seed=seed, spread=spread), seed=1, resamples=19)
        found = known(curve.spread) if isinstance(curve, SaturatingCurve) else None
        held += found is None or found.low <= spread <= found.high
    assert held >= 54


def test_needed_examples_answer_the_curve() -> None:
    """Share and examples are inverse to each other, and a share that the base model has needs none."""
    for share in (0.2, 0.5, 0.9):
        assert RISE.at(RISE.examples_for(share)) == pytest.approx(share)
    assert RISE.examples_for(0.05) == 0
    assert RISE.examples_for(0.99) == math.inf
    fall = CurveShape(0.6, 0.3, 30, 1)
    assert fall.examples_for(0.2) == 0
    assert fall.examples_for(0.5) == math.inf
    tailed = CurveShape(0.09, 0.98, 12, 2.5, rest=0.3, decay=0.4)
    line = LineBeyond(tailed, 100)
    for curve, share in ((tailed, 0.2), (tailed, 0.9), (line, 0.5), (line, 0.95)):
        assert curve.at(curve.examples_for(share)) == pytest.approx(share)


@given(
    st.builds(
        CurveShape,
        st.floats(0, 1),
        st.floats(0, 1),
        st.floats(1e-3, 1e6),
        st.floats(0.01, 100),
        rest=st.floats(0, 1),
        decay=st.floats(0.01, 10),
    ),
    st.floats(0, 1e9),
    st.floats(0, 1e9),
)
def test_a_curve_is_monotone(shape: CurveShape, one: float, other: float) -> None:
    """It goes from start to end without turning, and never leaves what lies between."""
    first, second = shape.at(min(one, other)), shape.at(max(one, other))
    assert min(shape.start, shape.end) - 1e-9 <= first <= max(shape.start, shape.end) + 1e-9
    assert (second - first) * (shape.end - shape.start) >= -1e-9


def test_far_beyond_what_was_tried_nothing_is_said() -> None:
    """The curve is asked up to four times the largest training."""
    curve = fitted(drawn(RISE, seed=1))
    assert not isinstance(curve.value_at(2000), NotEnoughData)
    assert isinstance(curve.value_at(2001), NotEnoughData)
    assert isinstance(curve.gain_of_next(1600, at=500), NotEnoughData)


def test_without_the_base_model_nothing_is_said_of_it() -> None:
    """A curve of trainings alone is not asked below the smallest, and does not say what the base model has."""
    curve = fitted([point for point in drawn(RISE, seed=3) if point.examples])
    assert curve.fewest_examples == 10
    for found in (curve.value_at(0), curve.value_at(9), curve.gain_of_next(500, at=0)):
        assert isinstance(found, NotEnoughData)
        assert "the base model is no point of the curve" in found.reason
    assert known(curve.value_at(10)).low < RISE.at(10)
    early = curve.examples_for(0.05)
    assert isinstance(early, NotEnoughData)
    assert early.reason.startswith("a share of 0.05 needs at most 10 examples, by every curve")
    needed = known(curve.examples_for(0.8))
    assert 10 < needed.estimate < 50


def test_what_the_smallest_training_has_may_need_fewer_examples() -> None:
    """Where the smallest training is about where the share is reached, the upper limit is all that is known."""
    needed = fitted([point for point in drawn(RISE, seed=3) if point.examples]).examples_for(RISE.at(9))
    assert isinstance(needed, NotEnoughData)
    assert "a share of 0.3" in needed.reason
    assert "fewer than 10 were not tried" in needed.reason


def test_too_few_sizes_or_trainings_are_not_enough_data() -> None:
    """A curve needs four sizes, and two trainings more than it has parameters."""
    points = exactly(RISE, cases=50)
    assert isinstance(fit_curve([], seed=1), NotEnoughData)
    assert isinstance(fit_curve([point for point in points if point.examples <= 20], seed=1), NotEnoughData)
    assert isinstance(fit_curve(points[::3], seed=1), NotEnoughData)
    assert isinstance(fit_curve(points[::2], seed=1, resamples=99), SaturatingCurve)
    few = fitted(points, resamples=19).value_at(10, level=0.99)
    assert isinstance(few, NotEnoughData)


def test_a_share_that_is_never_reached_is_said_to_be() -> None:
    """Where every curve falls below what is looked for, no number of examples is named, and the reason says it."""
    needed = fitted(exactly(CurveShape(0.6, 0.3, 30, 1))).examples_for(0.55)
    assert needed == NotEnoughData("a share of 0.55 is not reached by any curve that fits the points")


def test_the_same_seed_gives_the_same_curve() -> None:
    """A table can be made again; another seed moves the limits a little, and not the estimate."""
    points = drawn(RISE, seed=2)
    first, again, other = (known(fitted(points, seed=seed).value_at(20)) for seed in (1, 1, 2))
    assert first == again != other
    assert first.estimate == pytest.approx(other.estimate, abs=0.01)


@settings(max_examples=25)
@given(st.lists(st.lists(st.tuples(st.integers(0, 4), st.just(4)), min_size=3, max_size=3), min_size=6, max_size=6))
def test_any_counts_give_limits_in_order(counts: list[list[tuple[int, int]]]) -> None:
    """Whatever was counted, limits hold the estimate, have a width, and shares stay from 0 to 1."""
    points = [CurvePoint(size, 1, cases) for size, cases in zip((0, 5, 10, 50, 100, 1000), counts, strict=True)]
    curve = fit_curve(points, seed=1, resamples=59)
    if isinstance(curve, NotEnoughData):
        assert curve.reason.startswith("the points do not follow")
        return
    for n in (0, 7, 100, 4000):
        found = curve.value_at(n)
        if isinstance(found, NotEnoughData):
            assert n == 4000
            continue
        assert 0 <= found.low <= found.estimate <= found.high <= 1
        assert found.low < found.high
    gain = known(curve.gain_of_next(500, at=10))
    assert -1 <= gain.low <= gain.estimate <= gain.high <= 1


def test_cases_that_were_lost_do_not_count() -> None:
    """(0, 0) is no case: points may each lack some."""
    points = drawn(RISE, seed=4)
    thinned = [
        CurvePoint(
            p.examples, p.replicate, [(0, 0) if (index + place) % 10 == 0 else one for index, one in enumerate(p.cases)]
        )
        for place, p in enumerate(points)
    ]
    assert thinned[0].judged == 180
    whole, thin = known(fitted(points).value_at(50)), known(fitted(thinned).value_at(50))
    assert thin.estimate == pytest.approx(whole.estimate, abs=0.02)


def test_impossible_points_are_refused() -> None:
    """Other cases, a training that stands twice and shares above 1 are errors of the caller's."""
    points = drawn(RISE, seed=1, cases=20)
    ok = points[0].cases
    for bad, why in (
        (CurvePoint(-1, 1, ok), "negative"),
        (CurvePoint(30, 1, ok[:-1]), "19 cases"),
        (CurvePoint(30, 1, [(2, 1)] * 20), "no share"),
        (CurvePoint(30, 1, [(0, 0)] * 20), "nothing was judged"),
        (CurvePoint(10, 1, ok), "twice"),
    ):
        with pytest.raises(ValueError, match=why):
            fit_curve([*points, bad], seed=1)
    curve = fitted(points)
    for ask in (
        lambda: curve.value_at(-1),
        lambda: curve.gain_of_next(0, at=1),
        lambda: curve.examples_for(1.0),
        lambda: curve.value_at(10, level=95),
    ):
        with pytest.raises(ValueError, match=r"examples|share|level"):
            ask()
