"""A training process without a model: the real order in, the real progress out, numbers from the seed and the step.

usage: scripted_trainer.py MODE STOP_AT GATE FOLDER, where step STOP_AT waits until the file GATE exists.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from functools import partial
from pathlib import Path

from tunegate.lab.fine_tuning.conversations import read_conversations
from tunegate.lab.fine_tuning.order import ADAPTER, METRICS, STATE, Checkpoint, Done, Failed, Order, Step
from tunegate.lab.fine_tuning.worker import leave_with_the_server, tell_server


def main(mode: str, stop_at: int, gate: Path, folder: Path) -> int:
    threading.Thread(target=leave_with_the_server, daemon=True).start()
    (gate.parent / "pids").open("a").write(f"{os.getpid()}\n")
    tell = partial(tell_server, sys.stdout)
    order = Order.load(folder)
    if mode == "fail":
        tell(Failed("training_diverged", "no number any more", "hyperparameters"))
        return 0
    if mode == "crash":
        sys.stderr.write("Traceback\nMemoryError: out of it\n")
        return 3
    if mode == "babble":
        sys.stdout.write("loss is fine, thank you\n")
        return 0
    examples = sum(1 for _ in read_conversations(Path(order.training_file)))
    steps = -(-examples // order.recipe.batch_size)
    total = steps * order.recipe.n_epochs
    state = folder / STATE
    # What was "learned" so far: it depends on every step before, as weights do.
    epoch, weight = json.loads(state.read_text()) if state.exists() else (0, order.recipe.seed)
    while epoch < order.recipe.n_epochs:
        for step in range(epoch * steps + 1, (epoch + 1) * steps + 1):
            if step == stop_at:
                while not gate.exists():
                    time.sleep(0.003)
            weight = (weight * 31 + step) % 1009
            is_last = step == (epoch + 1) * steps and order.validation_file is not None
            row = Step(step, total, 1 / step, 0.5, valid_loss=0.25 if is_last else None)
            tell(row)
        epoch += 1
        state.write_text(json.dumps([epoch, weight]))
        tell(Checkpoint(row))
    (folder / METRICS).write_text("step,train_loss\n")
    (folder / ADAPTER).write_text(f"adapter {weight}")
    tell(Done(total * 7))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])))
