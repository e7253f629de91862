"""What models cost: a call, a training, and when a fine-tune has paid for itself. Pure arithmetic.

amounts       US dollars as text
calls         prices, what a call cost, and what it cannot exceed
break_even    after how many calls fixed costs are paid back by cheaper calls: one formula for the whole house
sensitivity   which assumption moves that number most
scenarios     a named pattern of use with its assumptions

Unknown is a value here (None): never 0.0. Amounts are US dollars, prices US dollars per million tokens.
"""

from tunegate.cost.amounts import dollars
from tunegate.cost.break_even import Caller, Outlay, Replacement, calls_to_break_even, training_usd
from tunegate.cost.calls import (
    BYTES_PER_TOKEN,
    MESSAGE_TOKENS,
    REQUEST_TOKENS,
    Price,
    Rates,
    cost_usd,
    estimate_tokens,
    upper_bound_usd,
)
from tunegate.cost.scenarios import Scenario, examples_of
from tunegate.cost.sensitivity import FACTORS, Swing, find_swings

__all__ = [
    "BYTES_PER_TOKEN",
    "FACTORS",
    "MESSAGE_TOKENS",
    "REQUEST_TOKENS",
    "Caller",
    "Outlay",
    "Price",
    "Rates",
    "Replacement",
    "Scenario",
    "Swing",
    "calls_to_break_even",
    "cost_usd",
    "dollars",
    "estimate_tokens",
    "examples_of",
    "find_swings",
    "training_usd",
    "upper_bound_usd",
]
