"""What a training on more examples costs: a job trains the base model on all of them, not on the new ones alone."""

from __future__ import annotations

from dataclasses import dataclass

from tunegate.cost import Price, training_usd
from tunegate.curve.studies import Study
from tunegate.stats import NotEnoughData


@dataclass(frozen=True)
class NextTraining:
    """The price of one training on more examples than the largest has; the answers of the further ones cost extra."""

    examples: int
    """All that the job trains on: those of the largest training, and the further ones."""
    usd: float | NotEnoughData
    tokens_per_example: float | NotEnoughData
    """All epochs together."""
    basis: str
    """Where the tokens were counted."""
    price_source: str | None
    """Who says what a token costs; None where nobody does."""


def price_training(study: Study, *, further: int, price: Price | None) -> NextTraining:
    """Return what it costs to train the base model by the study's recipe on so many examples more than it had.

    Tokens are those that the endpoint counted in the study's trainings, for each example; where it did not say, a
    prompt and reply of the run, times the epochs. What nobody knows has a reason in place of a number.
    """
    examples = study.most_examples + further
    tokens, basis = _tokens_per_example(study)
    usd_per_mtok = price.training_usd_per_mtok if price else None
    # They hold all epochs already.
    known = 0 if isinstance(tokens, NotEnoughData) else round(tokens * examples)
    usd: float | NotEnoughData | None = training_usd(usd_per_mtok, tokens=known, epochs=1)
    if usd is None:
        usd = NotEnoughData(f"no price for training {study.base} in fixtures/prices.toml")
    elif isinstance(tokens, NotEnoughData) and usd_per_mtok:
        # What is free is free for any number of tokens.
        usd = tokens
    return NextTraining(examples, usd, tokens, basis, price.source if price and usd_per_mtok is not None else None)


def _tokens_per_example(study: Study) -> tuple[float | NotEnoughData, str]:
    trained = [row for row in (*study.rows, *study.failed) if row.examples and row.recipe == study.recipe]
    counted = [
        (row.training.tokens, row.examples) for row in trained if row.training and row.training.tokens and row.examples
    ]
    if counted:
        basis = "as the endpoint counted them in training"
        return sum(tokens for tokens, _ in counted) / sum(examples for _, examples in counted), basis
    epochs = study.recipe[0]
    if epochs is None:
        return NotEnoughData("the run says neither the tokens of a training nor its epochs"), "unknown"
    tallies = [study.tallies[row.name] for row in trained]
    calls = sum(tally.counted for tally in tallies)
    if not calls:
        return NotEnoughData("no server counted any tokens"), "unknown"
    basis = "a prompt and reply of this eval, for the trainings' tokens are not known"
    return epochs * sum(tally.tokens for tally in tallies) / calls, basis
