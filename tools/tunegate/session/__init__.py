"""A session joins what is asked, the recordings and the wire: one reply for every cell of the matrix.

What a replay needs stands here. Whoever records imports the rest from its module: the engine, the desk and their like.
"""

from tunegate.session.answers import Answer
from tunegate.session.asking import RecordMode, Session, secrets_in
from tunegate.session.attempt import Attempt, Missed
from tunegate.session.plan import Planned, Prepared, Preparer, plan_cells
from tunegate.session.selection import choose_models
from tunegate.session.shards import Shard, plan_digest
from tunegate.session.stopping import Turns, Watch, case_order, turn_order

__all__ = [
    "Answer",
    "Attempt",
    "Missed",
    "Planned",
    "Prepared",
    "Preparer",
    "RecordMode",
    "Session",
    "Shard",
    "Turns",
    "Watch",
    "case_order",
    "choose_models",
    "plan_cells",
    "plan_digest",
    "secrets_in",
    "turn_order",
]
