"""A replacement as the study of 2023 had it, at prices of a test's own."""

from __future__ import annotations

from tunegate.cost import Caller, Outlay, Rates, Replacement

TUNED, TEACHER = Rates(12.0, 16.0), Rates(30.0, 60.0)


def make_medium(
    *, candidate: Rates = TUNED, baseline: Rates = TEACHER, training_usd_per_mtok: float = 8.0
) -> Replacement:
    """Return calls of 500 tokens in and out, 100 of instructions for the baseline alone, and 50,000 examples."""
    return Replacement(
        Caller.of(candidate, prompt_tokens=500, completion_tokens=500),
        Caller.of(baseline, prompt_tokens=500, completion_tokens=500, instruction_tokens=100),
        Outlay(training_tokens=50e6, training_usd_per_mtok=training_usd_per_mtok, examples=50_000),
    )
