"""The order in which cases are asked until everything is decided, and what of a plan was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tunegate.stats import order_key


@dataclass(frozen=True)
class Place:
    """A case in the order in which cases are asked."""

    eval: str
    case: str
    subject: str


@dataclass(frozen=True)
class Plan:
    """What could have been asked, and what was."""

    places: tuple[Place, ...]
    """The cases that were asked, in any order."""
    cases: int
    """Cases of the whole plan."""
    subjects: Mapping[str, Sequence[str]]
    """Subjects of the whole plan, by eval."""
    seed: int
    """Of the order in which cases were asked."""

    @classmethod
    def of(cls, places: Sequence[Place], *, seed: int) -> Plan:
        """Return the plan of which everything was asked."""
        subjects: dict[str, set[str]] = {}
        for place in places:
            subjects.setdefault(place.eval, set()).add(place.subject)
        return cls(tuple(places), len(places), {name: sorted(found) for name, found in sorted(subjects.items())}, seed)


def in_order(places: Sequence[Place], *, seed: int) -> list[Place]:
    """Return cases in the order in which they are asked until everything is decided."""
    return sorted(places, key=lambda place: (order_key(place.eval, place.case, seed=seed), place.eval, place.case))
