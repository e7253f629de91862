"""The shape a value was asked to have, as a JSON Schema."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tunegate.checks import Problem, Shape, read_json
from tunegate.checks.shape import PROBLEMS_KEPT
from tunegate.errors import CaseFileError

ROOT = Path(__file__).resolve().parents[2]
ANSWER_LIST = json.loads((ROOT / "fixtures" / "schemas" / "answer_list.json").read_text("utf-8"))
RIGHT = [{"1": "3"}, {"2": "1"}, {"3": "4"}, {"4": "2"}]


@pytest.fixture(scope="module")
def answer_list() -> Shape:
    """The shape that ships with the format eval."""
    return Shape(ANSWER_LIST)


def places(shape: Shape, value: Any) -> list[tuple[int, str, str]]:
    """Depth, place and keyword of each problem."""
    return [(problem.depth, problem.place, problem.keyword) for problem in shape.problems(value)]


def test_the_right_answer_has_no_problems(answer_list: Shape) -> None:
    """The answer that the prompt describes fits the shape that ships."""
    assert answer_list.problems(RIGHT) == ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"1": "3"}, [(0, "", "type")]),
        ("text", [(0, "", "type")]),
        (None, [(0, "", "type")]),
        (RIGHT[:3], [(0, "", "minItems")]),
        ([*RIGHT, {"5": "1"}], [(0, "", "maxItems")]),
        ([{"1": "3"}, "1", *RIGHT[2:]], [(1, "[1]", "type")]),
        ([{"1": "3"}, {}, *RIGHT[2:]], [(1, "[1]", "required")]),
        ([{"1": "3", "x": "1"}, *RIGHT[1:]], [(1, "[0]", "additionalProperties")]),
        ([*RIGHT[:2], {"3": 4}, RIGHT[3]], [(2, '[2]."3"', "enum")]),
        ([*RIGHT[:2], {"3": "5"}, RIGHT[3]], [(2, '[2]."3"', "enum")]),
        ([*RIGHT[:2], {"3": ["4"]}, RIGHT[3]], [(2, '[2]."3"', "enum")]),
        ([{"1": True}, *RIGHT[1:]], [(2, '[0]."1"', "enum")]),
    ],
)
def test_keys_and_values_lie_at_different_depths(
    answer_list: Shape, value: Any, expected: list[tuple[int, str, str]]
) -> None:
    """The number of items is a problem of the whole, keys are of the item, the rest of the value."""
    assert places(answer_list, value) == expected


def test_problems_say_what_is_wrong(answer_list: Shape) -> None:
    """A problem reads as a sentence about its place."""
    found = answer_list.problems([{"1": "9"}, *RIGHT[1:]])
    assert found == (Problem(2, '[0]."1"', "'9' is not one of ['1', '2', '3', '4']", "enum"),)


LIST_OF = {"type": "array", "items": {"type": "object"}}
VALUES_OF_ANY_OF = {
    "type": "array",
    "items": {"additionalProperties": {"anyOf": [{"const": "1"}, {"type": "null"}]}},
}
ITEMS_OF_ANY_OF = {
    "items": {
        "anyOf": [
            {"type": "object", "required": ["answer"], "properties": {"answer": {"enum": ["1", "2"]}}},
            {"type": "string"},
        ]
    }
}


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"prefixItems": [{}], "items": False}, [1, 2, 3], [(0, "", "items")]),
        ({"prefixItems": [True, False]}, [1, 2], [(0, "", "false")]),
        ({"items": {"properties": {"x": False}}}, [{"x": 1}], [(1, "[0]", "false")]),
        ({"items": {"propertyNames": {"pattern": "^[0-9]$"}}}, [{"x": 1}], [(1, "[0]", "pattern")]),
        ({"items": {"additionalProperties": {"type": "string"}}}, [{"x": 1}], [(2, '[0]."x"', "type")]),
        (
            {"items": {"patternProperties": {"^[0-9]$": {"maxLength": 1}}}},
            [{"1": "33"}],
            [(2, '[0]."1"', "maxLength")],
        ),
        ({"$ref": "#/$defs/a", "$defs": {"a": LIST_OF}}, [1], [(1, "[0]", "type")]),
        ({"allOf": [LIST_OF, {"minItems": 2}]}, [1], [(0, "", "minItems"), (1, "[0]", "type")]),
        (VALUES_OF_ANY_OF, [{"a": "2"}], [(2, '[0]."a"', "anyOf")]),
        (ITEMS_OF_ANY_OF, [{"answer": "3"}], [(2, '[0]."answer"', "enum")]),
        (ITEMS_OF_ANY_OF, [{}], [(1, "[0]", "anyOf")]),
        (ITEMS_OF_ANY_OF, [5], [(1, "[0]", "type")]),
        ({"anyOf": [{"type": "array"}, {"type": "object"}]}, "x", [(0, "", "type")]),
        ({"anyOf": [LIST_OF, {"type": "object"}]}, [1], [(1, "[0]", "type")]),
        ({"oneOf": [{"type": "array"}, {"minItems": 1}]}, [1], [(0, "", "oneOf")]),
        ({"if": {"minItems": 1}, "then": {"items": {"type": "object"}}}, [1], [(1, "[0]", "type")]),
        ({"items": {"unevaluatedProperties": False}}, [{"a": 1}], [(1, "[0]", "unevaluatedProperties")]),
        ({"not": {"type": "array"}}, [], [(0, "", "not")]),
        ({"contains": {"type": "object"}}, [1], [(0, "", "contains")]),
    ],
)
def test_every_way_to_write_a_shape_counts_sensibly(
    schema: dict[str, Any], value: Any, expected: list[tuple[int, str, str]]
) -> None:
    """References, alternatives and forbidden places put a problem where a reader would."""
    assert places(Shape(schema), value) == expected


def test_the_named_draft_decides() -> None:
    """The same keyword means what the draft that `$schema` names says: `items` as a list is of draft 7."""
    old = {"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}]}
    assert places(Shape(old), [1]) == [(1, "[0]", "type")]
    with pytest.raises(CaseFileError, match='at "items"'):
        Shape({"$schema": "https://json-schema.org/draft/2020-12/schema", "items": [{"type": "string"}]})


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "lst"}, "at \"type\": 'lst' is not valid"),
        ({"items": {"pattern": "("}}, 'at "items"."pattern"'),
        ({"minItems": "4"}, 'at "minItems"'),
        ({"$schema": "https://example.org/mine"}, "names no known draft"),
        ({"$schema": ["x"]}, "names no known draft"),
        ({"$ref": "#/$defs/missing"}, r"nothing is found at \$ref '/\$defs/missing'"),
        ({"$ref": "https://example.org/schema.json"}, r"nothing is found at \$ref"),
        ({"$ref": "#"}, "refers to itself without end"),
        (["array"], "an object was wanted, list was there"),
    ],
)
def test_a_schema_that_is_none_is_the_case_files_fault(schema: Any, message: str) -> None:
    """A schema that cannot be used is told where it is made, and never held against a model."""
    with pytest.raises(CaseFileError, match=message):
        Shape(schema)


def test_a_reference_met_late_is_still_the_case_files_fault() -> None:
    """A reference that leads nowhere and is met by a reply only is a fault of the schema."""
    shape = Shape({"items": {"properties": {"a": {"$ref": "#/nowhere"}}}})
    with pytest.raises(CaseFileError, match="/nowhere"):
        shape.problems([{"a": 1}])


def nested(depth: int) -> Any:
    """A list in a list, `depth` times."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("schema", [ANSWER_LIST, {"items": {"$ref": "#"}}, {"uniqueItems": True}], ids=["a", "b", "c"])
def test_depth_crashes_no_shape(schema: dict[str, Any]) -> None:
    """A value of any depth is judged, or said to be too deep."""
    shape = Shape(schema)
    assert all(problem.depth <= 1 for problem in shape.problems(nested(100_000)))
    shape.problems(read_json("[" * 100 + "]" * 100).value)


@pytest.mark.parametrize("text", ["1e999", "-1e999", "1" * 4300, "1" * 5000])
@pytest.mark.parametrize("schema", [{"multipleOf": 0.5}, {"multipleOf": 3}, {"type": "integer"}, {"maximum": 1.5}])
def test_size_crashes_no_shape(schema: dict[str, Any], text: str) -> None:
    """A number of any size is judged, or said to be too large."""
    for problem in Shape(schema).problems(read_json(text).value):
        assert problem.text


def test_texts_and_number_of_problems_are_bounded() -> None:
    """A value with a million things wrong gives few problems, and a long one a short text."""
    found = Shape({"items": {"type": "string"}, "maxItems": 1}).problems([1] * 1000)
    assert len(found) == 1 + PROBLEMS_KEPT
    assert all(len(problem.text) < 250 for problem in found)


def test_problems_can_be_written_anywhere() -> None:
    """Half a surrogate pair in a key or a value is spelled out in a problem."""
    (found,) = Shape({"items": {"additionalProperties": {"type": "null"}}}).problems([{"\ud800": "\udfff"}])
    assert found.place.encode()
    assert found.text.encode()


def test_validation_is_imported_only_for_a_shape() -> None:
    """Who makes no shape does not wait for jsonschema."""
    code = "import sys, tunegate.checks; print([m for m in ('jsonschema', 'referencing') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "tools", capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
