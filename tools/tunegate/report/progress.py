"""One line about a run that is still going on."""

from __future__ import annotations

from tunegate.records import UNSCORED
from tunegate.report.table import Tally


def render_progress(tally: Tally, *, planned: int, elapsed_s: float) -> str:
    """Return `120/400  3.1/s  1:30 left  smollm2-135m: json_list 45% exact 1%`: the model is the one last heard of."""
    done = tally.records
    rate = done / elapsed_s if elapsed_s > 0 else 0.0
    parts = [f"{done}/{planned}", f"{rate:.1f}/s"]
    if rate > 0 and done < planned:
        minutes, seconds = divmod(round((planned - done) / rate), 60)
        parts.append(f"{minutes}:{seconds:02} left")
    failed = sum(tally.states[state] for state in UNSCORED)
    if failed:
        parts.append(f"{failed} without an answer")
    if tally.latest is not None:
        model = tally.evals[tally.latest.eval][tally.latest.model]
        shares = ((metric, model.running_share(metric)) for metric in model.metrics)
        shown = " ".join(f"{metric} {share:.0%}" for metric, share in shares if share is not None)
        parts.append(f"{tally.latest.model}: {shown}")
    return "  ".join(parts)
