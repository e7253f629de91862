"""After how many calls a fine-tune has paid for itself.

What is paid once (training, and the examples to train on) is paid back by what each call saves:

    calls = (training + labelling) / (a call of the baseline - a call of the candidate)

rounded up. Where a call of the candidate is no cheaper, no number of calls pays it back.

It is monotone in each price: a dearer candidate, training, teacher or hour puts it off, a dearer baseline brings it
nearer. That holds where the baseline writes the E examples too, although its price is then in both parts. With c and b
for a call of candidate and baseline, and F for the rest of what is paid once, (F + E b) / (b - c) is
E + (F + E c) / (b - c), which falls as b rises and never comes below E.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from tunegate.cost.calls import Rates
from tunegate.cost.scenarios import examples_of

_ROUNDING = 1e-12
"""Differences below this part of an amount are of floating-point arithmetic, not of money."""


@dataclass(frozen=True)
class Caller:
    """A model as it is called: prices in US dollars per million tokens, and the tokens of a call on average."""

    input_usd_per_mtok: float
    output_usd_per_mtok: float
    prompt_tokens: float
    completion_tokens: float
    instruction_tokens: float = 0.0
    """Of the prompt, beyond `prompt_tokens`: what this model has to be told in every call."""
    cached_share: float = 0.0
    """Of the whole prompt, what is read from the provider's cache: 0 to 1."""
    cached_input_usd_per_mtok: float | None = None
    """None costs what other input does."""

    @classmethod
    def of(
        cls,
        rates: Rates,
        *,
        prompt_tokens: float,
        completion_tokens: float,
        instruction_tokens: float = 0.0,
        cached_share: float = 0.0,
    ) -> Caller:
        """Return a model that is called at these rates."""
        return cls(
            input_usd_per_mtok=rates.input_usd_per_mtok,
            output_usd_per_mtok=rates.output_usd_per_mtok,
            cached_input_usd_per_mtok=rates.cached_input_usd_per_mtok,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            instruction_tokens=instruction_tokens,
            cached_share=cached_share,
        )

    @property
    def usd_per_call(self) -> float:
        """What a call costs on average."""
        prompt = self.prompt_tokens + self.instruction_tokens
        cached_usd = self.cached_input_usd_per_mtok
        input_usd = self.input_usd_per_mtok
        if self.cached_share and cached_usd is not None:
            # In this form no rounding can make the mean fall where a price rises.
            input_usd = (1 - self.cached_share) * input_usd + self.cached_share * cached_usd
        return (prompt * input_usd + self.completion_tokens * self.output_usd_per_mtok) / 1e6


@dataclass(frozen=True)
class Outlay:
    """What is paid once, before the first call."""

    training_tokens: float = 0.0
    """Of one epoch."""
    epochs: float = 1.0
    training_usd_per_mtok: float = 0.0
    examples: float | None = 0.0
    """To train on; None is as many whole ones as a call of the candidate goes into `training_tokens`."""
    teacher: Caller | None = None
    """Who writes them, unless people do; None is the baseline itself."""
    teaching_usd: float | None = None
    """What a teacher was paid for all of them; None is a call of the teacher for each."""
    examples_per_hour: float | None = None
    """Above 0: people write or mark them all, so many an hour. None is that none of them is people's work."""
    hours: float = 0.0
    """Of people, beside those that `examples_per_hour` makes."""
    usd_per_hour: float = 0.0
    other_usd: float = 0.0

    @property
    def training_usd(self) -> float:
        """What the training costs."""
        return self.training_tokens * self.epochs * self.training_usd_per_mtok / 1e6


@dataclass(frozen=True)
class Replacement:
    """A fine-tune that is to take over the calls of another model."""

    candidate: Caller
    baseline: Caller
    outlay: Outlay = field(default_factory=Outlay)

    @property
    def examples(self) -> float:
        """How many examples there are to train on."""
        outlay, candidate = self.outlay, self.candidate
        if outlay.examples is not None:
            return outlay.examples
        return examples_of(
            outlay.training_tokens,
            prompt_tokens=candidate.prompt_tokens + candidate.instruction_tokens,
            completion_tokens=candidate.completion_tokens,
        )

    @property
    def hours(self) -> float:
        """How long people work on them, all together."""
        per_hour = self.outlay.examples_per_hour
        return self.outlay.hours + (0.0 if per_hour is None else self.examples / per_hour)

    @property
    def teaching_usd(self) -> float:
        """What a teacher is paid for them."""
        outlay = self.outlay
        if outlay.teaching_usd is not None:
            return outlay.teaching_usd
        if outlay.examples_per_hour is not None:
            return 0.0
        return self.examples * (outlay.teacher or self.baseline).usd_per_call

    @property
    def labelling_usd(self) -> float:
        """What the examples cost: a teacher, and hours of people."""
        return self.teaching_usd + self.hours * self.outlay.usd_per_hour

    @property
    def outlay_usd(self) -> float:
        """Everything that is paid once."""
        return self.outlay.training_usd + self.labelling_usd + self.outlay.other_usd

    @property
    def saved_usd_per_call(self) -> float:
        """What a call of the candidate costs less than one of the baseline; negative where it costs more."""
        return self.baseline.usd_per_call - self.candidate.usd_per_call

    @property
    def calls(self) -> int | None:
        """After how many calls it has paid for itself; None is never."""
        return calls_to_break_even(
            outlay_usd=self.outlay_usd,
            candidate_usd_per_call=self.candidate.usd_per_call,
            baseline_usd_per_call=self.baseline.usd_per_call,
        )


def calls_to_break_even(
    *, outlay_usd: float, candidate_usd_per_call: float, baseline_usd_per_call: float
) -> int | None:
    """Return after how many calls the outlay is paid back; None is never, for the candidate's call is no cheaper.

    A difference that only rounding makes is none: it would promise an end after some 10^15 calls.
    """
    saved = baseline_usd_per_call - candidate_usd_per_call
    if saved <= baseline_usd_per_call * _ROUNDING:
        return None
    calls = outlay_usd / saved
    return math.ceil(calls * (1 - _ROUNDING)) if math.isfinite(calls) else None


def training_usd(usd_per_mtok: float | None, *, tokens: int, epochs: int) -> float | None:
    """Return what it costs to train on `tokens` so many times over; None where the price is unknown."""
    if usd_per_mtok is None:
        return None
    return Outlay(training_tokens=tokens, epochs=epochs, training_usd_per_mtok=usd_per_mtok).training_usd
