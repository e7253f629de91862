"""A session joins what is asked, the recordings and the wire: one reply for every cell of the matrix."""

from tunegate.session.asking import Answer, RecordMode, Session
from tunegate.session.attempt import Attempt, Missed
from tunegate.session.plan import Planned, plan_cells
from tunegate.session.selection import choose_models

__all__ = ["Answer", "Attempt", "Missed", "Planned", "RecordMode", "Session", "choose_models", "plan_cells"]
