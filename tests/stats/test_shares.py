"""Shares and how well they are known."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.proportion import proportion_confint

from tunegate.stats import (
    Judged,
    NotEnoughData,
    clustered_share,
    count_clusters,
    exact,
    p_at_least,
    p_at_most,
    share_variance,
    wilson,
)

from .known import known, number

COUNTS = st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
SMALL_COUNTS = st.integers(0, 30).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS, st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99, 0.999]))
def test_wilson_agrees_with_scipy(counts: tuple[int, int], level: float) -> None:
    """The limits are SciPy's to nine digits."""
    passed, n = counts
    expected = binomtest(passed, n).proportion_ci(confidence_level=level, method="wilson")
    found = known(wilson(passed, n, level=level))
    assert found.low == pytest.approx(expected.low, abs=1e-9)
    assert found.high == pytest.approx(expected.high, abs=1e-9)
    assert (found.estimate, found.level, found.n, found.clusters) == (passed / n, level, n, None)


@pytest.mark.parametrize(
    ("passed", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_agrees_with_the_published_examples(passed: int, n: int, low: float, high: float) -> None:
    """Newcombe (1998), Statistics in Medicine 17:857-872, table I, method 3, to the four digits printed."""
    found = known(wilson(passed, n))
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@given(COUNTS, st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99, 0.999]))
def test_shares_agree_with_statsmodels(counts: tuple[int, int], level: float) -> None:
    """Wilson's limits and the exact ones are those of statsmodels to nine digits."""
    passed, n = counts
    for estimator, method in ((wilson, "wilson"), (exact, "beta")):
        low, high = proportion_confint(passed, n, alpha=1 - level, method=method)
        found = known(estimator(passed, n, level=level))
        assert found.low == pytest.approx(low, abs=1e-9)
        assert found.high == pytest.approx(high, abs=1e-9)


@pytest.mark.parametrize(
    ("passed", "n", "low", "high"),
    [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684), (1, 29, 0.0009, 0.1776)],
)
def test_exact_agrees_with_the_published_examples(passed: int, n: int, low: float, high: float) -> None:
    """Newcombe (1998), Statistics in Medicine 17:857-872, table I, method 5, to the four digits printed."""
    found = known(exact(passed, n))
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@given(st.floats(0, 1), st.floats(1e-6, 1e12), st.floats(0.01, 0.999999))
def test_wilson_takes_effective_counts(share: float, n: float, level: float) -> None:
    """With counts that are not whole the interval holds the estimate and has a width."""
    found = known(wilson(min(share * n, n), n, level=level))
    assert 0 <= found.low <= found.estimate <= found.high <= 1
    assert found.low < found.high


def test_nothing_judged_is_not_enough_data() -> None:
    """A share of nothing is unknown, and no number."""
    assert wilson(0, 0) == NotEnoughData("nothing was judged")
    assert clustered_share([]) == NotEnoughData("nothing was judged")
    assert clustered_share([(0, 0), (0, 0)]) == NotEnoughData("nothing was judged")
    assert exact(0, 0) == NotEnoughData("nothing was judged")
    assert p_at_least([], 0.9) == NotEnoughData("nothing was judged")
    assert p_at_most([(0, 0)], 0.9) == NotEnoughData("nothing was judged")


@pytest.mark.parametrize(("passed", "n"), [(-1, 4), (5, 4), (math.nan, 4), (1, math.nan), (1, math.inf)])
def test_impossible_counts_are_refused(passed: float, n: float) -> None:
    """Counts that no evaluation gives are an error of the caller's, and no interval."""
    with pytest.raises(ValueError, match="is no share"):
        wilson(passed, n)
    with pytest.raises(ValueError, match="is no share"):
        exact(passed, n)  # type: ignore[arg-type]


def test_impossible_clusters_are_refused() -> None:
    """A cluster in which more passed than there were is an error of the caller's."""
    with pytest.raises(ValueError, match="5 of 4 is no share"):
        clustered_share([(4, 4), (5, 4)])


@pytest.mark.parametrize("level", [0, 1, -0.5, 95, math.nan, 1e-17])
def test_impossible_levels_are_refused(level: float) -> None:
    """A level of 95 instead of 0.95 is refused, and so is one that would give an interval without width."""
    with pytest.raises(ValueError, match="level"):
        wilson(1, 2, level=level)
    with pytest.raises(ValueError, match="level"):
        clustered_share([(1, 2)], level=level)
    with pytest.raises(ValueError, match="level"):
        exact(1, 2, level=level)


@given(st.lists(st.integers(0, 1), min_size=1, max_size=300))
def test_clusters_of_one_change_nothing(outcomes: list[int]) -> None:
    """Where every cluster has one member, the limits are those of independent members to the last digit."""
    plain = known(wilson(sum(outcomes), len(outcomes)))
    found = known(clustered_share([(outcome, 1) for outcome in outcomes]))
    assert (found.estimate, found.low, found.high) == (plain.estimate, plain.low, plain.high)
    assert found.clusters == len(outcomes)


@given(st.lists(SMALL_COUNTS, min_size=1, max_size=40))
def test_clusters_never_narrow_the_interval(clusters: list[tuple[int, int]]) -> None:
    """The interval has a width, stays within 0 and 1, and is no narrower than with independent members."""
    found = clustered_share(clusters)
    n = sum(members for _, members in clusters)
    if isinstance(found, NotEnoughData):
        assert n == 0
        return
    plain = known(wilson(sum(passed for passed, _ in clusters), n))
    assert 0 <= found.low <= plain.low + 1e-12
    assert plain.high - 1e-12 <= found.high <= 1
    assert found.low < found.high
    assert (found.n, found.clusters) == (n, sum(members > 0 for _, members in clusters))


@pytest.mark.parametrize("count", [1, 2, 5, 25, 100, 1000])
@pytest.mark.parametrize("good", [0, 1])
def test_where_all_passed_clusters_count_as_members(count: int, good: int) -> None:
    """Where all or none passed, the interval is about that of one member per cluster, or wider."""
    found = known(clustered_share([(4 * good, 4)] * count))
    alike = known(wilson(count * good, count))
    assert found.high - found.low >= alike.high - alike.low
    assert found.low == pytest.approx(alike.low, abs=0.08 / count**0.5)
    assert found.high == pytest.approx(alike.high, abs=0.08 / count**0.5)


def test_clusters_that_pass_or_fail_as_a_whole_count_once() -> None:
    """A hundred batches that pass or fail as a whole tell about as much as a hundred answers."""
    found = known(clustered_share([(4, 4)] * 80 + [(0, 4)] * 20))
    alike = known(wilson(80, 100))
    assert (found.low, found.high) == pytest.approx((alike.low, alike.high), abs=0.003)


def test_independent_answers_lose_little_in_batches() -> None:
    """With a thousand batches of independent answers, the width grows by less than 2 percent."""
    dice = random.Random(5)
    clusters = [(sum(dice.random() < 0.8 for _ in range(4)), 4) for _ in range(1000)]
    plain = known(wilson(sum(passed for passed, _ in clusters), 4000))
    found = known(clustered_share(clusters))
    assert (found.high - found.low) / (plain.high - plain.low) < 1.02


@pytest.mark.parametrize("count", [10, 25, 100, 400])
def test_a_miss_never_helps(count: int) -> None:
    """A model with one wrong answer is not given a lower limit that a better one could envy."""
    perfect = known(clustered_share([(4, 4)] * count))
    one_miss = known(clustered_share([(4, 4)] * (count - 1) + [(3, 4)]))
    assert one_miss.low < perfect.low + 0.1 / count


@given(
    st.lists(SMALL_COUNTS, min_size=1, max_size=30).filter(lambda clusters: any(size for _, size in clusters)),
    st.floats(0.01, 0.99),
    st.sampled_from([0.8, 0.9, 0.95, 0.99]),
)
def test_p_values_and_intervals_never_disagree(clusters: list[tuple[int, int]], null: float, level: float) -> None:
    """A share is shown to be above, or below, exactly where its interval is."""
    found, tail = known(clustered_share(clusters, level=level)), (1 - level) / 2
    above, below = number(p_at_least(clusters, null)), number(p_at_most(clusters, null))
    if abs(null - found.low) > 1e-9:
        assert (above < tail) == (null < found.low)
    if abs(null - found.high) > 1e-9:
        assert (below < tail) == (null > found.high)


@given(COUNTS, st.floats(0.02, 0.98))
def test_p_value_of_independent_answers_is_the_score_tests(counts: tuple[int, int], null: float) -> None:
    """Where every cluster has one member, the p-value is that of the score test, to nine digits."""
    passed, n = counts
    z = (passed / n - null) / math.sqrt(null * (1 - null) / n)
    answers = [(1, 1)] * passed + [(0, 1)] * (n - passed)
    if passed < n:
        assert number(p_at_least(answers, null)) == pytest.approx(norm.sf(z), abs=1e-9)
    if passed:
        assert number(p_at_most(answers, null)) == pytest.approx(norm.cdf(z), abs=1e-9)


@pytest.mark.parametrize("share", [0, 1, -1, 95, math.nan])
def test_impossible_nulls_are_refused(share: float) -> None:
    """No sample shows that all would pass, and 95 is no share."""
    with pytest.raises(ValueError, match="cannot be tested"):
        p_at_least([(3, 4)], share)
    with pytest.raises(ValueError, match="cannot be tested"):
        p_at_most([(3, 4)], share)


def test_clustered_variance_is_that_of_a_cluster_robust_regression() -> None:
    """The effective number is p (1 - p) over the cluster-robust variance of statsmodels' mean, to nine digits."""
    dice = np.random.default_rng(3)
    sizes = dice.integers(1, 9, 60)
    passed = dice.binomial(sizes, dice.beta(6, 2, 60))
    answers = np.concatenate([[1.0] * good + [0.0] * (n - good) for good, n in zip(passed, sizes, strict=True)])
    groups = np.repeat(np.arange(60), sizes)
    fit = OLS(answers, np.ones(len(answers))).fit(cov_type="cluster", cov_kwds={"groups": groups})
    counts = count_clusters(zip(passed.tolist(), sizes.tolist(), strict=True))
    n, share = counts.members, counts.share
    # statsmodels' factor for a small sample is G / (G - 1) as well; the binomial variance here is over N - 1.
    variance = share * (1 - share) / counts.size.estimated * n / (n - 1)
    assert variance == pytest.approx(fit.bse[0] ** 2, rel=1e-9)


PARTS = st.integers(0, 6).flatmap(lambda n: st.tuples(st.floats(0, n), st.just(n)))


@given(st.lists(PARTS, min_size=1, max_size=30), st.floats(0.01, 0.99), st.sampled_from([0.8, 0.95, 0.99]))
def test_one_count_of_the_clusters_answers_everything(clusters: list[Judged], null: float, level: float) -> None:
    """What the counts say is what the functions of the clusters say, to the last digit, also of parts of answers."""
    counts = count_clusters(clusters)
    assert counts.estimate(level) == clustered_share(clusters, level=level)
    assert counts.p_above(null) == p_at_least(clusters, null)
    assert counts.p_below(null) == p_at_most(clusters, null)
    assert counts.cluster_variance() == share_variance(clusters)
    assert counts.cluster_variance(at=null) == share_variance(clusters, at=null)


def test_nothing_counted_is_not_enough_data() -> None:
    """Without a member there is no estimate, no p-value and no variance; impossible nulls are refused even then."""
    counts = count_clusters([(0, 0)])
    assert counts.estimate(0.95) == counts.p_above(0.5) == counts.p_below(0.5) == NotEnoughData("nothing was judged")
    assert isinstance(counts.cluster_variance(), NotEnoughData)
    with pytest.raises(ValueError, match="cannot be tested"):
        counts.p_below(1)
    with pytest.raises(ValueError, match="has no variance"):
        counts.cluster_variance(at=1)
    with pytest.raises(ValueError, match="level"):
        counts.estimate(95)


@given(
    st.lists(PARTS, min_size=1, max_size=30).filter(lambda clusters: any(size for _, size in clusters)),
    st.floats(0.01, 0.99),
    st.sampled_from([0.8, 0.95, 0.99]),
    st.randoms(use_true_random=False),
)
def test_parts_of_answers_are_no_other_case(
    clusters: list[Judged], null: float, level: float, dice: random.Random
) -> None:
    """Where answers are more than yes or no, intervals have a width, order does not matter and p-values agree."""
    found, tail = known(clustered_share(clusters, level=level)), (1 - level) / 2
    shuffled = clusters[:]
    dice.shuffle(shuffled)
    assert clustered_share(shuffled, level=level) == found
    assert 0 <= found.low <= found.estimate <= found.high <= 1
    assert found.low < found.high
    above, below = number(p_at_least(clusters, null)), number(p_at_most(clusters, null))
    if abs(null - found.low) > 1e-9:
        assert (above < tail) == (null < found.low)
    if abs(null - found.high) > 1e-9:
        assert (below < tail) == (null > found.high)


@given(st.floats(0.001, 0.999), st.integers(2, 300), st.integers(1, 6))
def test_rounding_makes_no_variance(part: float, clusters: int, size: int) -> None:
    """Clusters that all achieve the same part are never told apart, whatever is left of rounding."""
    counts = count_clusters([(part * size, size)] * clusters)
    assert counts.size.estimated >= counts.size.most
    assert math.isfinite(counts.size.estimated)
    assert known(counts.estimate(0.95)) == known(clustered_share([(part * size, size)] * clusters))


def test_whole_numbers_count_the_same_as_numbers_with_a_point() -> None:
    """Four of four are four, however they were added up."""
    whole = [(3, 4), (4, 4), (0, 2)]
    assert count_clusters([(float(good), size) for good, size in whole]) == count_clusters(whole)


RATINGS = np.array([0.0, 0.25, 0.5, 0.75, 1.0])


@pytest.mark.parametrize("cases", [20, 100])
@pytest.mark.parametrize(
    "chances",
    [(0.05, 0.1, 0.2, 0.35, 0.3), (0.0, 0.0, 0.1, 0.3, 0.6), (0.1, 0.05, 0.1, 0.05, 0.7), (0.2, 0.2, 0.2, 0.2, 0.2)],
    ids=["good", "very good", "divided", "even"],
)
def test_intervals_of_ratings_cover_the_truth(cases: int, chances: tuple[float, ...]) -> None:
    """Intervals of 95 percent of ratings brought to 0..1 cover their mean at least that often.

    Yes or no vary more than any other answers with the same mean: taken for those, ratings are not taken for too much.
    """
    dice = np.random.default_rng(21)
    drawn = dice.choice(RATINGS, (SIMULATIONS, cases), p=chances)
    truth = float(RATINGS @ np.array(chances))
    intervals = [known(clustered_share([(rating, 1) for rating in run])) for run in drawn.tolist()]
    covered = sum(found.low <= truth <= found.high for found in intervals) / SIMULATIONS
    assert covered >= 0.95


def test_intervals_of_repeated_ratings_cover_the_truth() -> None:
    """So do those of cases that are rated three times, where a good reply is good to every rater, less chance."""
    dice = np.random.default_rng(22)
    quality = dice.beta(4, 2, (SIMULATIONS, 40, 1))
    ratings = dice.binomial(4, np.broadcast_to(quality, (SIMULATIONS, 40, 3))) / 4
    runs = [[(total, 3) for total in run] for run in ratings.sum(axis=2).tolist()]
    intervals = [known(clustered_share(run)) for run in runs]
    assert sum(found.low <= 2 / 3 <= found.high for found in intervals) / SIMULATIONS >= 0.94


SIMULATIONS = 1000


@pytest.mark.parametrize("clusters", [10, 40], ids="{} clusters".format)
@pytest.mark.parametrize("likeness", [0.0, 0.3, 1.0], ids="correlation {}".format)
@pytest.mark.parametrize("sizes", [(4,), (4, 4, 4, 12)], ids=["equal", "unequal"])
def test_clustered_intervals_cover_the_truth(clusters: int, likeness: float, sizes: tuple[int, ...]) -> None:
    """Intervals of 95 percent cover the truth that often, however alike the answers of a batch are.

    0.92 is asked for: outcomes are few where batches pass or fail as a whole, and no interval can then cover
    exactly 95 percent of them (Brown, Cai and DasGupta 2001). Plain Wilson covers half to three quarters.
    """
    dice = np.random.default_rng(20)
    truth = 0.8
    members = dice.choice(sizes, (SIMULATIONS, clusters))
    # Each batch has a share of its own around `truth`, which gives its answers a correlation of `likeness`.
    if likeness == 1:
        shares = (dice.random(members.shape) < truth).astype(float)
    elif likeness:
        strength = (1 - likeness) / likeness
        shares = dice.beta(truth * strength, (1 - truth) * strength, members.shape)
    else:
        shares = np.full(members.shape, truth)
    passed = dice.binomial(members, shares)
    runs = zip(passed.tolist(), members.tolist(), strict=True)
    intervals = [known(clustered_share(zip(*run, strict=True))) for run in runs]
    assert sum(found.low <= truth <= found.high for found in intervals) / SIMULATIONS > 0.92
