"""The folder that a training set is written to: chat JSONL as the fine-tuning APIs take it, and what it was made of."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tunegate.cases.names import show_path
from tunegate.cost import Price
from tunegate.distill.choosing import Chosen, Example, count_reasons
from tunegate.distill.lessons import Evaluation
from tunegate.distill.money import BreakEven, training_usd
from tunegate.errors import RunError

FORMAT = 1
"""Version of manifest.json: it grows when a reader of the old format would misread the new one."""
MANIFEST = "manifest.json"
REFUSED = "refused.jsonl"
VALIDATION = "validation.jsonl"


@dataclass(frozen=True)
class Made:
    """How a training set was made; equal where it was made in the same way, whenever and wherever."""

    source: str
    """Name of the eval, or of the file of prompts."""
    teacher: str | None
    """The teacher's row in the matrix; None where the answers were known."""
    student: str | None
    """The row of the matrix that is to be trained; None where nobody said."""
    seed: int
    epochs: int
    repetitions: int
    near: float
    system: str | None
    """What replaced the system message of the prompts; None where nothing did."""
    teacher_system: str | None
    temperature: float | None
    max_tokens: int | None
    shots: int
    """Worked examples that the teacher saw."""
    augment: int
    """New prompts wanted for each one of the file."""
    waived: tuple[str, ...]
    """Checks that an answer could miss."""
    case_files: tuple[tuple[str, str], ...]
    """Name and SHA-256 (hex) of every file that was read."""


@dataclass(frozen=True)
class TrainingFile:
    """A file of the folder."""

    path: str
    examples: int
    repetitions: int
    """How often the examples stand in it: a training of one epoch then sees them as often."""
    lines: int
    """Examples times repetitions."""
    sha256: str
    tokens: int
    """Of all lines, once."""
    counted_examples: int
    """Examples whose tokens the teacher's server counted; those of the others are estimates."""
    training_usd: float | None
    """For all epochs; None where the price is unknown, and for a file that is not trained on."""


@dataclass(frozen=True)
class Written:
    """What a folder holds now."""

    folder: Path
    files: tuple[TrainingFile, ...]
    validation: TrainingFile | None


def write_folder(
    folder: Path,
    chosen: Chosen,
    *,
    made: Made,
    sizes: Sequence[int | None],
    evaluation: Evaluation,
    price: Price | None,
    earned_back: BreakEven | None = None,
) -> Written:
    """Write the training files, one for each size, and the manifest last; a size of None is all examples.

    Whatever an earlier call wrote there goes; a folder that holds something else is left alone.

    Raises:
        RunError: it holds something else, or cannot be written.
    """
    folder = folder.absolute()
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        check_folder(folder)
        draft.mkdir(parents=True)
        written = _write_all(draft, chosen, made=made, sizes=sizes, price=price)
        _write_json(
            draft / MANIFEST,
            {
                "format": FORMAT,
                **asdict(made),
                "case_files": dict(made.case_files),
                "files": [asdict(file) for file in written.files],
                "validation": asdict(written.validation) if written.validation else None,
                "ids": {
                    "train": [example.id for example in chosen.train],
                    "validation": [example.id for example in chosen.validation],
                },
                "looked_at": chosen.looked_at,
                "refused": dict(count_reasons(chosen.refused)),
                "evaluation": {
                    "evals": list(evaluation.evals),
                    "texts": evaluation.parts,
                    "sha256": evaluation.digest,
                },
                "teaching_usd": chosen.teaching_usd,
                "training_price": _plain_price(price),
                "break_even": asdict(earned_back) if earned_back else None,
            },
        )
        # A kill leaves the old set, none, or the new one: never a part of one.
        if folder.exists():
            shutil.rmtree(folder)
        draft.rename(folder)
    except OSError as problem:
        raise RunError(f"cannot write {show_path(folder)}: {problem.strerror or problem}") from problem
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return replace(written, folder=folder)


def render_lines(examples: Iterable[Example], *, repetitions: int = 1) -> bytes:
    """Return examples as chat JSONL, the whole set `repetitions` times over."""
    lines = [json.dumps({"messages": list(example.messages)}, ensure_ascii=False) + "\n" for example in examples]
    return ("".join(lines) * repetitions).encode()


def check_folder(folder: Path) -> None:
    """Look whether a training set may be written to a folder: it is missing, empty, or holds one and nothing else.

    Raises:
        RunError: it does not.
    """
    there = {entry.name for entry in folder.iterdir()} if folder.exists() else set()
    if not there:
        return
    ours = {MANIFEST, REFUSED}
    if MANIFEST in there:
        manifest = read_manifest(folder)
        ours |= {file["path"] for file in (*manifest["files"], manifest["validation"]) if file}
    strange = sorted(there - ours) if MANIFEST in there else sorted(there)
    if strange:
        raise RunError(
            f"{show_path(folder)} holds {strange[0]!r}, which is not of a training set: it is left alone\n"
            "  to write elsewhere: -o FOLDER"
        )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return what a folder's manifest says.

    Raises:
        RunError: there is none, or it is of a newer format.
    """
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_bytes())
        version = manifest["format"]
    except OSError as problem:
        raise RunError(f"no training set at {show_path(folder)}: {problem.strerror}") from problem
    except (ValueError, KeyError, TypeError) as problem:
        raise RunError(f"{show_path(path)}: wanted the manifest of a training set, found {problem!r}") from problem
    if version > FORMAT:
        raise RunError(f"{show_path(path)}: its format {version} is newer than {FORMAT}; update tunegate to read it")
    return manifest


def _write_all(
    folder: Path, chosen: Chosen, *, made: Made, sizes: Sequence[int | None], price: Price | None
) -> Written:
    files = []
    # All there are may be as many as another size.
    for count in dict.fromkeys(len(chosen.train[:size]) for size in sizes):
        examples = chosen.train[:count]
        content = render_lines(examples, repetitions=made.repetitions)
        name = f"n{len(examples)}.jsonl"
        (folder / name).write_bytes(content)
        files.append(_describe(name, examples, content, made=made, price=price))
    validation = None
    if chosen.validation:
        content = render_lines(chosen.validation)
        (folder / VALIDATION).write_bytes(content)
        validation = _describe(VALIDATION, chosen.validation, content)
    refused = "".join(json.dumps(asdict(refusal), ensure_ascii=False) + "\n" for refusal in chosen.refused)
    (folder / REFUSED).write_bytes(refused.encode("utf-8", "backslashreplace"))
    return Written(folder, tuple(files), validation)


def _describe(
    name: str, examples: Sequence[Example], content: bytes, *, made: Made | None = None, price: Price | None = None
) -> TrainingFile:
    repetitions = made.repetitions if made else 1
    tokens = sum(example.tokens for example in examples) * repetitions
    return TrainingFile(
        path=name,
        examples=len(examples),
        repetitions=repetitions,
        lines=len(examples) * repetitions,
        sha256=hashlib.sha256(content).hexdigest(),
        tokens=tokens,
        counted_examples=sum(example.is_counted for example in examples),
        training_usd=training_usd(price, tokens=tokens, epochs=made.epochs) if made else None,
    )


def _write_json(path: Path, value: object) -> None:
    path.write_bytes((json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace"))


def _plain_price(price: Price | None) -> dict[str, object] | None:
    if price is None:
        return None
    return {"training_usd_per_mtok": price.training_usd_per_mtok, "source": price.source, "as_of": price.as_of}
