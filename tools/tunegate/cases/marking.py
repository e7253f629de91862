"""Marks in models.toml what a verdict has changed: the one edit of a case file that a program makes."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from pathlib import Path

from tunegate.cases.matrix import Matrix, Role
from tunegate.cases.names import show_path
from tunegate.errors import MatrixError


def mark_roles(path: Path, roles: Mapping[str, Role]) -> None:
    """Give rows of the matrix at `path` their new roles; comments, layout and everything else stay as they are.

    Raises:
        MatrixError: it cannot be read or written, a row is missing, or its layout does not allow the edit.
    """
    # Imported late: the round trip through a document is slow, and only a promotion needs it.
    import tomllib

    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    matrix = Matrix.load(path)
    missing = sorted(roles.keys() - {*matrix.names})
    if missing:
        raise MatrixError(f"no row in {show_path(path)} for {', '.join(missing)}, whose role was to be marked")
    content = path.read_bytes()
    mark = b"\xef\xbb\xbf" if content.startswith(b"\xef\xbb\xbf") else b""
    text = content.decode("utf-8-sig")
    wanted = copy.deepcopy(tomllib.loads(text))
    try:
        document = tomlkit.parse(text)
        models = document["models"]
        for name, role in roles.items():
            wanted["models"][name]["role"] = role
            models[name]["role"] = role
        marked = tomlkit.dumps(document)
        is_right = tomllib.loads(marked) == wanted
    except (TOMLKitError, tomllib.TOMLDecodeError, KeyError, TypeError):
        is_right = False
    if not is_right:
        edits = ", ".join(f'{name}: role = "{role}"' for name, role in roles.items())
        raise MatrixError(
            f"{show_path(path)} is laid out so that it cannot be edited safely\n  edit it by hand: {edits}"
        )
    _replace(path, mark + marked.encode("utf-8"))


def _replace(path: Path, content: bytes) -> None:
    """Put `content` in the place of a file at once: a reader sees the old text or the new one."""
    path = path.resolve()  # a link stays one
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        draft.chmod(path.stat().st_mode)
        os.replace(draft, path)
    except OSError as problem:
        draft.unlink(missing_ok=True)
        raise MatrixError(f"cannot write {show_path(path)}: {problem.strerror}") from problem
