"""What a chat request must look like before an engine sees it.

llama.cpp answers an empty list of messages with 200, and some wrong types with text about its own insides.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tunegate.lab.refusals import Refusal

# llama.cpp's own defaults (temperature 0.8, top_k 40, min_p 0.05) are not what the API documents.
API_DEFAULTS: Mapping[str, object] = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0}

MOST_STOPS = 4
MOST_TOP_LOGPROBS = 20
ROLES = ("system", "developer", "user", "assistant", "tool", "function")


@dataclass(frozen=True)
class ChatRequest:
    """A request that is well formed; what it means is the engine's business."""

    model: str
    stream: bool
    fields: Mapping[str, object]
    """All that the client said, without its nulls."""


def is_integer(value: object) -> bool:
    """Whether JSON said a whole number; its `true` is one for Python, not for the API."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object, low: float, high: float) -> bool:
    """Whether JSON said a number between two limits."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def is_stop(value: object) -> bool:
    """Whether a value names stop sequences: one, or a list of up to four."""
    if isinstance(value, list):
        return len(value) <= MOST_STOPS and all(isinstance(item, str) for item in value)
    return isinstance(value, str)


CHECKS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "stream": (lambda value: isinstance(value, bool), "a boolean"),
    "stream_options": (lambda value: isinstance(value, dict), "an object"),
    "max_tokens": (lambda value: is_integer(value) and value >= 1, "a positive integer"),
    "max_completion_tokens": (lambda value: is_integer(value) and value >= 1, "a positive integer"),
    "temperature": (lambda value: is_number(value, 0, 2), "a number from 0 to 2"),
    "top_p": (lambda value: is_number(value, 0, 1), "a number from 0 to 1"),
    "presence_penalty": (lambda value: is_number(value, -2, 2), "a number from -2 to 2"),
    "frequency_penalty": (lambda value: is_number(value, -2, 2), "a number from -2 to 2"),
    "seed": (is_integer, "an integer"),
    "n": (lambda value: is_integer(value) and value == 1, "1, since the lab answers one request at a time"),
    "stop": (is_stop, "a string or a list of up to four strings"),
    "logprobs": (lambda value: isinstance(value, bool), "a boolean"),
    "top_logprobs": (
        lambda value: is_integer(value) and 0 <= value <= MOST_TOP_LOGPROBS,
        "an integer from 0 to 20",
    ),
    "response_format": (lambda value: isinstance(value, dict), "an object"),
}


def parse_chat(payload: bytes) -> ChatRequest:
    """Read a chat request, or refuse it with the field that is wrong."""
    fields = parse_object(payload)
    model = fields.get("model")
    if not isinstance(model, str) or not model:
        raise Refusal(400, "You must provide a model parameter, a string", param="model")
    check_messages(fields.get("messages"))
    for name, (is_fine, wanted) in CHECKS.items():
        if name in fields and not is_fine(fields[name]):
            raise Refusal(400, f"Invalid value for '{name}': expected {wanted}", code="invalid_value", param=name)
    stream = fields.get("stream") is True
    if "stream_options" in fields and not stream:
        raise Refusal(400, "'stream_options' is only allowed when 'stream' is true", param="stream_options")
    return ChatRequest(model, stream, fields)


def parse_object(payload: bytes) -> dict[str, object]:
    """A JSON object without its nulls, which mean "not given" all over the API."""
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"We could not parse the JSON body of your request: {error}") from error
    if not isinstance(value, dict):
        raise Refusal(400, "The body of the request must be a JSON object")
    return {key: item for key, item in value.items() if item is not None}


def check_messages(messages: object) -> None:
    """Refuse anything but a list of messages with a role and something said."""
    if not isinstance(messages, list) or not messages:
        raise Refusal(400, "'messages' must be a list of at least one message", param="messages")
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if not isinstance(message, dict):
            raise Refusal(400, f"'{where}' must be an object", param=where)
        if message.get("role") not in ROLES:
            raise Refusal(400, f"'{where}.role' must be one of {', '.join(ROLES)}", param=f"{where}.role")
        # An assistant's turn that called a tool says nothing itself.
        says = message.get("content", "" if "tool_calls" in message else None)
        if says is None and "tool_calls" in message:
            continue
        if not isinstance(says, str) and not is_list_of_objects(says):
            raise Refusal(400, f"'{where}.content' must be a string or a list of parts", param=f"{where}.content")


def is_list_of_objects(value: object) -> bool:
    """Whether a value is a list of JSON objects, as content in parts is."""
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)
