"""Two models on the same cases."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import mcnemar

from tunegate.stats import (
    Judged,
    NotEnoughData,
    count_gains,
    difference_variance,
    mcnemar_exact,
    p_not_worse,
    p_worse,
    paired_difference,
    tango,
)

from .known import known, number

JUDGED = st.integers(0, 8).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
SIDES = st.lists(st.tuples(JUDGED, JUDGED), min_size=1, max_size=40)


def yes_or_no(both: int, gained: int, lost: int, neither: int) -> tuple[list[Judged], list[Judged]]:
    """The cases of a 2 x 2 table."""
    candidate = [(1, 1)] * (both + gained) + [(0, 1)] * (lost + neither)
    baseline = [(1, 1)] * both + [(0, 1)] * gained + [(1, 1)] * lost + [(0, 1)] * neither
    return list(candidate), list(baseline)


@pytest.mark.parametrize(
    ("counts", "level", "low", "high"),
    [
        ((1, 7, 21), 0.95, "-0.517", "-0.026"),
        ((6, 16, 161), 0.95, "-0.1240", "-0.0054"),
        ((28, 25, 618), 0.90, "-0.0148", "0.0247"),
    ],
)
def test_tango_agrees_with_the_published_examples(
    counts: tuple[int, int, int], level: float, low: str, high: str
) -> None:
    """Fagerland, Lydersen and Laake (2014), Statistics in Medicine 33:2850-2875, both examples; and R's PropCIs."""
    gained, lost, n = counts
    found = known(tango(gained, lost, n=n, level=level))
    digits = len(low.partition(".")[2])
    assert (f"{found.low:.{digits}f}", f"{found.high:.{digits}f}") == (low, high)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 200), st.sampled_from([0.8, 0.95, 0.99]))
def test_tango_limits_solve_the_score_equation(gained: int, lost: int, alike: int, level: float) -> None:
    """At a limit within -1 and 1 the likelihood's own score statistic is the normal quantile.

    The losses under the null come from maximising the likelihood on a grid, not from Tango's formula.
    """
    n = gained + lost + alike
    if not n:
        assert isinstance(tango(0, 0, n=0), NotEnoughData)
        return
    found = known(tango(gained, lost, n=n, level=level))
    assert found.low < found.high
    z = -np.sqrt(2) * float(_erfinv(level))
    for limit, sign in ((found.low, -1), (found.high, 1)):
        if abs(limit) > 0.999:
            continue
        losses = np.linspace(max(0.0, -limit), (1 - limit) / 2, 200_001)[1:-1]
        with np.errstate(divide="ignore"):
            likelihood = (
                gained * np.log(losses + limit) + lost * np.log(losses) + alike * np.log(1 - 2 * losses - limit)
            )
        best = losses[np.argmax(likelihood)]
        statistic = (gained - lost - n * limit) / math.sqrt(n * (2 * best + limit - limit**2))
        assert statistic == pytest.approx(sign * z, abs=0.02)


def _erfinv(level: float) -> float:
    from scipy.special import erfinv

    return float(erfinv(level))


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_yes_or_no_without_repeats_is_tangos_interval(both: int, gained: int, lost: int, neither: int) -> None:
    """Where each case is one yes or no on either side, the interval is Tango's to the last digits."""
    n = both + gained + lost + neither
    found = paired_difference(*yes_or_no(both, gained, lost, neither))
    if not n:
        assert isinstance(found, NotEnoughData)
        return
    plain = known(tango(gained, lost, n=n))
    assert (known(found).low, known(found).high) == pytest.approx((plain.low, plain.high), abs=1e-12)
    assert (known(found).n, known(found).clusters) == (n, n)


def test_variance_is_that_of_a_cluster_robust_regression() -> None:
    """The standard error is that of statsmodels' mean with clusters, to nine digits, and without them the plain one."""
    dice = np.random.default_rng(7)
    candidate = [(int(dice.integers(0, 5)), 4) for _ in range(80)]
    baseline = [(int(dice.integers(0, 13)), 12) for _ in range(80)]
    documents = dice.integers(0, 25, 80)
    differences = np.array([a / 4 - b / 12 for (a, _), (b, _) in zip(candidate, baseline, strict=True)])
    plain = count_gains(candidate, baseline)
    assert plain.variance == pytest.approx(differences.var(ddof=1) / 80, rel=1e-9)
    fit = OLS(differences, np.ones(80)).fit(cov_type="cluster", cov_kwds={"groups": documents})
    clustered = count_gains(candidate, baseline, clusters=documents.tolist())
    assert clustered.variance == pytest.approx(fit.bse[0] ** 2, rel=1e-9)
    assert clustered.clusters == len(set(documents.tolist()))


def test_many_cases_give_the_interval_of_students_t() -> None:
    """With a thousand batches the limits are the mean and 1.96 robust standard errors, to a hundredth of its width."""
    dice = np.random.default_rng(11)
    shares = dice.beta(4, 2, 1000)
    candidate, baseline = ([(int(k), 4) for k in dice.binomial(4, shares)] for _ in range(2))
    found = known(paired_difference(candidate, baseline))
    gains = count_gains(candidate, baseline)
    half = 1.9623 * math.sqrt(gains.variance)
    width = found.high - found.low
    assert found.low == pytest.approx(gains.difference - half, abs=0.01 * width)
    assert found.high == pytest.approx(gains.difference + half, abs=0.01 * width)


@given(SIDES, st.sampled_from([0.8, 0.95, 0.99]), st.floats(-0.9, 0.9), st.booleans())
def test_p_values_and_intervals_never_disagree(
    sides: list[tuple[Judged, Judged]], level: float, margin: float, shared: bool
) -> None:
    """A candidate is shown to be not worse, or worse, exactly where the interval says so; the interval has a width."""
    candidate, baseline = [side[0] for side in sides], [side[1] for side in sides]
    clusters = [index // 3 for index in range(len(sides))] if shared else None
    found = paired_difference(candidate, baseline, level=level, clusters=clusters)
    not_worse = p_not_worse(candidate, baseline, margin=margin, clusters=clusters)
    worse = p_worse(candidate, baseline, margin=margin, clusters=clusters)
    if isinstance(found, NotEnoughData):
        assert found == not_worse == worse
        return
    assert -1 <= found.low <= found.estimate <= found.high <= 1
    assert found.low < found.high
    if abs(found.low + margin) > 1e-9:
        assert (number(not_worse) < (1 - level) / 2) == (found.low > -margin)
    if abs(found.high + margin) > 1e-9:
        assert (number(worse) < (1 - level) / 2) == (found.high < -margin)


@given(SIDES)
def test_swapping_the_sides_mirrors_the_interval(sides: list[tuple[Judged, Judged]]) -> None:
    """What is better by one is worse by the other, to the last digits."""
    candidate, baseline = [side[0] for side in sides], [side[1] for side in sides]
    there, back = paired_difference(candidate, baseline), paired_difference(baseline, candidate)
    if isinstance(there, NotEnoughData):
        assert isinstance(back, NotEnoughData)
        return
    assert (there.low, there.high) == pytest.approx((-known(back).high, -known(back).low), abs=1e-9)


@given(SIDES, st.randoms(use_true_random=False))
def test_order_of_cases_does_not_matter(sides: list[tuple[Judged, Judged]], dice: random.Random) -> None:
    """Cases in another order give the same interval to the last digit."""
    shuffled = sides[:]
    dice.shuffle(shuffled)
    found = [paired_difference([a for a, _ in some], [b for _, b in some]) for some in (sides, shuffled)]
    assert found[0] == found[1]


def test_repeats_are_averaged_before_cases_are_counted() -> None:
    """Asking every case five times with the same outcome tells nothing new of the cases."""
    candidate, baseline = yes_or_no(60, 12, 5, 23)
    often = [[(5 * good, 5 * judged) for good, judged in side] for side in (candidate, baseline)]
    once, five = known(paired_difference(candidate, baseline)), known(paired_difference(*often))
    assert five.estimate == once.estimate
    assert (five.low, five.high) == pytest.approx((once.low, once.high), abs=0.01)
    assert five.n == 100


def test_models_that_never_differ_still_may() -> None:
    """Where no case differs, a hundred batches leave as much open as a hundred cases of yes or no."""
    found = known(paired_difference([(3, 4)] * 100, [(3, 4)] * 100))
    alike = known(tango(0, 0, n=100))
    assert (found.estimate, found.low, found.high) == (0, pytest.approx(alike.low), pytest.approx(alike.high))
    assert alike.high == pytest.approx(1.959964**2 / (100 + 1.959964**2), abs=1e-6)


def test_a_single_cluster_is_one_observation() -> None:
    """Cases of one document tell as much as one case, and the interval says so."""
    found = known(paired_difference([(4, 4)] * 9, [(0, 4)] * 9, clusters=["d"] * 9))
    assert found.low < 0
    assert (found.n, found.clusters) == (9, 1)


def test_cases_judged_on_one_side_are_left_out() -> None:
    """A case that the baseline lost is no difference of models."""
    found = known(paired_difference([(1, 1), (0, 1), (1, 1)], [(0, 0), (0, 1), (1, 1)]))
    assert (found.n, found.estimate) == (2, 0)
    assert paired_difference([(1, 1)], [(0, 0)]) == NotEnoughData("no case was judged on both sides")


def test_impossible_pairs_are_refused() -> None:
    """Sides of different length, impossible counts and margins are errors of the caller's."""
    with pytest.raises(ValueError, match="zip"):
        paired_difference([(1, 1)], [])
    with pytest.raises(ValueError, match="zip"):
        paired_difference([(1, 1)], [(1, 1)], clusters=[])
    with pytest.raises(ValueError, match="is no share"):
        paired_difference([(5, 4)], [(1, 4)])
    with pytest.raises(ValueError, match="level"):
        paired_difference([(1, 1)], [(1, 1)], level=95)
    with pytest.raises(ValueError, match="margin"):
        p_not_worse([(1, 1)], [(1, 1)], margin=5)
    with pytest.raises(ValueError, match="is no difference"):
        tango(3, 3, n=5)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_agrees_with_statsmodels_and_scipy(gained: int, lost: int) -> None:
    """The exact p-value is theirs to nine digits; without a change there is none."""
    found = mcnemar_exact(gained, lost)
    if not gained + lost:
        assert found == NotEnoughData("no case changed")
        return
    assert found == pytest.approx(mcnemar([[10, gained], [lost, 10]], exact=True).pvalue, abs=1e-9)
    assert found == pytest.approx(binomtest(gained, gained + lost).pvalue, abs=1e-9)


def test_mcnemar_agrees_with_the_published_example() -> None:
    """Fagerland, Lydersen and Laake (2014): 6 against 16 of 161 patients, P = 0.0525 (exact conditional)."""
    assert number(mcnemar_exact(6, 16)) == pytest.approx(0.052479, abs=5e-7)
    with pytest.raises(ValueError, match="no counts"):
        mcnemar_exact(-1, 2)


@given(SIDES, st.floats(-0.99, 0.99), st.sampled_from([0.8, 0.95, 0.99]), st.booleans())
def test_one_count_of_the_cases_answers_everything(
    sides: list[tuple[Judged, Judged]], margin: float, level: float, shared: bool
) -> None:
    """What the counts say is what the functions of the cases say, to the last digit; p-values mirror each other."""
    candidate, baseline = [side[0] for side in sides], [side[1] for side in sides]
    clusters = [index // 3 for index in range(len(sides))] if shared else None
    gains = count_gains(candidate, baseline, clusters=clusters)
    mirrored = count_gains(baseline, candidate, clusters=clusters)
    assert gains.estimate(level) == paired_difference(candidate, baseline, level=level, clusters=clusters)
    assert gains.case_variance == difference_variance(candidate, baseline, clusters=clusters)
    assert gains.p_above(-margin) == p_not_worse(candidate, baseline, margin=margin, clusters=clusters)
    assert gains.p_below(-margin) == p_worse(candidate, baseline, margin=margin, clusters=clusters)
    assert gains.p_below(-margin) == mirrored.p_above(margin)


def test_nothing_counted_is_not_enough_data() -> None:
    """Without a case there is no estimate, no p-value and no variance; impossible nulls are refused even then."""
    gains = count_gains([(0, 0)], [(1, 1)])
    missing = NotEnoughData("no case was judged on both sides")
    assert gains.estimate(0.95) == gains.p_above(0.0) == gains.p_below(0.0) == missing
    assert isinstance(gains.case_variance, NotEnoughData)
    with pytest.raises(ValueError, match="margin"):
        gains.p_below(1)
    with pytest.raises(ValueError, match="level"):
        gains.estimate(95)


def test_ratings_are_paired_like_answers() -> None:
    """Ratings brought to 0..1 have the variance of their differences, and an interval that holds Student's t's."""
    dice = np.random.default_rng(13)
    before = dice.integers(0, 5, 150)
    after = np.clip(before + dice.integers(-1, 2, 150), 0, 4)
    candidate, baseline = ([(value / 4, 1) for value in side.tolist()] for side in (after, before))
    differences = (after - before) / 4
    gains = count_gains(candidate, baseline)
    assert gains.variance == pytest.approx(differences.var(ddof=1) / 150, rel=1e-9)
    found = known(gains.estimate(0.95))
    half = 1.976 * math.sqrt(gains.variance)
    assert found.low < differences.mean() - half
    assert found.high > differences.mean() + half
