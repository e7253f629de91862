"""Which cases two models passed differently: counted by subject, and a few of them to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from tunegate.gate.evidence.shares import count_flips
from tunegate.gate.probes import Match
from tunegate.gate.verdict import Estimate
from tunegate.records import Check, Record
from tunegate.stats import Judged, count_gains


@dataclass(frozen=True)
class Selected:
    """What of two runs is compared: globs, and a level."""

    eval: str = "*"
    metric: str = "*"
    subject: str = "*"
    level: float = 0.95


@dataclass(frozen=True)
class Difference:
    """What one metric of one eval says, in one subject or in all (None)."""

    eval: str
    metric: str
    subject: str | None
    cases: int
    gained: int
    """Cases of which A passed a larger part than B."""
    lost: int
    """Cases of which B passed a larger part than A."""
    estimate: Estimate
    """A less B."""


@dataclass(frozen=True)
class Flip:
    """A case that A and B passed differently."""

    eval: str
    case: str
    subject: str
    changes: Mapping[str, float]
    """By metric: A's share of the case less B's, never 0."""

    @property
    def is_lost(self) -> bool:
        """Whether B passed something of it that A did not."""
        return min(self.changes.values()) < 0


@dataclass(frozen=True)
class ChangedCheck:
    """A check that A and B passed differently; None where one of them has no such check."""

    name: str
    question: int | None
    a: Check | None
    b: Check | None


@dataclass(frozen=True)
class Compared:
    """A flipped case with what both said."""

    flip: Flip
    a: Record | None
    """None where the record is gone from its run."""
    b: Record | None
    checks: tuple[ChangedCheck, ...]


def compare_metrics(match: Match, selected: Selected) -> list[Difference]:
    """Return for each metric the difference in all cases and, where there are several, in each subject."""
    found: list[Difference] = []
    for name, cases in _evals(match, selected):
        a, b = match.sides(name)
        subjects = sorted({a.subject_of(case) for case in cases})
        groups: list[tuple[str | None, Sequence[str]]] = [(None, cases)]
        if len(subjects) > 1:
            groups += [(subject, [case for case in cases if a.subject_of(case) == subject]) for subject in subjects]
        for metric in _metrics(match, name, selected):
            for subject, members in groups:
                pairs = [(a.judged(metric, case), b.judged(metric, case)) for case in members]
                found.append(_difference(name, metric, subject, pairs, level=selected.level))
    return found


def find_flips(match: Match, selected: Selected) -> list[Flip]:
    """Return the cases that flipped in any of the metrics: those that A lost first, the largest changes first."""
    flips: list[Flip] = []
    for name, cases in _evals(match, selected):
        a, b = match.sides(name)
        metrics = _metrics(match, name, selected)
        for case in cases:
            changes = {
                metric: change
                for metric in metrics
                if (change := _change(a.judged(metric, case), b.judged(metric, case)))
            }
            if changes:
                flips.append(Flip(name, case, a.subject_of(case), changes))
    return sorted(flips, key=lambda flip: (not flip.is_lost, -_size(flip), flip.eval, flip.case))


def pick_flips(flips: Sequence[Flip], *, limit: int | None) -> list[Flip]:
    """Return the first `limit` cases of each way, lost and gained; None is all."""
    lost = [flip for flip in flips if flip.is_lost]
    gained = [flip for flip in flips if not flip.is_lost]
    return [*lost[:limit], *gained[:limit]]


def read_flips(flips: Sequence[Flip], match: Match, *, a_folder: Path, b_folder: Path) -> list[Compared]:
    """Read what both sides said in the cases: of several repeats, the first in which a check changed.

    Raises:
        RunError: a run cannot be read.
    """
    if match.baseline is None:
        raise ValueError("nothing is compared")
    mine = _read(flips, a_folder, model=match.candidate.model)
    theirs = _read(flips, b_folder, model=match.baseline.model)
    return [
        _compare(flip, mine.get((flip.eval, flip.case), {}), theirs.get((flip.eval, flip.case), {})) for flip in flips
    ]


def _read(flips: Sequence[Flip], folder: Path, *, model: str) -> dict[tuple[str, str], dict[int, Record]]:
    # Imported late: it brings the decoder.
    from tunegate.runs.picked_records import read_picked_records

    found: dict[tuple[str, str], dict[int, Record]] = {}
    if flips:
        for record in read_picked_records(folder, {(flip.eval, flip.case, model) for flip in flips}):
            found.setdefault((record.cell.eval, record.cell.case), {})[record.cell.repeat] = record
    return found


def _compare(flip: Flip, a: Mapping[int, Record], b: Mapping[int, Record]) -> Compared:
    shared = [
        Compared(flip, a[repeat], b[repeat], tuple(_changed_checks(a[repeat], b[repeat], flip=flip)))
        for repeat in sorted(a.keys() & b.keys())
    ]
    for compared in shared:
        if compared.checks:
            return compared
    # Repeats may differ in number: then no two of the same number need to differ.
    return shared[0] if shared else Compared(flip, a[min(a)] if a else None, b[min(b)] if b else None, ())


def _changed_checks(a: Record, b: Record, *, flip: Flip) -> Iterator[ChangedCheck]:
    mine, theirs = _by_name(a), _by_name(b)
    for key in dict.fromkeys((*mine, *theirs)):
        one, other = mine.get(key), theirs.get(key)
        if key[0] in flip.changes and (one and one.passed) != (other and other.passed):
            yield ChangedCheck(key[0], key[1], one, other)


def _by_name(record: Record) -> dict[tuple[str, int | None], Check]:
    return {(check.name, check.question): check for check in record.checks}


def _evals(match: Match, selected: Selected) -> Iterator[tuple[str, Sequence[str]]]:
    for name, cases in sorted(match.cases.items()):
        if fnmatchcase(name, selected.eval):
            sheet, _ = match.sides(name)
            yield name, [case for case in cases if fnmatchcase(sheet.subject_of(case), selected.subject)]


def _metrics(match: Match, eval_name: str, selected: Selected) -> list[str]:
    a, b = match.sides(eval_name)
    return [metric for metric in a.columns if metric in b.columns and fnmatchcase(metric, selected.metric)]


def _difference(
    eval_name: str, metric: str, subject: str | None, pairs: Sequence[tuple[Judged, Judged]], *, level: float
) -> Difference:
    both = [(mine, theirs) for mine, theirs in pairs if mine[1] and theirs[1]]
    a, b = [pair[0] for pair in both], [pair[1] for pair in both]
    flips = count_flips(a, b)
    return Difference(
        eval_name, metric, subject, len(both), flips.gained, flips.lost, count_gains(a, b).estimate(level)
    )


def _change(a: Judged, b: Judged) -> float:
    if not (a[1] and b[1]) or a[0] * b[1] == b[0] * a[1]:
        return 0.0
    return a[0] / a[1] - b[0] / b[1]


def _size(flip: Flip) -> float:
    return max(map(abs, flip.changes.values()))
