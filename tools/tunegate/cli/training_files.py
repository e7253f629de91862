"""The files that a training can be given: a set that `tunegate distill` wrote, or one file of somebody's own."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tunegate.cases.names import show_path
from tunegate.cost import estimate_tokens
from tunegate.distill import VALIDATION, read_manifest
from tunegate.errors import UsageError
from tunegate.finetune import TrainingFile


@dataclass(frozen=True)
class TrainingSet:
    """Files by their number of examples, and what is known of them."""

    files: Mapping[int, TrainingFile]
    tokens: Mapping[int, int]
    """Of each file, once; an estimate where nobody has counted."""
    validation: TrainingFile | None
    epochs: int | None
    """That the set was priced for; None where nobody said."""


def read_set(path: Path) -> TrainingSet:
    """Read what is at a path.

    Raises:
        RunError: it is no training set, or cannot be read.
        UsageError: a file holds something else than its manifest says, or no examples.
    """
    if not path.is_dir():
        file = read_file(path)
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
