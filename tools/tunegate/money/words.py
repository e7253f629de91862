"""Costs and break-evens for people: tables, and what they rest on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tunegate.cost import FACTORS, Caller, Replacement, Swing, dollars
from tunegate.money.run_costs import NO_PRICE, MetricCost, ModelCost, RunCost
from tunegate.stats import NotEnoughData


def render_run(cost: RunCost) -> Iterator[str]:
    """Yield the lines of what a run cost: an eval, a model a line, and below it what a passed check cost."""
    live = sum(each.live_calls for each in cost.models)
    replayed = sum(each.replayed_calls for each in cost.models)
    yield (
        f"run {cost.run}: {live:,} live calls for {_dollars(cost.live_usd)}, {replayed:,} replayed for nothing; "
        f"all as if asked: {_dollars(cost.usd)}"
    )
    if cost.charged_usd is not None and live:
        yield f"  counted while it was made: {dollars(cost.charged_usd)}, repeated attempts among it"
    for eval_name in dict.fromkeys(each.eval for each in cost.models):
        models = [each for each in cost.models if each.eval == eval_name]
        yield ""
        yield from _table(
            (
                eval_name,
                "calls",
                "live",
                "tokens in",
                "cached",
                "tokens out",
                "live cost",
                "as if asked",
                "1,000 calls",
            ),
            [_row(each) for each in models],
            left=1,
        )
        yield ""
        yield from _table(("metric", "model", "passed", "judged", "a pass costs"), list(_passes(models)), left=2)
        for each in models:
            if each.without_reply:
                yield f"{each.model}: {each.without_reply:,} without a reply, whose cost is not known"
            yield from (f"{each.model}: {reason}" for reason in _reasons(each))


def _row(each: ModelCost) -> tuple[str, ...]:
    return (
        each.model,
        f"{each.calls:,}",
        f"{each.live_calls:,}",
        _number(each.prompt_tokens),
        _number(each.cached_tokens),
        _number(each.completion_tokens),
        _dollars(each.live_usd),
        _dollars(each.usd),
        _dollars(each.usd_per_1000_calls),
    )


def _passes(models: Sequence[ModelCost]) -> Iterator[tuple[str, ...]]:
    for metric in dict.fromkeys(one.metric for each in models for one in each.metrics):
        label = metric
        for each in models:
            for one in each.metrics:
                if one.metric == metric:
                    yield label, each.model, f"{one.passed:,}", f"{one.judged:,}", _of_pass(one)
                    label = ""


def _of_pass(one: MetricCost) -> str:
    usd = one.usd_per_pass
    return usd.reason if isinstance(usd, NotEnoughData) and not one.passed else _dollars(usd)


def _reasons(each: ModelCost) -> list[str]:
    """Return why amounts of a model are unknown, each once; that a price is missing is told with the prices."""
    amounts = (each.prompt_tokens, each.completion_tokens, each.usd, each.live_usd)
    reasons = dict.fromkeys(amount.reason for amount in amounts if isinstance(amount, NotEnoughData))
    return [reason for reason in reasons if reason != NO_PRICE]


def render_break_even(replacement: Replacement, *, candidate: str, baseline: str) -> Iterator[str]:
    """Yield the answer and how it comes about: a call of both, and what is paid once."""
    calls = replacement.calls
    saved = replacement.saved_usd_per_call
    if calls is None:
        yield f"break-even of {candidate} against {baseline}: never, however many calls"
        yield f"  a call costs {dollars(-saved)} more" if saved < 0 else "  a call costs the same"
    else:
        yield f"break-even of {candidate} against {baseline}: after {calls:,} calls"
        yield f"  {dollars(replacement.outlay_usd)} paid once / {dollars(saved)} saved a call"
    yield ""
    yield from _table(("", candidate, baseline), list(_callers(replacement.candidate, replacement.baseline)), left=1)
    yield ""
    yield from _table(("paid once", "", ""), list(_outlays(replacement)), left=1, last_left=True)


def _callers(candidate: Caller, baseline: Caller) -> Iterator[tuple[str, ...]]:
    both = (candidate, baseline)
    yield "tokens in", *(f"{each.prompt_tokens + each.instruction_tokens:,.5g}" for each in both)
    if any(each.instruction_tokens for each in both):
        yield "  of them instructions", *(f"{each.instruction_tokens:,.5g}" for each in both)
    if any(each.cached_share for each in both):
        yield "  of them cached", *(f"{100 * each.cached_share:.3g} %" for each in both)
    yield "tokens out", *(f"{each.completion_tokens:,.5g}" for each in both)
    yield "$ a million in", *(f"{each.input_usd_per_mtok:g}" for each in both)
    if any(each.cached_share and each.cached_input_usd_per_mtok is not None for each in both):
        yield (
            "$ a million cached",
            *(f"{_cached(each):g}" for each in both),
        )
    yield "$ a million out", *(f"{each.output_usd_per_mtok:g}" for each in both)
    yield "a call costs", *(dollars(each.usd_per_call) for each in both)


def _cached(caller: Caller) -> float:
    usd = caller.cached_input_usd_per_mtok
    return caller.input_usd_per_mtok if usd is None else usd


def _outlays(replacement: Replacement) -> Iterator[tuple[str, str, str]]:
    outlay = replacement.outlay
    epochs = "epoch" if outlay.epochs == 1 else "epochs"
    trained = f"{outlay.training_tokens:,.15g} tokens x {outlay.epochs:g} {epochs} x"
    yield "training", dollars(outlay.training_usd), f"{trained} ${outlay.training_usd_per_mtok:g} a million"
    examples, hours = replacement.examples, replacement.hours
    if outlay.teaching_usd is not None:
        yield "teacher", dollars(outlay.teaching_usd), f"the answers to all {examples:,.15g} examples"
    elif examples and outlay.examples_per_hour is None:
        usd = (outlay.teacher or replacement.baseline).usd_per_call
        yield "teacher", dollars(replacement.teaching_usd), f"{examples:,.15g} examples x {dollars(usd)}"
    if hours:
        yield "people", dollars(hours * outlay.usd_per_hour), f"{hours:,.4g} hours x ${outlay.usd_per_hour:,g}"
    if outlay.other_usd:
        yield "other", dollars(outlay.other_usd), ""
    yield "together", dollars(replacement.outlay_usd), ""


def render_swings(swings: Sequence[Swing]) -> list[str]:
    """Return a table of what each assumption does to the break-even, the one that moves it most first."""
    rows = [
        (
            swing.assumption,
            _value(swing.value),
            *("never" if calls is None else f"{calls:,}" for calls in swing.calls),
        )
        for swing in swings
    ]
    if all(calls is None for swing in swings for calls in swing.calls):
        return ["no assumption changes that by itself, be it 20 % lower, 20 % higher or twice as high"]
    return _table(("break-even if this alone is", "assumed", *(_factor(factor) for factor in FACTORS)), rows, left=1)


def _value(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.6g}"


def _factor(factor: float) -> str:
    return f"x {factor:g}" if factor >= 1.5 or factor <= 0.5 else f"{100 * (factor - 1):+.0f} %"


def _dollars(usd: float | NotEnoughData) -> str:
    return "unknown" if isinstance(usd, NotEnoughData) else dollars(usd)


def _number(count: int | NotEnoughData) -> str:
    return "-" if isinstance(count, NotEnoughData) else f"{count:,}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int, last_left: bool = False) -> list[str]:
    """Return aligned lines; the first columns are set to the left, the others to the right."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    last = len(head) - 1
    return [
        "  ".join(
            f"{text:{width}}" if column < left or (last_left and column == last) else f"{text:>{width}}"
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
