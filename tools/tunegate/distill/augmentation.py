"""More prompts like those of a file, written by a teacher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tunegate.cases import Eval, Message, Sources
from tunegate.checks import recover_json
from tunegate.distill.prompts import Prompt, prompt_of_messages
from tunegate.distill.teaching import Taught, defect_of

TEMPERATURE = 1.0
"""At 0 the variants of a prompt come out alike."""
_TOKENS_EACH = 128
"""Room for one variant in the teacher's reply."""
_INSTRUCTION = (
    "You write prompts for a training set. Write {count} new prompts of the same kind as the one you are given: the "
    "same task, length and tone, but another situation each time, with other names, places, objects and numbers. "
    "Do not answer the prompts. Reply with a JSON list of {count} strings and nothing else."
)


@dataclass(frozen=True)
class Augmented:
    """The prompts that a teacher wrote, in the order of those they were made from."""

    prompts: tuple[Prompt, ...]
    unusable: int
    """Replies that held no list of prompts."""


def augmenting_eval(name: str, prompts: Sequence[Prompt], *, count: int) -> Eval:
    """Return an eval that asks for `count` variants of each prompt."""

    def ask_for_variants(prompt: Prompt, _: Sources) -> list[Message]:
        return [
            {"role": "system", "content": _INSTRUCTION.format(count=count)},
            {"role": "user", "content": prompt.messages[_place_of(prompt)]["content"]},
        ]

    return Eval(
        name,
        cases=lambda _: [],
        prompt=ask_for_variants,
        max_tokens=count * _TOKENS_EACH,
        training=lambda _: prompts,
    )


def read_variants(prompts: Sequence[Prompt], replies: Sequence[Taught], *, count: int) -> Augmented:
    """Return the new prompts of the replies: each is its seed with another last message of the user.

    Of each reply the first `count` texts are taken. What else it says, and variants that no request can carry, are
    passed over; the answer of the seed is not the variant's.
    """
    made: list[Prompt] = []
    unusable = 0
    for prompt, reply in zip(prompts, replies, strict=True):
        texts = [] if reply.problem else _texts_of(reply.text)[:count]
        unusable += not texts
        place = _place_of(prompt)
        for text in texts:
            messages = list(prompt.messages)
            messages[place] = {"role": "user", "content": text}
            made.append(prompt_of_messages(messages, subject=prompt.subject))
    return Augmented(tuple(made), unusable)


def _place_of(prompt: Prompt) -> int:
    return max(place for place, message in enumerate(prompt.messages) if message["role"] == "user")


def _texts_of(text: str) -> list[str]:
    found = recover_json(text)
    values = found.value if found is not None else None
    if not isinstance(values, list):
        return []
    return [value.strip() for value in values if isinstance(value, str) and not defect_of(value)]
