"""Which trainings did not learn: judged by their losses, before anybody pays for an eval."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from tunegate.finetune.folder import Kept
from tunegate.stats import Convergence, judge_convergence


def judge_trainings(trainings: Iterable[Kept]) -> dict[str, Convergence]:
    """Return what the loss curve of each training that succeeded at one endpoint says, by its key.

    Each is held against those that differ from it by their seed alone, see `judge_convergence`.
    """
    groups: dict[tuple[object, ...], list[Kept]] = defaultdict(list)
    for kept in trainings:
        if kept.status == "succeeded":
            groups[kept.all_but_seed].append(kept)
    found: dict[str, Convergence] = {}
    for sisters in groups.values():
        judged = judge_convergence(
            {kept.key: kept.losses for kept in sisters},
            valid_losses={kept.key: kept.valid_losses for kept in sisters},
            epochs=sisters[0].epochs,
        )
        for convergence in judged:
            found[convergence.replicate] = convergence
    return found
