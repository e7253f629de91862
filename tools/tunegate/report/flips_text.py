"""Two models compared on a terminal: a table by subject, and flipped cases with both replies side by side."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from tunegate.gate.policy import HIGHEST_RATING, LOWEST_RATING, RATING
from tunegate.records import Check, Record
from tunegate.report.flips import ChangedCheck, Compared, Difference, Flip
from tunegate.report.verdict_words import printable
from tunegate.stats import NotEnoughData

SIDE_BY_SIDE = 100
"""Columns from which two replies stand side by side."""
_ASKED_LINES = 6
_HEAD = ("eval", "metric", "subject", "cases", "gained", "lost", "A less B")
_LEFT = {"eval", "metric", "subject", "A less B"}


def render_differences(differences: Sequence[Difference]) -> list[str]:
    """Return the lines of the table; what is the same as in the line above is not repeated."""
    rows = [_HEAD]
    last: tuple[str, str] | None = None
    for one in differences:
        place = (one.eval, one.metric)
        shown = ("", "") if place == last else (printable(one.eval), printable(one.metric))
        subject = "all" if one.subject is None else printable(one.subject)
        rows.append((*shown, subject, f"{one.cases:,}", str(one.gained), str(one.lost), _effect(one)))
        last = place
    widths = [max(width_of(row[column]) for row in rows) for column in range(len(_HEAD))]
    return [_join(row, widths).rstrip() for row in rows]


def render_flips(compared: Sequence[Compared], *, flips: Sequence[Flip], width: int) -> list[str]:
    """Return the lines of the flipped cases, those that A lost first; `flips` are all that there are."""
    lines: list[str] = []
    for is_lost, told in ((True, "lost: B passed what A did not"), (False, "gained: A passed what B did not")):
        all_of_it = sum(flip.is_lost == is_lost for flip in flips)
        shown = [one for one in compared if one.flip.is_lost == is_lost]
        if not all_of_it:
            continue
        rest = "" if len(shown) == all_of_it else f", {len(shown)} of them here (--limit all shows all)"
        lines += ["", f"{told}, in {all_of_it:,} {'case' if all_of_it == 1 else 'cases'}{rest}"]
        for one in shown:
            lines += ["", *_render_case(one, width=width)]
    return lines or ["", "no case flipped"]


def width_of(text: str) -> int:
    """Return how many columns a printable text takes on a terminal."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(bool(unicodedata.combining(char)) for char in text)


def wrap_text(text: str, *, width: int) -> list[str]:
    """Return text in lines of at most `width` columns; a control character is shown escaped."""
    lines: list[str] = []
    for line in text.split("\n"):
        start, used = 0, 0
        shown = printable(line.removesuffix("\r"))
        for place, char in enumerate(shown):
            columns = width_of(char)
            if used + columns > width:
                # At the last space, where there is one.
                space = shown.rfind(" ", start, place)
                cut = space + 1 if space > start else place
                lines.append(shown[start:cut].rstrip())
                start, used = cut, width_of(shown[cut:place])
            used += columns
        lines.append(shown[start:])
    return lines


def _render_case(one: Compared, *, width: int) -> Iterator[str]:
    flip = one.flip
    lost = [metric for metric, change in flip.changes.items() if change < 0]
    gained = [metric for metric, change in flip.changes.items() if change > 0]
    ways = [f"{way} {', '.join(metrics)}" for way, metrics in (("lost", lost), ("gained", gained)) if metrics]
    record = one.a or one.b
    repeat = f", repeat {record.cell.repeat}" if record is not None else ""
    yield printable(f"{flip.eval}[{flip.case}] of {flip.subject}{repeat}: {'; '.join(ways)}")
    if record is not None and record.messages:
        asked = wrap_text(record.messages[-1]["content"].strip(), width=width - 9)
        if len(asked) > _ASKED_LINES:
            asked = [*asked[:_ASKED_LINES], f"... and {len(asked) - _ASKED_LINES} more lines"]
        for number, line in enumerate(asked):
            yield f"  {'asked' if not number else '':5}  {line}".rstrip()
    yield from _beside(_reply(one.a), _reply(one.b), width=width)
    for check in one.checks:
        yield from _render_check(check, width=width)


def _beside(a: str, b: str, *, width: int) -> Iterator[str]:
    if width < SIDE_BY_SIDE:
        for name, text in (("A", a), ("B", b)):
            for number, line in enumerate(wrap_text(text, width=width - 9)):
                yield f"  {name if not number else '':5}  {line}".rstrip()
        return
    each = (width - 7) // 2
    sides = (["A", *wrap_text(a, width=each)], ["B", *wrap_text(b, width=each)])
    for left, right in zip_longest(*sides, fillvalue=""):
        yield f"  {left}{' ' * (each - width_of(left))} | {right}".rstrip()


def _reply(record: Record | None) -> str:
    if record is None:
        return "(no record)"
    if record.reply is None:
        return f"({record.state}: {record.error or 'no reply'})"
    text = record.reply.text or record.reply.refusal or "(empty)"
    return text if record.state == "answered" else f"({record.state}) {text}"


def _render_check(check: ChangedCheck, *, width: int) -> Iterator[str]:
    known = check.a or check.b
    question = "" if check.question is None else f", question {check.question}"
    advisory = " (advisory)" if known is not None and known.advisory else ""
    expected = known.expected if known is not None else ""
    wanted = f": expected {expected}" if expected else ""
    told = [f"{check.name}{question}{advisory}{wanted}", f"  A {_outcome(check.a)}", f"  B {_outcome(check.b)}"]
    for text in told:
        for number, line in enumerate(wrap_text(text, width=width - 6)):
            yield f"  {'    ' if number else ''}{line}".rstrip()


def _outcome(check: Check | None) -> str:
    if check is None:
        return "was not checked"
    word = {True: "passed", False: "missed", None: "was not judged"}[check.passed]
    return f"{word}: got {check.got}" if check.got else word


def _effect(one: Difference) -> str:
    if isinstance(one.estimate, NotEnoughData):
        return one.estimate.reason
    is_rating = one.metric == RATING
    scale, digits = (HIGHEST_RATING - LOWEST_RATING, 2) if is_rating else (100, 1)
    found, low, high = (
        f"{scale * value:+.{digits}f}" for value in (one.estimate.estimate, one.estimate.low, one.estimate.high)
    )
    return f"{found} points ({low} to {high})"


def _join(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (
        f"{text}{' ' * (width - width_of(text))}" if name in _LEFT else f"{text:>{width}}"
        for name, text, width in zip(_HEAD, row, widths, strict=True)
    )
    return "  ".join(cells)
