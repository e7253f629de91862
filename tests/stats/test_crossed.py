"""A share over trainings and cases."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from tunegate.stats import Judged, NotEnoughData, clustered_share, crossed_share

from .known import known


def drawn(
    dice: np.random.Generator, share: float, *, trainings: int, spread: float, alike: float, batch: int = 1
) -> list[list[Judged]]:
    """Trainings on the same 200 cases: `spread` is the correlation within a training, `alike` that of what is hard."""
    common = dice.standard_normal((200, 1))
    made = []
    for _ in range(trainings):
        of_one = dice.beta(share * (1 / spread - 1), (1 - share) * (1 / spread - 1)) if spread else share
        ease = norm.cdf(np.sqrt(alike) * common + np.sqrt(1 - alike) * dice.standard_normal((200, batch)))
        made.append([(int(passed), batch) for passed in (ease < of_one).sum(1)])
    return made


@pytest.mark.parametrize(
    ("share", "trainings", "spread", "alike", "batch"),
    [
        (0.5, 3, 0.0, 0.5, 1),
        (0.5, 3, 0.02, 0.5, 1),
        (0.9, 3, 0.02, 0.5, 1),
        (0.25, 5, 0.01, 0.8, 4),
        (0.98, 5, 0.0, 0.8, 1),
        (0.5, 2, 0.0, 0.5, 1),
        (0.9, 2, 0.02, 0.5, 1),
        (0.9, 2, 0.05, 0.5, 1),
        (0.9, 3, 0.05, 0.5, 1),
    ],
)
def test_intervals_cover_what_further_trainings_have(
    share: float, trainings: int, spread: float, alike: float, batch: int
) -> None:
    """Of 300 simulated sets of trainings, intervals of 95 % hold the recipe's share in at least 93 %."""
    dice = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        made = drawn(dice, share, trainings=trainings, spread=spread, alike=alike, batch=batch)
        found = known(crossed_share(made))
        held += found.low <= share <= found.high
    assert held >= 0.93 * 300


def test_trainings_that_differ_widen_the_interval() -> None:
    """Three trainings at 40, 50 and 60 % leave more open than three at 50 %, however many cases each was asked."""
    differ = [[(int(case < passed), 1) for case in range(1000)] for passed in (400, 500, 600)]
    agree = [[(int((case + shift) % 1000 < 500), 1) for case in range(1000)] for shift in (0, 333, 667)]
    wide, narrow = known(crossed_share(differ)), known(crossed_share(agree))
    assert wide.estimate == narrow.estimate == 0.5
    assert wide.high - wide.low > 4 * (narrow.high - narrow.low)
    # Student's t with two degrees of freedom on three means: 50 +- 4.3 * 10 / sqrt(3) points.
    assert (wide.low, wide.high) == pytest.approx((0.25, 0.75), abs=0.05)


def test_one_training_is_a_clustered_share() -> None:
    """Of one training nothing tells how much others differ: the interval is over cases."""
    cases: list[Judged] = [(index % 5, 4) for index in range(40)]
    assert crossed_share([cases]) == clustered_share(cases)


@pytest.mark.parametrize("passed", [0, 1])
def test_where_all_passed_a_case_counts_once(passed: int) -> None:
    """Three trainings that pass all of the same cases are worth no more than one of them."""
    one: list[Judged] = [(passed, 1)] * 50
    found, single = known(crossed_share([one, one, one])), known(clustered_share(one))
    assert (found.low, found.high) == pytest.approx((single.low, single.high))
    assert found.n == 150


def test_impossible_and_empty_trainings() -> None:
    """Other cases and shares above 1 are errors of the caller's; where nothing was judged nothing is said."""
    with pytest.raises(ValueError, match="cases"):
        crossed_share([[(1, 1)], [(1, 1), (0, 1)]])
    with pytest.raises(ValueError, match="from 0 to"):
        crossed_share([[(1, 1)], [(2, 1)]])
    with pytest.raises(ValueError, match="level"):
        crossed_share([[(1, 1)], [(1, 1)]], level=95)
    assert isinstance(crossed_share([]), NotEnoughData)
    assert isinstance(crossed_share([[(0, 0)], [(0, 0)]]), NotEnoughData)
    lone = known(crossed_share([[(1, 1), (0, 0)], [(0, 1), (0, 0)]]))
    assert lone.low < 0.1
    assert lone.high > 0.9
