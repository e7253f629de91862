"""The table at the end of a run: model x metric with n, share and interval."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tunegate.records import SCORED, STATES, Cell, Record, outcome_of
from tunegate.stats import AGREEMENT, Interval, NotEnoughData, RepeatAgreement, clustered_share


@dataclass(frozen=True)
class Setting:
    """How a cell was asked, apart from its case."""

    repeat: int
    temperature: float | None
    shots: int


@dataclass
class ModelTally:
    """What one model did in one eval, kept small: counts by case, not the records."""

    states: Counter[str] = field(default_factory=Counter)
    cases: set[str] = field(default_factory=set)
    settings: set[Setting] = field(default_factory=set)
    metrics: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    """metric -> case -> [passed, judged]: a case is one cluster, over its questions and its repeats."""
    totals: dict[str, list[int]] = field(default_factory=dict)
    """metric -> [passed, judged] over all cases."""
    agreement: RepeatAgreement = field(default_factory=RepeatAgreement)
    """Of the repeats of each case."""
    latencies_s: list[float] = field(default_factory=list)
    first_tokens_s: list[float] = field(default_factory=list)

    def share(self, metric: str) -> Interval | NotEnoughData:
        """Return the share of checks passed with its 95 % interval, clustered by case."""
        return clustered_share((passed, judged) for passed, judged in self.metrics.get(metric, {}).values())

    def running_share(self, metric: str) -> float | None:
        """Return the bare share so far, for a progress line; None before anything was judged."""
        passed, judged = self.totals.get(metric, (0, 0))
        return passed / judged if judged else None


class Tally:
    """Counts records as they come, by eval and model, in the order in which they first came."""

    def __init__(self) -> None:
        self.evals: dict[str, dict[str, ModelTally]] = defaultdict(dict)
        self.records = 0
        self.states: Counter[str] = Counter()
        self.latest: Cell | None = None

    def add(self, record: Record) -> None:
        """Count one record; what was not scored counts in the states only."""
        self.records += 1
        self.states[record.state] += 1
        self.latest = record.cell
        models = self.evals[record.cell.eval]
        model = models.setdefault(record.cell.model, ModelTally())
        model.states[record.state] += 1
        model.cases.add(record.cell.case)
        model.settings.add(Setting(record.cell.repeat, record.cell.temperature, record.cell.shots))
        if record.state not in SCORED:
            return
        for check in record.checks:
            cases = model.metrics.setdefault(check.name, {})
            if check.passed is None:
                continue
            for count in (cases.setdefault(record.cell.case, [0, 0]), model.totals.setdefault(check.name, [0, 0])):
                count[0] += check.passed
                count[1] += 1
        outcome = outcome_of(record.checks)
        if outcome:
            model.agreement.add(record.cell.case, outcome)
        if record.latency_s is not None:
            model.latencies_s.append(record.latency_s)
        if record.first_token_s is not None:
            model.first_tokens_s.append(record.first_token_s)


def render_table(
    tally: Tally, *, order: Sequence[str] = (), not_converged: Mapping[str, str] | None = None
) -> list[str]:
    """Return the lines of the table, 80 columns wide where the models' names allow it.

    Models stand in the given order, those that it does not name after it by name: never in the order in which
    workers happened to report. `not_converged` says of models why their training did not work: what they answered is
    shown like the rest, with a line below it.
    """
    places = {name: place for place, name in enumerate(order)}
    lines: list[str] = []
    for eval_name, models in sorted(tally.evals.items()):
        names = sorted(models, key=lambda name: (places.get(name, len(places)), name))
        lines += _render_eval(eval_name, models, names=names)
    there = {name for models in tally.evals.values() for name in models}
    failed = {name: reason for name, reason in (not_converged or {}).items() if name in there}
    lines += [f"{name} did not converge: {reason}" for name, reason in failed.items()]
    return lines


def _render_eval(eval_name: str, models: Mapping[str, ModelTally], *, names: Sequence[str]) -> Iterator[str]:
    metrics = _in_order(metric for name in names for metric in models[name].metrics)
    is_repeated = any(models[name].agreement.is_judged for name in names)
    first = max(map(len, ["replies", *metrics, *([AGREEMENT] if is_repeated else [])]))
    second = max(len("model"), *map(len, names))
    yield _render_settings(eval_name, models, names=names)
    yield ""
    yield f"{'metric':{first}}  {'model':{second}}  {'n':>6}  {'share':>7}  95 % interval"
    if not metrics:
        yield f"{'-':{first}}  nothing was scored"
    for metric in metrics:
        label = metric
        for name in names:
            yield f"{label:{first}}  {name:{second}}  {_render_share(models[name].share(metric))}"
            label = ""
    if is_repeated:
        label = AGREEMENT
        for name in names:
            yield f"{label:{first}}  {name:{second}}  {_render_agreement(models[name].agreement)}"
            label = ""
    yield ""
    yield from _render_replies(models, names=names, indent=first, width=second)
    yield ""


def _render_settings(eval_name: str, models: Mapping[str, ModelTally], *, names: Sequence[str]) -> str:
    """Return `format: 200 cases x 3 repeats, temperature 0, 2 shots`, of what all models have in common."""
    settings = {setting for name in names for setting in models[name].settings}
    cases = max(len(models[name].cases) for name in names)
    repeats = max(setting.repeat for setting in settings)
    parts = [f"{cases} cases x {repeats} repeats" if repeats > 1 else f"{cases} cases"]
    temperatures = _shared_temperatures(models[name].settings for name in names)
    if temperatures:
        parts.append(f"temperature {' and '.join(f'{one:g}' for one in temperatures)}")
    shots = {setting.shots for setting in settings}
    if len(shots) == 1 and shots != {0}:
        parts.append(f"{shots.pop()} shots")
    return f"{eval_name}: {', '.join(parts)}"


def _shared_temperatures(settings: Iterable[Iterable[Setting]]) -> list[float]:
    """Return the temperatures, rising, at which every model was asked; none where they differ between models.

    An eval may ask its cases at several, and a row of the matrix may keep its own, or leave it to the endpoint.
    """
    asked = {frozenset(setting.temperature for setting in of_model) for of_model in settings}
    known = [one for one in asked.pop() if one is not None] if len(asked) == 1 else []
    return sorted(known)


def _render_share(share: Interval | NotEnoughData) -> str:
    if isinstance(share, NotEnoughData):
        return f"{'-':>6}  {'-':>7}  {share.reason}"
    return f"{share.n:>6g}  {100 * share.estimate:>5.1f} %  {100 * share.low:>5.1f} - {100 * share.high:.1f} %"


def _render_agreement(agreement: RepeatAgreement) -> str:
    return _render_share(agreement.share() if agreement.is_judged else NotEnoughData("no case was answered twice"))


def _render_replies(
    models: Mapping[str, ModelTally], *, names: Sequence[str], indent: int, width: int
) -> Iterator[str]:
    """Yield how many replies there were of each kind that occurred, and how long they took, a model a line."""
    states = [state for state in STATES if any(models[name].states[state] for name in names)]
    head = "".join(f"  {state:>9}" for state in states)
    yield f"{'replies':{indent}}  {'model':{width}}{head}  {'median':>8}  {'first token':>11}"
    for name in names:
        model = models[name]
        counts = "".join(f"  {model.states[state]:>9}" for state in states)
        whole, first = _render_median(model.latencies_s), _render_median(model.first_tokens_s)
        yield f"{'':{indent}}  {name:{width}}{counts}  {whole:>8}  {first:>11}"


def _render_median(times_s: Sequence[float]) -> str:
    return f"{statistics.median(times_s):.2f} s" if times_s else "-"


def _in_order(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
