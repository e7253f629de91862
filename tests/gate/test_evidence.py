"""Evidence: what the data say of one finding, against SciPy, statsmodels and sums by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom, binomtest, norm
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from tunegate.cost import Price, Rates
from tunegate.gate.evidence.known import Evidence, Setting
from tunegate.gate.evidence.weighing import weigh
from tunegate.gate.measures import measure_run
from tunegate.gate.policy import COST, LATENCY, Rule
from tunegate.gate.probes import Match, Probe
from tunegate.records import Record
from tunegate.stats import Interval, NotEnoughData, tango

from .runs import BASE, OURS, at_least, contenders, make_record, make_side, not_worse, write_run

SETTING = Setting(level=0.95, seed=1, prices={})
PRICES = {OURS: Price(Rates(0.5, 1.0), "test"), BASE: Price(Rates(1.0, 2.0), "test")}


def weigh_records(
    runs: Path, records: Sequence[Record], rule: Rule, *, metric: str = "answers", subject: str | None = None,
    setting: Setting = SETTING,
) -> Evidence:  # fmt: skip
    (candidate,), baseline = contenders(measure_run(write_run(runs, records)))
    return weigh(Probe(rule, "format", metric, subject), Match(candidate, baseline), setting)


def known(estimate: Interval | NotEnoughData | None) -> Interval:
    assert isinstance(estimate, Interval)
    return estimate


def timed(a: Sequence[float], b: Sequence[float]) -> list[Record]:
    sides = ((OURS, a), (BASE, b))
    return [make_record(f"case-{n:03}", model=m, latency_s=s) for m, side in sides for n, s in enumerate(side)]


def test_share_is_wilson(tmp_path: Path) -> None:
    """A share of one answer a case has Wilson's interval, and the p-values of the score test."""
    found = weigh_records(tmp_path, make_side(OURS, [True] * 41 + [False] * 9), at_least(0.7))
    low, high = proportion_confint(41, 50, method="wilson")
    effect = known(found.effect)
    assert (effect.estimate, effect.low, effect.high) == pytest.approx((0.82, low, high), abs=1e-9)
    z = (0.82 - 0.7) / np.sqrt(0.7 * 0.3 / 50)
    assert (found.p_holds, found.p_broken) == pytest.approx((norm.sf(z), norm.cdf(z)), abs=1e-9)
    assert (found.clusters, found.baseline) == (50, None)


def test_maximum_is_the_mirror_of_the_minimum(tmp_path: Path) -> None:
    """What holds for `max` on a share is what is broken for `min`, and the other way round."""
    records = make_side(OURS, [True] * 12 + [False] * 38)
    low = weigh_records(tmp_path / "a", records, Rule("rare", "max", 0.3))
    high = weigh_records(tmp_path / "b", records, at_least(0.3))
    assert (low.p_holds, low.p_broken) == (high.p_broken, high.p_holds)


def test_answers_of_one_call_are_one_cluster(tmp_path: Path) -> None:
    """Four answers that stand and fall together tell as much as one."""
    together = weigh_records(tmp_path / "a", make_side(OURS, [[n % 3 > 0] * 4 for n in range(60)]), at_least())
    alone = weigh_records(tmp_path / "b", make_side(OURS, [n % 3 > 0 for n in range(60)]), at_least())
    one, other = known(together.effect), known(alone.effect)
    assert (one.n, one.clusters) == (240, 60)
    assert (one.low, one.high) == pytest.approx((other.low, other.high))


def test_difference_is_tango_with_the_exact_test_of_mcnemar(tmp_path: Path) -> None:
    """Yes or no a case on both sides: Tango's interval, and beside it McNemar's exact test, as statsmodels has it."""
    ours = [True] * 60 + [True] * 3 + [False] * 11 + [False] * 26
    base = [True] * 60 + [False] * 3 + [True] * 11 + [False] * 26
    found = weigh_records(tmp_path, make_side(OURS, ours) + make_side(BASE, base), not_worse())
    effect, wanted = known(found.effect), known(tango(3, 11, n=100))
    assert effect.estimate == pytest.approx(-0.08, abs=1e-12)
    assert (effect.low, effect.high) == pytest.approx((wanted.low, wanted.high), abs=1e-9)
    assert found.flips is not None
    assert (found.flips.gained, found.flips.lost) == (3, 11)
    assert found.flips.p_value == pytest.approx(mcnemar([[60, 3], [11, 26]], exact=True).pvalue, abs=1e-12)
    sides = (known(found.candidate).estimate, known(found.baseline).estimate)
    assert sides == pytest.approx((0.63, 0.71))
    resampled = known(found.resampled)
    assert (resampled.low, resampled.high) == pytest.approx((effect.low, effect.high), abs=0.02)


def test_repeats_are_averaged_within_a_case(tmp_path: Path) -> None:
    """A case asked three times counts once: its repeats are its share, and no further cases."""
    records = [
        make_record(f"case-{n:02}", {"answers": (n + repeat) % 4 > 0}, repeat=repeat, model=model)
        for n in range(40)
        for model in (OURS, BASE)
        for repeat in ((1, 2, 3) if model == OURS else (1,))
    ]
    found = weigh_records(tmp_path, records, not_worse())
    ours = [np.mean([(n + repeat) % 4 > 0 for repeat in (1, 2, 3)]) for n in range(40)]
    base = [(n + 1) % 4 > 0 for n in range(40)]
    assert found.clusters == 40
    assert known(found.effect).estimate == pytest.approx(np.mean(ours) - np.mean(base), abs=1e-12)
    assert found.flips is not None
    assert found.flips.p_value is None


def test_subject_has_its_cases_alone(tmp_path: Path) -> None:
    """A finding in one subject rests on the cases of that subject."""
    records = [
        make_record(f"{subject}-{n}", {"answers": subject == "law"}, model=model, subject=subject)
        for subject, count in (("law", 12), ("history", 30))
        for n in range(count)
        for model in (OURS, BASE)
    ]
    found = weigh_records(tmp_path, records, not_worse(per_subject=True), subject="law")
    assert (found.clusters, known(found.candidate).estimate) == (12, 1)


@pytest.mark.parametrize(("share", "limit"), [(0.5, 1.1), (0.95, 2.2)])
def test_limit_on_a_time_is_an_exact_test(share: float, limit: float, tmp_path: Path) -> None:
    """A percentile below a limit is tested by counting, exactly, over the first call of each case."""
    times = np.random.default_rng(0).lognormal(0, 0.3, 80)
    records = [make_record(f"case-{n:03}", latency_s=float(s)) for n, s in enumerate(times)]
    records += [make_record(f"case-{n:03}", latency_s=50.0, repeat=2) for n in range(80)]
    found = weigh_records(tmp_path, records, Rule("quick", "max", limit, percentile=share), metric=LATENCY)
    above = int((times >= limit).sum())
    assert found.p_holds == pytest.approx(binomtest(above, 80, 1 - share, alternative="less").pvalue, abs=1e-9)
    assert found.p_broken == pytest.approx(binom.cdf(80 - above, 80, share), abs=1e-9)
    assert known(found.effect).estimate == pytest.approx(np.quantile(times, share), abs=1e-12)
    assert found.clusters == 80


def test_ratio_of_times_is_of_the_medians_of_cases(tmp_path: Path) -> None:
    """A ratio compares the medians of both sides, over cases whose repeats were brought together first."""
    dice = np.random.default_rng(3)
    base = dice.lognormal(0, 0.4, 60)
    ours = base * 0.5 * dice.lognormal(0, 0.1, 60)
    records = timed(ours, base) + [
        make_record(f"case-{n:03}", repeat=2, latency_s=float(s)) for n, s in enumerate(ours)
    ]
    found = weigh_records(tmp_path, records, Rule("quicker", "max_ratio", 0.8), metric=LATENCY)
    effect = known(found.effect)
    assert effect.estimate == pytest.approx(np.median(ours) / np.median(base), abs=1e-12)
    assert effect.low < effect.estimate < effect.high < 0.8
    assert isinstance(found.p_holds, float)
    assert found.p_holds < 0.025


def test_ratio_of_costs_is_of_the_means(tmp_path: Path) -> None:
    """A ratio of costs is what all calls cost over what they cost the baseline."""
    tokens = [(100 + n, 10 + n % 7) for n in range(50)]
    records = [make_record(f"c-{n:02}", model=m, tokens=t) for m in (OURS, BASE) for n, t in enumerate(tokens)]
    setting = Setting(level=0.95, seed=1, prices=PRICES)
    found = weigh_records(tmp_path, records, Rule("cheap", "max_ratio", 0.7), metric=COST, setting=setting)
    assert known(found.effect).estimate == pytest.approx(0.5)
    mean = sum(a * 0.5 + b for a, b in tokens) / 50 / 1e6
    assert known(found.candidate).estimate == pytest.approx(mean)


@pytest.mark.parametrize(
    ("prices", "why"),
    [
        ({}, "what ft:ours and production costs is not known: add a row to fixtures/prices.toml"),
        ({**PRICES, OURS: None}, "what ft:ours costs is not known: add a row to fixtures/prices.toml"),
        ({**PRICES, BASE: Price(None, "half")}, "what production costs is not known"),
        ({**PRICES, OURS: Price(Rates(0, 0), "free")}, "calls that cost nothing have no ratio"),
    ],
)
def test_unknown_or_no_price_is_told(prices: dict[str, Price | None], why: str, tmp_path: Path) -> None:
    """Where a price is not known, or is none, nothing is concluded about costs, and the reason says what to do."""
    records = make_side(OURS, [True] * 20) + make_side(BASE, [True] * 20)
    setting = Setting(level=0.95, seed=1, prices=prices)
    found = weigh_records(tmp_path, records, Rule("cheap", "max_ratio", 0.7), metric=COST, setting=setting)
    assert isinstance(found.effect, NotEnoughData)
    assert why in found.effect.reason
    assert isinstance(found.p_holds, NotEnoughData)


@pytest.mark.parametrize(
    ("records", "rule", "metric", "why"),
    [
        (make_side(OURS, [True]), at_least(), "style", "no check is called 'style', there are answers"),
        (make_side(OURS, [None]), at_least(), "answers", "the premise of the check never held"),
        (make_side(OURS, [True]), not_worse(), "answers", "there is no baseline"),
        (
            make_side(OURS, [True]) + make_side(BASE, [True], check="keys"),
            not_worse(), "answers", "the baseline has no check 'answers'",
        ),
        (
            make_side(OURS, [True]) + make_side(BASE, [True], eval_name="tone"),
            not_worse(), "answers", "the baseline has no scored record of the eval 'format'",
        ),
        (
            make_side(OURS, [True], eval_name="tone") + make_side(BASE, [True]),
            at_least(), "answers", "ft:ours has no scored record of the eval 'format', it has tone",
        ),
        (
            make_side(OURS, [True], asked="x") + make_side(BASE, [True], asked="y"),
            not_worse(), "answers", "no case was scored on both sides with the same question",
        ),
        (timed([0.0] * 9, [1.0] * 9), Rule("quicker", "max_ratio", 1), LATENCY, "of 0 is on record"),
        (make_side(OURS, [True], latency_s=None), Rule("quick", "max", 1), LATENCY, "no latency_s is on record"),
        (timed([1.0], [1.0]), Rule("quicker", "max_ratio", 1), LATENCY, "1 values are too few to resample"),
    ],
)  # fmt: skip
def test_reason_says_what_is_missing(records: list[Record], rule: Rule, metric: str, why: str, tmp_path: Path) -> None:
    """Where nothing can be said, the reason says what was looked for and what there is."""
    found = weigh_records(tmp_path, records, rule, metric=metric)
    assert isinstance(found.effect, NotEnoughData)
    assert why in found.effect.reason


def test_resamples_suffice_for_the_family() -> None:
    """However many tests share the chance of an error, the smallest p-value of a bootstrap is small enough."""
    for tests in (1, 40, 500):
        resamples = Setting(level=0.95, seed=0, prices={}, shares={"all": tests}).resamples("all")
        assert 2 * tests / (1 + resamples) < 0.05
