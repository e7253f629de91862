"""Who is held against whom: the runs, the models in them and the prices that a gate was called for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tunegate.cases.kept_models import listed_models
from tunegate.cases.names import list_names, match_names
from tunegate.cassettes.address import quote_name, unquote_name
from tunegate.cost import Price
from tunegate.errors import UsageError
from tunegate.gate.judging import judge
from tunegate.gate.measures import Contender, Measures, measure_run
from tunegate.gate.order import Place, Plan
from tunegate.gate.policy import COST, Policy
from tunegate.gate.run_prices import prices_of
from tunegate.gate.stopping.sequential import judge_until_decided
from tunegate.gate.verdict import Verdict

ACCEPTED = "accepted"
RUNS = "runs"


@dataclass(frozen=True)
class Contest:
    """All that a verdict is made from."""

    candidate_folder: Path
    baseline_folder: Path | None
    """None where nothing is compared; the candidate's own where both stand in one run."""
    candidates: tuple[Contender, ...]
    baseline: Contender | None
    policy: Policy
    prices: Mapping[str, Price | None] = field(default_factory=dict)
    """By model; empty where no rule is on cost."""
    plan: Plan | None = None
    """Asked, or to be judged, until everything is decided; None judges all there is at once."""

    def judge(self) -> Verdict:
        """Return the verdict."""
        if self.plan is not None:
            return judge_until_decided(
                self.candidates, baseline=self.baseline, policy=self.policy, plan=self.plan, prices=self.prices
            )
        return judge(self.candidates, baseline=self.baseline, policy=self.policy, prices=self.prices)


@dataclass(frozen=True)
class Reading:
    """A run folder and what was read of it."""

    folder: Path
    measures: Measures


def open_contest(
    run: Path | Reading,
    *,
    policy: Policy,
    reports: Path,
    fixtures: Path,
    baseline: str | None = None,
    against: str | None = None,
    patterns: Sequence[str] = (),
    until_decided: bool = False,
) -> Contest:
    """Read a run and what its candidates are held against; of a run that has only begun there is a reading already.

    `baseline` is a run (its folder, or its name below `reports/runs`) or `accepted/<model>`; without it, the baseline
    is looked for in the run itself and then among the accepted. `against` names the baseline's row where several could
    be meant, `patterns` (names or globs) name the candidates; without them, the run's candidates are meant.
    `fixtures` holds the prices, which are read where a rule is on cost. A run that was itself asked until everything
    was decided is judged so in any case: its cases were chosen by what came before.

    Raises:
        UsageError: no such run or model, or the rules compare and there is nothing to compare with.
        RunError: a run cannot be read.
    """
    own = read_whole(run) if isinstance(run, Path) else run
    compares = policy.needs_baseline or baseline is not None or against is not None
    found = (
        _find_opponent(own, baseline=baseline, against=against, reports=reports, fixtures=fixtures)
        if compares
        else None
    )
    if found is None and compares:
        raise UsageError(
            f"{policy.origin} compares with a baseline, and {_absence(own.measures, against, reports=reports)}\n"
            f"  name one: --baseline RUN or --baseline {ACCEPTED}/<model>, and --against MODEL where it holds several"
        )
    other, opponent = found if found is not None else (None, None)
    names = _candidates(own.measures, patterns, opponent=opponent if other is own else None)
    prices: dict[str, Price | None] = {}
    if any(rule.metric == COST for rule in policy.rules):
        prices |= prices_of(own.measures, names, fixtures=fixtures)
        if other is not None and opponent is not None:
            prices |= prices_of(other.measures, [opponent], fixtures=fixtures)
    return Contest(
        candidate_folder=own.folder,
        baseline_folder=other.folder if other is not None else None,
        candidates=tuple(own.measures.contender(name) for name in names),
        baseline=other.measures.contender(opponent) if other is not None and opponent is not None else None,
        policy=policy,
        prices=prices,
        plan=_plan(own.measures, names, policy=policy, until_decided=until_decided),
    )


def read_whole(folder: Path) -> Reading:
    """Read a run that is no part of one.

    Raises:
        UsageError: it is the run of a shard.
        RunError: it cannot be read.
    """
    measures = measure_run(folder)
    shard = measures.header.get("shard")
    if shard is not None:
        raise UsageError(
            f"the run {measures.run} is shard {shard['number']}/{shard['of']} of a run, and a part says nothing of the "
            "whole\n  join the parts first: tunegate merge RUN RUN ..."
        )
    return Reading(folder, measures)


def find_run(where: str, *, reports: Path) -> Path:
    """Return the folder of a run: of `accepted/<model>`, of a name below `reports/runs`, or the folder itself.

    Raises:
        UsageError: there is no such folder.
    """
    first, _, model = where.partition("/")
    places = [Path(where), reports / RUNS / where]
    if first == ACCEPTED and model:
        places.insert(0, accepted_folder(model, reports=reports))
    for place in places:
        if place.is_dir():
            return place
    accepted = accepted_models(reports)
    raise UsageError(
        f"no run called {where!r}: neither a folder, nor a name in {reports / RUNS}, nor {ACCEPTED}/<model>\n"
        f"  accepted: {list_names(model or where, accepted) if accepted else 'none yet'}"
    )


def accepted_folder(model: str, *, reports: Path) -> Path:
    """Return where the records of a promoted model lie, or would lie."""
    return reports / ACCEPTED / quote_name(model)


def accepted_models(reports: Path) -> tuple[str, ...]:
    """Return the models that have records below `reports/accepted`, by name."""
    folders = sorted(path for path in (reports / ACCEPTED).glob("*") if path.is_dir())
    return tuple(unquote_name(folder.name) or folder.name for folder in folders)


def name_model(runs: Sequence[Measures], patterns: Sequence[str]) -> str:
    """Return the one model that is meant, and that all the runs have.

    Raises:
        UsageError: there is none, or several.
    """
    shared = [model for model in runs[0].models if all(model in run.models for run in runs)]
    named = [model for model in shared if any(match_names(pattern, [model]) for pattern in patterns)]
    baselines = [model for model in shared if runs[0].role_of(model) == "baseline"]
    chosen = named if patterns else shared if len(shared) == 1 else baselines
    if len(chosen) != 1:
        meant = f"--model {' '.join(patterns)} means {_list(chosen)}" if patterns else "it is not named"
        raise UsageError(f"which model? {meant}\n  the runs have {_list(shared)}: name one with --model")
    return chosen[0]


def _plan(measures: Measures, names: Sequence[str], *, policy: Policy, until_decided: bool) -> Plan | None:
    kept = measures.header.get("until_decided")
    if kept is None and not until_decided:
        return None
    asked: dict[Place, None] = {}
    for name in names:
        for eval_name, sheet in measures.sheets.get(name, {}).items():
            asked |= dict.fromkeys(Place(eval_name, case, sheet.subject_of(case)) for case in sheet.cases)
        # What was asked and has no score was asked all the same, and counts among the cases that were taken.
        asked |= dict.fromkeys(measures.unscored.get(name, ()))
    if kept is None:
        return Plan.of(list(asked), seed=policy.seed)
    return Plan(tuple(asked), cases=kept["cases"], subjects=kept["subjects"], seed=kept["seed"])


def _find_opponent(
    own: Reading, *, baseline: str | None, against: str | None, reports: Path, fixtures: Path
) -> tuple[Reading, str] | None:
    if baseline is not None:
        folder = find_run(baseline, reports=reports)
        reading = own if folder.resolve() == own.folder.resolve() else read_whole(folder)
        return reading, _row(reading, against)
    has_others = len(own.measures.models) > 1
    if against in own.measures.models or (has_others and against is None and _baselines(own.measures)):
        return own, _row(own, against)
    accepted = accepted_models(reports)
    wanted = [model for model in accepted if against in (None, model)]
    if len(wanted) > 1:
        # One promotion after another leaves several: the last one is the baseline now, the others are retired.
        wanted = [
            model.name for model in listed_models(fixtures) if model.role == "baseline" and model.name in wanted
        ] or wanted
    if len(wanted) == 1:
        folder = accepted_folder(wanted[0], reports=reports)
        return read_whole(folder), wanted[0]
    if wanted:
        raise UsageError(f"several baselines are accepted, name one: --against {' or --against '.join(wanted)}")
    return None


def _absence(measures: Measures, against: str | None, *, reports: Path) -> str:
    """Say why there is no baseline, and what there is."""
    there = f"the run {measures.run} has {_list(measures.models)}, accepted: {_list(accepted_models(reports))}"
    if against is not None:
        return f"{against!r} is neither a row of the run nor accepted: {there}"
    return f"beside the candidate there is none: {there}"


def _row(reading: Reading, against: str | None) -> str:
    """Return the row of a run that is the baseline."""
    models = reading.measures.models
    if against is not None:
        if against not in models:
            raise UsageError(f"the run {reading.measures.run} has no model {against!r}, it has {', '.join(models)}")
        return against
    of_folder = [model for model in models if quote_name(model) == reading.folder.name]
    rows = of_folder or _baselines(reading.measures) or models
    if len(rows) != 1:
        found = " or --against ".join(rows) if rows else "nothing: it has no records"
        raise UsageError(f"which model of the run {reading.measures.run} is the baseline? name it: --against {found}")
    return rows[0]


def _baselines(measures: Measures) -> list[str]:
    return [model for model in measures.models if measures.role_of(model) == "baseline"]


def _candidates(measures: Measures, patterns: Sequence[str], *, opponent: str | None) -> list[str]:
    models = [model for model in measures.models if model != opponent]
    if patterns:
        chosen: set[str] = set()
        for pattern in patterns:
            matched = match_names(pattern, models)
            if not matched:
                raise UsageError(f"no candidate matches {pattern!r} in the run {measures.run}: it has {_list(models)}")
            chosen.update(matched)
        return [model for model in models if model in chosen]
    candidates = [model for model in models if measures.role_of(model) == "candidate"]
    if not candidates and len(models) == 1:
        candidates = models
    if not candidates:
        raise UsageError(
            f"no candidate in the run {measures.run}: it has {_list(models)} beside the baseline\n"
            "  name the candidates: --model NAME"
        )
    return candidates


def _list(models: Sequence[str]) -> str:
    return ", ".join(models) or "none"
