"""The base model out of its GGUF file, and conversations as its tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunegate.lab.fine_tuning.conversations import Turn, read_conversations
from tunegate.lab.fine_tuning.order import TrainingFailed
from tunegate.lab.fine_tuning.recipe import MOST_TOKENS


@dataclass(frozen=True)
class Example:
    """One conversation as tokens."""

    tokens: tuple[int, ...]
    is_learned: tuple[bool, ...]
    """Of each token, whether the model is taught to say it."""


@dataclass(frozen=True)
class Base:
    """A model to train, in single precision, and what makes tokens for it."""

    model: Any
    tokenizer: Any
    chat_template: str | None

    def encode(self, turns: Sequence[Turn]) -> Example:
        """A conversation up to the last turn that is learned, exactly as it is asked for at inference."""
        tokens: list[int] = []
        is_learned: list[bool] = []
        for text, flag in self._cut(turns):
            # Each piece on its own: a prompt gets the same tokens as it does when the answer is not there yet.
            piece = self.tokenizer(text, add_special_tokens=False)["input_ids"]
            tokens += piece
            is_learned += [flag] * len(piece)
        return Example(tuple(tokens), tuple(is_learned))

    def _cut(self, turns: Sequence[Turn]) -> Iterator[tuple[str, bool]]:
        said = ""
        for number, turn in enumerate(turns):
            if not turn.is_learned:
                continue
            prompt = self._render(turns[:number])
            if not prompt.startswith(said):
                message = "the model's chat template changes earlier turns: one learned turn a conversation, please"
                raise TrainingFailed(message, code="invalid_training_file", param="training_file")
            answer = turn.content + self.tokenizer.eos_token
            yield prompt[len(said) :], False
            yield answer, True
            said = prompt + answer

    def _render(self, turns: Sequence[Turn]) -> str:
        messages = [{"role": turn.role, "content": turn.content} for turn in turns]
        rendered: str = self.tokenizer.apply_chat_template(
            messages, chat_template=self.chat_template, tokenize=False, add_generation_prompt=True
        )
        return rendered


def load_base(path: Path, *, chat_template: str | None) -> Base:
    """Read a GGUF file, its weights back in single precision: the numbers that llama.cpp computes with."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    return Base(model, tokenizer, chat_template)


def encode_file(base: Base, path: Path, *, param: str) -> list[Example]:
    """The examples of a file.

    Raises:
        TrainingFailed: one of them is longer than MOST_TOKENS.
    """
    examples = []
    for number, turns in read_conversations(path):
        example = base.encode(turns)
        if len(example.tokens) > MOST_TOKENS:
            message = (
                f"Line {number}: the example has {len(example.tokens)} tokens, the lab takes {MOST_TOKENS} at most"
            )
            raise TrainingFailed(message, code=f"invalid_{param}", param=param)
        examples.append(example)
    return examples
