"""What can be said of a reply's text without asking anybody: is it JSON, has it the shape that was asked for.

Pure: no file, no clock, no network. An eval builds its `Check`s from these parts.
"""

from __future__ import annotations

from tunegate.checks.json_reply import JsonReply, judge_json
from tunegate.checks.json_text import MAX_DEPTH, JsonText, brief, kind_of, read_json
from tunegate.checks.recovery import recover_json
from tunegate.checks.shape import Problem, Shape
from tunegate.records import Check, Reply

__all__ = [
    "MAX_DEPTH",
    "Check",
    "JsonReply",
    "JsonText",
    "Problem",
    "Reply",
    "Shape",
    "brief",
    "judge_json",
    "kind_of",
    "read_json",
    "recover_json",
]
