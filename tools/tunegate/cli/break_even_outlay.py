"""What is paid once, as the command line, a training set, a row of the matrix or a scenario says it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from tunegate.cases import Training
from tunegate.cost import Caller, Outlay, Rates, Scenario, examples_of
from tunegate.errors import UsageError

Stated = tuple[float, float, float | None]
"""In, out and perhaps cached, as the command line has them."""


class OutlayMaterials:
    """Where the parts of an outlay come from; what is stated goes first."""

    def __init__(
        self,
        given: argparse.Namespace,
        *,
        scenario: Scenario | None,
        training: Training | None,
        training_price: Callable[[], float],
        note: Callable[[str], None],
        warn: Callable[[str], None],
    ) -> None:
        self._given = given
        self._scenario = scenario
        self._training = training
        self._training_price = training_price
        self._note = note
        self._warn = warn

    def outlay(self, *, candidate: Caller, baseline: Caller) -> Outlay:
        """Return what is paid once.

        Raises:
            UsageError: an amount is needed and neither stated nor to be found.
            RunError: there is no such training set.
        """
        given = self._given
        tokens, epochs, teaching_usd = self._trained()
        examples = self._examples(tokens, candidate=candidate)
        hours = given.hours or 0.0
        if given.examples_per_hour is not None:
            hours += examples / given.examples_per_hour
        if (given.hours is not None or given.examples_per_hour is not None) and given.usd_per_hour is None:
            raise UsageError("what does an hour of people cost? state it: --usd-per-hour USD")
        return Outlay(
            training_tokens=tokens,
            epochs=epochs,
            training_usd_per_mtok=self._training_price() if tokens else 0.0,
            examples=0.0 if given.examples_per_hour is not None else examples,
            teacher=self._teacher(baseline),
            hours=hours,
            usd_per_hour=given.usd_per_hour or 0.0,
            other_usd=given.other + teaching_usd,
        )

    def _examples(self, tokens: float, *, candidate: Caller) -> float:
        """Return how many examples are still to be written; `tokens` are those of an epoch."""
        given = self._given
        if given.examples is not None:
            return float(given.examples)
        if given.training_set is not None:
            return 0.0
        if self._scenario is not None:
            # From the tokens that hold here: what a scenario says of its own is stale once one of them is stated.
            return examples_of(
                tokens, prompt_tokens=candidate.prompt_tokens, completion_tokens=candidate.completion_tokens
            )
        if given.hours is None:
            self._warn("examples: nothing is stated, so nothing is counted, neither a teacher nor people; --examples N "
                       "states them")  # fmt: skip
        return 0.0

    def _teacher(self, baseline: Caller) -> Caller | None:
        given = self._given
        if given.teacher_tokens is None and given.teacher_prices is None:
            return None
        rates = (
            stated_rates(given.teacher_prices)
            if given.teacher_prices is not None
            else Rates(
                baseline.input_usd_per_mtok,
                baseline.output_usd_per_mtok,
                cached_input_usd_per_mtok=baseline.cached_input_usd_per_mtok,
            )
        )
        if given.teacher_tokens is not None:
            return stated_caller(rates, given.teacher_tokens)
        return Caller.of(
            rates,
            prompt_tokens=baseline.prompt_tokens,
            completion_tokens=baseline.completion_tokens,
            instruction_tokens=baseline.instruction_tokens,
            cached_share=baseline.cached_share,
        )

    def _trained(self) -> tuple[float, float, float]:
        """Return tokens of an epoch, epochs, and what the teacher of a training set cost."""
        given = self._given
        epochs, teaching_usd = 1.0, 0.0
        tokens: float
        if given.training_set is not None:
            tokens, epochs, teaching_usd = self._training_set(given.training_set)
        elif self._scenario is not None:
            tokens, epochs = self._scenario.training_tokens, self._scenario.epochs
        elif given.training_tokens is None:
            tokens, epochs = self._counted_tokens()
        if given.training_tokens is not None:
            tokens = given.training_tokens
        return tokens, epochs if given.epochs is None else given.epochs, teaching_usd

    def _training_set(self, folder: Path) -> tuple[float, float, float]:
        from tunegate.distill import read_manifest

        manifest = read_manifest(folder)
        largest = max(manifest["files"], key=lambda file: int(file["tokens"]))
        teaching_usd = manifest.get("teaching_usd")
        if teaching_usd is None:
            raise UsageError(
                f"the manifest of {folder} does not know what its teacher cost: its price was unknown\n"
                "  say that price in fixtures/prices.toml and write the set again, or state --training-tokens, --other"
            )
        self._note(
            f"training set: {largest['path']} of {folder}, {largest['examples']:,} examples; its answers cost "
            f"${teaching_usd:,.2f}"
        )
        return float(largest["tokens"]), float(manifest["epochs"]), float(teaching_usd)

    def _counted_tokens(self) -> tuple[float, float]:
        """Return the tokens of an epoch that the candidate's row says were trained, and its epochs.

        Raises:
            UsageError: it says no tokens, or no epochs where others are asked for.
        """
        training = self._training
        if training is None or training.tokens is None:
            raise UsageError(
                "what was trained is neither stated nor to be found, and unknown is not free\n"
                "  state it: --training-tokens N (0 where nothing is paid for it), or name the set: "
                "--training-set FOLDER"
            )
        tokens, epochs = training.tokens, training.epochs
        if not epochs and self._given.epochs is not None:
            raise UsageError(
                f"the candidate's row says that {tokens:,} tokens were trained, but not in how many epochs: "
                "--epochs cannot be applied to them\n  state those of one epoch: --training-tokens N"
            )
        self._note(f"training: {tokens:,} tokens, all epochs together, as the endpoint counted them")
        return (tokens / epochs, float(epochs)) if epochs else (float(tokens), 1.0)


def stated_rates(stated: Stated) -> Rates:
    """Return prices that were stated."""
    return Rates(stated[0], stated[1], cached_input_usd_per_mtok=stated[2])


def stated_caller(rates: Rates, stated: Stated) -> Caller:
    """Return a model that takes the tokens that were stated."""
    prompt, completion, cached = stated
    share = (cached or 0.0) / prompt if prompt else 0.0
    return Caller.of(rates, prompt_tokens=prompt, completion_tokens=completion, cached_share=share)
