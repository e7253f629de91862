"""Studies: the trainings of one base by one recipe, on the cases that all of them have a score for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tunegate.curve.rows import UNKNOWN_RECIPE, Recipe, Row, tell_recipe, why_no_point
from tunegate.curve.tallies import Tally
from tunegate.stats import Judged


@dataclass(frozen=True)
class LeftOut:
    """A row without a place on a curve."""

    model: str
    reason: str


@dataclass(frozen=True)
class Study:
    """What one curve is made of."""

    base: str
    recipe: Recipe
    rows: tuple[Row, ...]
    """The base model and the trainings that are fitted, by size."""
    failed: tuple[Row, ...]
    """Trainings of the base that did not converge, by whatever recipe: shown, and in no fit."""
    cases: tuple[str, ...]
    """Those that all of `rows` have a score for, by name."""
    warnings: tuple[str, ...]
    """What else was left out."""
    notes: tuple[str, ...]
    """What the intervals do not cover, for the trainings have something in common."""
    tallies: Mapping[str, Tally] = field(repr=False)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The numbers of examples of `rows`, each once."""
        return tuple(sorted({row.examples or 0 for row in self.rows}))

    @property
    def most_examples(self) -> int:
        """The largest training that converged."""
        return max(self.sizes, default=0)

    def judged(self, row: Row, metric: str) -> list[Judged]:
        """Return (passed, judged) of each of the study's cases, its repeats together."""
        return self.tallies[row.name].judged(metric, self.cases)


@dataclass(frozen=True)
class Grouped:
    """All rows of the runs: those that make curves, and why the others do not."""

    studies: tuple[Study, ...]
    left_out: tuple[LeftOut, ...]


def group_rows(rows: Iterable[Row], tallies: Mapping[str, Tally]) -> Grouped:
    """Group rows by base and recipe; the untrained row belongs to every recipe of its base.

    A training that is alone in its recipe makes no curve, nor does a base model without trainings. Those that did not
    converge make none either: they stand beside those of their recipe, or else beside the most that their base has.
    """
    left_out: list[LeftOut] = []
    untrained: dict[str, list[Row]] = {}
    trained: dict[tuple[str, Recipe], list[Row]] = {}
    for row in rows:
        reason = why_no_point(row)
        if reason is None and (row.name not in tallies or not tallies[row.name].cells):
            reason = "none of its cases was scored"
            reason = f"did not converge ({row.failure}), and {reason}" if row.failure else reason
        if reason is not None or row.base is None:
            left_out.append(LeftOut(row.name, reason or ""))
        elif row.examples:
            trained.setdefault((row.base, row.recipe), []).append(row)
        else:
            untrained.setdefault(row.base, []).append(row)
    for key, group in trained.items():
        trained[key], twins = _without_twins(group)
        left_out += twins
    studies = []
    for (base, recipe), group in _with_company(trained).items():
        if len(group) == 1:
            left_out.append(LeftOut(group[0].name, _why_alone(group[0], base)))
            continue
        studies.append(_study(base, recipe, rows=[*untrained.get(base, ()), *group], tallies=tallies))
    drawn = {study.base for study in studies}
    left_out += [
        LeftOut(row.name, f"no two trainings of {base} by one recipe are there")
        for base, group in untrained.items()
        if base not in drawn
        for row in group
    ]
    return Grouped(tuple(studies), tuple(left_out))


def _with_company(trained: Mapping[tuple[str, Recipe], Sequence[Row]]) -> dict[tuple[str, Recipe], list[Row]]:
    """Return the groups, where a training that did not converge stands with those that did.

    A group without two that did converge gives its failures to the largest group of the base that has two. Where none
    has, it stays what it is: a table without a curve is better than none.
    """
    groups = {key: list(group) for key, group in trained.items()}
    converged = {key: sum(row.failure is None for row in group) for key, group in groups.items()}
    for key, group in trained.items():
        hosts = [other for other in groups if other[0] == key[0] and converged[other] > 1]
        if converged[key] > 1 or not hosts:
            continue
        # The first of them where two are as large.
        groups[max(hosts, key=lambda other: converged[other])] += [row for row in group if row.failure is not None]
        groups[key] = [row for row in group if row.failure is None]
    return {key: group for key, group in groups.items() if group}


def _why_alone(row: Row, base: str) -> str:
    alone = f"the only training of {base} with {_named(row.recipe)}"
    return f"{alone}, and it did not converge: {row.failure}" if row.failure else alone


def _named(recipe: Recipe) -> str:
    return "an unknown recipe" if recipe == UNKNOWN_RECIPE else tell_recipe(recipe)


def _without_twins(group: Sequence[Row]) -> tuple[list[Row], list[LeftOut]]:
    first: dict[tuple[object, ...], str] = {}
    kept: list[Row] = []
    twins: list[LeftOut] = []
    for row in group:
        # Without a seed nothing says that two are the same.
        earlier = first.setdefault(row.twin_key, row.name) if row.seed is not None else row.name
        if earlier == row.name:
            kept.append(row)
        else:
            twins.append(
                LeftOut(row.name, f"the training on {row.examples} examples with seed {row.seed} is there as {earlier}")
            )
    return kept, twins


def _study(base: str, recipe: Recipe, *, rows: Sequence[Row], tallies: Mapping[str, Tally]) -> Study:
    ordered = sorted(rows, key=lambda row: (row.examples or 0, -1 if row.seed is None else row.seed, row.name))
    fitted = tuple(row for row in ordered if row.failure is None)
    # Where none converged they still have cases in common, for the table.
    counted = fitted or tuple(ordered)
    cases, warnings = _common_cases(counted, tallies)
    return Study(
        base,
        recipe,
        rows=fitted,
        failed=tuple(row for row in ordered if row.failure is not None),
        cases=cases,
        warnings=(*warnings, *_warn_of_differences(counted)),
        notes=tuple(_note_what_is_shared(fitted)),
        tallies=tallies,
    )


def _common_cases(rows: Sequence[Row], tallies: Mapping[str, Tally]) -> tuple[tuple[str, ...], list[str]]:
    """Return the cases that every row has a score for and was asked alike, and what was left out for it."""
    own = {row.name: tallies[row.name] for row in rows}
    seen = sorted(set().union(*(tally.seen for tally in own.values())))
    scored = [case for case in seen if all(case in tally.cells for tally in own.values())]
    alike = tuple(case for case in scored if len({tally.asked.get(case) for tally in own.values()}) == 1)
    warnings: list[str] = []
    if len(scored) < len(seen):
        lacks = {name: len(seen) - sum(case in tally.cells for case in seen) for name, tally in own.items()}
        worst = max(lacks, key=lambda name: lacks[name])
        states = sum((tally.unscored for tally in own.values()), Counter[str]())
        ours = f" ({', '.join(f'{count} {state}' for state, count in sorted(states.items()))})" if states else ""
        warnings.append(
            f"{len(seen) - len(scored)} of {len(seen)} cases are left out, for not every training has a score for "
            f"them{ours}; {worst} lacks {lacks[worst]}"
        )
    if len(alike) < len(scored):
        warnings.append(
            f"{len(scored) - len(alike)} of {len(seen)} cases are left out, for not every training was asked the same"
        )
    return alike, warnings


def _warn_of_differences(rows: Sequence[Row]) -> list[str]:
    warnings = []
    temperatures = {row.temperature for row in rows if row.temperature is not None}
    if len(temperatures) > 1:
        told = " and ".join(f"{one:g}" for one in sorted(temperatures))
        warnings.append(f"not all were asked at the same temperature: {told}")
    sets = {row.training.set for row in rows if row.training and row.training.set}
    if len(sets) > 1:
        warnings.append(f"not all were trained on the same set: {', '.join(sorted(sets))}")
    return warnings


def _note_what_is_shared(rows: Sequence[Row]) -> Iterator[str]:
    files = Counter((row.examples, row.training.sha256) for row in rows if row.training and row.training.sha256)
    if any(trainings > 1 for trainings in files.values()):
        yield "trainings of one size have one file: intervals cover other seeds, not other examples"
    seeds = Counter(seed for _, seed in {(row.examples, row.seed) for row in rows if row.examples} if seed is not None)
    if any(sizes > 1 for sizes in seeds.values()):
        yield "seeds recur at several sizes: what one does at all of them makes limits too narrow"
