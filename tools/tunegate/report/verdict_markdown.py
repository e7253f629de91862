"""The verdict as Markdown: a job's summary, and the body of a comment on a pull request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tunegate.gate.verdict import Decision, Finding, Verdict
from tunegate.gate.wording import show_estimate, show_threshold
from tunegate.report.verdict_words import (
    SEVERITY,
    count_of,
    evidence_of,
    is_quiet,
    printable,
    reasons_of,
    show_side,
    summary_of,
    tell_all_coverage,
    tell_asked,
    tell_guards,
    tell_outlook,
)
from tunegate.stats import NotEnoughData

MARKER = "<!-- tunegate-verdict -->"
"""First line: by it a workflow finds its comment again."""
LARGEST = 60_000
"""Characters; GitHub takes 65,536 in a comment."""

_MARKS = {"PROMOTE": "✅", "BLOCK": "❌", "INCONCLUSIVE": "⚠️"}
_OUTCOMES = {"holds": "✅ holds", "broken": "❌ broken", "undecided": "⚠️ undecided"}
_LONGEST_NAME, _LONGEST_SENTENCE = 120, 500
_SPECIAL = frozenset("\\`*_[]<>#|&~@$")
# What links or calls somebody does so in the finished page too, where an entity is the character again.
_CALLING = frozenset("@#")
_DIGEST_DIGITS = 12
_RANK_OF_OUTCOME = {"broken": 1, "undecided": 2, "holds": 4}


@dataclass(frozen=True)
class Row:
    """A line that may be left out; those of the lowest rank stay longest."""

    rank: int
    text: str
    what: str = "line"
    """What is left out with it, to be counted."""


@dataclass(frozen=True)
class Block:
    """Rows that stand together, between a head and a tail that are there where any row is."""

    rows: Sequence[Row]
    head: str = ""
    tail: str = ""
    group: int = -1
    """The candidate it belongs to: without the first block of a group there are no others."""

    @property
    def frame(self) -> int:
        """Characters beside the rows."""
        return len(self.head) + len(self.tail) + 3


def render_markdown(verdict: Verdict) -> str:
    """Return the verdict in GitHub's Markdown, below 60,000 characters.

    What does not fit is left out and counted: guards that hold first, then details, then rules that hold.
    """
    order = sorted(range(len(verdict.decisions)), key=lambda place: SEVERITY[verdict.decisions[place].word])
    blocks = [block for place in order for block in _blocks(verdict.decisions[place], place, verdict=verdict)]
    if verdict.warnings:
        rows = [Row(3, f"- {_prose(warning)}", "warning") for warning in verdict.warnings]
        blocks.append(Block(rows, head="**Warnings**\n"))
    is_one = len(verdict.decisions) == 1
    title = _headline(verdict.decisions[0]) if is_one else f"{_MARKS[verdict.word]} {_prose(summary_of(verdict))}"
    head = f"{MARKER}\n<!-- verdict: {verdict.word}, exit status: {verdict.exit_status} -->\n## {title}"
    tail = _provenance(verdict)
    body, left_out = _fit(blocks, room=LARGEST - len(head) - len(tail) - 400)
    if left_out:
        counts = ", ".join(count_of(number, what) for what, number in left_out.items())
        body.append(f"*Left out here, to fit into a comment: {counts}. `verdict.json` has them all.*")
    return "\n\n".join((head, *body, tail)) + "\n"


def _blocks(decision: Decision, group: int, *, verdict: Verdict) -> list[Block]:
    level = verdict.policy.level
    loud = [finding for finding in decision.findings if not is_quiet(finding)]
    guards = [finding for finding in decision.findings if is_quiet(finding)]
    asked = tell_asked(decision)
    told = [*reasons_of(decision), *tell_all_coverage(decision), *([asked] if asked else [])]
    headlines = [Row(0, f"### {_headline(decision)}", "candidate")] if len(verdict.decisions) > 1 else []
    outlooks = [(finding, outlook) for finding in loud if (outlook := tell_outlook(finding)) is not None]
    return [
        Block(headlines, group=group),
        Block([Row(3, f"- {_prose(line)}", "reason") for line in told], group=group),
        _table(loud, level=level, group=group),
        Block(
            [Row(2, f"- {_code(finding.name)}: {_prose(outlook)}", "outlook") for finding, outlook in outlooks],
            head="**What it would take to decide**\n",
            group=group,
        ),
        Block(
            [Row(5, f"- {_code(finding.name)}: {_prose(_explain(finding))}", "detail") for finding in loud],
            head="<details><summary>Evidence</summary>\n",
            tail="\n</details>",
            group=group,
        ),
        _table(guards, level=level, group=group, summary=tell_guards(len(guards))),
    ]


def _table(findings: Iterable[Finding], *, level: float, group: int, summary: str | None = None) -> Block:
    """Return a table of findings, folded away under a summary where one is given."""
    head = f"| rule | candidate | baseline | effect ({100 * level:g} % interval) | wanted | outcome |\n"
    head += "|---|--:|--:|---|---|---|"
    rows = [
        Row(6 if summary else _RANK_OF_OUTCOME[finding.outcome], _row(finding), "guard" if summary else "rule")
        for finding in findings
    ]
    if summary is None:
        return Block(rows, head=head, group=group)
    head = f"<details><summary>{summary}</summary>\n\n{head}"
    return Block(rows, head=head, tail="\n</details>", group=group)


def _row(finding: Finding) -> str:
    effect = finding.effect
    shown = (
        f"not known: {_prose(effect.reason)}"
        if isinstance(effect, NotEnoughData)
        else show_estimate(effect, finding, is_effect=True)
    )
    sides = f"{show_side(finding.candidate, finding)} | {show_side(finding.baseline, finding)}"
    # A guard that is not shown to be broken need not be shown to hold.
    outcome = "not shown broken" if is_quiet(finding) else _OUTCOMES[finding.outcome]
    return f"| {_code(finding.name)} | {sides} | {shown} | {show_threshold(finding)} | {outcome} |"


def _explain(finding: Finding) -> str:
    return "; ".join((finding.reason, *evidence_of(finding)))


def _headline(decision: Decision) -> str:
    against = "" if decision.baseline is None else f" against {_code(decision.baseline)}"
    return f"{_MARKS[decision.word]} {decision.word}: {_code(decision.candidate)}{against}"


def _provenance(verdict: Verdict) -> str:
    runs = f"run {_code(verdict.candidate_run)}"
    if verdict.baseline_run is not None:
        runs += f" against {_code(verdict.baseline_run)}"
    parts = [
        runs,
        f"{_prose(verdict.policy.origin, most=_LONGEST_NAME)} {_code(verdict.policy.digest[:_DIGEST_DIGITS])}",
    ]
    if verdict.certificate is not None:
        parts.append(f"certificate {_code(str(verdict.certificate['digest'])[:_DIGEST_DIGITS])}")
    return f"<sub>{' · '.join((*parts, f'exit status {verdict.exit_status}'))}</sub>"


def _fit(blocks: Sequence[Block], *, room: int) -> tuple[list[str], Counter[str]]:
    """Return the blocks with as many rows as `room` characters hold, by rank, and what was left out."""
    left_out: Counter[str] = Counter()
    kept: dict[int, set[int]] = {}
    missing_groups: set[int] = set()
    places = [(row.rank, number, place) for number, block in enumerate(blocks) for place, row in enumerate(block.rows)]
    for rank, number, place in sorted(places):
        block = blocks[number]
        row = block.rows[place]
        cost = len(row.text) + 1 + (0 if number in kept else block.frame)
        if block.group not in missing_groups and cost <= room:
            kept.setdefault(number, set()).add(place)
            room -= cost
            continue
        left_out[row.what] += 1
        if rank == 0:
            missing_groups.add(block.group)
    return [_join(blocks[number], kept[number]) for number in sorted(kept)], left_out


def _join(block: Block, kept: set[int]) -> str:
    rows = [row.text for place, row in enumerate(block.rows) if place in kept]
    return "\n".join(part for part in (block.head, *rows, block.tail) if part)


def _code(name: str) -> str:
    """Return a name as code: there nothing links, and nothing is called."""
    return f"<code>{''.join(map(_entity, printable(name, most=_LONGEST_NAME)))}</code>"


def _prose(text: str, *, most: int = _LONGEST_SENTENCE) -> str:
    """Return a sentence that Markdown shows as it stands."""
    return "".join(
        f"{_entity(char)}&#8203;" if char in _CALLING else _entity(char) for char in printable(text, most=most)
    )


def _entity(char: str) -> str:
    return f"&#{ord(char)};" if char in _SPECIAL else char
