"""Which lines of a file of somebody's own, that nobody chose from lessons, stand in an eval."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tunegate.distill.choosing import Refusal, tell_match
from tunegate.distill.lessons import Evaluation
from tunegate.distill.texts import Part, turns_of


def screen_lines(lines: Iterable[bytes], evaluation: Evaluation) -> list[Refusal]:
    """Return the lines of a chat JSONL that repeat what the evals ask, as `line 3`, counted from 1.

    Every message is looked at, the answer too, and all that the user says taken together. Content in parts, as of
    pictures, is looked at where it is text. Blank lines count and say nothing.

    Raises:
        ValueError, TypeError, LookupError: a line is no JSON object with a list of messages.
    """
    found: list[Refusal] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        chat = [_role_and_content(message) for message in json.loads(line)["messages"]]
        said = "\n".join(content for role, content in chat if role == "user")
        leak = evaluation.first_leak((*turns_of(chat), Part(said)))
        if leak is not None:
            found.append(Refusal(f"line {number}", "leak", tell_match(*leak), leak[1]))
    return found


def _role_and_content(message: Any) -> tuple[str, str]:
    if not isinstance(message, dict):
        raise TypeError(f"wanted a message with role and content, found {message!r:.60}")
    content = message.get("content")
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "\n".join(text for text in texts if isinstance(text, str))
    return str(message.get("role")), content if isinstance(content, str) else ""
