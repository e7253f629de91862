"""Which findings a policy asks for: every rule with the evals, checks and subjects that it stands for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

from tunegate.gate.measures import Contender
from tunegate.gate.policy import FIRST_TOKEN, LATENCY, MEASURES, RATING, Policy, Rule
from tunegate.gate.sheets import Sheet
from tunegate.stats import AGREEMENT


@dataclass(frozen=True)
class Probe:
    """One rule on one metric of one eval, in one subject or in all (None)."""

    rule: Rule
    eval: str
    metric: str
    subject: str | None = None


@dataclass(frozen=True)
class Match:
    """A candidate, what it is held against, and the cases that both have."""

    candidate: Contender
    baseline: Contender | None
    allow_other_prompts: bool = False
    only: Mapping[str, frozenset[str]] | None = None
    """By eval, the cases to look at; None looks at all."""

    @cached_property
    def cases(self) -> Mapping[str, tuple[str, ...]]:
        """Return by eval the cases that both sides were scored on, with the same question; sorted."""
        return {name: self._paired(name) for name in self.candidate.sheets}

    def cases_of(self, probe: Probe) -> Sequence[str]:
        """Return the cases that count for a probe: where it compares, those of both sides.

        Agreement is compared where both sides have as many repeats of a case.
        """
        sheet = self.candidate.sheets.get(probe.eval)
        if sheet is None:
            return ()
        cases = self.cases[probe.eval] if probe.rule.needs_baseline else self._seen(probe.eval, sheet)
        if probe.metric == AGREEMENT and probe.rule.needs_baseline:
            cases = [case for case in cases if self.is_repeated_alike(probe.eval, case)]
        if probe.subject is None:
            return cases
        return [case for case in cases if sheet.subject_of(case) == probe.subject]

    def sides(self, eval_name: str) -> tuple[Sheet, Sheet]:
        """Return what both did in an eval."""
        baseline = self.baseline.sheets.get(eval_name) if self.baseline else None
        return self.candidate.sheets.get(eval_name) or Sheet(), baseline or Sheet()

    def checks(self, eval_name: str) -> list[str]:
        """Return the checks that either side has of an eval, by name."""
        found = {name for side in self.sides(eval_name) for name in side.columns if self._has(side, eval_name, name)}
        return sorted(found)

    def is_compared(self, eval_name: str, metric: str) -> bool:
        """Say whether the baseline has anything judged of a check."""
        _, theirs = self.sides(eval_name)
        column = theirs.columns.get(metric)
        if column is None or self.only is None:
            return column is not None and any(column.judged)
        return any(theirs.judged(metric, case)[1] for case in self.only.get(eval_name, ()))

    def warnings(self) -> Iterator[str]:
        """Say which cases could not be paired."""
        if self.baseline is None:
            return
        for name, sheet in sorted(self.candidate.sheets.items()):
            other = self.baseline.sheets.get(name)
            if other is None:
                continue
            mine, theirs = self._seen(name, sheet), self._seen(name, other)
            shared = len({*mine} & {*theirs})
            different = shared - len(self.cases[name])
            if different:
                yield (
                    f"{name}: {different} of {shared} cases of {self.candidate.model} were asked with another "
                    "question than those of the baseline, and are not compared (allow_other_prompts would)"
                )
            warmer = sum(
                sheet.temperatures[sheet.numbers[case]] != other.temperatures[other.numbers[case]]
                for case in self.cases[name]
            )
            if warmer:
                yield (
                    f"{name}: {warmer} of {len(self.cases[name])} cases of {self.candidate.model} were asked at "
                    "another temperature than those of the baseline, and are compared all the same"
                )
            if shared < len(mine):
                yield f"{name}: {len(mine) - shared} of {len(mine)} cases of {self.candidate.model} have no baseline"
            if shared < len(theirs):
                yield (
                    f"{name}: {len(theirs) - shared} of {len(theirs)} cases of the baseline have no score of "
                    f"{self.candidate.model}"
                )

    def is_pair(self, eval_name: str, case: str) -> bool:
        """Say whether both sides were asked the same under this name."""
        return self._is_pair(*self.sides(eval_name), case=case)

    def is_repeated_alike(self, eval_name: str, case: str) -> bool:
        """Say whether both sides have as many repeats of a case: more of them find more disagreement."""
        mine, theirs = (side.agreement.repeats_of(case) for side in self.sides(eval_name))
        return mine == theirs

    def _is_pair(self, mine: Sheet, theirs: Sheet, *, case: str) -> bool:
        one, other = mine.numbers.get(case), theirs.numbers.get(case)
        if one is None or other is None:
            return False
        return self.allow_other_prompts or mine.asked[one] == theirs.asked[other]

    def _paired(self, name: str) -> tuple[str, ...]:
        mine, theirs = self.sides(name)
        return tuple(case for case in self._seen(name, mine) if self._is_pair(mine, theirs, case=case))

    def _seen(self, name: str, sheet: Sheet) -> Sequence[str]:
        if self.only is None:
            return sheet.cases
        only = self.only.get(name, frozenset())
        return sorted(case for case in only if case in sheet.numbers)

    def _has(self, sheet: Sheet, eval_name: str, metric: str) -> bool:
        if metric == RATING:
            return False
        return self.only is None or any(sheet.is_made(metric, case) for case in self.only.get(eval_name, ()))


@dataclass(frozen=True)
class Expansion:
    """The probes of a policy for one match, and what was left out."""

    probes: tuple[Probe, ...]
    warnings: tuple[str, ...]


def expand(policy: Policy, match: Match, *, subjects: Mapping[str, Sequence[str]] | None = None) -> Expansion:
    """Return the probes of all rules, in the policy's order.

    A rule that names what is not there has a probe all the same: what did not run must not pass. A glob over checks
    leaves out advisory checks, and, where it compares, those of which the baseline has nothing judged. `subjects` are
    those that will come, by eval; None where all have.
    """
    if subjects is None:
        subjects = {
            name: sorted({subject for side in match.sides(name) for subject in side.subjects})
            for name in match.candidate.sheets
        }
    probes: list[Probe] = []
    warnings: list[str] = []
    for rule in policy.rules:
        for name in _evals(rule, match, expected=subjects):
            for metric in _metrics(rule, match, eval_name=name, warnings=warnings):
                there: Sequence[str | None] = (subjects.get(name) or [None]) if rule.per_subject else [None]
                probes += [Probe(rule, name, metric, subject) for subject in there]
    return Expansion(tuple(dict.fromkeys(probes)), tuple(dict.fromkeys(warnings)))


def _evals(rule: Rule, match: Match, *, expected: Mapping[str, Sequence[str]]) -> Sequence[str]:
    there = sorted({*expected, *(match.baseline.sheets if match.baseline else ())})
    if rule.eval in there:
        return [rule.eval]
    return [name for name in there if fnmatchcase(name, rule.eval)] or [rule.eval]


def _metrics(rule: Rule, match: Match, *, eval_name: str, warnings: list[str]) -> Sequence[str]:
    there = match.checks(eval_name)
    if rule.metric == AGREEMENT and rule.needs_baseline:
        warnings += _warn_of_repeats(match, eval_name=eval_name)
    if rule.metric in (LATENCY, FIRST_TOKEN):
        warnings += _warn_of_times(match, eval_name=eval_name, is_compared=rule.needs_baseline)
    if rule.metric in MEASURES or rule.metric in there:
        return [rule.metric]
    sides = match.sides(eval_name)
    meant = [name for name in there if fnmatchcase(name, rule.metric) and not _is_advisory(name, sides)]
    compared = [name for name in meant if not rule.needs_baseline or match.is_compared(eval_name, name)]
    if match.baseline is not None:
        warnings += [
            f"{eval_name} {name} is not compared: nothing of it was judged of {match.baseline.model}"
            for name in meant
            if name not in compared
        ]
    return compared or [rule.metric]


def _warn_of_repeats(match: Match, *, eval_name: str) -> list[str]:
    cases = match.cases.get(eval_name, ())
    unlike = sum(not match.is_repeated_alike(eval_name, case) for case in cases)
    if not unlike or match.baseline is None:
        return []
    name = match.candidate.model
    return [f"{eval_name} agreement: {unlike} of {len(cases)} cases have other numbers of repeats of {name}"]


def _is_advisory(metric: str, sheets: Sequence[Sheet]) -> bool:
    return any(sheet.columns[metric].is_advisory for sheet in sheets if metric in sheet.columns)


def _warn_of_times(match: Match, *, eval_name: str, is_compared: bool) -> list[str]:
    """Say what a rule on times rests on besides the models."""
    told: list[str] = []
    sides = list(zip((match.candidate, match.baseline), match.sides(eval_name), strict=True))
    known = [
        (contender.model, sheet) for contender, sheet in sides[: 2 if is_compared else 1] if contender and sheet.numbers
    ]
    for model, sheet in known:
        untimed = sheet.calls.conditions.untimed
        if untimed:
            calls = len(sheet.calls.numbers)
            told.append(
                f"{eval_name}: the times of {untimed} of {calls} replies of {model} do not count: no whole answers"
            )
    loads = [sheet.calls.conditions.most_in_flight for _, sheet in known]
    if len({*loads}) > 1:
        many = ("an unknown number of" if load is None else f"up to {load}" for load in loads)
        each = " and ".join(f"{model} with {load}" for (model, _), load in zip(known, many, strict=True))
        told.append(
            f"{eval_name}: recorded under different loads, {each} requests in flight: that is in the ratio, too"
        )
    days = [_span(sheet.calls.conditions.days) for _, sheet in known]
    if len({*days}) > 1 and all(days):
        each = " and ".join(f"{model} on {day}" for (model, _), day in zip(known, days, strict=True))
        told.append(f"{eval_name}: recorded on different days, {each}: what changed in between is in the ratio, too")
    return told


def _span(days: Collection[str]) -> str:
    return min(days) if len(days) == 1 else f"{min(days)} to {max(days)}" if days else ""
