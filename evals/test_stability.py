"""Stability: does a model still speak, and does it still know what it knew?

Two evals of what a fine-tune may lose while it learns its task, and no score on the task shows:

degeneration    open, everyday prompts, each at temperature 0 and at temperature 1. A reply has fallen apart where it
                is empty, goes round in circles, changes its script, stops within a sentence, or is a JSON list
                where a letter was asked for.
forgetting      general questions with short plain answers, none of the kind that the format eval asks. What the base
                knew and the fine-tune does not is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tunegate.cases import Message, Sources, evaluates
from tunegate.checks import Check, Reply, brief, check_plain, degeneration_checks, find_answer

TEMPERATURES = (0, 1)
"""Greedy, where a model repeats itself first, and as it was trained to be sampled, where it comes apart first."""
ADVISORY = ("no_runaway",)
"""Measured and never missed: at 96 tokens a reply that never ends looks like one that is merely long. A base and its
fine-tune are asked the same, though, so a gate may well compare how often the two come to an end."""


@dataclass(frozen=True)
class Prompt:
    """What stands in the file: see there."""

    id: str
    text: str
    scripts: tuple[str, ...] = ()
    most_words: int | None = None


@dataclass(frozen=True)
class Speech:
    """A prompt at a temperature, which is its subject: a rule with `per_subject = true` judges each by itself.

    Both cases of a prompt ask the same, so over both temperatures there are half as many prompts as cases.
    """

    prompt: Prompt
    temperature: float

    @property
    def id(self) -> str:
        """Return `letter-t1`."""
        return f"{self.prompt.id}-t{self.temperature:g}"

    @property
    def subject(self) -> str:
        """Return `temperature 1`."""
        return f"temperature {self.temperature:g}"


@dataclass(frozen=True)
class Question:
    """What stands in the file: see there."""

    id: str
    subject: str
    text: str
    answers: tuple[str, ...]


def speeches(sources: Sources) -> list[Speech]:
    """Return the cases: every prompt at every temperature."""
    prompts = sources.rows("stability/prompts.toml", "prompts", kind=Prompt)
    return sources.sample([Speech(prompt, temperature) for prompt in prompts for temperature in TEMPERATURES])


def questions(sources: Sources) -> list[Question]:
    """Return the cases: every question once."""
    return sources.sample(sources.rows("stability/questions.toml", "questions", kind=Question))


def say(case: Speech, _: Sources) -> list[Message]:
    """Return the chat: the prompt alone. An instruction might hold a model up that has forgotten how to speak."""
    return [{"role": "user", "content": case.prompt.text}]


def ask_plainly(case: Question, _: Sources) -> list[Message]:
    """Return the chat: the question alone."""
    return [{"role": "user", "content": case.text}]


def signs(case: Speech, reply: Reply) -> list[Check]:
    """Return every sign of a reply that has fallen apart, and before them, whether it shows none: `intact`."""
    prompt = case.prompt
    found = degeneration_checks(reply, prompt=prompt.text, scripts=prompt.scripts, most_words=prompt.most_words)
    found = [replace(check, advisory=check.name in ADVISORY) for check in [check_plain(reply.text), *found]]
    seen = [check.name for check in found if check.passed is False and not check.advisory]
    return [Check("intact", not seen, expected="no sign", got=", ".join(seen)), *found]


def checks(case: Question, text: str) -> list[Check]:
    """Return whether an accepted answer stands in the reply, and whether the reply is words at all."""
    answer = find_answer(text, case.answers)
    return [
        Check("knows", answer is not None, expected=" or ".join(case.answers), got=answer or brief(text)),
        check_plain(text),
    ]


@evaluates(
    "degeneration", cases=speeches, prompt=say, max_tokens=96, temperature=lambda case: case.temperature, partial=True
)
def test_degeneration(case: Speech, ask: Callable[[], Reply], score: Callable[[Sequence[Check]], None]) -> None:
    """The reply is prose that holds together."""
    score(signs(case, ask()))


@evaluates("forgetting", cases=questions, prompt=ask_plainly, max_tokens=32, temperature=lambda _: 0, partial=True)
def test_forgetting(case: Question, ask: Callable[[], Reply], score: Callable[[Sequence[Check]], None]) -> None:
    """The reply says an accepted answer, in plain words."""
    score(checks(case, ask().text))
