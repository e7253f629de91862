"""Judging case by case: evidence that may be looked at after each one, so that asking can stop when it is enough.

Cases come in a random order that is fixed before any is asked. Each finding has two tests by betting (Waudby-Smith and
Ramdas 2024, see `tunegate.stats.betting`), that its rule holds and that it is broken, whose p-values are valid at any
time; ratios of medians or means, for which there is none, are looked at when the cases have doubled, each look
paying for itself. Valid at any time, they go through the same correction as those of a whole run.

Once a candidate is decided, its findings stay as they are. That keeps the family's level: p-values of others only
shrink, with them Holm's adjusted ones, and so what was shown once would be shown still.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tunegate.cost import Price
from tunegate.gate.evidence.known import Evidence, Setting
from tunegate.gate.evidence.scales import unscaled
from tunegate.gate.evidence.weighing import weigh
from tunegate.gate.judging import Weighed, adjust, blind_guards, decide, size_families, word_of
from tunegate.gate.measures import Contender
from tunegate.gate.order import Place, Plan, in_order
from tunegate.gate.policy import TIMES, Policy
from tunegate.gate.probes import Expansion, Match, Probe, expand
from tunegate.gate.stopping.anytime import mean_interval, percentile_interval
from tunegate.gate.stopping.bets import Track, bet_of, null_of, raw_values, shares_of
from tunegate.gate.verdict import Decision, Estimate, Verdict
from tunegate.stats import Interval, NotEnoughData, difference_of_share

FIRST_LOOK = 50
"""Cases at which ratios are looked at first; then at twice as many, and so on, and at the end of the plan."""


@dataclass
class Course:
    """One candidate, as far as cases have come."""

    match: Match
    expansion: Expansion
    tracks: dict[Probe, Track]
    seen: set[tuple[str, str, bool]] = field(default_factory=set)
    """Eval, check and side of what was judged, or made, of the cases so far."""
    used: int = 0
    """Cases that were taken into account."""
    decided: list[Weighed] | None = None
    """What was found when the word was known; None before."""


class SequentialJudge:
    """Takes cases in their order and knows, after each, what is decided.

    The sheets of candidates and baseline may still grow: only the cases that were taken are looked at. What a rule
    stands for is known as far as the plan says it, evals and subjects; a check that comes up later joins its family
    then.
    """

    def __init__(
        self,
        candidates: Sequence[Contender],
        *,
        baseline: Contender | None,
        policy: Policy,
        plan: Plan,
        prices: Mapping[str, Price | None] | None = None,
    ) -> None:
        self._policy = policy
        self._plan = plan
        self._setting = Setting(level=policy.level, seed=policy.seed, prices=prices or {}, is_whole=False)
        self._taken: list[Place] = []
        self._counts: Counter[str] = Counter()
        self._courses = [self._begin(Match(one, baseline, policy.allow_other_prompts)) for one in candidates]

    @property
    def taken(self) -> int:
        """How many cases were taken."""
        return len(self._taken)

    def is_decided(self, candidate: str) -> bool:
        """Say whether the word on a candidate is known."""
        return any(one.match.candidate.model == candidate and one.decided is not None for one in self._courses)

    @property
    def is_over(self) -> bool:
        """Whether the word on every candidate is known."""
        return all(course.decided is not None for course in self._courses)

    def take(self, place: Place) -> None:
        """Take the next case into account; whoever is decided stays so."""
        self._taken.append(place)
        self._counts[place.eval] += 1
        going = [course for course in self._courses if course.decided is None]
        for course in going:
            course.used += 1
            if self._has_news(course, place):
                self._expand(course)
            for track in course.tracks.values():
                self._bet(track, course.match, place)
        for course in going:
            self._look_at_ratios(course)
        found = self._weighed()
        for course, weighed in zip(self._courses, found, strict=True):
            if course.decided is None and word_of(weighed, level=self._policy.level) != "INCONCLUSIVE":
                course.decided = weighed

    def verdict(self) -> Verdict:
        """Return the verdict on the cases that were taken, of those that could have been."""
        decisions: list[Decision] = []
        told: list[str] = []
        for course, weighed in zip(self._courses, self._weighed(), strict=True):
            match = self._so_far(course)
            cases = {name: [place for place in self._used(course) if place.eval == name] for name in self._counts}
            findings = [
                replace(one, evidence=self._evidence(one, course, match=match, places=cases.get(one.probe.eval, [])))
                for one in weighed
            ]
            decision = decide(match, findings, policy=self._policy)
            decisions.append(replace(decision, cases_used=course.used, cases_planned=self._plan.cases))
            told += [*course.expansion.warnings, *blind_guards(decision), *match.warnings()]
        matches = [course.match for course in self._courses]
        run = matches[0].candidate.run if matches else ""
        baseline = matches[0].baseline if matches else None
        return Verdict(
            candidate_run=run,
            baseline_run=baseline.run if baseline is not None and baseline.run != run else None,
            policy=self._policy,
            decisions=tuple(decisions),
            warnings=tuple(dict.fromkeys(told)),
        )

    def _begin(self, match: Match) -> Course:
        expansion = expand(self._policy, replace(match, only={}), subjects=self._plan.subjects)
        return Course(match, expansion, {probe: Track.of(probe) for probe in expansion.probes})

    def _has_news(self, course: Course, place: Place) -> bool:
        """Say whether a case is the first of which a check was made, or, for the baseline, judged."""
        mine, theirs = course.match.sides(place.eval)
        found = {(place.eval, name, False) for name in mine.columns if mine.is_made(name, place.case)}
        for name in theirs.columns:
            if theirs.is_made(name, place.case):
                found.add((place.eval, name, False))
                if theirs.judged(name, place.case)[1]:
                    found.add((place.eval, name, True))
        if found <= course.seen:
            return False
        course.seen |= found
        return True

    def _expand(self, course: Course) -> None:
        """Find out anew what the rules stand for; of what comes up now, no case before had anything to bet on."""
        course.expansion = expand(self._policy, self._so_far(course), subjects=self._plan.subjects)
        course.tracks = {probe: course.tracks.get(probe) or Track.of(probe) for probe in course.expansion.probes}

    def _bet(self, track: Track, match: Match, place: Place) -> None:
        probe = track.probe
        if probe.eval != place.eval or probe.subject not in (None, place.subject) or track.holds is None:
            return
        value = bet_of(probe, match, place.case)
        if value is not None:
            track.bet(value)

    def _look_at_ratios(self, course: Course) -> None:
        for track in course.tracks.values():
            cases = self._counts[track.probe.eval]
            is_due = cases >= FIRST_LOOK * 2**track.looks or len(self._taken) == self._plan.cases
            if track.holds is None and is_due and cases > track.looked_at:
                self._look(track, course, cases=cases)

    def _look(self, track: Track, course: Course, *, cases: int) -> None:
        sizes = size_families(probe for one in self._courses for probe in one.tracks)
        price = track.price()
        setting = replace(
            self._setting,
            level=1 - (1 - self._policy.level) / price,
            shares={family: count.broken for family, count in sizes.items()},
        )
        track.look(weigh(track.probe, self._so_far(course), setting), price=price, cases=cases)

    def _weighed(self) -> list[list[Weighed]]:
        """Return all findings by candidate, adjusted for each other."""
        bare = [
            [bare_weighed(track) for track in course.tracks.values()] if course.decided is None else course.decided
            for course in self._courses
        ]
        adjusted = adjust([one for findings in bare for one in findings])
        found: list[list[Weighed]] = []
        for course, findings in zip(self._courses, bare, strict=True):
            mine, adjusted = adjusted[: len(findings)], adjusted[len(findings) :]
            found.append(mine if course.decided is None else course.decided)
        return found

    def _used(self, course: Course) -> Sequence[Place]:
        return self._taken[: course.used]

    def _so_far(self, course: Course) -> Match:
        only: dict[str, set[str]] = {}
        for place in self._used(course):
            only.setdefault(place.eval, set()).add(place.case)
        return replace(course.match, only={name: frozenset(cases) for name, cases in only.items()})

    def _evidence(self, weighed: Weighed, course: Course, *, match: Match, places: Sequence[Place]) -> Evidence:
        """Return what is told of a finding beside its p-values, in intervals that hold whenever asking stops."""
        probe, bare = weighed.probe, weighed.evidence
        track = course.tracks[probe]
        if track.holds is None and track.best is not None:
            return replace(track.best.evidence, p_holds=bare.p_holds, p_broken=bare.p_broken)
        whole = weigh(probe, match, self._setting)
        effect, candidate, baseline = whole.effect, whole.candidate, whole.baseline
        if isinstance(effect, Interval) and track.holds is None:
            effect = NotEnoughData(f"a ratio is looked at after {FIRST_LOOK} cases first")
        elif isinstance(effect, Interval):
            cases = [place.case for place in places if probe.subject in (None, place.subject)]
            effect, candidate, baseline = self._estimates(track, match, cases)
        flips = replace(whole.flips, p_value=None) if whole.flips is not None else None
        return replace(
            whole,
            candidate=candidate,
            baseline=baseline,
            effect=effect,
            p_holds=bare.p_holds,
            p_broken=bare.p_broken,
            flips=flips,
        )

    def _estimates(
        self, track: Track, match: Match, cases: Sequence[str]
    ) -> tuple[Estimate, Estimate, Estimate | None]:
        """Return the effect and both sides."""
        probe, level = track.probe, self._policy.level
        if probe.metric in TIMES:
            times = raw_values(probe, match, cases)
            found = percentile_interval(times, probe.rule.percentile, level=level, threshold=probe.rule.threshold)
            return found, found, None
        effect = mean_interval(track.values, level=level, null=null_of(probe) or 0.5)
        if not probe.rule.needs_baseline or isinstance(effect, NotEnoughData):
            shown = unscaled(probe, effect, is_difference=False)
            return shown, shown, None
        low, middle, high = map(difference_of_share, (effect.low, effect.estimate, effect.high))
        effect = replace(effect, low=low, estimate=middle, high=high)
        shares = [shares_of(probe, match, case) for case in cases]
        mine = mean_interval([share for share, _ in shares if share is not None], level=level)
        theirs = mean_interval([share for _, share in shares if share is not None], level=level)
        return (
            unscaled(probe, effect, is_difference=True),
            unscaled(probe, mine, is_difference=False),
            unscaled(probe, theirs, is_difference=False),
        )


def bare_weighed(track: Track) -> Weighed:
    """Return a finding of which no more is known than its p-values, not adjusted yet."""
    nothing = NotEnoughData("not estimated")
    p_holds, p_broken = track.p_values()
    return Weighed(track.probe, Evidence(nothing, None, nothing, p_holds, p_broken, clusters=len(track.values)))


def judge_until_decided(
    candidates: Sequence[Contender],
    *,
    baseline: Contender | None,
    policy: Policy,
    plan: Plan,
    prices: Mapping[str, Price | None] | None = None,
) -> Verdict:
    """Return the verdict that asking until everything is decided comes to, on cases that were asked already."""
    judge = SequentialJudge(candidates, baseline=baseline, policy=policy, plan=plan, prices=prices)
    for place in in_order(plan.places, seed=plan.seed):
        if judge.is_over:
            break
        judge.take(place)
    return judge.verdict()
