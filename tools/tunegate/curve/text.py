"""A survey on a terminal: a table by size, what the curve says, and where the noise comes from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from textwrap import wrap

from tunegate.curve.money import NextTraining
from tunegate.curve.questions import AtSize, Found, Inquiry, MetricCurve, Score
from tunegate.curve.rows import tell_recipe
from tunegate.curve.studies import Study
from tunegate.curve.survey import Answered, Survey
from tunegate.stats import Interval, NotEnoughData, VarianceParts
from tunegate.stats.variance_parts import NOT_REPEATED

PARTS = ("training", "case", "training_by_case", "repeat")
"""Of a variance, as `VarianceParts` names them."""
_PART_NAMES = ("training", "case", "training x case", "repeat")
_NO_MARK = "-"
_WIDTH = 100
_FINEST = 0.0005
"""Share, half of a tenth of a point: nothing finer is printed."""


def render_survey(survey: Survey, *, tell_usd: Callable[[float], str]) -> list[str]:
    """Return the lines, 100 columns wide where the names allow it; `tell_usd` writes an amount of money."""
    lines: list[str] = []
    for one in survey.answered:
        lines += [*_render_study(one, survey.inquiry, tell_usd=tell_usd), ""]
    if survey.left_out:
        lines.append("on no curve")
        lines += [f"  {left.model}: {left.reason}" for left in survey.left_out]
        lines.append("")
    lines += [f"warning: {warning}" for warning in survey.warnings]
    told = (f"{run.name} ({run.started_at[:10]})" for run in survey.runs)
    lines.append(f"{'run' if len(survey.runs) == 1 else 'runs'} {', '.join(told)}")
    return lines


def _render_study(one: Answered, inquiry: Inquiry, *, tell_usd: Callable[[float], str]) -> Iterator[str]:
    study = one.study
    main, *others = one.curves
    yield f"{inquiry.eval}: {main.metric} against training examples, {study.base}"
    yield f"{tell_recipe(study.recipe)}; {_count(len(study.cases), 'case')}"
    yield ""
    yield from _render_sizes(main, others, level=inquiry.level)
    yield from (f"warning: {warning}" for warning in study.warnings)
    yield from (f"note: {note}" for note in study.notes)
    failed = [main.failed, *(other.failed for other in others)]
    if study.failed:
        yield ""
        yield "left out of every number above, for they did not converge"
        yield from _render_failed(failed, study, metrics=[curve.metric for curve in one.curves])
    for curve in one.curves:
        yield ""
        yield from _render_answers(curve, one, inquiry, tell_usd=tell_usd)
    for curve in one.curves:
        yield from _render_parts(curve, study, level=inquiry.level)


def _render_sizes(main: MetricCurve, others: Sequence[MetricCurve], *, level: float) -> Iterator[str]:
    columns = [
        ("examples", [f"{size.examples:,}" for size in main.sizes]),
        ("trainings", [str(len(size.scores)) if size.examples else "base" for size in main.sizes]),
    ]
    for curve in (main, *others):
        columns.append((f"{curve.metric}, %", [_percents(size.share) for size in curve.sizes]))
        if curve is main:
            columns.append(("each", [_range_of(size.scores) for size in curve.sizes]))
        if curve is main and not isinstance(curve.curve, NotEnoughData):
            columns.append(("by the curve", [_percents(size.fitted) for size in curve.sizes]))
    yield from _table(columns)
    several = any(len(size.scores) > 1 for size in main.sizes)
    over = "trainings and cases where there are several trainings, else over cases" if several else "cases alone"
    yield f"intervals are of {100 * level:g} %: over {over}"


def _render_failed(failed: Sequence[Sequence[Score]], study: Study, *, metrics: Sequence[str]) -> Iterator[str]:
    for scores in zip(*failed, strict=True):
        row = scores[0].row
        shares = ", ".join(f"{metric} {_share(score.share)}" for metric, score in zip(metrics, scores, strict=True))
        yield f"  {row.examples or 0:>6,}  {row.name}: {shares}"
        told = f"did not converge: {row.failure}"
        if row.recipe != study.recipe:
            told += f"; trained with {tell_recipe(row.recipe)}"
        yield from wrap(told, _WIDTH, initial_indent=" " * 10, subsequent_indent=" " * 12)


def _render_answers(
    curve: MetricCurve, one: Answered, inquiry: Inquiry, *, tell_usd: Callable[[float], str]
) -> Iterator[str]:
    yield curve.metric
    for sentence in _sentences(curve, one, inquiry, tell_usd=tell_usd):
        yield from wrap(sentence, _WIDTH, initial_indent="  ", subsequent_indent="    ")


def _sentences(
    curve: MetricCurve, one: Answered, inquiry: Inquiry, *, tell_usd: Callable[[float], str]
) -> Iterator[str]:
    most = one.study.most_examples
    whole = f"from the base model to {most:,} examples: {_points(curve.whole_gain)}"
    if isinstance(curve.curve, NotEnoughData):
        yield f"no curve: {curve.curve.reason}"
        if isinstance(curve.whole_gain, Interval):
            yield whole
        return
    is_main = curve is one.curves[0]
    if is_main:
        yield _needed(curve.needed, target=inquiry.target)
    yield whole
    further = _further(curve.next_gain, measured=curve.sizes[-1].share, cases=len(one.study.cases))
    yield f"the next {inquiry.further:,} examples, to {most + inquiry.further:,}: {further}"
    if is_main:
        yield _paid(one.next_training, tell_usd)
    yield f"trainings of one size differ with a standard deviation {_spread(curve.curve.spread)}"


def _spread(spread: Found) -> str:
    if isinstance(spread, NotEnoughData):
        return f"that is not known: {spread.reason}"
    # The variance of a share p is p (1 - p) (2 spread)^2, largest at a half.
    estimate, low, high = (100 * value for value in (spread.estimate, spread.low, spread.high))
    return f"of {estimate:.1f} points at 50 % ({low:.1f} to {high:.1f}), by all sizes that have several"


def _further(gain: Found, *, measured: Found, cases: int) -> str:
    """Tell a gain, or what bounds it where two trainings asked so few cases could not be told apart by it."""
    if isinstance(gain, NotEnoughData) or isinstance(measured, NotEnoughData):
        return _points(gain)
    measurable = math.sqrt(2) * (measured.high - measured.low) / 2
    may_be_none = gain.low < _FINEST and gain.high > -_FINEST
    if not may_be_none or max(-gain.low, gain.high) > measurable:
        return _points(gain)
    # Outwards, so that no bound is closer than what was found.
    low, high = math.floor(1000 * gain.low) / 10, math.ceil(1000 * gain.high) / 10
    bound = f"{low:+z.1f} to {high:+z.1f}"
    if gain.low > -_FINEST:
        bound = f"at most {max(high, 0.1):+.1f}"
    elif gain.high < _FINEST:
        bound = f"at most {low:+.1f}"
    return f"less than can be measured with {_count(cases, 'case')}: {bound} points"


def _needed(needed: Found, *, target: float) -> str:
    goal = f"{100 * target:g} %"
    if isinstance(needed, NotEnoughData):
        return f"{goal}: {needed.reason}"
    if not needed.estimate:
        return f"{goal} has the base model itself (at most {math.ceil(needed.high):,} examples are needed)"
    low, estimate, high = math.floor(needed.low), math.ceil(needed.estimate), math.ceil(needed.high)
    return f"{goal} needs {estimate:,} examples ({low:,} to {high:,})"


def _paid(training: NextTraining, tell_usd: Callable[[float], str]) -> str:
    what = f"training on all {training.examples:,}, as a job that begins with the base model again,"
    if isinstance(training.usd, NotEnoughData):
        return f"what {what.removesuffix(',')} costs is not known: {training.usd.reason}"
    tokens = training.tokens_per_example
    counted = (
        "" if isinstance(tokens, NotEnoughData) else f"{tokens:,.0f} tokens for each, all epochs, {training.basis}; "
    )
    return f"{what} costs {tell_usd(training.usd)} ({counted}{training.price_source})"


def _render_parts(curve: MetricCurve, study: Study, *, level: float) -> Iterator[str]:
    several = [size for size in curve.sizes if size.examples and len(size.scores) > 1]
    if not several:
        return
    yield ""
    yield f"where {curve.metric} varies: standard deviations of one reply in points, with {100 * level:g} % intervals"
    columns = [("examples", [f"{size.examples:,}" for size in several])]
    for part, name in zip(PARTS, _PART_NAMES, strict=True):
        columns.append((name, [_part(size.parts, part) for size in several]))
    columns.append(("training's part", [_part_of_variance(size.training_part) for size in several]))
    yield from _table(columns)
    yield f"  training's part: in the variance of the share that one training has in {_count(len(study.cases), 'case')}"
    yield from _reasons(several)


def _part(parts: VarianceParts | NotEnoughData, name: str) -> str:
    found = parts if isinstance(parts, NotEnoughData) else getattr(parts, name)
    if isinstance(found, NotEnoughData):
        return _NO_MARK
    low, estimate, high = (100 * math.sqrt(value) for value in (found.low, found.estimate, found.high))
    return f"{estimate:.1f} ({low:.1f} - {high:.1f})"


def _part_of_variance(part: Found) -> str:
    if isinstance(part, NotEnoughData):
        return _NO_MARK
    return f"{100 * part.estimate:.0f} % ({100 * part.low:.0f} - {100 * part.high:.0f})"


def _reasons(sizes: Sequence[AtSize]) -> Iterator[str]:
    """Yield why something was not said, once for each reason."""
    told: dict[str, list[str]] = {}
    for size in sizes:
        for part, name in zip(PARTS, _PART_NAMES, strict=True):
            found = size.parts if isinstance(size.parts, NotEnoughData) else getattr(size.parts, part)
            if isinstance(found, NotEnoughData):
                told.setdefault(f"{name}: {_reason(found)}", []).append(f"{size.examples:,}")
    for reason, examples in told.items():
        where = "" if len(examples) == len(sizes) else f" at {', '.join(examples)} examples"
        yield f"  {_NO_MARK} {reason}{where}"


def _reason(found: NotEnoughData) -> str:
    if found == NOT_REPEATED:
        return f"{found.reason}, so what repeats differ by is in training x case"
    return found.reason


def _table(columns: Sequence[tuple[str, Sequence[str]]]) -> Iterator[str]:
    widths = [max(len(head), *map(len, cells)) if cells else len(head) for head, cells in columns]
    heads = [head for head, _ in columns]
    for line in (heads, *zip_longest(*(cells for _, cells in columns))):
        yield "  ".join(f"{text:>{width}}" for text, width in zip(line, widths, strict=True)).rstrip()


def _percents(found: Found) -> str:
    if isinstance(found, NotEnoughData):
        return _NO_MARK
    return f"{100 * found.estimate:.1f} ({100 * found.low:.1f} - {100 * found.high:.1f})"


def _share(found: Found) -> str:
    return found.reason if isinstance(found, NotEnoughData) else f"{_percents(found)} %"


def _range_of(scores: Sequence[Score]) -> str:
    shares = [score.share.estimate for score in scores if isinstance(score.share, Interval)]
    return f"{100 * min(shares):.1f} - {100 * max(shares):.1f}" if len(shares) > 1 else _NO_MARK


def _points(found: Found) -> str:
    if isinstance(found, NotEnoughData):
        return f"not known: {found.reason}"
    estimate, low, high = (100 * value for value in (found.estimate, found.low, found.high))
    return f"{estimate:+z.1f} points ({low:+z.1f} to {high:+z.1f})"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what if number == 1 else f'{what}s'}"
