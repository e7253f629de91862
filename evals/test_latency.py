"""Latency: how long is the wait, for the first word and for the last?

Five prompts that call for long answers, each cut at several limits of tokens: so it shows apart what a model takes to
begin and what each further token takes. Times are taken at the socket. Live, one request is under way at a time (or as
many as `--in-flight` says), and the models are asked in turns; a replay has the times of the recording.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tunegate.cases import Message, Sources, evaluates
from tunegate.checks import Check, Reply

LIMITS = (8, 32, 64, 128, 256)
"""Tokens, where `--max-tokens` does not say."""
ENDS = ("stop", "length")


@dataclass(frozen=True)
class Prompt:
    """What stands in the file: see there."""

    id: str
    text: str


@dataclass(frozen=True)
class Wait:
    """A prompt whose answer is cut at a limit, under a load; reports show each limit and load by itself."""

    prompt: Prompt
    max_tokens: int
    load: int = 1
    """Requests under way at once."""

    @property
    def id(self) -> str:
        """Return `bubble-64`, and `bubble-64-x4` with four under way."""
        return f"{self.prompt.id}-{self.max_tokens}{f'-x{self.load}' if self.load > 1 else ''}"

    @property
    def subject(self) -> str:
        """Return `64 tokens`, and `64 tokens, 4 in flight`."""
        return f"{self.max_tokens} tokens{f', {self.load} in flight' if self.load > 1 else ''}"


def waits(sources: Sources) -> list[Wait]:
    """Return the cases: every prompt at every limit, under every load."""
    prompts = sources.rows("latency_prompts.toml", "prompts", kind=Prompt)
    limits, loads = sources.token_limits(*LIMITS), sources.loads(1)
    return sources.sample([Wait(prompt, limit, load) for load in loads for limit in limits for prompt in prompts])


def ask_for_much(case: Wait, _: Sources) -> list[Message]:
    """Return the chat: the prompt alone."""
    return [{"role": "user", "content": case.prompt.text}]


def checks(case: Wait, reply: Reply) -> list[Check]:
    """Return whether the reply is one whose time says something: it keeps to its limit, says something, and ends.

    `filled` is no merit: it says whether the model had more to say. Where one model fills its limit and another does
    not, their times are of answers of different length.
    """
    tokens = reply.usage.completion_tokens
    kept = None if tokens is None else tokens <= case.max_tokens
    counted = "no count" if tokens is None else f"{tokens} tokens"
    end = f"{reply.finish_reason}{'' if reply.ended else ', and no [DONE]'}"
    return [
        Check("limit", kept, expected=f"at most {case.max_tokens} tokens", got=counted),
        Check("not_empty", bool(reply.text.strip()), expected="a text", got=f"{len(reply.text)} characters"),
        Check("ended", reply.finish_reason in ENDS and reply.ended, expected=" or ".join(ENDS), got=end),
        Check("filled", reply.finish_reason == "length", expected="length", got=end, advisory=True),
    ]


@evaluates(
    "latency",
    cases=waits,
    prompt=ask_for_much,
    max_tokens=lambda case: case.max_tokens,
    times=True,
    load=lambda case: case.load,
    partial=True,
)
def test_latency(case: Wait, ask: Callable[[], Reply], score: Callable[[Sequence[Check]], None]) -> None:
    """The reply keeps to its limit, says something, and comes to its end; how long that took is on its record."""
    score(checks(case, ask()))
