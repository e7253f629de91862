"""Which models a run asks, and what happens to a name that the matrix does not list."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence

from tunegate.cases import Matrix, Model
from tunegate.cassettes import Library
from tunegate.errors import MatrixError

OPENAI = "https://api.openai.com/v1"


def choose_models(
    matrix: Matrix,
    patterns: Sequence[str],
    *,
    library: Library,
    recording: bool,
    base_url: str | None = None,
    key_env: str = "OPENAI_API_KEY",
) -> list[Model]:
    """Return the rows that `patterns` select, and an ad-hoc row for every name that is not listed.

    A name outside the matrix is asked at `base_url`, else at OPENAI_BASE_URL. On replay it is enough that it was
    recorded: its address is then the recording's.

    Raises:
        MatrixError: a name that is neither listed, nor recorded, nor has an address to be asked at.
    """
    chosen = matrix.select(patterns)
    key = key_env if os.environ.get(key_env) else None
    models = list(chosen.models)
    for name in chosen.unlisted:
        recorded = _recorded_urls(library, name)
        address: str | None
        if not recording and base_url is None and recorded:
            address = _only_one_of(recorded, name)
        elif recording or recorded:
            address = base_url or os.environ.get("OPENAI_BASE_URL") or (OPENAI if key is not None else None)
        else:
            address = None
        if address is None:
            raise MatrixError(_explain_unknown(name, matrix, library, recording=recording))
        models.append(matrix.unlisted(name, base_url=address, key_env=key))
    return models


def _only_one_of(urls: Sequence[str], name: str) -> str:
    if len(urls) > 1:
        raise MatrixError(
            f"'{name}' was recorded at {len(urls)} addresses: {', '.join(urls)}\n  say which is meant: --base-url URL"
        )
    return urls[0]


def _recorded_urls(library: Library, name: str) -> list[str]:
    """Return the base addresses at which `name` was recorded, in any eval."""
    urls = {
        url.removesuffix("/chat/completions")
        for eval_name, model in library.names()
        if model == name
        for url in library.cassette(eval_name, model).urls()
    }
    return sorted(urls)


def _explain_unknown(name: str, matrix: Matrix, library: Library, *, recording: bool) -> str:
    listed = [model.name for model in matrix.models]
    recorded = sorted({model for _, model in library.names()} - set(listed))
    lines = [f"no model '{name}'"]
    near = difflib.get_close_matches(name, [*listed, *recorded], n=3)
    if near:
        lines.append(f"  did you mean: {', '.join(near)}")
    lines.append(f"  in the matrix ({matrix.path}): {', '.join(listed) or 'nothing'}")
    lines.append(f"  recorded besides: {', '.join(recorded) or 'nothing'}")
    if recording:
        lines.append(f"  to ask it: --model {name} --base-url https://.../v1, or set OPENAI_BASE_URL")
    else:
        lines.append(f"  to record it: --record=missing --model {name} --base-url https://.../v1")
    return "\n".join(lines)
