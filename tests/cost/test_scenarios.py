"""Examples of a scenario: as many as a call's length goes into what is trained."""

from __future__ import annotations

from tunegate.cost import examples_of


def test_examples_are_training_tokens_over_those_of_a_call() -> None:
    """50 million tokens are 50,000 examples of 500 in and 500 out, and whole ones alone are counted."""
    assert examples_of(50e6, prompt_tokens=500, completion_tokens=500) == 50_000
    assert examples_of(1_999, prompt_tokens=300.5, completion_tokens=699.5) == 1
    assert examples_of(1_999, prompt_tokens=0, completion_tokens=0) == 0
