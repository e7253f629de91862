"""What is paid once, as the command line, a training set, a row of the matrix or a scenario says it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tunegate.cases import Training
from tunegate.cost import Caller, Outlay, Rates, Replacement, Scenario
from tunegate.errors import UsageError

Stated = tuple[float, float, float | None]
"""In, out and perhaps cached, as the command line has them."""


@dataclass(frozen=True)
class _Trained:
    """What is trained on."""

    tokens: float
    """Of an epoch."""
    epochs: float = 1.0
    examples: float | None = None
    """In the training set; None where there is none."""
    teaching_usd: float | None = None
    """What its answers cost."""


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
            UsageError: an amount is needed and neither stated nor to be found, or it is stated and would not count.
            RunError: there is no such training set.
        """
        given = self._given
        self._check_people()
        trained = self._trained()
        outlay = Outlay(
            training_tokens=trained.tokens,
            epochs=trained.epochs,
            training_usd_per_mtok=self._training_price() if trained.tokens else given.training_price or 0.0,
            examples=self._examples(trained),
            teacher=self._teacher(baseline),
            teaching_usd=trained.teaching_usd,
            examples_per_hour=given.examples_per_hour,
            hours=given.hours or 0.0,
            usd_per_hour=given.usd_per_hour or 0.0,
            other_usd=given.other,
        )
        self._check_examples(Replacement(candidate, baseline, outlay).examples)
        return outlay

    def _check_people(self) -> None:
        """Look whether people's work has both its time and its price.

        Raises:
            UsageError: it has one of them.
        """
        given = self._given
        has_time = given.hours is not None or given.examples_per_hour is not None
        if has_time and given.usd_per_hour is None:
            raise UsageError("what does an hour of people cost? state it: --usd-per-hour USD")
        if given.usd_per_hour is not None and not has_time:
            raise UsageError(
                "--usd-per-hour is stated, but no time of people, so it would not count\n"
                "  state it: --hours N, or --examples-per-hour N where people write the examples"
            )

    def _check_examples(self, examples: float) -> None:
        """Look whether whoever is to write examples has any to write.

        Raises:
            UsageError: an option about them would not count.
        """
        given = self._given
        if given.examples_per_hour is not None and not examples:
            raise UsageError(
                "how many examples do people write? --examples-per-hour is stated, and there are none\n"
                "  state them: --examples N, or name the set that has them: --training-set FOLDER"
            )
        names = [name for name in ("teacher_tokens", "teacher_prices") if getattr(given, name) is not None]
        if not names:
            return
        if given.training_set is not None:
            reason = "the training set says what its answers cost"
        elif given.examples_per_hour is not None:
            reason = "people write the examples: --examples-per-hour is stated"
        elif not examples:
            reason = "there are no examples to write; state them: --examples N"
        else:
            return
        options = " and ".join(f"--{name.replace('_', '-')}" for name in names)
        raise UsageError(f"no teacher is called, so {options} would not count\n  {reason}")

    def _examples(self, trained: _Trained) -> float | None:
        """Return how many examples there are; None is that it follows from the tokens, whatever these are."""
        stated: float | None = self._given.examples
        if trained.examples is not None:
            if stated not in (None, trained.examples):
                raise UsageError(
                    f"the training set has {trained.examples:,.15g} examples, and --examples says {stated:,.15g}\n"
                    "  leave out one of them; without --training-set, --training-tokens N says what is trained"
                )
            return trained.examples
        if stated is not None:
            return stated
        if self._scenario is not None:
            # What a scenario says of its own is stale once one of the tokens is stated.
            return None
        if self._given.hours is None:
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

    def _trained(self) -> _Trained:
        given = self._given
        if given.training_set is not None:
            found = self._training_set(given.training_set)
        elif self._scenario is not None:
            found = _Trained(self._scenario.training_tokens, self._scenario.epochs)
        elif given.training_tokens is None:
            found = self._counted_tokens()
        else:
            found = _Trained(given.training_tokens)
        tokens = found.tokens if given.training_tokens is None else given.training_tokens
        return replace(found, tokens=tokens, epochs=found.epochs if given.epochs is None else given.epochs)

    def _training_set(self, folder: Path) -> _Trained:
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
        return _Trained(
            tokens=float(largest["tokens"]),
            epochs=float(manifest["epochs"]),
            examples=float(largest["examples"]),
            teaching_usd=float(teaching_usd),
        )

    def _counted_tokens(self) -> _Trained:
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
        return _Trained(tokens / epochs, float(epochs)) if epochs else _Trained(float(tokens))


def stated_rates(stated: Stated) -> Rates:
    """Return prices that were stated."""
    return Rates(stated[0], stated[1], cached_input_usd_per_mtok=stated[2])


def stated_caller(rates: Rates, stated: Stated) -> Caller:
    """Return a model that takes the tokens that were stated."""
    prompt, completion, cached = stated
    share = (cached or 0.0) / prompt if prompt else 0.0
    return Caller.of(rates, prompt_tokens=prompt, completion_tokens=completion, cached_share=share)
