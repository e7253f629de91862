"""The command that records what an item found no recording of."""

from __future__ import annotations

import shlex

import pytest

_ASKED_DIFFERENTLY: dict[str, object] = {
    "questions": None,
    "subject": [],
    "limit": None,
    "seed": 0,
    "shots": 0,
    "temperature": 0.0,
    "max_tokens": None,
    "in_flight": None,
    "stream": True,
    "repeat": 1,
    "base_url": None,
    "key_env": "OPENAI_API_KEY",
}
"""Options that change what is asked, or how, with their defaults."""


def recording_command(item: pytest.Item, *, case: str, model: str) -> str:
    """Return the command that records what `item` asks, with every option that changes the request."""
    words = ["pytest", item.nodeid.partition("::")[0], "--record=missing", "--model", model]
    for name, default in _ASKED_DIFFERENTLY.items():
        value = item.config.getoption(name)
        if value == default:
            continue
        if name == "stream":
            words.append("--no-stream")
            continue
        for one in value if isinstance(value, list) else [value]:
            words += [f"--{name.replace('_', '-')}", str(one)]
    return shlex.join([*words, "-k", case])
