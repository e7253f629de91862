"""The shape a JSON value was asked to have, as a JSON Schema."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tunegate.errors import CaseFileError

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

WHOLE, ITEM = 0, 1
"""Depths of a problem: the whole, and an item of the list. Deeper is a value."""

NEWEST_DRAFT = "https://json-schema.org/draft/2020-12/schema"
"""What a schema is read as that does not say."""

PROBLEMS_KEPT = 20
"""Problems kept of each depth: a list of a million wrong items is as wrong as one of twenty."""

LONGEST_TEXT = 200
"""Characters of a problem's text: jsonschema quotes the whole value."""


@dataclass(frozen=True)
class Problem:
    """One way in which a value has not the shape asked for.

    `depth` counts from the whole: 0 is the whole, 1 an item of the list, 2 a value in an item. What a
    container lacks or has too much of (a key, an item) is a problem of the container, thus one less deep than
    what it holds.
    """

    depth: int
    place: str
    """Where in the value, like `[2]."3"`; empty for the whole."""
    text: str
    keyword: str = ""
    """The keyword of JSON Schema that was violated; empty where none was."""


@dataclass(frozen=True)
class Shape:
    """A JSON Schema, compiled once, in the draft that its `$schema` names (2020-12 where it names none).

    References lead to places in the schema itself; nothing is ever fetched.

    Raises:
        CaseFileError: the schema is not one, its draft is unknown, or a reference in it leads nowhere.
    """

    schema: Mapping[str, Any]
    _validator: Validator = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_validator", _compile_schema(self.schema))
        # Shows a reference that leads nowhere, or to itself, before any reply is judged by it.
        trials: tuple[object, ...] = (None, [], {})
        for value in trials:
            if any(problem.keyword == "" and problem.place == "" for problem in self.problems(value)):
                raise CaseFileError("schema cannot be used: it refers to itself without end")

    def problems(self, value: Any) -> tuple[Problem, ...]:
        """Return what is wrong with `value`, shallow problems first, at most `PROBLEMS_KEPT` of each depth.

        A problem stands where its keyword does in the value: `required`, `additionalProperties`,
        `propertyNames` at the object, `minItems`, `maxItems`, `contains` at the list, `enum`, `type`,
        `pattern` at the value itself. `allOf`, `$ref` and `if` show the problems of what they lead to.
        `anyOf` and `oneOf` show those of the alternative that got deepest before it failed, and count at
        their own place where every alternative fails right there. A place that the schema forbids (`false`)
        is a problem of the container it stands in.

        A value too deep or too large to judge is one problem of the whole.

        Raises:
            CaseFileError: a reference in the schema leads nowhere.
        """
        from referencing.exceptions import Unresolvable

        kept: defaultdict[int, list[Problem]] = defaultdict(list)
        try:
            for error in _leaves(self._validator.iter_errors(value)):
                depth = _depth(error)
                if len(kept[depth]) < PROBLEMS_KEPT:
                    kept[depth].append(_problem(error, depth=depth))
        except RecursionError:
            return (Problem(0, "", "nested too deep to be judged"),)
        except ArithmeticError:
            kept[0].append(Problem(0, "", "holds a number too large to be judged", keyword="number"))
        except Unresolvable as error:
            raise CaseFileError(f"schema cannot be used: nothing is found at $ref {error.ref!r}") from error
        return tuple(problem for depth in sorted(kept) for problem in kept[depth])


def _compile_schema(schema: Mapping[str, Any]) -> Validator:
    # Late: it takes a tenth of a second, and not every run judges by a shape.
    import jsonschema
    from referencing import Registry

    if not isinstance(schema, Mapping):
        raise CaseFileError(f"schema cannot be used: an object was wanted, {type(schema).__name__} was there")
    named = schema.get("$schema", NEWEST_DRAFT)
    drafted: type[Validator] | None = None
    if isinstance(named, str):
        drafted = jsonschema.validators.validator_for(
            {"$schema": named},
            default=None,  # type: ignore[arg-type]  # handed back where the draft is unknown
        )
    if drafted is None:
        raise CaseFileError(
            f"schema cannot be used: its $schema {named!r} names no known draft\n  the newest is {NEWEST_DRAFT}"
        )
    plain = dict(schema)
    try:
        drafted.check_schema(plain)
    except jsonschema.SchemaError as error:
        place = _spell_place(error.absolute_path) or "the top"
        raise CaseFileError(f"schema cannot be used: at {place}: {_shorten(error.message)}") from error
    except RecursionError as error:
        raise CaseFileError("schema cannot be used: it is nested too deep") from error
    # With a registry of its own jsonschema fetches nothing.
    return drafted(plain, registry=Registry())


def _leaves(errors: Iterable[ValidationError]) -> Iterator[ValidationError]:
    for error in errors:
        yield from _deepest_alternative(error) or [error]


def _deepest_alternative(error: ValidationError) -> list[ValidationError]:
    """Return the errors of that alternative of an `anyOf` that got furthest, [] where none got on."""
    if error.validator not in ("anyOf", "oneOf") or not error.context:
        return []
    alternatives: defaultdict[Any, list[ValidationError]] = defaultdict(list)
    for inner in error.context:
        alternatives[inner.relative_schema_path[0]].extend(_leaves([inner]))
    # The fewest errors decide between alternatives that got equally far; then the first.
    best = max(alternatives.values(), key=lambda leaves: (min(map(_depth, leaves)), -len(leaves)))
    return best if min(map(_depth, best)) > _depth(error) else []


def _depth(error: ValidationError) -> int:
    # Of a place that the schema forbids, jsonschema gives the path of the container.
    return len(error.absolute_path)


def _problem(error: ValidationError, *, depth: int) -> Problem:
    keyword = "false" if error.validator is None else str(error.validator)
    if keyword in ("anyOf", "oneOf") and error.context and all(_is_type_of(error, c) for c in error.context):
        keyword = "type"
    return Problem(depth, _spell_place(error.absolute_path), _shorten(error.message), keyword)


def _is_type_of(error: ValidationError, inner: ValidationError) -> bool:
    return inner.validator == "type" and len(inner.absolute_path) == len(error.absolute_path)


def _spell_place(path: Iterable[str | int]) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else "." + _quote_key(step) for step in path)
    return _shorten("".join(steps).removeprefix("."))


def _quote_key(key: str) -> str:
    return json.dumps(key, ensure_ascii=False)


def _shorten(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        half = LONGEST_TEXT // 2
        text = f"{text[:half]} ... {text[-half:]}"
    # Half a surrogate pair, which a value may hold, could not be written anywhere.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
