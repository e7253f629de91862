"""What can be said of a reply's text without asking anybody: is it JSON, has it the shape that was asked for,
has it fallen apart, does it say an answer in plain words.

Pure: no file, no clock, no network. An eval builds its `Check`s from these parts.
"""

from __future__ import annotations

from tunegate.checks.degeneration import (
    check_compression,
    check_empty,
    check_end,
    check_length,
    check_loop,
    check_phrase,
    check_script,
    degeneration_checks,
)
from tunegate.checks.json_reply import JsonReply, judge_json
from tunegate.checks.json_text import MAX_DEPTH, JsonText, brief, kind_of, read_json
from tunegate.checks.plain_words import check_plain, find_answer
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
    "check_compression",
    "check_empty",
    "check_end",
    "check_length",
    "check_loop",
    "check_phrase",
    "check_plain",
    "check_script",
    "degeneration_checks",
    "find_answer",
    "judge_json",
    "kind_of",
    "read_json",
    "recover_json",
]
