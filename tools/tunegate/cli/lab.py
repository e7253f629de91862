"""`tunegate lab`: a real, tiny model on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tunegate.cli import lab_demo
from tunegate.errors import MatrixError


def add_command(commands: Any) -> None:
    """Declare the command; `commands` is what argparse's add_subparsers returned."""
    parser = commands.add_parser("lab", help="serve real, tiny models on this machine (after `make lab`)")
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB", parser_class=type(parser))
    serve = verbs.add_parser("serve", help="serve every row of the matrix that says where its weights are")
    add = serve.add_argument
    add("--matrix", type=Path, default=Path("fixtures/models.toml"), metavar="FILE",
        help="default: fixtures/models.toml")  # fmt: skip
    add("--model", action="append", default=[], metavar="NAME", help="only these rows; globs; repeatable")
    add("--host", default="127.0.0.1", help="default: 127.0.0.1, this machine only")
    add("--port", type=int, default=8091, help="default: 8091; 0 takes any free one")
    add("--context", type=int, default=4096, metavar="TOKENS", help="for each model; default: 4096")
    add("--threads", type=int, metavar="N", help="for each model; default: one less than there are cores, 4 at most")
    add("--store", type=Path, metavar="PATH",
        help="folder that uploaded files and batches survive a restart in, one for each server; "
             "default: $XDG_STATE_HOME/tunegate/lab, or ~/.local/state/tunegate/lab")  # fmt: skip
    serve.set_defaults(command=serve_models)
    lab_demo.add_verb(verbs)


def serve_models(arguments: argparse.Namespace) -> int:
    """Serve until interrupted; status 130 after Ctrl-C, 0 after SIGTERM."""
    from tunegate.cases import Matrix
    from tunegate.lab import LabModel, Storage, default_folder, run_until_interrupted

    matrix = Matrix.load(arguments.matrix)
    chosen = matrix.select(arguments.model or ["*"])
    models = [
        LabModel(row.model, row.lab.package, file=row.lab.file, chat_template=row.lab.chat_template)
        for row in chosen.models
        if row.lab is not None
    ]
    if chosen.unlisted or not models:
        served = ", ".join(row.name for row in matrix.models if row.lab is not None) or "none"
        raise MatrixError(
            f"no row to serve for {', '.join(arguments.model) or 'any model'} in {arguments.matrix}\n"
            f"  rows with weights (`lab = ...`): {served}"
        )
    return run_until_interrupted(
        models,
        host=arguments.host,
        port=arguments.port,
        context=arguments.context,
        threads=arguments.threads,
        storage=Storage(arguments.store or default_folder()),
    )
