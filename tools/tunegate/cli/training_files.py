"""The files that a training can be given: a set that `tunegate distill` wrote, or one file of somebody's own."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tunegate.cases.names import show_path
from tunegate.cost import estimate_tokens
from tunegate.distill import VALIDATION, read_manifest
from tunegate.errors import UsageError
from tunegate.finetune import TrainingFile

EVALS = Path("evals")
FIXTURES = Path("fixtures")
SHOWN = 5
"""Lines that are named, of those that an eval asks."""


@dataclass(frozen=True)
class TrainingSet:
    """Files by their number of examples, and what is known of them."""

    files: Mapping[int, TrainingFile]
    tokens: Mapping[int, int]
    """Of each file, once; an estimate where nobody has counted."""
    validation: TrainingFile | None
    epochs: int | None
    """That the set was priced for; None where nobody said."""
    repetitions: Mapping[int, int] = field(default_factory=dict)
    """By the number of examples, how often they stand in the file; empty where nobody said."""


def read_set(path: Path) -> TrainingSet:
    """Read what is at a path; a file of somebody's own is compared with what the evals ask, as distilling does.

    Raises:
        RunError: it is no training set, or cannot be read.
        UsageError: a file holds something else than its manifest says, no examples, or what an eval asks.
    """
    if not path.is_dir():
        file = read_file(path)
        refuse_leaks(path, file.content)
        return TrainingSet({file.examples: file}, {file.examples: _estimate(file)}, None, None)
    manifest = read_manifest(path)
    name = path.resolve().name
    files = {row["examples"]: TrainingFile(path / row["path"], name, row["examples"]) for row in manifest["files"]}
    for row in manifest["files"]:
        found = hashlib.sha256(files[row["examples"]].content).hexdigest()
        if row["sha256"] != found:
            raise UsageError(
                f"{show_path(path / row['path'])} was changed after it was written: its digest is another\n"
                "  train on it as a file of its own, or distil the set again"
            )
    held_out = manifest["validation"]
    return TrainingSet(
        files,
        {row["examples"]: row["tokens"] for row in manifest["files"]},
        TrainingFile(path / VALIDATION, name, held_out["examples"]) if held_out else None,
        manifest["epochs"],
        # A set that an earlier version wrote says it once for all of its files.
        {row["examples"]: row.get("repetitions", manifest.get("repetitions", 1)) for row in manifest["files"]},
    )


def refuse_leaks(path: Path, content: bytes, *, evals: Path = EVALS) -> None:
    """Look whether a file of examples repeats what the evals ask; without a folder of evals nothing is asked.

    Raises:
        UsageError: it does; the message names the first lines, and what they repeat.
        CaseFileError: what the evals ask cannot be read, so that nobody knows.
    """
    if not evals.is_dir():
        return
    from tunegate.cases import Sources
    from tunegate.cases.eval_files import read_evals
    from tunegate.distill import NEAR, index_evaluation, screen_lines

    sources = Sources(FIXTURES, limit="all")
    asked = index_evaluation((found.eval for found in read_evals(evals)), sources, near=NEAR)
    try:
        leaks = screen_lines(content.split(b"\n"), asked)
    except (ValueError, TypeError, LookupError) as problem:
        raise UsageError(f"{show_path(path)}: a message cannot be read: {problem}") from problem
    if not leaks:
        return
    more = [f"  and {len(leaks) - SHOWN:,} more"] if len(leaks) > SHOWN else []
    raise UsageError(
        "\n".join(
            [
                f"{show_path(path)}: {len(leaks):,} of its lines stand in an eval, which could not examine them then",
                *(f"  {leak.id}: {leak.detail}" for leak in leaks[:SHOWN]),
                *more,
                f"  to write a training set without them: tunegate distill {show_path(path)} --known-answers",
            ]
        )
    )


def read_file(path: Path) -> TrainingFile:
    """Read a file of examples that no manifest describes.

    Raises:
        RunError: it cannot be read.
        UsageError: it holds none, or a line that is none.
    """
    file = TrainingFile(path, as_name(path.resolve().parent.name), 0)
    lines = [line for line in file.content.split(b"\n") if line.strip()]
    for number, line in enumerate(lines, 1):
        try:
            is_chat = isinstance(json.loads(line)["messages"], list)
        except (ValueError, TypeError, LookupError):
            is_chat = False
        if not is_chat:
            raise UsageError(f'{show_path(path)}, line {number}: wanted {{"messages": [...]}}, found {line[:60]!a}')
    if not lines:
        raise UsageError(f"{show_path(path)}: wanted chat JSONL, an example a line, found none")
    return TrainingFile(path, file.set, len(lines))


def as_name(text: str) -> str:
    """Return a text as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.") or "set"


def _estimate(file: TrainingFile) -> int:
    chats = [json.loads(line)["messages"] for line in file.content.split(b"\n") if line.strip()]
    return sum(
        estimate_tokens(len(json.dumps([turn.get("content") for turn in chat]).encode()), messages=len(chat))
        for chat in chats
    )
