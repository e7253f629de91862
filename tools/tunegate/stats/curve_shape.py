"""The curve that a share follows when there is more to train on."""

from __future__ import annotations

import math
from dataclasses import dataclass

_FARTHEST = 700.0
"""Largest logarithm of examples: beyond it numbers overflow."""
BACK = 4.0
"""As far as the curve is asked beyond the largest training, so far back it is looked at for its slope."""
_HALVINGS = 64
"""Of the logarithm of the examples: what is left is below any rounding."""


@dataclass(frozen=True)
class CurveShape:
    """start + (end - start) * n^s / (n^s + half_at^s) * (1 - rest * (1 + n / half_at)^-decay), of n training examples.

    It rises or falls all the way from the base model's share to the one that no amount of examples passes, by a
    switch and a tail. The switch is Hill's curve: for small n it is level, as before a model has learned anything
    (Rosenfeld et al. 2020, "A Constructive Prediction of the Generalization Error Across Scales", ICLR,
    arXiv:1909.12673). The tail is what the switch leaves over, a power law with a floor (Hestness et al. 2017, "Deep
    Learning Scaling is Predictable, Empirically", arXiv:1712.00409), which has an exponent of its own: how suddenly
    a model takes to a format says nothing of how slowly the last errors go.
    """

    start: float
    """Share without training, from 0 to 1."""
    end: float
    """Share that is approached, from 0 to 1."""
    half_at: float
    """Examples that bring half of the switch."""
    steepness: float
    """s above: of the switch in the logarithm of the examples."""
    rest: float = 0.0
    """Part of the way that the tail makes, from 0 to 1; without it the curve is Hill's."""
    decay: float = 0.35
    """Exponent of the tail."""

    def at(self, examples: float) -> float:
        """Return the share with so many training examples."""
        if examples <= 0:
            return self.start
        return self.start + (self.end - self.start) * self._way(math.log(examples) - math.log(self.half_at))

    def examples_for(self, share: float) -> float:
        """Return the examples from which on there is at least `share`: 0 if there always is, infinite if never."""
        if share >= self.end:
            return math.inf
        if share <= self.start:
            return 0.0
        way = (share - self.start) / (self.end - self.start)
        if not self.rest:
            distance = (math.log(way) - math.log1p(-way)) / self.steepness
        else:
            low, high = -_FARTHEST, _FARTHEST
            for _ in range(_HALVINGS):
                distance = (low + high) / 2
                low, high = (distance, high) if self._way(distance) < way else (low, distance)
        exponent = math.log(self.half_at) + distance
        return math.exp(exponent) if exponent < _FARTHEST - 1 else math.inf

    def _way(self, distance: float) -> float:
        """Return the part of the way that is made, `distance` from `half_at` in natural logarithms of the examples."""
        exponent = self.steepness * distance
        switch = 1 / (1 + math.exp(-exponent)) if exponent > -_FARTHEST else 0.0
        if not self.rest:
            return switch
        # log(1 + n / half_at), which does not overflow.
        longer = max(distance, 0.0) + math.log1p(math.exp(-abs(distance)))
        return switch * (1 - self.rest * math.exp(-self.decay * longer))


@dataclass(frozen=True)
class LineBeyond:
    """A curve up to the largest training, and from there on a straight line in the logarithm of the examples.

    It is the slowest tail there is, to hold a power law against: the exponent of a power law's is not seen where its
    last steps are as small as the error of a share. The slope is the curve's over the last factor of `BACK`.
    """

    shape: CurveShape
    most_examples: int

    def at(self, examples: float) -> float:
        """Return the share with so many training examples."""
        if examples <= self.most_examples:
            return self.shape.at(examples)
        reached = self.shape.at(self.most_examples)
        return min(max(reached + self._slope * math.log(examples / self.most_examples), 0.0), 1.0)

    def examples_for(self, share: float) -> float:
        """Return the examples from which on there is at least `share`: 0 if there always is, infinite if never."""
        tried = self.shape.examples_for(share)
        slope = self._slope
        if tried <= self.most_examples or slope <= 0:
            return tried if tried <= self.most_examples else math.inf
        exponent = math.log(self.most_examples) + (share - self.shape.at(self.most_examples)) / slope
        return math.exp(exponent) if exponent < _FARTHEST else math.inf

    @property
    def _slope(self) -> float:
        return (self.shape.at(self.most_examples) - self.shape.at(self.most_examples / BACK)) / math.log(BACK)
