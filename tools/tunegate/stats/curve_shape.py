"""The curve that a share follows when there is more to train on."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class CurveShape:
    """start + (end - start) * n^s / (n^s + half_at^s): Hill's curve of a share against n training examples.

    It rises or falls all the way from the base model's share to the one that no amount of examples passes. For large n
    what is left of the way is (n / half_at)^-s, the power law with a floor of learning curves (Hestness et al.
    2017, "Deep Learning Scaling is Predictable, Empirically", arXiv:1712.00409); for small n it is level, as before a
    model has learned anything (Rosenfeld et al. 2020, "A Constructive Prediction of the Generalization Error
    Across Scales", ICLR, arXiv:1909.12673).
    """

    start: float
    """Share without training, from 0 to 1."""
    end: float
    """Share that is approached, from 0 to 1."""
    half_at: float
    """Examples that bring half of the way."""
    steepness: float
    """s above: of the curve in the logarithm of the examples."""

    def at(self, examples: float) -> float:
        """Return the share with so many training examples."""
        if examples <= 0:
            return self.start
        exponent = self.steepness * (math.log(examples) - math.log(self.half_at))
        way = 1 / (1 + math.exp(-exponent)) if exponent > -700 else 0.0
        return self.start + (self.end - self.start) * way

    def examples_for(self, share: float) -> float:
        """Return the examples from which on there is at least `share`: 0 if there always is, infinite if never."""
        if share >= self.end:
            return math.inf
        if share <= self.start:
            return 0.0
        way = (share - self.start) / (self.end - self.start)
        exponent = math.log(self.half_at) + (math.log(way) - math.log1p(-way)) / self.steepness
        return math.exp(exponent) if exponent < 700 else math.inf
