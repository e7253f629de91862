"""Edits models.toml where a program has something to say: roles after a promotion, rows after a training."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tunegate.cases.matrix import Matrix
from tunegate.cases.models import Model, Role
from tunegate.cases.names import show_path
from tunegate.errors import MatrixError


@dataclass(frozen=True)
class Edited:
    """Names of rows that an edit has added, and of those in which it has changed something."""

    added: tuple[str, ...]
    changed: tuple[str, ...]


def mark_roles(path: Path, roles: Mapping[str, Role]) -> None:
    """Give rows of the matrix at `path` their new roles; comments, layout and everything else stay as they are.

    Raises:
        MatrixError: it cannot be read or written, a row is missing, or its layout does not allow the edit.
    """
    matrix = Matrix.load(path)
    missing = sorted(roles.keys() - {*matrix.names})
    if missing:
        raise MatrixError(f"no row in {show_path(path)} for {', '.join(missing)}, whose role was to be marked")

    def mark(models: Any) -> None:
        for name, role in roles.items():
            models[name]["role"] = role

    _edit(path, mark, by_hand=", ".join(f'{name}: role = "{role}"' for name, role in roles.items()))


def add_rows(path: Path, rows: Sequence[Model]) -> Edited:
    """Add trained models to the matrix at `path`; comments, layout and everything else stay as they are.

    Of a model that is listed already, under whatever name, only what is said of its training is brought up to date:
    name, role and place are a person's by now.

    Raises:
        MatrixError: it cannot be read or written, its layout does not allow the edit, or a row could not stand in it.
    """
    listed: dict[object, Model] = {}
    for model in Matrix.load(path).models:
        listed[model.name] = listed[_address(model)] = model
    pairs = [(row, listed.get(row.name) or listed.get(_address(row))) for row in rows]
    new = [row for row, known in pairs if known is None]
    changed = [
        replace(known, training=row.training)
        for row, known in pairs
        if known is not None and known.training != row.training
    ]

    def extend(models: Any) -> None:
        for row in changed:
            models[row.name]["training"] = _training_table(row)
        for row in new:
            models[row.name] = _table_of(row)

    if new or changed:
        names = ", ".join(row.name for row in (*new, *changed))
        _edit(path, extend, by_hand=f"rows for {names}")
    return Edited(tuple(row.name for row in new), tuple(row.name for row in changed))


def _address(row: Model) -> tuple[str, str | None, str]:
    """Return where a row's model is found: rows that share it are one model, however each of them asks it."""
    return (row.endpoint.base_url, row.endpoint.key_env, row.model)


def _table_of(row: Model) -> dict[str, Any]:
    table: dict[str, Any] = {"endpoint": row.endpoint.name, "role": row.role}
    values = {
        "base": row.base,
        "examples": row.examples,
        "training_seed": row.training_seed,
        "model": row.asks_for,
        "body": dict(row.body) or None,
        "omit": list(row.omit) or None,
    }
    table |= {key: value for key, value in values.items() if value is not None}
    if row.training is not None:
        table["training"] = _training_table(row)
    return table


def _training_table(row: Model) -> dict[str, Any]:
    return {key: value for key, value in asdict(row.training).items() if value is not None} if row.training else {}


def _edit(path: Path, change: Callable[[Any], None], *, by_hand: str) -> None:
    """Change the models of a matrix, and write it only where it then says what was meant and nothing else.

    Raises:
        MatrixError: its layout does not allow the edit, what it would say cannot stand in a matrix, or it cannot be
            written.
    """
    # Imported late: the round trip through a document is slow, and only a promotion or a training needs it.
    import tomllib

    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    content = path.read_bytes()
    mark = b"\xef\xbb\xbf" if content.startswith(b"\xef\xbb\xbf") else b""
    text = content.decode("utf-8-sig")
    wanted = copy.deepcopy(tomllib.loads(text))
    change(wanted["models"])
    try:
        document = tomlkit.parse(text)
        change(document["models"])
        edited = tomlkit.dumps(document)
        is_right = tomllib.loads(edited) == wanted
    except (TOMLKitError, tomllib.TOMLDecodeError, KeyError, TypeError):
        is_right = False
    if not is_right:
        raise MatrixError(
            f"{show_path(path)} is laid out so that it cannot be edited safely\n  edit it by hand: {by_hand}"
        )
    _replace(path, mark + edited.encode("utf-8"))


def _replace(path: Path, content: bytes) -> None:
    """Put `content` in the place of a file at once: a reader sees the old text or the new one."""
    path = path.resolve()  # a link stays one
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        # Every command reads the matrix: one that could not be read would stop them all.
        Matrix.load(draft)
        draft.chmod(path.stat().st_mode)
        os.replace(draft, path)
    except MatrixError as problem:
        draft.unlink(missing_ok=True)
        raise MatrixError(f"{show_path(path)} would be a matrix no more, and is left as it is: {problem}") from problem
    except OSError as problem:
        draft.unlink(missing_ok=True)
        raise MatrixError(f"cannot write {show_path(path)}: {problem.strerror}") from problem
