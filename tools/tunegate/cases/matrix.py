"""The matrix: which models there are, where they are asked, and what they were trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunegate.cases.fields import (
    BODY,
    COUNT,
    KEY_ENV,
    LINES,
    NAME,
    NUMBER,
    OMIT,
    POSITIVE,
    RATE,
    SECONDS,
    TEXT,
    URL,
    Field,
    Spot,
    one_of,
    read_fields,
)
from tunegate.cases.models import ROLES, Endpoint, Lab, Limits, Model, Role, Training
from tunegate.cases.names import is_glob, list_names, match_names, nearest_names, show_path
from tunegate.cases.toml_file import read_toml
from tunegate.errors import MatrixError
from tunegate.exchanges import canonical_json

ASKED: tuple[Role, ...] = ("candidate", "baseline")
"""A run without patterns asks these. A teacher is asked only by a name or glob, because it is the expensive one; and
so is what is retired, a former baseline."""


@dataclass(frozen=True)
class Selection:
    """The rows that patterns mean, in the matrix's order, and plain names that are no row's."""

    models: tuple[Model, ...]
    unlisted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Matrix:
    """The rows of models.toml in the file's order."""

    models: tuple[Model, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    digest: str = hashlib.sha256(b"{}").hexdigest()
    """SHA-256 (hex) of what the file says: comments and order of keys do not count."""
    path: Path = Path("models.toml")
    """Where it was read."""

    @classmethod
    def load(cls, path: str | Path) -> Matrix:
        """Read a matrix.

        Raises:
            MatrixError: there is no such file, it is no TOML, or a row cannot be meant as it stands.
        """
        return _load(Path(path))

    @staticmethod
    def unlisted(name: str, *, base_url: str, key_env: str | None = None) -> Model:
        """Return a candidate that stands in no matrix, of which nothing is known but its address.

        Raises:
            MatrixError: the address or the variable's name cannot be one.
        """
        spot = Spot(f"model {name!r}", MatrixError)
        NAME.check(name, spot / "name")
        row: dict[str, Any] = {"base_url": base_url}
        if key_env is not None:
            row["key_env"] = key_env
        return Model(name=name, endpoint=_endpoint("unlisted", row, spot=spot))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all rows."""
        return tuple(model.name for model in self.models)

    def nearest(self, name: str) -> tuple[str, ...]:
        """Return the few names most like one that is not listed."""
        return tuple(nearest_names(name, self.names))

    def select(self, patterns: Sequence[str] = ()) -> Selection:
        """Return the rows that `patterns` mean; without any, all candidates and baselines.

        An exact name means itself, even with glob characters in it. A plain name that is no row's is returned
        as unlisted, for the caller to decide about.

        Raises:
            MatrixError: a glob matches nothing, or there is nothing to select.
        """
        if not patterns:
            asked = tuple(model for model in self.models if model.role in ASKED)
            if not asked:
                raise MatrixError(
                    f"no candidate or baseline in {show_path(self.path)}\n"
                    f"  there are: {list_names('', self.names)}\n"
                    f'  add a row with role = "candidate", or name a model with --model'
                )
            return Selection(asked)
        chosen: set[str] = set()
        unlisted: dict[str, None] = {}
        for pattern in patterns:
            matched = match_names(pattern, self.names)
            chosen.update(matched)
            if not matched and not is_glob(pattern):
                unlisted[pattern] = None
            elif not matched:
                raise MatrixError(
                    f"no model matches {pattern!r} in {show_path(self.path)}\n"
                    f"  there are: {list_names(pattern, self.names)}"
                )
        return Selection(tuple(model for model in self.models if model.name in chosen), tuple(unlisted))


def _load(path: Path) -> Matrix:
    try:
        file = read_toml(path, error=MatrixError)
    except OSError as problem:
        raise MatrixError(f"no matrix at {show_path(path)}: {problem.strerror}") from problem
    table, spot = file.table, file.spot
    read_fields(table, {"endpoints": Field(dict), "models": Field(dict)}, spot=spot)
    endpoints = {
        name: _endpoint(name, row, spot=spot / "endpoints" / name) for name, row in table.get("endpoints", {}).items()
    }
    models = tuple(
        _model(name, row, endpoints=endpoints, spot=spot / "models" / name)
        for name, row in table.get("models", {}).items()
    )
    _refuse_twins(models, spot=spot)
    return Matrix(models=models, endpoints=tuple(endpoints.values()), digest=file.digest, path=path)


_LIMITS = {
    "max_connections": POSITIVE,
    "requests_per_minute": POSITIVE,
    "tokens_per_minute": POSITIVE,
    "timeout_s": SECONDS,
    "attempts": POSITIVE,
}
_ENDPOINT = {"base_url": URL.required(), "key_env": KEY_ENV, **_LIMITS}
_MODEL = {
    "endpoint": TEXT.required(),
    "role": one_of(ROLES).required(),
    "base": TEXT,
    "examples": COUNT,
    "training_seed": COUNT,
    "training": Field(dict),
    "shots": COUNT,
    "model": TEXT,
    "body": BODY,
    "omit": OMIT,
    "lab": Field(dict),
}
_TRAINING = {
    "job": TEXT,
    "set": TEXT,
    "sha256": TEXT,
    "epochs": POSITIVE,
    "batch_size": POSITIVE,
    "learning_rate_multiplier": RATE,
    "repetitions": POSITIVE,
    "tokens": COUNT,
    "first_loss": NUMBER,
    "final_loss": NUMBER,
    "not_converged": TEXT,
}
_LAB = {"package": TEXT.required(), "file": TEXT, "chat_template": LINES}


def _endpoint(name: str, row: object, *, spot: Spot) -> Endpoint:
    values = read_fields(row, _ENDPOINT, spot=spot)
    limits = Limits(**{key: values[key] for key in _LIMITS if key in values})
    return Endpoint(name=name, base_url=values["base_url"].rstrip("/"), key_env=values.get("key_env"), limits=limits)


def _model(name: str, row: object, *, endpoints: Mapping[str, Endpoint], spot: Spot) -> Model:
    NAME.check(name, spot)
    values = read_fields(row, _MODEL, spot=spot)
    endpoint = endpoints.get(values["endpoint"])
    if endpoint is None:
        (spot / "endpoint").refuse(
            wanted=f"an endpoint of this file ({list_names(values['endpoint'], tuple(endpoints))})",
            found=values["endpoint"],
        )
    training = read_fields(values["training"], _TRAINING, spot=spot / "training") if "training" in values else None
    lab = read_fields(values["lab"], _LAB, spot=spot / "lab") if "lab" in values else None
    return Model(
        name=name,
        endpoint=endpoint,
        role=values["role"],
        base=values.get("base"),
        examples=values.get("examples"),
        training_seed=values.get("training_seed"),
        training=Training(**training) if training is not None else None,
        shots=values.get("shots"),
        asks_for=values.get("model"),
        body=values.get("body", {}),
        omit=tuple(values.get("omit", ())),
        lab=Lab(**lab) if lab is not None else None,
    )


def _refuse_twins(models: Iterable[Model], *, spot: Spot) -> None:
    first: dict[tuple[str, ...], str] = {}
    for model in models:
        endpoint = model.endpoint
        asked = (
            endpoint.base_url,
            endpoint.key_env or "",
            model.model,
            canonical_json(model.body),
            str(model.shots),
        )
        if asked in first:
            # Both rows would share their recordings and be compared with themselves.
            (spot / "models" / model.name).refuse(
                wanted="another model, endpoint, body or number of shots than each other row",
                found=f"the same request as models.{first[asked]!r}: {model.model!r} at {endpoint.base_url}",
            )
        first[asked] = model.name
