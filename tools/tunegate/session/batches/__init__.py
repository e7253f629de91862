"""Requests answered through the Batch API: handed in once, waited for, kept line by line, again where that may help."""

from tunegate.session.batches.driving import BatchOutcome, answer_in_batches
from tunegate.session.batches.handing_in import BatchProgress
from tunegate.session.batches.replies import BatchProblem
from tunegate.session.batches.wanted import LONGEST_KEY, Wanted

__all__ = ["LONGEST_KEY", "BatchOutcome", "BatchProblem", "BatchProgress", "Wanted", "answer_in_batches"]
