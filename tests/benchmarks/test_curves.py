"""Made-up studies are as they say, and the curve's intervals cover their truth."""

from __future__ import annotations

import numpy as np
import pytest
from curves import STUDIES, Study, measure_curve


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_studies_have_the_truth_they_say(study: Study) -> None:
    """Over many studies the mean share of the base model, and of the largest size, is the curve's."""
    dice = np.random.default_rng(1)
    points = [study.draw(dice) for _ in range(60)]
    base = np.mean([one[0].share for one in points])
    assert base == pytest.approx(study.shape.start, abs=0.02)
    # What a seed does to the angle is a little less to a share that is near its bound.
    assert np.mean([one[-1].share for one in points]) == pytest.approx(study.shape.at(points[0][-1].examples), abs=0.02)


def test_the_fit_covers_the_truth() -> None:
    """Of 25 studies, shares, gains and needed examples are covered about as often as 95 percent say."""
    tallies = measure_curve(STUDIES[0], runs=25, resamples=199)
    coverages = [tally.coverage for tally in tallies.values()]
    assert np.mean(coverages) > 0.9
    assert min(coverages) >= 0.8
    assert tallies["examples needed"].answered >= 20
