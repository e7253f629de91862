"""Several tests at once."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return the p-values adjusted for being several, in the order given.

    Where each one below alpha is taken for a finding, the chance of any false finding in the family is at most alpha,
    however the tests depend on each other. S. Holm (1979), "A Simple Sequentially Rejective Multiple Test
    Procedure", Scandinavian Journal of Statistics 6:65-70.

    Raises:
        ValueError: a p-value is not from 0 to 1.
    """
    impossible = [p for p in p_values if not 0 <= p <= 1]
    if impossible:
        raise ValueError(f"{impossible[0]} is no p-value: it must be from 0 to 1")
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, p_values[index] * (len(p_values) - place)))
        adjusted[index] = largest
    return tuple(adjusted)
