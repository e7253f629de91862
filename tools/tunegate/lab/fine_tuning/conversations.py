"""What a training file must look like: JSONL, a conversation on each line, the assistant's turn last."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FEWEST_EXAMPLES = 10
"""Of a training file, as at OpenAI; one is enough for a validation file."""
MOST_FAULTS = 5
ROLES = ("system", "developer", "user", "assistant")


@dataclass(frozen=True)
class Turn:
    """One message of a conversation."""

    role: str
    content: str
    is_learned: bool
    """Whether the model is taught to say it: an assistant's turn, unless it has `weight: 0`."""


@dataclass(frozen=True)
class Inspection:
    """What is known of a file after it was read once."""

    examples: int
    faults: tuple[str, ...]
    """What is wrong, with the number of the line; a few of them describe a file that is wrong all over."""


def inspect_file(path: Path, *, fewest: int) -> Inspection:
    """Read a file from end to end."""
    examples = 0
    faults: list[str] = []
    for number, text in read_lines(path):
        examples += 1
        if len(faults) < MOST_FAULTS:
            faults.extend(f"Line {number}: {fault}" for fault in itertools.islice(find_faults(text), 1))
    if not faults and examples < fewest:
        faults.append(f"The file has {examples} example(s), but must have at least {fewest}")
    return Inspection(examples, tuple(faults))


def read_conversations(path: Path) -> Iterator[tuple[int, list[Turn]]]:
    """The conversations of a file that was inspected, with the numbers of their lines, counted from 1."""
    for number, text in read_lines(path):
        yield (
            number,
            [
                Turn(
                    "system" if message["role"] == "developer" else message["role"],
                    message["content"],
                    message["role"] == "assistant" and message.get("weight", 1) == 1,
                )
                for message in json.loads(text)["messages"]
            ],
        )


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file with their numbers, without the empty ones."""
    with path.open("rb") as file:
        for number, text in enumerate(file, start=1):
            if text.strip():
                yield number, text


def find_faults(text: bytes) -> Iterator[str]:
    """What is wrong with a line; what is asked for after the first has no meaning."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        yield f"not valid JSON: {error}"
        return
    messages = value.get("messages") if isinstance(value, dict) else None
    if not isinstance(messages, list) or not messages:
        yield 'must be an object with a list "messages" of at least one message'
        return
    for index, message in enumerate(messages):
        yield from (f'"messages[{index}]": {fault}' for fault in find_faults_of_message(message))
    if messages[-1]["role"] != "assistant":
        yield "the last message must be from the assistant: it is what is learned"
    if not any(message["role"] == "assistant" and message.get("weight", 1) for message in messages):
        yield "no message of the assistant has a weight other than 0: nothing would be learned"


def find_faults_of_message(message: Any) -> Iterator[str]:
    """What is wrong with one message."""
    if not isinstance(message, dict) or message.get("role") not in ROLES:
        yield f'must be an object with a "role", one of {", ".join(ROLES)}'
        return
    if not isinstance(message.get("content"), str):
        yield '"content" must be a text: the lab learns no tool calls and no parts'
    elif not message["content"] and message["role"] == "assistant":
        yield '"content" is empty: there is nothing to learn'
    if "weight" in message and (message["role"] != "assistant" or message["weight"] not in (0, 1)):
        yield '"weight" must be 0 or 1, and stands in messages of the assistant only'
