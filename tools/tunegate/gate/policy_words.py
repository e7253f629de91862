"""A policy in words: what each rule asks for, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Mapping

from tunegate.cases.names import is_glob
from tunegate.gate.policy import MEASURES, RATING, TIMES, OnInconclusive, Policy, Rule
from tunegate.stats import AGREEMENT

_ENDINGS: Mapping[OnInconclusive, str] = {
    "stop": "stops: it has its own exit status, 10",
    "block": "blocks: its exit status is that of BLOCK, 1",
    "pass": "passes: its exit status is that of PROMOTE, 0",
}


def explain(policy: Policy) -> list[str]:
    """Return what a policy asks for, in lines for people: its origin, its rules, and what holds for all of them."""
    lines = [policy.origin]
    lines += [f"  {rule.name}{_remark(rule)}: {_target(rule)} {_demand(rule)}" for rule in policy.rules]
    level = _percent(policy.level)
    lines.append(f"level {level}: a rule holds, or is broken, where its {level} interval lies on one side")
    families = dict.fromkeys(rule.family for rule in policy.rules)
    lines += [f"family {family}: {_sharing(policy, family)}" for family in families]
    lines.append(
        f"missing: up to {_percent(policy.tolerance)} of the planned cells may be without a score"
        if policy.tolerance
        else "missing: without a score for every planned cell it is no PROMOTE"
    )
    lines.append(f"INCONCLUSIVE {_ENDINGS[policy.on_inconclusive]}")
    if policy.allow_other_prompts:
        lines.append("other prompts: cases of one name are compared although they were asked differently")
    return lines


def _remark(rule: Rule) -> str:
    words = [*(["guard"] if rule.guard else []), *(["in each subject"] if rule.per_subject else [])]
    return f" ({', '.join(words)})" if words else ""


def _target(rule: Rule) -> str:
    """Return what a rule is about: `format schema`, `every check of format`, `the median latency_s of every eval`."""
    metric, name = _each(rule.metric, "check"), _each(rule.eval, "eval")
    if (metric, name) == (rule.metric, rule.eval) and metric not in MEASURES:
        return f"{name} {metric}"
    if metric in TIMES and rule.percentile != 0.5:
        return f"{metric} of {_percent(rule.percentile)} of the calls of {name}"
    if metric == AGREEMENT:
        return f"the agreement of the repeats of each case of {name}"
    mean = "the median " if metric in TIMES else "the mean " if metric in MEASURES else ""
    return f"{mean}{metric} of {name}"


def _each(pattern: str, noun: str) -> str:
    if pattern == "*":
        return f"every {noun}"
    return f"each {noun} like {pattern!r}" if is_glob(pattern) else pattern


def _demand(rule: Rule) -> str:
    """Return what must be shown, or of a guard what must not."""
    if rule.guard:
        return f"must not be shown to be {_opposite(rule)}"
    value = _threshold(rule)
    match rule.kind:
        case "min":
            wanted = f"at least {value}"
        case "max":
            wanted = f"at most {value}"
        case "not_worse_by":
            wanted = f"less than {value} worse than the baseline"
        case "better_by":
            wanted = f"more than {value} better than the baseline" if rule.threshold else "better than the baseline"
        case "max_ratio":
            wanted = f"at most {value} of the baseline's"
    return f"must be shown to be {wanted}"


def _opposite(rule: Rule) -> str:
    value = _threshold(rule)
    match rule.kind:
        case "min":
            return f"below {value}"
        case "max":
            return f"above {value}"
        case "not_worse_by":
            return f"more than {value} worse than the baseline"
        case "better_by":
            return f"less than {value} better than the baseline" if rule.threshold else "worse than the baseline"
        case "max_ratio":
            return f"above {value} of the baseline's"


def _threshold(rule: Rule) -> str:
    if rule.metric in TIMES and rule.kind == "max":
        return f"{rule.threshold:.12g} s"
    is_margin = rule.kind in ("not_worse_by", "better_by")
    if rule.metric == RATING:
        return f"{rule.threshold:.12g}{' rating points' if is_margin else ''}"
    return f"{100 * rule.threshold:.12g} points" if is_margin else _percent(rule.threshold)


def _sharing(policy: Policy, family: str) -> str:
    mine = [rule for rule in policy.rules if rule.family == family]
    guards = sum(rule.guard for rule in mine)
    counts = {"rule": len(mine) - guards, "guard": guards}
    members = " and ".join(f"{count} {noun}{'s' if count > 1 else ''}" for noun, count in counts.items() if count)
    chance = f"a chance of {_percent((1 - policy.level) / 2)} to be wrongly shown"
    errors = ([f"{chance} to hold"] if counts["rule"] else []) + [f"{chance} to be broken"]
    share = "share" if len(mine) > 1 else "has"
    return f"{members} {share} {' and '.join(errors)} (Holm, over evals, checks, subjects and candidates)"


def _percent(share: float) -> str:
    return f"{100 * share:.12g} %"
