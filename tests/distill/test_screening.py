"""Which lines of a file of somebody's own stand in an eval."""

from __future__ import annotations

import json

import pytest

from tunegate.distill import screen_lines

from .lessons import filter_of

NIGHT = "Explain to a child why it gets dark at night."
EVALUATION = filter_of(NIGHT).evaluation


def line(*said: tuple[str, object]) -> bytes:
    return json.dumps({"messages": [{"role": role, "content": content} for role, content in said]}).encode()


@pytest.mark.parametrize(
    ("chat", "where"),
    [
        ([("user", NIGHT), ("assistant", "Because.")], "message 1 (user)"),
        ([("user", "Hello!"), ("assistant", "Hi."), ("user", NIGHT), ("assistant", "Because.")], "message 3 (user)"),
        ([("system", f"Example: {NIGHT} Because."), ("user", "Why?")], "message 1 (system)"),
        ([("user", "Ask me."), ("assistant", NIGHT)], "message 2 (assistant)"),
        ([("user", [{"type": "text", "text": NIGHT}, {"type": "image_url"}])], ""),
    ],
)
def test_every_message_is_looked_at(chat: list[tuple[str, object]], where: str) -> None:
    """Whoever says it, and in whichever turn, what an eval asks is named with its line."""
    fine = line(("user", "Where is my parcel?"), ("assistant", "On its way."))
    (found,) = screen_lines([fine, b"", line(*chat)], EVALUATION)
    assert (found.id, found.reason) == ("line 3", "leak")
    assert found.detail.endswith("eval[0]")
    assert where in found.detail


def test_messages_without_text_say_nothing() -> None:
    """A call of a tool has no content, and no line breaks on it."""
    assert screen_lines([line(("user", "Hello."), ("assistant", None), ("tool", "42"))], EVALUATION) == []


@pytest.mark.parametrize("bad", [b"{", b"[]", b'{"messages": ["hello"]}', b'{"messages": 1}', b"{}"])
def test_line_that_is_no_chat_is_an_error(bad: bytes) -> None:
    """What cannot be read is not taken to be clean."""
    with pytest.raises((ValueError, TypeError, LookupError)):
        screen_lines([bad], EVALUATION)
