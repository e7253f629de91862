"""Fine-tuning jobs, sizes x training seeds, at any endpoint with the fine-tuning API: created once, watched, judged.

planning    which trainings a command wants, and the key by which each is found again
folder      what is known of them, on disk: a job's id, its loss curve, how it ended
driving     from what is wanted to jobs that are over, whatever was killed in between; finding looks for jobs that exist
            at the endpoint alone, watching reads what it tells of one
convergence which of them did not learn, before anybody pays for an eval
rows        their rows of the matrix
"""

from tunegate.finetune.convergence import judge_trainings
from tunegate.finetune.driving import Driver
from tunegate.finetune.folder import Kept, TrainingFolder
from tunegate.finetune.planning import Hyperparameters, TrainingFile, Wanted, plan_trainings
from tunegate.finetune.rows import make_rows

__all__ = [
    "Driver",
    "Hyperparameters",
    "Kept",
    "TrainingFile",
    "TrainingFolder",
    "Wanted",
    "judge_trainings",
    "make_rows",
    "plan_trainings",
]
