"""A reply's text judged by the shape that was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from tunegate.checks.json_text import JsonText, read_json
from tunegate.checks.recovery import recover_json
from tunegate.checks.shape import ITEM, WHOLE, Problem, Shape


@dataclass(frozen=True)
class JsonReply:
    """What a reply's text is, measured by a shape.

    Each of `root_ok`, `keys_problems` and `values_problems` is worth a judgement only where those before it
    hold: of a text that is not JSON there are no problems to tell.
    """

    json: JsonText
    problems: tuple[Problem, ...]
    """Everything the shape finds wrong; empty where the text is not JSON."""
    recoverable: bool
    """The text fits, or would without what stands around the JSON (see `recover_json`)."""

    @property
    def root_ok(self) -> bool:
        """The text is JSON, and of the type asked for: a list, where the shape asks for a list."""
        return self.json.valid and not any(_is_root_type(problem) for problem in self.problems)

    @cached_property
    def keys_problems(self) -> tuple[Problem, ...]:
        """What is wrong with items and their keys.

        A wrong number of items, an item that is no object, a missing or needless key, a key that stands
        twice.
        """
        shallow = (found for found in self.problems if found.depth <= ITEM and not _is_root_type(found))
        repeated = (f"key {key!a} stands twice in an object" for key in self.json.repeated)
        return (*shallow, *(Problem(ITEM, "", text) for text in repeated))

    @cached_property
    def values_problems(self) -> tuple[Problem, ...]:
        """What is wrong with the values under the keys, however deep."""
        return tuple(problem for problem in self.problems if problem.depth > ITEM)

    @property
    def fits(self) -> bool:
        """The text is JSON of exactly the shape asked for, and no key stands twice."""
        return _fits(self.json, self.problems)


def judge_json(text: str, shape: Shape) -> JsonReply:
    """Judge `text` by `shape`."""
    found = read_json(text)
    if found.valid:
        problems = shape.problems(found.value)
        return JsonReply(found, problems, recoverable=_fits(found, problems))
    inner = recover_json(text)
    recoverable = inner is not None and _fits(inner, shape.problems(inner.value))
    return JsonReply(found, (), recoverable=recoverable)


def _fits(found: JsonText, problems: tuple[Problem, ...]) -> bool:
    return found.valid and not problems and not found.repeated


def _is_root_type(problem: Problem) -> bool:
    return problem.depth == WHOLE and problem.keyword == "type"
