"""`tunegate distill`: training files from an eval's training part or a file of prompts."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegate.cli.numbers import dollars, natural, positive

if TYPE_CHECKING:
    from tunegate.cli.distill_outcomes import Done
    from tunegate.distill import BreakEven, Refusal, TrainingFile

SHOWN = 5
"""Refused lessons that are shown; all of them stand in the folder."""

_EPILOG = """\
SOURCE is the name of an eval that declares training cases, or a file of prompts, one a line. In a .jsonl a line is
{"prompt": "..."}, perhaps with "answer", or {"messages": [...]}. What stands in any eval is refused, and so is what
repeats an earlier lesson. Every size is the beginning of the next one.
"""


def add_command(commands: Any) -> None:
    """Declare the command; `commands` is what argparse's add_subparsers returned."""
    parser = commands.add_parser(
        "distill",
        help="write training files from an eval's training part or a file of prompts",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("source", metavar="SOURCE", help="an eval's name, or a file of prompts")
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--known-answers", action="store_true", help="take the answers that SOURCE itself knows")
    who.add_argument("--teacher", metavar="NAME", help="have this model of the matrix write the answers")
    add("--sizes", type=_sizes, default=(None,), metavar="N,N,...",
        help="examples of each training file; `all` is as many as there are (default: all)")  # fmt: skip
    add("--validation", type=natural, default=0, metavar="N", help="examples put aside for validation (default: 0)")
    add("--seed", type=natural, default=0, metavar="N", help="decides which lessons come first (default: 0)")
    add("-o", "--output", type=Path, metavar="FOLDER", help="default: reports/training/SOURCE-TEACHER")

    files = parser.add_argument_group("what the files hold")
    add = files.add_argument
    add("--system", metavar="TEXT", help="system message of the examples; @FILE reads it, an empty one leaves it out "
        "(default: as the prompt has it)")  # fmt: skip
    add("--repetitions", type=positive, default=1, metavar="N", help="write the set N times over (default: 1)")
    add("--near", type=float, default=0.8, metavar="SHARE",
        help="similarity from which texts are near duplicates: of the runs of five words that both have, or of the "
        "words of what an eval asks (default: 0.8)")  # fmt: skip
    add("--strict", action="store_true", help="end with 1, before anything is asked or written, where a lesson stands "
        "in an eval, be it one that --augment made (default: such lessons are left out and named)")  # fmt: skip
    add("--waive", action="append", default=[], metavar="GLOB",
        help="checks that an answer may miss; repeatable (default: none)")  # fmt: skip
    add("--questions", metavar="WHERE", help="the bank, as for pytest (default: fixtures/questions)")
    add("--subject", action="append", default=[], metavar="GLOB", help="only these subjects; repeatable (default: all)")
    add("--evals", type=Path, default=Path("evals"), metavar="DIR", help="folder of the evals (default: evals)")

    teacher = parser.add_argument_group("the teacher")
    add = teacher.add_argument
    add("--record", nargs="?", choices=("missing", "all"), const="missing",
        help="ask for answers that are not recorded, or for all (default: replay only; bare: missing)")  # fmt: skip
    add("--dry-run", action="store_true", help="say what would be asked and what that may cost, and stop")
    add(
        "--max-cost",
        type=dollars,
        metavar="USD",
        help="stop asking before it has cost more than this (default: no cap)",
    )
    add("--max-connections", type=positive, default=64, metavar="N", help="requests in flight (default: 64)")
    add("--base-url", metavar="URL", help="where a teacher is asked that stands in no matrix")
    add("--cassettes", type=Path, default=Path("cassettes"), metavar="DIR", help="recordings (default: cassettes)")
    add("--teacher-system", metavar="TEXT", help="system message that the teacher sees; @FILE reads it (default: as "
        "the examples)")  # fmt: skip
    add("--temperature", type=float, default=0.0, help="of the answers (default: 0)")
    add("--max-tokens", type=positive, metavar="N", help="of an answer (default: the eval's, 512 for a file)")
    add("--shots", type=natural, default=0, metavar="K",
        help="solved batches that the teacher sees and the student does not (default: 0)")  # fmt: skip
    add("--spare", type=natural, metavar="N", help="lessons tried beyond those wanted where answers are refused "
        "(default: a fifth of those wanted)")  # fmt: skip
    add("--augment", type=natural, default=0, metavar="N",
        help="have the teacher write N more prompts for each one of a file (default: 0)")  # fmt: skip

    money = parser.add_argument_group("money")
    add = money.add_argument
    add("--student", metavar="NAME", help="row of the matrix that is to be trained: says the price of training")
    add("--epochs", type=positive, default=3, metavar="N", help="for that price, and kept for training (default: 3)")
    add("--replaces", metavar="NAME",
        help="row of the matrix whose calls the student will take over (default: the teacher)")  # fmt: skip
    parser.set_defaults(command=distill)


def distill(arguments: argparse.Namespace) -> int:
    """Choose lessons, have them answered, and write the folder; status 1 where --strict finds a leak."""
    from tunegate.cli.distill_outcomes import Leaks
    from tunegate.cli.distilling import Distilling

    work = Distilling(arguments, show=_say)
    done = work.leaks() or (work.with_teacher() if arguments.teacher else work.with_known_answers())
    if isinstance(done, Leaks):
        _say(f"{len(done.found):,} lessons stand in an eval; {done.so_far}")
        _show_refused(done.found)
        return 1
    if done is not None:
        for line in _render(done):
            _say(line)
        _show_refused(done.chosen.refused)
    return 0


def _render(done: Done) -> Iterator[str]:
    from tunegate.cases.names import show_path
    from tunegate.distill import count_reasons

    chosen, evaluation = done.chosen, done.evaluation
    evals = ", ".join(evaluation.evals) or "no eval"
    yield f"compared with {evaluation.parts:,} texts of {evals}"
    counts = ", ".join(f"{count:,} {reason}" for reason, count in count_reasons(chosen.refused))
    yield f"{chosen.looked_at:,} lessons looked at, refused: {counts or 'none'}"
    yield f"wrote {show_path(done.written.folder)}"
    files = [*done.written.files, *([done.written.validation] if done.written.validation else [])]
    width = max(len(file.path) for file in files)
    for file in files:
        counted = "counted" if file.counted_examples == file.examples else "estimated"
        if 0 < file.counted_examples < file.examples:
            counted = f"{file.counted_examples:,} examples counted, the others estimated"
        tokens = f"{file.tokens:,} tokens ({counted})"
        yield f"  {file.path:{width}}  {file.examples:,} examples, {tokens}{_training(file, done)}"
    yield from _render_money(done)


def _render_money(done: Done) -> Iterator[str]:
    from tunegate.cost import dollars

    if done.chosen.teaching_usd is None:
        yield "the answers cost: unknown; fixtures/prices.toml can say a price"
    elif done.made.teacher is not None:
        yield f"the answers cost: {dollars(done.chosen.teaching_usd)}, those replayed among them"
    if done.break_even is not None:
        yield _say_break_even(done.break_even)


def _training(file: TrainingFile, done: Done) -> str:
    from tunegate.cost import dollars

    if done.made.student is None or file is done.written.validation:
        return ""
    cost = "cost unknown" if file.training_usd is None else dollars(file.training_usd)
    return f"; training {done.made.student} for {done.made.epochs} epochs: {cost}"


def _say_break_even(found: BreakEven) -> str:
    from tunegate.cost import dollars

    each = f"a call of {found.student.model} costs about {dollars(found.student.usd)}"
    other = f"one of {found.replaced.model} {dollars(found.replaced.usd)}"
    if found.calls is None:
        return f"break-even: never, {each}, {other}"
    return f"break-even: after about {found.calls:,} calls ({each}, {other}; outlay {dollars(found.outlay_usd)})"


def _show_refused(refused: Sequence[Refusal]) -> None:
    for refusal in refused[:SHOWN]:
        _say(f"  {refusal.id}: {refusal.reason}, {refusal.detail}")
    if len(refused) > SHOWN:
        _say(f"  and {len(refused) - SHOWN:,} more")


def _sizes(text: str) -> tuple[int | None, ...]:
    """Return sizes in their order, each once; None is all."""
    sizes = {None if word.strip() == "all" else positive(word) for word in text.split(",")}
    return (*sorted(size for size in sizes if size is not None), *([None] if None in sizes else []))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
