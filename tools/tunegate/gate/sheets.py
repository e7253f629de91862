"""What one model did in one eval, kept small: counts by case and metric, times and tokens by call."""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from tunegate.cost import Price, cost_usd
from tunegate.errors import RunError
from tunegate.gate.policy import COST, FIRST_TOKEN, HIGHEST_RATING, LATENCY, LOWEST_RATING, RATING
from tunegate.records import outcome_of, tells_time
from tunegate.runs.brief_records import BriefRecord, BriefUsage
from tunegate.stats import AGREEMENT, Judged, RepeatAgreement

_UNKNOWN = -1
_NO_USAGE = BriefUsage()
_RATING_SPAN = HIGHEST_RATING - LOWEST_RATING


@dataclass
class Column:
    """One metric: what passed and what was judged, by the case's number."""

    passed: array[float] = field(default_factory=lambda: array("d"))
    judged: array[int] = field(default_factory=lambda: array("l"))
    made: bytearray = field(default_factory=bytearray)
    """1 where the check was made, judged or not."""
    is_advisory: bool = False
    """Not one of its judgements counted as a miss."""

    def add(self, number: int, passed: float | None) -> None:
        """Count one judgement of a case; None is a check whose premise did not hold."""
        if number >= len(self.made):
            # By half of what there is: a case each would take as long as all the counting.
            self.grow(number + 1 + len(self.made) // 2)
        self.made[number] = 1
        if passed is not None:
            self.passed[number] += passed
            self.judged[number] += 1

    def grow(self, cases: int) -> None:
        """Have room for as many cases; those that were not seen have nothing judged."""
        missing = cases - len(self.made)
        if missing > 0:
            self.passed.frombytes(bytes(missing * self.passed.itemsize))
            self.judged.frombytes(bytes(missing * self.judged.itemsize))
            self.made.extend(bytes(missing))

    def at(self, number: int) -> Judged:
        """Return (passed, judged) of a case."""
        return (self.passed[number], self.judged[number]) if number < len(self.passed) else (0.0, 0)

    def is_made(self, number: int) -> bool:
        """Say whether the check was made of a case."""
        return number < len(self.made) and self.made[number] == 1


@dataclass
class Conditions:
    """Under what the times of an eval were taken."""

    untimed: int = 0
    """Replies whose times do not count, see `tells_time`."""
    most_in_flight: int | None = 0
    """Requests under way at once; None where a recording does not say."""
    days: set[str] = field(default_factory=set)
    """On which replies were given (UTC)."""

    def add(self, record: BriefRecord, *, is_timed: bool) -> None:
        """Note what a record says."""
        if record.latency_s is None:
            return
        if not is_timed:
            self.untimed += 1
            return
        if record.in_flight is None or self.most_in_flight is None:
            self.most_in_flight = None
        else:
            self.most_in_flight = max(self.most_in_flight, record.in_flight)
        if record.recorded_at:
            self.days.add(record.recorded_at[:10])


@dataclass
class Calls:
    """Times and tokens, a call each; -1 where it is not known."""

    numbers: array[int] = field(default_factory=lambda: array("l"))
    repeats: array[int] = field(default_factory=lambda: array("l"))
    first: array[int] = field(default_factory=lambda: array("l"))
    """By the case's number: the place here of its call with the lowest repeat."""
    _further: set[tuple[int, int]] = field(default_factory=set)
    """Calls that are no case's first to come."""
    latency_s: array[float] = field(default_factory=lambda: array("d"))
    first_token_s: array[float] = field(default_factory=lambda: array("d"))
    prompt_tokens: array[int] = field(default_factory=lambda: array("l"))
    completion_tokens: array[int] = field(default_factory=lambda: array("l"))
    conditions: Conditions = field(default_factory=Conditions)
    cached_tokens: array[int] = field(default_factory=lambda: array("l"))
    """0 where the server did not say: what nobody said was cached costs what other input does."""

    def add(self, number: int, record: BriefRecord) -> None:
        """Keep what a scored record says of its call.

        Raises:
            RunError: the same call stands in the run twice.
        """
        if number == len(self.first):
            self.first.append(len(self.numbers))
        elif record.repeat == self.repeats[self.first[number]] or self._has(number, record.repeat):
            raise RunError(f"two records of {record.eval}[{record.case}] of '{record.model}', repeat {record.repeat}")
        elif record.repeat < self.repeats[self.first[number]]:
            self.first[number] = len(self.numbers)
        self.numbers.append(number)
        self.repeats.append(record.repeat)
        is_timed = tells_time(record.state, record.checks, load=record.load)
        self.latency_s.append(_known(record.latency_s if is_timed else None))
        self.first_token_s.append(_known(record.first_token_s if is_timed else None))
        self.conditions.add(record, is_timed=is_timed)
        usage = record.reply.usage if record.reply else _NO_USAGE
        prompt, completion = usage.prompt_tokens, usage.completion_tokens
        self.prompt_tokens.append(_UNKNOWN if prompt is None else prompt)
        self.completion_tokens.append(_UNKNOWN if completion is None else completion)
        self.cached_tokens.append(usage.cached_tokens or 0)

    def _has(self, number: int, repeat: int) -> bool:
        """Say whether a further call of a case was kept already."""
        if (number, repeat) in self._further:
            return True
        self._further.add((number, repeat))
        return False


@dataclass
class Sheet:
    """What one model did in one eval. Cases are numbered as they came; `cases` is in the order of their names."""

    numbers: dict[str, int] = field(default_factory=dict)
    subjects: list[str] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    """By the case's number: a hash of the last message that was sent, valid in this process."""
    temperatures: list[float | None] = field(default_factory=list)
    """By the case's number, as it was sent; None where the endpoint was left to its own."""
    strata: list[tuple[int | None, int | None]] = field(default_factory=list)
    """By the case's number: the limit of tokens and the load that it was asked under, where the eval sweeps them."""
    columns: dict[str, Column] = field(default_factory=dict)
    even: dict[str, Column] = field(default_factory=dict)
    """The part of `columns` that the even repeats have: the rest, of the odd ones, is the same measured again."""
    agreement: RepeatAgreement = field(default_factory=RepeatAgreement)
    """Of the repeats of a case, by its name."""
    calls: Calls = field(default_factory=Calls)
    repeats: int = 0
    _sorted: tuple[str, ...] = ()

    def add(self, record: BriefRecord) -> None:
        """Count a record that was scored."""
        number = self._number(record)
        self.repeats = max(self.repeats, record.repeat)
        columns, is_even = self.columns, not record.repeat % 2
        for check in record.checks:
            column = columns.get(check.name)
            if column is None:
                column = columns[check.name] = Column(is_advisory=check.advisory)
            elif column.is_advisory:
                column.is_advisory = check.advisory
            column.add(number, check.passed)
            if is_even and check.passed is not None:
                self.even.setdefault(check.name, Column()).add(number, check.passed)
        outcome = outcome_of(record.checks)
        if outcome:
            self.agreement.add(record.case, outcome)
        self.calls.add(number, record)

    def rate(self, case: str, rating: float) -> None:
        """Count one rating of a case that has a reply."""
        number = self.numbers.get(case)
        if number is not None:
            self.columns.setdefault(RATING, Column()).add(number, (rating - LOWEST_RATING) / _RATING_SPAN)

    def _number(self, record: BriefRecord) -> int:
        number = self.numbers.get(record.case)
        if number is None:
            number = self.numbers[record.case] = len(self.numbers)
            # Thousands of cases share a few subjects: each is kept once.
            self.subjects.append(sys.intern(record.subject))
            self.temperatures.append(record.temperature)
            self.strata.append((record.max_tokens, record.load))
            self.asked.append(hash(record.messages[-1].content) if record.messages else 0)
        return number

    @property
    def cases(self) -> tuple[str, ...]:
        """The cases with a score, by name."""
        if len(self._sorted) != len(self.numbers):
            self._sorted = tuple(sorted(self.numbers))
        return self._sorted

    def judged(self, metric: str, case: str) -> Judged:
        """Return (passed, judged) of a case, over its questions and repeats."""
        if metric == AGREEMENT:
            return self.agreement.at(case)
        column = self.columns.get(metric)
        number = self.numbers.get(case)
        return (0.0, 0) if column is None or number is None else column.at(number)

    def judged_of(self, metric: str, cases: Sequence[str]) -> list[Judged]:
        """Return (passed, judged) of each of these cases, all of which have a score; as `judged`, and quicker."""
        if metric == AGREEMENT:
            return [self.agreement.at(case) for case in cases]
        column = self.columns.get(metric)
        if column is None:
            return [(0.0, 0)] * len(cases)
        column.grow(len(self.numbers))
        passed, judged = column.passed, column.judged
        return [(passed[number], judged[number]) for number in map(self.numbers.__getitem__, cases)]

    def is_made(self, metric: str, case: str) -> bool:
        """Say whether a check was made of a case, judged or not."""
        column = self.columns.get(metric)
        number = self.numbers.get(case)
        return column is not None and number is not None and column.is_made(number)

    def subject_of(self, case: str) -> str:
        """Return the group of a case."""
        return self.subjects[self.numbers[case]]

    def first_value(self, measure: str, case: str) -> float | None:
        """Return a time of the first call of a case, which knows of no other; None where it is not known."""
        call = self.calls.first[self.numbers[case]]
        value = (self.calls.latency_s if measure == LATENCY else self.calls.first_token_s)[call]
        return value if value >= 0 else None

    def values(self, measure: str, *, price: Price | None = None) -> dict[str, float]:
        """Return one value a case: the median of a time over its repeats, or the mean of what its calls cost.

        Cases whose value is not known are left out.
        """
        names = list(self.numbers)
        if len(self.calls.numbers) == len(names):
            # One call a case, in the order of their numbers.
            values = zip(names, (value for _, value in self._values(measure, price=price)), strict=True)
            return {name: value for name, value in values if value is not None and value >= 0}
        found: dict[int, list[float]] = {}
        for number, value in self._values(measure, price=price):
            if value is not None and value >= 0:
                found.setdefault(number, []).append(value)
        return {
            names[number]: (math.fsum(values) / len(values) if measure == COST else median(values))
            for number, values in found.items()
        }

    def _values(self, measure: str, *, price: Price | None) -> Iterator[tuple[int, float | None]]:
        calls = self.calls
        if measure != COST:
            times = {LATENCY: calls.latency_s, FIRST_TOKEN: calls.first_token_s}[measure]
            yield from zip(calls.numbers, times, strict=True)
            return
        for number, prompt, completion, cached in zip(
            calls.numbers, calls.prompt_tokens, calls.completion_tokens, calls.cached_tokens, strict=True
        ):
            yield (
                number,
                cost_usd(
                    price,
                    prompt_tokens=prompt if prompt >= 0 else None,
                    completion_tokens=completion if completion >= 0 else None,
                    cached_tokens=cached,
                ),
            )


def _known(value: float | None) -> float:
    return _UNKNOWN if value is None or not 0 <= value < math.inf else value
