"""Made-up runs are as they say."""

from __future__ import annotations

import numpy as np
import pytest
from draws import PairCell, ShareCell, gains_of

from tunegate.stats.pairs import count_gains


@pytest.mark.parametrize("correlation", [0.0, 0.3])
@pytest.mark.parametrize("repeats", [1, 3])
def test_shares_have_the_truth_and_the_correlation_they_say(correlation: float, repeats: int) -> None:
    """Over many runs the mean share is the cell's, and without repeats the design effect that of its correlation."""
    cell = ShareCell(400, 0.8, correlation, repeats)
    drawn = list(cell.draw(400, np.random.default_rng(1)))
    shares = [counts.share for counts in drawn]
    assert np.mean(shares) == pytest.approx(0.8, abs=0.01)
    assert drawn[0].members == 400 * repeats
    if repeats == 1:
        effects = [counts.members / counts.size.estimated for counts in drawn]
        assert np.mean(effects) == pytest.approx(1 + 3 * correlation, rel=0.05)


@pytest.mark.parametrize("repeats", [1, 3])
def test_pairs_have_the_truth_they_say(repeats: int) -> None:
    """Over many runs the mean difference is the cell's truth."""
    cell = PairCell(400, 0.8, -0.05, 0.3, 0.5, repeats)
    found = [gains.difference for gains in cell.draw(600, np.random.default_rng(2))]
    assert np.mean(found) == pytest.approx(cell.truth, abs=0.005)


def test_the_short_way_is_the_estimators_own() -> None:
    """What the simulation hands to the estimator is what it would have counted itself, to nine digits."""
    dice = np.random.default_rng(3)
    sides = dice.integers(0, 5, (2, 60))
    (quick,) = gains_of((sides[0] - sides[1])[None, :] / 4, answers=4)
    slow = count_gains(*([(int(passed), 4) for passed in side] for side in sides))
    assert vars(quick) == pytest.approx(vars(slow), abs=1e-9)
