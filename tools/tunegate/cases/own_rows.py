"""Cases of an eval's own, written as tables of a TOML file: each becomes the dataclass that the eval declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

from tunegate.cases.fields import LINES, NUMBER, Field, Spot, read_fields

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Row = TypeVar("Row", bound="DataclassInstance")

_TEXTS = Field(
    list,
    "a list of texts, none empty",
    lambda value: bool(value) and all(isinstance(text, str) and text.strip() for text in value),
)
_FIELDS: Mapping[object, Field] = {
    str: LINES,
    int: Field(int),
    float: NUMBER,
    bool: Field(bool),
    tuple[str, ...]: _TEXTS,
}


def read_own_rows(table: Mapping[str, Any], key: str, *, kind: type[Row], spot: Spot) -> list[Row]:
    """Return the tables under `key`, each as a `kind`: a dataclass whose fields say what a table may hold.

    A field is a `str`, `int`, `float`, `bool` or `tuple[str, ...]`, or one of these or None; one without a default has
    to be there.

    Raises:
        TunegateError: there are no such tables, or one of them does not fit; as the spot's error, with its place.
        TypeError: a field of `kind` is of another type.
    """
    read_fields(table, {key: Field(list, f"tables, each under [[{key}]]", bool).required()}, spot=spot)
    wanted = dict(_wanted(kind))
    found: list[Row] = []
    for number, row in enumerate(table[key], start=1):
        values = read_fields(row, wanted, spot=spot / key / str(number))
        found.append(kind(**{name: tuple(one) if isinstance(one, list) else one for name, one in values.items()}))
    return found


def _wanted(kind: type[Row]) -> Iterator[tuple[str, Field]]:
    types = get_type_hints(kind)
    for one in fields(kind):
        field = _field_of(types[one.name])
        if field is None:
            raise TypeError(f"{kind.__name__}.{one.name}: a table holds no {types[one.name]}")
        is_required = one.default is MISSING and one.default_factory is MISSING
        yield one.name, field.required() if is_required else field


def _field_of(type_: object) -> Field | None:
    if isinstance(type_, UnionType):
        # `int | None` is an integer that need not be there.
        (type_, *others) = (part for part in get_args(type_) if part is not NoneType)
        return None if others else _field_of(type_)
    return _FIELDS.get(type_)
