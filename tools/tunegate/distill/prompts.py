"""A file of prompts as an eval that asks nothing: its cases are for learning."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunegate.cases import Eval, Message, Sources
from tunegate.cases.names import shorten, show_path
from tunegate.errors import CaseFileError
from tunegate.exchanges import canonical_json

MAX_TOKENS = 512
"""Of a reply to a prompt, where nobody says another number."""
_ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Prompt:
    """A prompt of a file, or one that a teacher made from it."""

    id: str
    """Made from what it says: lines may move."""
    messages: tuple[Message, ...]
    answer: str | None = None
    """The reply that stands beside it; None where only a teacher can say."""
    subject: str = "prompts"


@dataclass(frozen=True)
class PromptFile:
    """The prompts of a file, in its order."""

    path: Path
    prompts: tuple[Prompt, ...]
    sha256: str

    def as_eval(self, name: str) -> Eval:
        """Return an eval whose training cases they are."""
        return eval_of_prompts(name, self.prompts)


def eval_of_prompts(name: str, prompts: Sequence[Prompt]) -> Eval:
    """Return an eval whose training cases are these prompts; it asks none of them."""
    is_answered = bool(prompts) and all(prompt.answer is not None for prompt in prompts)
    return Eval(
        name,
        cases=_no_cases,
        prompt=_messages_of,
        max_tokens=MAX_TOKENS,
        training=lambda _: prompts,
        answer=_answer_of if is_answered else None,
    )


def read_prompts(path: Path) -> PromptFile:
    """Read a file of prompts: `.jsonl` holds a JSON object a line, everything else a prompt a line.

    An object is `{"prompt": "..."}`, with `"answer"` where the right one is known, or a chat as `{"messages": [...]}`,
    whose last message is the answer if it is an assistant's.

    Raises:
        CaseFileError: it cannot be read, holds no prompt, or a line is none.
    """
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as problem:
        raise CaseFileError(f"no file of prompts at {show_path(path)}: {problem.strerror}") from problem
    except UnicodeDecodeError as problem:
        raise CaseFileError(f"{show_path(path)}: wanted UTF-8, found {problem}") from problem
    # Not splitlines: JSON may hold line separators of Unicode as they are.
    lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1)]
    is_json = path.suffix.lower() in (".jsonl", ".json")
    prompts = [
        _read_object(line, place=f"{show_path(path)}, line {number}") if is_json else prompt_of_text(line)
        for number, line in lines
        if line
    ]
    if not prompts:
        raise CaseFileError(f"{show_path(path)}: wanted a prompt a line, found none")
    return PromptFile(path, tuple(prompts), hashlib.sha256(content).hexdigest())


def prompt_of_text(text: str, *, answer: str | None = None) -> Prompt:
    """Return the prompt that a user would type."""
    return prompt_of_messages([{"role": "user", "content": text}], answer=answer)


def prompt_of_messages(messages: Sequence[Message], *, answer: str | None = None, subject: str = "prompts") -> Prompt:
    """Return the prompt that a chat makes."""
    digest = hashlib.sha256(canonical_json(list(messages)).encode("ascii")).hexdigest()
    return Prompt(f"prompt-{digest[:12]}", tuple(messages), answer, subject)


def _read_object(line: str, *, place: str) -> Prompt:
    try:
        value = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as problem:
        raise CaseFileError(f"{place}: wanted a JSON object, found a mistake: {problem}") from problem
    if not isinstance(value, dict) or ("prompt" in value) == ("messages" in value):
        raise CaseFileError(f'{place}: wanted an object with "prompt" or "messages", found {shorten(line)}')
    answer, subject = value.get("answer"), value.get("subject", "prompts")
    if not isinstance(answer, str | None) or not isinstance(subject, str):
        raise CaseFileError(f"{place}: wanted text as answer and subject, found {shorten(line)}")
    if "prompt" in value:
        if not isinstance(value["prompt"], str) or not value["prompt"].strip():
            raise CaseFileError(f"{place}: wanted a prompt in text, found {shorten(value['prompt'])}")
        return prompt_of_messages([{"role": "user", "content": value["prompt"]}], answer=answer, subject=subject)
    messages = _read_messages(value["messages"], place=place)
    if messages[-1]["role"] == "assistant":
        answer = messages.pop()["content"]
    if not any(message["role"] == "user" for message in messages):
        raise CaseFileError(f"{place}: wanted a message of the user, found {shorten(value['messages'])}")
    return prompt_of_messages(messages, answer=answer, subject=subject)


def _read_messages(value: Any, *, place: str) -> list[Message]:
    if not isinstance(value, list) or not value:
        raise CaseFileError(f"{place}: wanted a list of messages, found {shorten(value)}")
    messages: list[Message] = []
    for message in value:
        fits = isinstance(message, dict) and message.get("role") in _ROLES and isinstance(message.get("content"), str)
        if not fits:
            raise CaseFileError(
                f"{place}: wanted messages with a role ({', '.join(_ROLES)}) and content in text, "
                f"found {shorten(message)}"
            )
        messages.append({"role": message["role"], "content": message["content"]})
    return messages


def _no_cases(_: Sources) -> list[Prompt]:
    return []


def _messages_of(prompt: Prompt, _: Sources) -> list[Message]:
    return list(prompt.messages)


def _answer_of(prompt: Prompt) -> str:
    assert prompt.answer is not None, "an eval of prompts has answers only where all have one"  # noqa: S101
    return prompt.answer
