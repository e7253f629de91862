"""Real run folders, of records that say just what a test is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tunegate.gate.judging import judge
from tunegate.gate.measures import Contender, Measures, measure_run
from tunegate.gate.policy import Policy, Rule
from tunegate.gate.verdict import Finding, Verdict
from tunegate.records import Cell, Check, Record, Reply, State, Usage
from tunegate.runs import RunFolder

BASE, OURS = "production", "ft:ours"
Passed = bool | None | Sequence[bool]


def make_record(
    case: str,
    checks: Mapping[str, Passed] | None = None,
    *,
    model: str = OURS,
    eval_name: str = "format",
    subject: str = "history",
    repeat: int = 1,
    state: State = "answered",
    asked: str = "?",
    latency_s: float | None = 1.0,
    tokens: tuple[int | None, int | None] = (100, 10),
    advisory: Sequence[str] = (),
) -> Record:
    """Return the record of one cell; a sequence is a check of several questions."""
    made = [
        Check(name, one, advisory=name in advisory)
        for name, passed in (checks or {}).items()
        for one in (passed if isinstance(passed, Sequence) else [passed])
    ]
    return Record(
        Cell(eval_name, case, subject, model, repeat),
        state,
        made,
        messages=[{"role": "system", "content": f"for {model}"}, {"role": "user", "content": asked}],
        reply=Reply("[]", usage=Usage(*tokens)) if state == "answered" else None,
        latency_s=latency_s,
        first_token_s=latency_s,
    )


def make_side(model: str, passed: Sequence[Passed], *, check: str = "answers", **said: object) -> list[Record]:
    """Return one record a case, with one check."""
    return [make_record(f"case-{n:04}", {check: one}, model=model, **said) for n, one in enumerate(passed)]  # type: ignore[arg-type]


def write_run(
    runs: Path,
    records: Iterable[Record],
    *,
    name: str = "run",
    planned: int | None = None,
    is_killed: bool = False,
    header: Mapping[str, object] | None = None,
) -> Path:
    """Write a run whose model `production` is the baseline, and return its folder; planned is what there is."""
    records = list(records)
    models = dict.fromkeys(record.cell.model for record in records)
    matrix = [
        {"name": model, "model": model, "role": "baseline" if model == BASE else "candidate", "base_url": "http://x/v1"}
        for model in models
    ]
    folder = RunFolder.create(runs, name, header={"matrix": matrix, **(header or {})})
    for record in records:
        folder.append(record)
    if is_killed:
        folder.close()
    else:
        folder.finish(planned=len(records) if planned is None else planned)
    return folder.path


def contenders(measures: Measures) -> tuple[list[Contender], Contender | None]:
    """Return the candidates of a run and its baseline."""
    candidates = [measures.contender(model) for model in measures.models if model != BASE]
    return candidates, measures.contender(BASE) if BASE in measures.models else None


def judge_records(runs: Path, records: Iterable[Record], policy: Policy, **said: object) -> Verdict:
    """Write a run, read it and judge it."""
    measures = measure_run(write_run(runs, records, **said))  # type: ignore[arg-type]
    candidates, baseline = contenders(measures)
    return judge(candidates, baseline=baseline, policy=policy)


def only_finding(verdict: Verdict) -> Finding:
    """Return the finding of a verdict that has one."""
    ((finding,),) = [decision.findings for decision in verdict.decisions]
    return finding


def policy_of(*rules: Rule, **said: object) -> Policy:
    """Return a policy of these rules."""
    return Policy(rules, **said)  # type: ignore[arg-type]


def not_worse(margin: float = 0.05, **said: object) -> Rule:
    """Return a rule that compares."""
    return Rule(str(said.pop("name", "kept")), "not_worse_by", margin, **said)  # type: ignore[arg-type]


def at_least(share: float = 0.8, **said: object) -> Rule:
    """Return a rule that compares nothing."""
    return Rule(str(said.pop("name", "enough")), "min", share, **said)  # type: ignore[arg-type]
